"""What a journal says of hours: when it was closed, and how it stands to the calendar now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from orchestrator.hours.events import CLOSED, OPENED
from orchestrator.hours.windows import Closed, calendar_of
from orchestrator.store import CampaignRow, JournalRow, StepRow
from orchestrator.words import plural

_JOURNAL: Any = JournalRow.__table__  # type: ignore[attr-defined]
_STEP: Any = StepRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """One time in which it was closed, by the campaign's clock."""

    start_s: float
    end_s: float | None
    """None while it is."""
    until_utc: str
    why: str
    under_way: tuple[int, ...]
    """Trials that were carried to their end in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursStatus:
    """How a campaign stands to its calendar."""

    is_closed: bool
    why: str
    from_utc: str
    until_utc: str
    """The window that is open, or else the next one; empty where none comes any more."""
    closings: int
    """How many there were."""
    text: str


def read_closings(connection: Connection) -> Iterator[Closing]:
    """Yield when it was closed, in order."""
    query = select(_JOURNAL.c.kind, _JOURNAL.c.mono_s, _JOURNAL.c.body).where(_JOURNAL.c.kind.in_((CLOSED, OPENED)))
    last: tuple[float, dict[str, Any]] | None = None
    for kind, at_s, text in connection.execute(query.order_by(_JOURNAL.c.seq)):
        if last is not None:
            yield _closing(*last, end_s=at_s)
        last = (at_s, json.loads(text)) if kind == CLOSED else None
    if last is not None:
        yield _closing(*last, end_s=None)


def _closing(start_s: float, body: dict[str, Any], *, end_s: float | None) -> Closing:
    return Closing(
        start_s=start_s,
        end_s=end_s,
        until_utc=body["until_utc"],
        why=body["why"],
        under_way=tuple(body["under_way"]),
    )


def read_hours(connection: Connection, campaign: CampaignRow, *, last_utc: str, is_alive: bool) -> HoursStatus | None:
    """Say how a campaign stands to its calendar; None where nothing is ever closed.

    last_utc: its last event, which is where its time stands unless a controller is alive on the wall clock.
    """
    written = (campaign.lab.get("closed"), campaign.config.get("closed"))
    sections = [Closed.model_validate(one) for one in written if one]
    calendar = calendar_of(sections, _used(connection) or campaign.lab.get("devices", {}))
    if calendar is None:
        return None
    is_now = is_alive and campaign.mode == "wall"
    now = datetime.now(UTC) if is_now or not last_utc else datetime.fromisoformat(last_utc)
    span, before = calendar.closing(now), list(read_closings(connection))
    if span is None:
        return HoursStatus(
            is_closed=False, why="", from_utc="", until_utc="", closings=len(before), text="no closing comes any more"
        )
    is_closed, zone = span.start <= now, ZoneInfo(sections[0].zone)
    begins, ends = _written(span.start, zone), _written(span.end, zone)
    text = f"until {ends} ({span.why})" if is_closed else f"{begins}, until {ends} ({span.why})"
    if before:
        text += f"; {plural(len(before), 'closing')} so far"
    return HoursStatus(
        is_closed=is_closed,
        why=span.why,
        from_utc=span.start.isoformat(),
        until_utc=span.end.isoformat(),
        closings=len(before),
        text=text,
    )


def _used(connection: Connection) -> set[str]:
    """Return the devices that something was done with; before the first step, none."""
    return set(connection.execute(select(_STEP.c.device).distinct()).scalars())


def _written(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).strftime("%a %d %b %H:%M %Z")
