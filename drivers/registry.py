"""Find driver classes by name or path. Nothing heavy is imported before it is asked for."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from contextlib import ExitStack
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from zlib import crc32

from drivers.capabilities import missing_methods
from drivers.command import command_specs

GROUP = "labpilot.drivers"
"""The entry point group of drivers."""


class DriverNotFound(LookupError):
    """No such driver, or what was found is none."""


def driver_names() -> list[str]:
    """List the installed drivers."""
    return sorted(_installed())


def driver_class(name: str, *, base: Path = Path()) -> type:
    """Return a driver class: an installed one by name, or one of your own as ``./my_furnace.py:MyFurnace``.

    Args:
        name: What `driver:` says in the lab file.
        base: The directory from which a path counts, that of the lab file.

    Raises:
        DriverNotFound: There is no such driver; names the nearest. Or it lacks what a driver needs; says what.
    """
    if ".py" in name:
        return _checked(_from_path(name, base), name)
    installed = _installed()
    if name not in installed:
        close = difflib.get_close_matches(name, installed, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"installed are {', '.join(sorted(installed))}."
        raise DriverNotFound(f"no driver is called {name!r}; {hint} A file of your own is written ./file.py:Class.")
    _refuse_rivals(name)
    try:
        return _checked(installed[name].load(), name)
    except (ImportError, AttributeError) as error:
        raise DriverNotFound(f"driver {name!r} ({installed[name].value}) cannot be loaded: {error}") from error


def class_at(name: str, *, base: Path = Path()) -> type:
    """Return a class by its file, as in ``./my_furnace.py:MyFurnace``.

    Raises:
        DriverNotFound: There is no such file or class; says what there is.
    """
    found = _from_path(name, base)
    if not isinstance(found, type):
        raise DriverNotFound(f"{name!r} names {found!r}, which is no class")
    return found


def _refuse_rivals(name: str) -> None:
    rivals = {entry.value: entry for entry in entry_points(group=GROUP, name=name)}
    if len(rivals) > 1:
        given = " and ".join(f"{value} ({entry.dist.name if entry.dist else '?'})" for value, entry in rivals.items())
        raise DriverNotFound(f"driver {name!r} is offered twice, by {given}; uninstall one, or give it another name")


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _checked(found: object, name: str) -> type:
    if not isinstance(found, type):
        raise DriverNotFound(f"{name!r} names {found!r}, which is no class")
    missing = missing_methods(found, "Device")
    if missing:
        raise DriverNotFound(f"{name!r} is no driver: {found.__name__} lacks async {', '.join(missing)}")
    try:
        command_specs(found)
    except TypeError as error:
        raise DriverNotFound(f"{name!r} declares a command that cannot be: {error}") from error
    return found


def _from_path(name: str, base: Path) -> object:
    file, _, wanted = name.partition(":")
    path = (base / file).resolve()
    if not path.is_file():
        raise DriverNotFound(f"{name!r}: there is no file {path}")
    try:
        module = _load(path)
    except (ImportError, SyntaxError) as error:
        raise DriverNotFound(f"{name!r}: {path} cannot be imported: {error}") from error
    if not wanted or not hasattr(module, wanted):
        classes = [item for item, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        raise DriverNotFound(f"{name!r}: write {file}:Class; {path} has {', '.join(classes) or 'no class'}")
    return getattr(module, wanted)


def _load(path: Path) -> ModuleType:
    name = f"labpilot_driver_{path.stem}_{crc32(str(path).encode()):08x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    with ExitStack() as undo:
        sys.modules[name] = module  # dataclasses and type hints look their module up
        undo.callback(sys.modules.pop, name)
        spec.loader.exec_module(module)
        undo.pop_all()
    return module
