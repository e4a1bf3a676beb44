"""Events: what the journal holds, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One journal row as a value."""

    seq: int
    kind: str
    at_s: float
    """Seconds since the campaign's start."""
    utc: str
    body: Mapping[str, Any]
    trial: int | None = None
    step: str | None = None
    command_id: str | None = None
