"""Space: how much of a disk is left, and a reserve for what must still be written when it is full."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

log = logging.getLogger(__name__)

RESERVE_NAME = "reserve"
RESERVE_BYTES = 64 * 2**20
LOW_BYTES = 64 * 2**20
OUT_BYTES = 4 * 2**20


class Verdict(StrEnum):
    """What the free space allows."""

    OK = "ok"
    LOW = "low"
    """Finish what is under way, begin nothing new."""
    OUT = "out"
    """Make the laboratory safe; only the reserve is left to record that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The space of one file system, in bytes."""

    free_bytes: int
    """What this user can still write, the reserve apart."""
    has_reserve: bool
    verdict: Verdict

    def __str__(self) -> str:
        reserve = "" if self.has_reserve else ", and its reserve is used up"
        return f"{self.free_bytes / 2**20:.0f} MB are free{reserve}"


class Reserve:
    """A file that takes up space until the last entries need it."""

    def __init__(self, folder: Path, *, size_bytes: int = RESERVE_BYTES) -> None:
        self.path = folder / RESERVE_NAME
        self.size_bytes = size_bytes

    def hold(self) -> bool:
        """Set the space aside; False where there is not enough of it."""
        if self.is_held:
            return True
        try:
            with self.path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.size_bytes)
        except OSError as error:
            self.path.unlink(missing_ok=True)
            log.warning("no_reserve path=%s error=%s", self.path, error.strerror)
            return False
        return True

    @property
    def is_held(self) -> bool:
        """Whether the space is set aside."""
        with suppress(OSError):
            return self.path.stat().st_size >= self.size_bytes
        return False

    def release(self) -> bool:
        """Free the space; False where there was none."""
        if not self.path.exists():
            return False
        self.path.unlink(missing_ok=True)
        return True

    def space(self, *, low_bytes: int = LOW_BYTES, out_bytes: int = OUT_BYTES) -> Space:
        """Say how much is free, and what that allows.

        low_bytes, out_bytes: below them the verdict is `low` and `out`; without its reserve it is never `ok`.
        """
        free, held = free_bytes(self.path.parent), self.is_held
        usual = Verdict.OK if held and free >= low_bytes else Verdict.LOW
        return Space(free_bytes=free, has_reserve=held, verdict=Verdict.OUT if free < out_bytes else usual)


def free_bytes(path: Path) -> int:
    """Return how much this user can still write beside a path."""
    return shutil.disk_usage(path).free
