"""A finding: one thing that was looked at, and how it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How grave a finding is."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; nothing is lost by waiting."""
    WARNING = "warning"
    """Something will stop or go wrong unless somebody acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    """What was looked at, such as ``disk`` or ``stock BaCO3``; stays the same from look to look."""
    level: Level
    text: str
    """One sentence, with numbers and units."""
    do: str = ""
    """What to do; empty where nothing is to be done."""
