from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InputError
from orchestrator.health.horizon import next_monday, read_horizon

BERLIN = {"timezone": "Europe/Berlin", "all_is_well_at": "07:30"}
instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(instants)
def test_the_next_monday_is_one_and_within_a_week_and_an_hour(after):
    found = next_monday(after, BERLIN)
    assert timedelta(0) < found.utc - after <= timedelta(days=7, hours=1)
    assert found.words.startswith("Monday ")
    assert " 07:30 Europe/Berlin" in found.words


def test_an_instant_is_read_where_the_people_are():
    after = datetime(2026, 11, 26, tzinfo=UTC)
    assert read_horizon("2026-11-30 08:00", after, BERLIN).utc == datetime(2026, 11, 30, 7, tzinfo=UTC)
    assert read_horizon("2026-11-30T08:00+00:00", after, BERLIN).utc == datetime(2026, 11, 30, 8, tzinfo=UTC)


@pytest.mark.parametrize(("text", "said"), [("soon", "is no instant"), ("2026-11-20 08:00", "is past")])
def test_what_is_no_instant_ahead_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        read_horizon(text, datetime(2026, 11, 26, tzinfo=UTC), BERLIN)
