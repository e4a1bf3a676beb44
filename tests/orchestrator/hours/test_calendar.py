from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.hours.calendar import Calendar, Once, Weekly

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = Weekly(zone=BERLIN, day=None, at=time(18), end_day=None, end_at=time(8), why="nights")
WEEKENDS = Weekly(zone=BERLIN, day=4, at=time(18), end_day=0, end_at=time(8), why="weekends")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def test_the_next_closing_and_the_one_that_is_open():
    calendar = Calendar((NIGHTS, WEEKENDS))
    found = calendar.closing(at("2026-06-03T12:00"))  # a Wednesday
    assert (found.start, found.end, found.why) == (at("2026-06-03T18:00"), at("2026-06-04T08:00"), "nights")
    assert calendar.closing(at("2026-06-04T07:59:59")) == found
    assert calendar.closing(at("2026-06-04T08:00")).start == at("2026-06-04T18:00")
    assert not calendar.is_closed(found.end) and calendar.is_closed(found.start)


def test_what_overlaps_is_one():
    found = Calendar((NIGHTS, WEEKENDS)).closing(at("2026-06-05T12:00"))
    assert (found.start, found.end) == (at("2026-06-05T18:00"), at("2026-06-08T08:00"))
    assert found.why == "nights, weekends"


def test_a_holiday_between_two_nights_is_one_with_them():
    holiday = Once(start=at("2026-12-24T08:00"), end=at("2026-12-28T18:00"), why="Christmas")
    found = Calendar((NIGHTS, holiday)).closing(at("2026-12-23T12:00"))
    assert (found.start, found.end) == (at("2026-12-23T18:00"), at("2026-12-29T08:00"))


def test_none_comes_any_more():
    over = Once(start=at("2026-01-01T00:00"), end=at("2026-01-02T00:00"), why="")
    assert Calendar((over,)).closing(at("2026-01-02T00:00")) is None


def test_one_in_years():
    late = Once(start=at("2031-01-01T00:00"), end=at("2031-01-02T00:00"), why="")
    assert Calendar((late,)).closing(at("2026-01-02T00:00")).start == late.start


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 13), ("2026-10-24", 15), ("2026-06-01", 14)], ids=["spring", "autumn", "summer"]
)
def test_nights_in_which_the_clock_is_put(day, hours):
    found = Calendar((NIGHTS,)).closing(at(f"{day}T12:00"))
    assert (found.end.astimezone(UTC) - found.start.astimezone(UTC)) == timedelta(hours=hours)
    assert found.end.astimezone(BERLIN).hour == 8


def test_times_that_a_day_has_twice_or_not_at_all():
    short = Weekly(zone=BERLIN, day=6, at=time(2, 15), end_day=6, end_at=time(2, 45), why="")
    autumn = Calendar((short,)).closing(at("2026-10-25T00:00"))
    assert autumn.end - autumn.start == timedelta(minutes=90)  # from the first 2:15 to the second 2:45
    spring = Calendar((short,)).closing(at("2026-03-29T00:00"))
    assert (spring.start.tzinfo, spring.end > spring.start) == (UTC, True)


def test_what_closes_for_ever_is_looked_at_for_a_year_only():
    always = Weekly(zone=BERLIN, day=None, at=time(8), end_day=None, end_at=time(8), why="")
    assert Calendar((always,)).closing(at("2026-01-01T00:00")).end > at("2027-01-01T00:00")


times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
weekly = st.builds(
    lambda zone, day, at, end_day, end_at: Weekly(
        zone=zone, day=day, at=at, end_day=None if day is None else end_day, end_at=end_at, why="w"
    ),
    st.sampled_from([BERLIN, ZoneInfo("UTC"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]),
    st.none() | st.integers(0, 6),
    times,
    st.integers(0, 6),
    times,
).filter(lambda one: (one.day, one.at) != (one.end_day, one.end_at))
instants = st.integers(0, 4 * 365 * 24 * 60).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
once = st.builds(
    lambda start, hours: Once(start=start, end=start + timedelta(hours=hours), why="o"), instants, st.integers(1, 400)
)
START = datetime(2028, 2, 1, tzinfo=UTC)
"""After every window that does not come again has ended."""
calendars = (
    st.lists(weekly | once, min_size=1, max_size=4)
    .map(lambda rules: Calendar(tuple(rules)))
    .filter(lambda one: any(True for _ in one.stretches(START, START + timedelta(days=8))))
)


def is_closed_by(rule, instant):
    """Look at every window of a rule near an instant, one by one."""
    day = instant.date()
    spans = rule.spans(day - timedelta(days=9), day + timedelta(days=2))
    return any(span.start <= instant < span.end for span in spans)


@settings(max_examples=60, deadline=None)
@given(calendar=calendars, instant=instants)
def test_a_calendar_is_closed_where_one_of_its_windows_is(calendar, instant):
    assert calendar.is_closed(instant) == any(is_closed_by(rule, instant) for rule in calendar.rules)


@settings(max_examples=40, deadline=None)
@given(calendar=calendars, instant=instants, minutes=st.integers(0, 20_000))
def test_between_now_and_the_next_closing_it_is_open(calendar, instant, minutes):
    found = calendar.closing(instant)
    later = instant + timedelta(minutes=minutes)
    if found is None or later < found.start:
        assert not any(is_closed_by(rule, later) for rule in calendar.rules)
    if found is not None:
        assert found.end > instant and not calendar.is_closed(found.end)


@settings(max_examples=20, deadline=None)
@given(calendar=calendars, instant=instants)
def test_closings_and_stretches_share_out_time(calendar, instant):
    until = instant + timedelta(days=20)
    closed = [(max(span.start, instant), min(span.end, until)) for span in calendar.closings(instant, until)]
    pieces = sorted([*closed, *calendar.stretches(instant, until)])
    assert pieces[0][0] == instant and pieces[-1][1] == until
    assert all(one[1] == other[0] for one, other in zip(pieces, pieces[1:], strict=False))
