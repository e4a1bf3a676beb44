"""Versions of what took part in a campaign, for its journal and its report."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("labpilot", "numpy", "scipy", "torch", "botorch", "gpytorch", "scikit-learn", "sqlmodel", "pyserial")


def versions() -> dict[str, str]:
    """Return versions by name, without importing the packages."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
