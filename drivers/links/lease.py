"""Leases of ports: two controllers on one machine never hold the same device."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from drivers.errors import NotConnected


def lock_path(port: str) -> Path:
    """Return the lock file of a port, the same for every name of it (udev makes several)."""
    name = os.path.realpath(port) if port.startswith("/") else f"/{port}"
    return Path(tempfile.gettempdir()) / f"labpilot{re.sub('[^A-Za-z0-9_.-]', '-', name)}.lock"


def take_lease(port: str) -> FileLock:
    """Take the lease of a port until it is released.

    Args:
        port: A path, or ``host:port`` with whatever tells apart those that share it.

    Raises:
        NotConnected: Another controller holds it, or its lock file cannot be used.
    """
    path = lock_path(port)
    # for everybody: whoever made the file must not keep other users from the port for ever
    lease = FileLock(path, mode=0o666, thread_local=False)
    try:
        lease.acquire(timeout=0)
    except Timeout as error:
        raise NotConnected(f"{port} is in use by another controller; stop that one first") from error
    except OSError as error:
        raise NotConnected(f"{port} cannot be leased: {path} cannot be used ({error}); see whose it is") from error
    return lease
