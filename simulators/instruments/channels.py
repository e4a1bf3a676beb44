"""What simulated instruments on channels share: a table of records, and a server that answers from the physics.

A `ChannelInstrument` is a `drivers.links.channels.ChannelServer`: in virtual time a driver reaches it through
`MemoryChannels`, in wall time through the IOC of `simulators.ioc`. Every read is answered from the state and the clock,
with the clock's time as its stamp.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from drivers.links.channels import INVALID, NO_ALARM, ChannelValue
from simulators.instruments.base import RESOLUTION_S, Now
from simulators.world import WorldFile

Value = float | int | str

WRITABLE = ("ao", "longout", "stringout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of an IOC."""

    kind: str
    """``ai``, ``ao``, ``longin``, ``longout``, ``stringin`` or ``stringout``."""
    unit: str = ""
    """Its EGU."""
    low: float | None = None
    """Its DRVL: what is written below becomes this, silently, as EPICS does."""
    high: float | None = None
    """Its DRVH."""

    def clamped(self, value: Value) -> Value:
        """Return what the record makes of a value that is written to it."""
        if self.kind in ("stringin", "stringout"):
            return str(value)[:39]
        number = float(value)
        if self.low is not None and self.high is not None:
            number = min(max(number, self.low), self.high)
        return int(number) if self.kind in ("longin", "longout") else number


class ChannelInstrument(ABC):
    """A simulated device behind an IOC; a subclass has the records and the physics."""

    wire = "ca"
    prefix: ClassVar[str] = "SIM:"
    """What the names of its channels start with on a real port."""
    records: ClassVar[Mapping[str, Record]]
    can_be_busy = False
    """Whether `busy_reply` says something: an IOC never does."""
    has_units = False
    """Whether `change_unit` does something."""
    has_front_panel = False
    """Whether `front_panel` does something."""

    def __init__(self, *, state: WorldFile, clock: Now, settle: Callable[[], None] | None = None) -> None:
        self._state = state
        self._clock = clock
        self._settle = settle

    def get(self, channel: str, answer: Callable[[ChannelValue], None]) -> None:
        """Answer with a channel's value now.

        Raises:
            KeyError: There is no such channel.
        """
        answer(self.value(channel))

    def put(self, channel: str, value: Value, done: Callable[[], None]) -> None:
        """Take a value; what is written to a record that only reads is lost, as EPICS loses it.

        Raises:
            KeyError: There is no such channel.
        """
        record = self.records[channel]
        if self._settle is not None:
            self._settle()
        if record.kind in WRITABLE:
            self.write(channel, record.clamped(value))
        done()

    def value(self, channel: str) -> ChannelValue:
        """Return a channel's value as the IOC has it now; ``NAME.EGU``, ``.DRVL`` and ``.DRVH`` are a record's fields.

        Raises:
            KeyError: There is no such channel.
        """
        name, dot, field = channel.partition(".")
        record = self.records[name]
        if dot:
            fields = {"EGU": self.unit(name, record), "DRVL": record.low or 0.0, "DRVH": record.high or 0.0}
            return ChannelValue(value=fields[field], stamp_s=self._clock.now_s())
        is_valid = self.is_valid(name)
        severity = NO_ALARM if is_valid else INVALID
        return ChannelValue(value=self.read(name), severity=severity, stamp_s=self.stamp_s(name))

    def unit(self, channel: str, record: Record) -> str:
        """Return the unit that a record shows."""
        return record.unit

    def is_valid(self, channel: str) -> bool:
        """Say whether the IOC believes a reading."""
        return True

    def stamp_s(self, channel: str) -> float:
        """Return when a record was last processed."""
        return self._clock.now_s()

    @abstractmethod
    def read(self, channel: str) -> Value:
        """Return what a record holds now."""

    @abstractmethod
    def write(self, channel: str, value: Value) -> None:
        """Carry out what writing a record does; what changed is in the world's file by then."""

    @abstractmethod
    def restart(self) -> None:
        """Restart the IOC: what it keeps in memory only is forgotten."""

    def change_unit(self) -> None:
        """Let somebody switch the readings to another unit; only where `has_units`."""
        raise NotImplementedError(f"{type(self).__name__} has no units to change")

    def front_panel(self) -> None:
        """Let somebody change a setting by other means; only where `has_front_panel`."""
        raise NotImplementedError(f"{type(self).__name__} has no front panel")

    def _did(self, what: str, *, once: bool = False, **facts: Any) -> None:
        """Note for checkers that an action was carried out.

        once: doing it twice is another thing than doing it once.
        """
        number = len(list(self._state.keys("act/")))
        row = {"what": what, "once": once, "facts": facts, "at_s": self._clock.now_s()}
        self._state.update({f"act/{number:06d}": row})

    def _remaining_s(self, end_s: float) -> float:
        remaining = end_s - self._clock.now_s()
        return remaining if remaining > RESOLUTION_S else 0.0
