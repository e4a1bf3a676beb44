"""Owners: which process controls a campaign, and whether it is certain that it is gone."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One process of one boot of one machine."""

    host: str
    machine: str
    """The machine's own identity, where it has one: host names repeat."""
    boot_id: str
    space: str
    """The namespace of process numbers: containers on one machine share its boot, not its numbers."""
    pid: int
    started: str
    """When the process began, in the kernel's ticks: process numbers are used again."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Owner:
    """Return the owner that this process is."""
    pid = os.getpid()
    return Owner(
        host=socket.gethostname(),
        machine=_text("/etc/machine-id"),
        boot_id=boot_id(),
        space=_space(),
        pid=pid,
        started=_started(pid) or "",
    )


def boot_id() -> str:
    """Return what tells this boot of the machine from others."""
    return _text("/proc/sys/kernel/random/boot_id") or f"{uuid.getnode():012x}"


def is_gone(owner: Owner, here: Owner) -> bool:
    """Say whether an owner is certainly gone; False where that cannot be told from here.

    here: the process that asks.
    """
    if (owner.host, owner.machine) != (here.host, here.machine):
        return False
    if owner.boot_id != here.boot_id:
        return True
    return owner.space == here.space and _started(owner.pid) != owner.started


def _started(pid: int) -> str | None:
    """Return when a process began; empty where the system does not say, None where there is no such process."""
    if not Path("/proc/self/stat").exists():
        return "" if _is_there(pid) else None
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    return None if state in "ZX" else fields[18]


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
