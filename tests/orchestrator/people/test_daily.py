"""The daily word's instants: one for each date, in every time zone and on every day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.people.daily import next_instant

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")


def instants(after, at, zone, n):
    found = []
    for _ in range(n):
        after = next_instant(after, at, zone)
        found.append(after)
    return found


def test_the_local_time_stays_when_the_clocks_change():
    found = instants(datetime(2026, 3, 27, 12, tzinfo=UTC), time(8), BERLIN, 3)
    assert [instant.hour for instant in found] == [7, 6, 6]
    assert {instant.astimezone(BERLIN).hour for instant in found} == {8}


def test_a_time_that_the_clock_skips_comes_once_and_an_hour_later():
    found = instants(datetime(2026, 3, 28, 12, tzinfo=UTC), time(2, 30), BERLIN, 2)
    assert found[0] == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 local time
    assert found[1] == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)


def test_a_time_that_the_clock_shows_twice_comes_once():
    found = instants(datetime(2026, 10, 24, 12, tzinfo=UTC), time(2, 30), BERLIN, 2)
    assert found == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC)]


@pytest.mark.parametrize("zone", ZONES)
@given(
    start=st.integers(0, 30 * 365 * 1440).map(
        lambda minutes: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    at=st.times().map(lambda value: value.replace(second=0, microsecond=0)),
)
def test_there_is_one_instant_for_each_date(zone, start, at):
    found = instants(start, at, ZoneInfo(zone), 4)
    assert found[0] > start
    gaps = [after - before for before, after in zip(found, found[1:], strict=False)]
    skips_a_date = ZoneInfo(zone).key == "Pacific/Apia" and start.year == 2011
    assert all(timedelta(hours=0 if skips_a_date else 22) < gap < timedelta(hours=26) for gap in gaps)


def test_a_late_start_finds_the_same_day_due():
    last, now = datetime(2026, 1, 1, 7, tzinfo=UTC), datetime(2026, 1, 4, 9, 30, tzinfo=UTC)
    assert next_instant(last, time(8), BERLIN).date() == date(2026, 1, 2)
    assert next_instant(now, time(8), BERLIN).date() == date(2026, 1, 5)
