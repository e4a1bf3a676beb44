"""When the daily word is due: once per local date, whatever daylight saving and clock jumps do."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def next_instant(after: datetime, at: time, zone: ZoneInfo) -> datetime:
    """Return the first instant after one at which the local clock shows a time of day, in UTC.

    Where the clock skips that time, the instant is as long after the skip as the time lay in it; where the clock shows
    it twice, the first one counts. So there is exactly one instant for each date.
    """
    day = after.astimezone(zone).date() - timedelta(days=1)
    while True:
        instant = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
        if instant > after:
            return instant
        day += timedelta(days=1)
