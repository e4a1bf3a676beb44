"""Memory of processes, as Linux tells it; elsewhere nothing is known and nothing limited."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_RESIDENT, _DATA = 1, 5
"""Columns of ``/proc/PID/statm`` (proc(5))."""


def resident_bytes(pid: int | str = "self") -> int | None:
    """Return what a process holds in memory; None where that is not known, or the process is no more."""
    return _column(pid, _RESIDENT)


def _column(pid: int | str, number: int) -> int | None:
    try:
        return _PAGE * int(Path(f"/proc/{pid}/statm").read_text().split()[number])
    except (OSError, IndexError, ValueError):
        return None


@contextmanager
def limited(more_bytes: int) -> Iterator[None]:
    """Let this process take so much memory more than it has; beyond that, asking for it is a `MemoryError`.

    The limit is on private data rather than on addresses, of which torch and CUDA reserve many times what they use.
    """
    held = _column("self", _DATA)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    if held is not None:
        with suppress(ValueError, OSError):  # a stricter limit of the machine's own stands
            resource.setrlimit(resource.RLIMIT_DATA, (held + more_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
