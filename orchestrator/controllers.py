"""Whether a process controls a campaign directory, found out without making, writing or keeping its lock."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor

LOCK_NAME = "controller.lock"


def controller_is_alive(path: Path) -> bool:
    """Say whether a process holds the campaign directory; never makes, writes or keeps the lock."""
    lock = path / LOCK_NAME
    held = _held_by_the_kernels_list(lock)
    return _held_by_trying(lock) if held is None else held


def _held_by_the_kernels_list(lock: Path) -> bool | None:
    """Look in /proc/locks, which touches nothing; None where there is none, or it may not show all processes."""
    try:
        place = lock.stat()
        text = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return None
    wanted = f"{os.major(place.st_dev):02x}:{os.minor(place.st_dev):02x}:{place.st_ino}"
    return True if any(wanted in line.split() for line in text.splitlines()) else None


def _held_by_trying(lock: Path) -> bool:
    """Try the lock for as long as it takes to let go again."""
    try:
        descriptor = os.open(lock, os.O_RDWR if os.access(lock, os.W_OK) else os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        if not lock_descriptor(descriptor, blocking=False):
            return True
        unlock_descriptor(descriptor)
        return False
    finally:
        os.close(descriptor)
