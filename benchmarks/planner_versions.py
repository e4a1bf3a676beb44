"""Which version of a planner gave a result; equal versions need not be measured again."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from planner_peers import Entry

STANDS_ON = tuple(
    f"surrogate/{name}.py" for name in ("gp", "length_priors", "matern_gp", "matern_gp_fit", "quasi_newton")
)


def version_of(entry: Entry) -> str:
    """Return the version that is installed here; for our own planner a digest of its source."""
    return version(entry.distribution) if entry.distribution else own_version()


@cache
def own_version() -> str:
    """Return the digest of the source files of the planner and of the Gaussian process that it stands on.

    Raises:
        ModuleNotFoundError: labpilot is not installed here.
    """
    found = find_spec("planner")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("labpilot's planner is not installed in this environment")
    folder = Path(found.origin).parent
    digest = hashlib.sha256()
    for file in [*sorted(folder.rglob("*.py")), *(folder.parent / name for name in STANDS_ON)]:
        digest.update(str(file.relative_to(folder.parent)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:10]
