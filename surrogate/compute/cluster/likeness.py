"""What results depend on besides a job: versions of our code and of what computes, told by every worker.

A job names a function by its import path, so that another version would be another function; and sums differ in their
last digits between versions of libraries. Whatever differs here is refused rather than mixed.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

_OURS = ("orchestrator", "planner", "surrogate", "drivers", "simulators")
_LIBRARIES = (
    "distributed",
    "numpy",
    "scipy",
    "torch",
    "gpytorch",
    "linear-operator",
    "botorch",
    "scikit-learn",
    "numba",
)
_PLUGINS = "labpilot."
"""How the groups of entry points begin by which other packages add instruments and worlds."""


def likeness() -> dict[str, str]:
    """Return versions by name, without importing what they are of."""
    return {
        "labpilot": _version("labpilot"),
        "labpilot's source": source_digest(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        # a build for CUDA has a version of its own, and the same numbers on the CPU
        **{name: _version(name).partition("+")[0] for name in _LIBRARIES},
        **_plugins(),
    }


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Return what differs, in words; `theirs` are a worker's."""
    return [
        f"{name} is {theirs.get(name) or 'missing'} there and {ours.get(name) or 'missing'} here"
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name, "") != theirs.get(name, "")
    ]


@cache
def source_digest() -> str:
    """Return a digest of our packages as they are installed here, of which a version in the making has many."""
    digest = hashlib.sha256()
    for package in _OURS:
        found = find_spec(package)
        if found is None or found.origin is None:
            continue
        folder = Path(found.origin).parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(f"{package}/{file.relative_to(folder).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _plugins() -> dict[str, str]:
    groups = [group for group in entry_points().groups if group.startswith(_PLUGINS)]
    offered = [entry.dist for group in groups for entry in entry_points(group=group)]
    found = {distribution.name: distribution.version for distribution in offered if distribution is not None}
    return {name: found[name] for name in sorted(found) if name != "labpilot"}


async def unlike_workers(client: Client, addresses: Sequence[str]) -> dict[str, list[str]]:
    """Ask workers what they are; return what differs, by address, of those where anything does.

    Raises:
        OSError: The scheduler, or one of the workers, has gone meanwhile.
    """
    said = await client.run(likeness, workers=list(addresses), on_error="return")
    ours, found = likeness(), dict[str, list[str]]()
    for address, theirs in said.items():
        if isinstance(theirs, OSError):
            raise theirs
        differs = [_unable(theirs)] if isinstance(theirs, Exception) else differences(ours, theirs)
        if differs:
            found[address] = differs
    return found


def _unable(error: Exception) -> str:
    return f"it cannot load labpilot ({type(error).__name__}: {error})"
