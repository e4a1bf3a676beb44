"""Until when a laboratory must last without anybody: Monday morning, or an instant that somebody gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.errors import InputError
from orchestrator.people.daily import next_instant
from orchestrator.people.settings import People

MONDAY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """An instant, and how people call it."""

    utc: datetime
    words: str


def next_monday(after: datetime, people: Mapping[str, Any]) -> Horizon:
    """Return the next Monday, at the time of the daily word where the people are.

    people: what the lab file says of them.
    """
    told = _told(people)
    instant = after
    while True:
        instant = next_instant(instant, told.all_is_well_at, told.timezone)
        if instant.astimezone(told.timezone).weekday() == MONDAY:
            return Horizon(utc=instant, words=f"Monday {_local(instant, told.timezone)}")


def read_horizon(text: str, after: datetime, people: Mapping[str, Any]) -> Horizon:
    """Read an instant such as ``2026-11-30 08:00`` (where the people are) or ``2026-11-30T08:00+01:00``.

    Raises:
        InputError: It is none, or is past.
    """
    zone = _told(people).timezone
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is no instant; write it as '2026-11-30 08:00' or with an offset") from None
    instant = (read if read.tzinfo is not None else read.replace(tzinfo=zone)).astimezone(UTC)
    if instant <= after:
        raise InputError(f"{text} is past: by the campaign's clock it is {_local(after, zone)}")
    return Horizon(utc=instant, words=_local(instant, zone))


def _told(people: Mapping[str, Any]) -> People:
    return People.model_validate({name: people[name] for name in ("timezone", "all_is_well_at") if name in people})


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"
