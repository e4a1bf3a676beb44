"""Faults of a database: which pass by themselves, and what a person can do about the others."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, IntegrityError

PASSING_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PROTOCOL")
LOST_FOR_GOOD = ("28", "3D", "3F", "42", "22", "0A", "53100", "53200")
"""PostgreSQL's states (classes, or whole codes) that waiting does not mend: no entry, no such thing, no space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a fault that may pass is waited for. The controller stands still meanwhile, and sends nothing."""

    total_s: float = 20.0
    first_pause_s: float = 0.05
    longest_pause_s: float = 1.0
    sleep: Callable[[float], None] = time.sleep
    monotonic_s: Callable[[], float] = time.monotonic


def may_pass(error: DBAPIError) -> bool:
    """Say whether a fault may pass within seconds: a lock, a server that starts again, a network."""
    if isinstance(error, IntegrityError):
        return False
    state = _state(error)
    if isinstance(error.orig, sqlite3.Error):
        return state.startswith(PASSING_SQLITE)
    if state:
        return not state.startswith(LOST_FOR_GOOD)
    return error.connection_invalidated or type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout")


def is_full(error: DBAPIError) -> bool:
    """Say whether a disk is full."""
    return _state(error) in ("SQLITE_FULL", "53100")


def is_busy(error: DBAPIError) -> bool:
    """Say whether somebody else holds a lock."""
    return _state(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "55P03"))


def is_read_only(error: DBAPIError) -> bool:
    """Say whether nothing may be written."""
    return _state(error).startswith(("SQLITE_READONLY", "SQLITE_PERM", "25006", "42501"))


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None) or ""


def explain(error: DBAPIError, where: str) -> str:
    """Return what happened and what to do."""
    said = " ".join(str(error.orig).split())
    if is_full(error):
        return (
            f"the disk is full ({said}): the campaign stopped before acting; free some space, then `labpilot resume` it"
        )
    if is_busy(error):
        return (
            f"the journal is locked by somebody else ({said}): close what has {where} open (a database browser, a "
            "backup), then resume; nothing was acted upon since"
        )
    if is_read_only(error):
        return f"the journal may not be written any more ({said}): check the permissions of {where}, then resume"
    return (
        f"the journal could not be written ({said}); nothing was acted upon since; check that {where} can be reached "
        "and written, then resume"
    )
