"""What the guard says: answers to checks, events, and the report of a stop for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Why(StrEnum):
    """Why a command is refused."""

    ALLOWED = ""
    INTERLOCK = "interlock"
    """What it needs does not hold, or is not known to hold."""
    TRIP = "trip"
    """A trip of its device is latched."""
    PENDING = "pending"
    """A trip of its device is about to latch, a reading has not come yet, or the device is being made safe."""
    RATE = "rate"
    """Too fast a change, or too often."""
    UNKNOWN = "unknown"
    """The guard's lab file has no such device or command."""
    FENCED = "fenced"
    """A later controller has taken over."""
    SILENT = "silent"
    """The guard does not answer."""


MAY_PASS = frozenset({Why.INTERLOCK, Why.PENDING, Why.RATE, Why.SILENT})
"""Refusals that can pass without a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Yes or no to one command."""

    why: Why = Why.ALLOWED
    reason: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether it may be given."""
        return self.why is Why.ALLOWED


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that people and the record should know."""

    kind: str
    """``tripped``, ``acknowledged``, ``stopping``, ``stopped``, ``safe``, ``not_safe``, ``controller_lost``, ..."""
    text: str
    utc: datetime
    is_alarm: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReport:
    """What a stop for all came to."""

    stopped: tuple[str, ...]
    """Devices that took their stop command; whether they are safe, their proof tells later."""
    failed: Mapping[str, str]
    """Devices that could not be stopped, and why."""
    without_stop: tuple[str, ...] = ()
    """Devices that have no stop command."""
    took_s: float = 0.0
    unrecorded: str = ""
    """Why the latch would not outlive the guard's process; nothing where it would."""
