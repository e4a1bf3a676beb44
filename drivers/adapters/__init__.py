"""Drivers of others: classes of PyMeasure and ophyd-async as labpilot drivers.

What they need is imported when a device is connected, and not before: declarations can be read without it.
"""

from __future__ import annotations

import importlib
from typing import Any

from drivers.errors import NotConnected

EXTRA = "pip install labpilot[adapters]"


def foreign(target: Any, *, library: str, install: str = EXTRA) -> Any:
    """Return what ``package.module:Name`` names; anything but text is returned as it is.

    Raises:
        NotConnected: The library is not installed, or has no such name; says how to get it.
    """
    if not isinstance(target, str):
        return target
    module, _, name = target.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise NotConnected(f"{target} needs {library} ({error}); install it with: {install}") from error
    except AttributeError as error:
        raise NotConnected(f"{library} has no {target!r}: {error}") from error
