"""Calendars: when something is closed, as instants. Local times become instants here, by the rules of their zone.

A time that a zone skips in spring counts as the instant at which it would have been. One that it has twice in autumn is
the first of both where a window begins and the second where it ends, so that it is rather too long than too short.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_LONGEST_WEEKLY = timedelta(days=9)
"""No window that comes again lasts longer than seven days, whatever a zone does meanwhile."""
_HORIZONS = tuple(timedelta(days=days) for days in (16, 64, 400))
"""How far ahead windows that follow each other without a gap are looked for."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A time in which something is closed."""

    start: datetime
    end: datetime
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A window between two instants."""

    start: datetime
    end: datetime
    why: str

    def spans(self, _since: date, _until: date) -> Iterator[Span]:
        """Yield it."""
        yield Span(self.start, self.end, self.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekly:
    """A window that comes again each week, or each day."""

    zone: ZoneInfo
    day: int | None
    """From 0 for Monday; None: each day."""
    at: time
    end_day: int | None
    end_at: time
    why: str

    def spans(self, since: date, until: date) -> Iterator[Span]:
        """Yield those that begin on the days from one to another."""
        for number in range((until - since).days + 1):
            day = since + timedelta(days=number)
            if self.day is None or day.weekday() == self.day:
                start = datetime.combine(day, self.at, tzinfo=self.zone).replace(fold=0)
                end = datetime.combine(day + self._days, self.end_at, tzinfo=self.zone).replace(fold=1)
                if end.astimezone(UTC) > start.astimezone(UTC):  # a zone may skip all of a short window
                    yield Span(start.astimezone(UTC), end.astimezone(UTC), self.why)

    @property
    def _days(self) -> timedelta:
        """Return how many days later it ends."""
        is_later = self.end_at > self.at
        if self.day is None or self.end_day is None:
            return timedelta(days=0 if is_later else 1)
        days = (self.end_day - self.day) % 7
        return timedelta(days=days if days or is_later else 7)


Rule = Once | Weekly


@dataclass(frozen=True, slots=True)
class Calendar:
    """Windows, of which those that overlap or touch count as one."""

    rules: tuple[Rule, ...]

    def closing(self, at: datetime) -> Span | None:
        """Return the window that is open at an instant, or else the next one; None where none comes any more.

        Windows that follow each other without a gap for more than a year are returned as if they ended then.
        """
        found: Span | None = None
        for horizon in _HORIZONS:
            found = next((span for span in self._merged(at, at + horizon) if span.end > at), None)
            if found is None or found.end < at + horizon:
                break
        return found

    def is_closed(self, at: datetime) -> bool:
        """Say whether an instant lies in a window; the end of one does not."""
        found = self.closing(at)
        return found is not None and found.start <= at

    def closings(self, since: datetime, until: datetime) -> Iterator[Span]:
        """Yield the windows that overlap a time, in order."""
        found = self.closing(since)
        while found is not None and found.start < until:
            yield found
            found = self.closing(found.end)

    def stretches(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the times in between, in order."""
        here = since
        for span in self.closings(since, until):
            if span.start > here:
                yield here, span.start
            here = max(here, span.end)
        if here < until:
            yield here, until

    def _merged(self, since: datetime, until: datetime) -> Sequence[Span]:
        first, last = (since - _LONGEST_WEEKLY).date(), (until + timedelta(days=1)).date()
        spans = sorted(span for rule in self.rules for span in rule.spans(first, last))
        merged: list[Span] = []
        for span in spans:
            if merged and span.start <= merged[-1].end:
                merged[-1] = _joined(merged[-1], span)
            else:
                merged.append(span)
        return merged


def _joined(one: Span, other: Span) -> Span:
    why = one.why if other.why in one.why.split(", ") else f"{one.why}, {other.why}"
    return Span(one.start, max(one.end, other.end), why)
