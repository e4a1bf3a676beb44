"""Scaffolds: a package with a driver, its simulator, tests and a page, which passes its tests as it is written.

A driver is put together from two parts: what the device can do (one file of `templates` for each capability) and how it
is spoken to (one for each kind of wire). Both parts meet in `_read`, `_write` and `_order`, so any goes with any.
"""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from drivers.registry import driver_names
from orchestrator.errors import InputError
from orchestrator.fields import did_you_mean

LINKS = {"serial": "text", "tcp": "text", "modbus+rtu": "modbus", "modbus+tcp": "modbus", "http": "http"}
"""The links that can be asked for, and the kind of template that speaks on them."""

CAPABILITIES = ("Heater", "Movable", "Switchable", "Balance")
"""The capabilities that there are templates for; others are written by hand, after one of these."""

_OURS = frozenset({"labpilot", "orchestrator", "planner", "surrogate", "drivers", "simulators"})

_PARTS = re.compile(r"^# --- (\w+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The ways of writing one driver's name."""

    plain: str
    """As the entry point has it: ``acme-heater``."""
    module: str
    """``acme_heater``."""
    title: str
    """``AcmeHeater``."""


def write_package(name: str, *, link: str, capability: str, out: Path) -> Path:
    """Write a package and return its folder.

    Raises:
        InputError: The name, link or capability is none that there is a template for, or the folder exists.
    """
    names = _names(name)
    if link not in LINKS:
        raise InputError(f"--link {link!r} is unknown{did_you_mean(link, LINKS)}; there are {', '.join(LINKS)}")
    if capability not in CAPABILITIES:
        raise InputError(
            f"there is no template for capability {capability!r}{did_you_mean(capability, CAPABILITIES)}; there are "
            f"{', '.join(CAPABILITIES)}. Any other: start from the nearest, and see drivers/capabilities.py"
        )
    folder = out / names.plain
    if folder.exists():
        raise InputError(f"{folder} exists already; give another name or --out")
    for path, text in _files(names, link, capability).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder


def _names(name: str) -> Names:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise InputError(f"{name!r} is no driver's name: lower-case words with hyphens between, as in acme-heater")
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module in _OURS:
        raise InputError(f"{name!r} is the name of another Python module; put the maker in front, as in acme-{name}")
    if name in driver_names():
        raise InputError(f"a driver {name!r} is installed already; put the maker in front, as in acme-{name}")
    return Names(plain=name, module=name.replace("-", "_"), title="".join(map(str.capitalize, name.split("-"))))


def _files(names: Names, link: str, capability: str) -> dict[str, str]:
    wire, ability = _parts(f"wire_{LINKS[link]}"), _parts(f"capability_{capability.lower()}")
    facts = {
        "plain": names.plain,
        "module": names.module,
        "title": names.title,
        "link": link,
        "capability": capability,
        **_imports(wire["errors"], ability),
        **{f"wire_{part}": text for part, text in wire.items()},
        **{f"ability_{part}": text for part, text in ability.items()},
    }
    facts["wire_simulator_before"] = "".join(f"{line}\n" for line in filter(None, [wire.get("simulator_before", "")]))
    facts["ability_driver_attributes"] = "\n".join([*filter(None, [ability["driver_attributes"]]), ""])
    return {
        "pyproject.toml": _filled("pyproject.toml", facts),
        "README.md": _filled("page.md", facts),
        f"{names.module}/__init__.py": f'"""{names.title}: a labpilot driver and its simulator."""\n',
        f"{names.module}/driver.py": _filled("driver.py", facts),
        f"{names.module}/simulator.py": _filled("simulator.py", facts),
        f"tests/test_{names.module}.py": _filled("test.py", facts),
    }


def _imports(wire_errors: str, ability: dict[str, str]) -> dict[str, str]:
    """Return the lines that import what a driver's parts use, and no more."""
    has_quantities = "Quantity(" in ability["driver_constants"] + ability["driver_methods"]
    errors = sorted({*wire_errors.split(), *ability["errors"].split()})
    return {
        "typing_import": "from typing import Annotated\n\n" if has_quantities else "",
        "command_import": f"from drivers.command import Effect,{' Quantity,' if has_quantities else ''} command",
        "errors_import": f"\nfrom drivers.errors import {', '.join(errors)}" if errors else "",
    }


def _parts(name: str) -> dict[str, str]:
    pieces = _PARTS.split(_template(f"{name}.py"))[1:]
    return {part: text.strip("\n") for part, text in zip(pieces[::2], pieces[1::2], strict=True)}


def _filled(name: str, facts: dict[str, str]) -> str:
    once = Template(_template(name)).substitute(facts)
    text = Template(once).substitute(facts)  # parts hold names too
    return re.sub(r"\n+(class \w)", r"\n\n\n\1", text) if name.endswith(".py") else text


def _template(name: str) -> str:
    return (resources.files("orchestrator.scaffold") / "templates" / f"{name}.txt").read_text(encoding="utf-8")
