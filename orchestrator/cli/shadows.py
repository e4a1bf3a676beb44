"""Finds foreign packages that took the place of one of ours: `drivers` and `planner` are not rare names."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("orchestrator", "planner", "surrogate", "drivers", "simulators")
"""The five names that labpilot installs."""


def shadowed_packages(packages: tuple[str, ...] = PACKAGES, *, home: Path | None = None) -> list[str]:
    """Return a sentence for each of our packages that Python would import from elsewhere.

    Args:
        packages: The names to look for.
        home: The folder that holds our own; by default that of this package.
    """
    ours = home or Path(__file__).resolve().parents[2]
    found = {name: _origin(name) for name in packages}
    return [
        f"the package {name!r} of labpilot ({ours / name}) is shadowed by {origin or 'nothing: it is missing'}; "
        "rename or uninstall that one, or leave its folder"
        for name, origin in found.items()
        if origin != ours / name
    ]


def _origin(name: str) -> Path | None:
    spec = find_spec(name)
    if spec is None:
        return None
    if spec.origin is not None:
        return Path(spec.origin).resolve().parent
    return next((Path(place).resolve() for place in spec.submodule_search_locations or ()), None)
