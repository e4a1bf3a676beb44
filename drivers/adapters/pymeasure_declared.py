"""What is declared of a PyMeasure instrument: its commands, and its wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.command import Effect
from drivers.links.base import LATE_MAX_S

NOTHING = object()
"""Where a value may be anything, None too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A command that reads a property, twice."""

    name: str
    attribute: str
    """Where it is in the instrument, as in ``input_A.kelvin``."""
    unit: str
    low: float
    high: float
    tolerance: float
    """How far two readings in a row may be apart: noise, in the unit."""
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A command that sets a property and reads it back, and its verifying command ``is_NAME``."""

    name: str
    attribute: str
    unit: str
    low: float
    high: float
    tolerance: float
    """How far the read-back may be off, in the unit: what the device or its number format rounds."""
    example: float
    argument: str = "value"
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A command that calls a method or assigns a fixed value to a property, and reads a property behind it."""

    name: str
    attribute: str
    effect: Effect
    """IDEMPOTENT, or OPERATOR where doing it twice is another thing than doing it once."""
    value: Any = NOTHING
    """What to assign; without it, the attribute is a method that is called."""
    confirmed_by: str = ""
    """The property to read behind it; by default the one that was assigned."""
    confirmed_as: Any = NOTHING
    """What that must say; by default what was assigned, and anything after a method."""
    urgent: bool = False
    """Whether it goes before all that wait, as a stop does."""
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How the instrument is talked to; PyMeasure leaves that to VISA, which is not used here."""

    write_termination: str = "\n"
    read_termination: str = "\n"
    reply_s: float = 1.0
    late_max_s: float = LATE_MAX_S
    identity: str = "id"
    """The property that says who it is: four words between commas, or a text."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the instrument class."""
