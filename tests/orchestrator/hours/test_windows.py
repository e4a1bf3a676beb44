from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.hours.calendar import Once, Weekly
from orchestrator.hours.windows import DAYS, Closed, calendar_of


def closed(*windows, zone="Europe/Berlin"):
    return Closed.model_validate({"zone": zone, "windows": list(windows)})


def rules(*windows, devices=()):
    return list(closed(*windows).rules(devices))


def test_every_day_each_week_and_once():
    berlin = ZoneInfo("Europe/Berlin")
    nights, weekends, once, elsewhere = rules(
        {"from": "18:00", "to": "08:00", "why": "nights"},
        {"from": "Fri 18:00", "to": "monday 8:00"},
        {"from": "2026-12-24T12:00", "to": "2027-01-04"},
        {"from": "2026-12-24T12:00+00:00", "to": "2026-12-24T13:00+00:00"},
    )
    assert nights == Weekly(zone=berlin, day=None, at=time(18), end_day=None, end_at=time(8), why="nights")
    assert (weekends.day, weekends.end_day, weekends.why) == (4, 0, "Fri 18:00 to monday 8:00")
    assert once == Once(
        start=datetime(2026, 12, 24, 11, tzinfo=UTC), end=datetime(2027, 1, 3, 23, tzinfo=UTC), why=once.why
    )
    assert elsewhere.start == datetime(2026, 12, 24, 12, tzinfo=UTC)


def test_a_device_that_is_away_counts_where_it_is_used():
    window = {"from": "Sat 00:00", "to": "Sun 00:00", "devices": ["xrd"]}
    assert len(rules(window, devices=["xrd", "robot"])) == 1
    assert rules(window, devices=["robot"]) == []
    assert calendar_of([None, closed(window)], ["robot"]) is None


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ({"from": "18:00", "to": "Fri 08:00"}, "is a time of a weekday, but from is a time of each day"),
        ({"from": "25:00", "to": "08:00"}, "25:00 is no time of day; midnight is 00:00"),
        ({"from": "Fry 18:00", "to": "Mon 08:00"}, "'Fry' is no day of the week; did you mean 'Friday'"),
        ({"from": "Fr 18:00", "to": "Mon 08:00"}, "'Fr' is no day of the week"),
        ({"from": "soon", "to": "08:00"}, "'soon' is no time such as '18:00', 'Fri 18:00' or '2026-12-24T12:00'"),
        ({"from": 1800, "to": "08:00"}, "must be a time such as .*, got 1800"),
        ({"from": "18:00", "to": "18:00"}, "is when it begins: it would never end"),
        ({"from": "2026-12-24", "to": "2026-12-23"}, "must be after from, 2026-12-24"),
    ],
    ids=["kinds", "hour", "day", "two letters", "words", "number", "never", "backwards"],
)
def test_mistakes(window, message):
    with pytest.raises(ValidationError, match=message):
        closed(window)


@pytest.mark.parametrize("zone", ["Mars", "../Berlin", "Europe"])
def test_no_zone(zone):
    with pytest.raises(ValidationError, match="time zone"):
        closed({"from": "18:00", "to": "08:00"}, zone=zone)


times = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
ends = st.one_of(
    st.tuples(times, times),
    st.tuples(*(st.builds("{} {}".format, st.sampled_from(DAYS), times) for _ in range(2))),
    st.tuples(st.dates(date(2020, 1, 1), date(2025, 1, 1)).map(date.isoformat), st.just("2026-01-01T12:00")),
).filter(lambda both: both[0] != both[1])


@given(both=ends, why=st.text(max_size=5), devices=st.lists(st.text(min_size=1, max_size=3), max_size=2))
def test_what_is_written_is_read_back(both, why, devices):
    made = closed({"from": both[0], "to": both[1], "why": why, "devices": devices})
    again = Closed.model_validate(made.model_dump(mode="json", by_alias=True))
    assert again == made and list(again.rules(devices)) == list(made.rules(devices))
