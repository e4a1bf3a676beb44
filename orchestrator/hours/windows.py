"""The `closed:` section of campaign and lab files: when nothing may be under way, by the clock on the wall.

closed:
  zone: Europe/Berlin
  windows:
    - {from: "18:00", to: "08:00", why: nights}
    - {from: "Fri 18:00", to: "Mon 08:00", why: weekends}
    - {from: 2026-12-24T12:00, to: 2027-01-04T08:00, why: Christmas}
    - {from: "Sat 00:00", to: "Sun 00:00", devices: [diffractometer], why: another group has it}
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from orchestrator.fields import StrictModel, did_you_mean, mistake
from orchestrator.hours.calendar import Calendar, Once, Rule, Weekly

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_OF_DAY = re.compile(r"(?:(?P<day>[A-Za-z]+)\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})")
_EXAMPLE = "'18:00', 'Fri 18:00' or '2026-12-24T12:00'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One end of a window as it was written."""

    text: str
    day: int | None = None
    """From 0 for Monday; None: each day, or an instant."""
    at: time | None = None
    """The time of day; None for an instant."""
    instant: datetime | None = None
    """Without an offset it is meant in the calendar's zone."""

    @property
    def kind(self) -> str:
        """What both ends of a window must agree on."""
        if self.instant is not None:
            return "an instant"
        return "a time of each day" if self.day is None else "a time of a weekday"

    @classmethod
    def read(cls, value: object) -> Moment:
        """Return a moment.

        Raises:
            PydanticCustomError: It is none.
        """
        if isinstance(value, Moment):
            return value
        if not isinstance(value, str):
            raise mistake(f"must be a time such as {_EXAMPLE}, got {value!r}")
        found = _OF_DAY.fullmatch(value.strip())
        if found is None:
            return cls(text=value.strip(), instant=_instant(value.strip()))
        day = None if found["day"] is None else _day(found["day"])
        return cls(text=value.strip(), day=day, at=_time(found["hour"], found["minute"]))

    def __str__(self) -> str:
        return self.text


def _day(word: str) -> int:
    near = [index for index, name in enumerate(DAYS) if len(word) >= 3 and name.lower().startswith(word.lower())]
    if not near:
        raise mistake(f"{word!r} is no day of the week{did_you_mean(word, DAYS)}")
    return near[0]


def _time(hour: str, minute: str) -> time:
    try:
        return time(int(hour), int(minute))
    except ValueError:
        raise mistake(f"{hour}:{minute} is no time of day; midnight is 00:00") from None


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise mistake(f"{text!r} is no time such as {_EXAMPLE}") from None


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError below
        raise mistake(f"{name!r} is no time zone, such as Europe/Berlin or UTC") from None
    except KeyError:
        raise mistake(f"no time zone {name!r} is known here; names are such as Europe/Berlin or UTC") from None
    return name


AMoment = Annotated[
    Moment,
    PlainValidator(Moment.read),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]


class Window(StrictModel):
    """One time in which nothing may be under way."""

    begins: AMoment = Field(alias="from", description="When it begins, '18:00', 'Fri 18:00' or '2026-12-24T12:00'")
    ends: AMoment = Field(alias="to", description="When it ends, written as its beginning is")
    devices: tuple[str, ...] = Field(
        default=(), description="Which devices are away; where left out, the whole laboratory is closed"
    )
    why: str = Field(default="", description="What it is, 'nights'")

    @model_validator(mode="after")
    def _has_an_extent(self) -> Window:
        if self.begins.kind != self.ends.kind:
            raise mistake(f"is {self.ends.kind}, but from is {self.begins.kind}; write both alike", at="to")
        if self.begins.instant is None and (self.begins.day, self.begins.at) == (self.ends.day, self.ends.at):
            raise mistake("is when it begins: it would never end", at="to")
        return self

    def rule(self, zone: ZoneInfo) -> Rule:
        """Return what a calendar is made of."""
        why = self.why or f"{self.begins} to {self.ends}"
        if self.begins.instant is not None and self.ends.instant is not None:
            return Once(start=_utc(self.begins.instant, zone, 0), end=_utc(self.ends.instant, zone, 1), why=why)
        first, last = self.begins, self.ends
        return Weekly(
            zone=zone, day=first.day, at=first.at or time(), end_day=last.day, end_at=last.at or time(), why=why
        )


def _utc(instant: datetime, zone: ZoneInfo, fold: int) -> datetime:
    given = instant if instant.tzinfo is not None else instant.replace(tzinfo=zone, fold=fold)
    return given.astimezone(UTC)


class Closed(StrictModel):
    """When nothing may be under way; trials must fit in between."""

    zone: Annotated[str, AfterValidator(_zone)] = Field(
        description="The time zone of every time without an offset, 'Europe/Berlin'"
    )
    windows: tuple[Window, ...] = Field(min_length=1, description="Each from when to when")

    @model_validator(mode="after")
    def _ends_somewhere(self) -> Closed:
        for index, window in enumerate(self.windows):
            rule = window.rule(ZoneInfo(self.zone))
            if isinstance(rule, Once) and rule.end <= rule.start:
                raise mistake(f"must be after from, {window.begins}", at=("windows", index, "to"))
        return self

    def rules(self, devices: Collection[str]) -> Iterator[Rule]:
        """Yield the windows that count where these devices are used."""
        for window in self.windows:
            if not window.devices or not set(window.devices).isdisjoint(devices):
                yield window.rule(ZoneInfo(self.zone))


def calendar_of(sections: Iterable[Closed | None], devices: Collection[str]) -> Calendar | None:
    """Return the calendar of those sections that there are; None where no window counts."""
    rules = tuple(rule for section in sections if section is not None for rule in section.rules(devices))
    return Calendar(rules) if rules else None
