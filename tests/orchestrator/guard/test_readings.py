import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.guard.predicate import Operand, Unknown
from orchestrator.guard.readings import Readings
from orchestrator.guard.rules import RateRule, Watch

KEY = "box.read_temperature"
BOX = Operand("box", "read_temperature")
WATCH = Watch(key=KEY, device="box", command="read_temperature", every_s=1.0, stale_s=3.0, deadline_s=1.0)
RATE = RateRule(key=KEY, per_s=0.5, written="30 K/min", over_s=10.0, stop=("box",))


def readings(*taken):
    made = Readings({KEY: WATCH}, {RATE.name: RATE})
    for at_s, value in taken:
        made.put(KEY, value, at_s)
    return made


def test_a_reading_is_believed_until_it_is_stale_and_no_longer():
    made = readings((10.0, 700.0))
    assert made.look(13.0)(BOX) == 700.0
    with pytest.raises(Unknown, match=r"stale, 3\.1 s old where 3 s is the most"):
        made.look(13.1)(BOX)


def test_an_interlock_can_ask_for_a_fresher_reading_but_never_for_an_older_one():
    made = readings((10.0, 700.0))
    with pytest.raises(Unknown, match=r"1\.5 s old where 1 s is the most"):
        made.look(11.5, fresh_s=1.0)(BOX)
    with pytest.raises(Unknown, match="where 3 s is the most"):
        made.look(20.0, fresh_s=60.0)(BOX)


def test_a_failed_reading_leaves_the_one_before_to_age_and_says_why_in_the_end():
    made = readings((10.0, 700.0))
    made.fail(KEY, "the cable is out")
    assert made.look(12.0)(BOX) == 700.0
    with pytest.raises(Unknown, match=r"stale.*\(the cable is out\)"):
        made.look(14.0)(BOX)
    made.put(KEY, 701.0, 14.0)
    assert made.error(KEY) == ""


def test_what_was_never_read_is_unknown_and_infinitely_old():
    made = readings()
    made.fail(KEY, "nobody answers")
    with pytest.raises(Unknown, match=r"not read yet \(nobody answers\)"):
        made.look(0.0)(BOX)
    assert made.age_s(KEY, 0.0) == math.inf


def test_a_reading_from_the_future_is_not_believed():
    with pytest.raises(Unknown, match="stale"):
        readings((10.0, 700.0)).look(9.0)(BOX)


def test_a_reading_from_before_the_stop_proves_nothing():
    with pytest.raises(Unknown, match="not read again yet"):
        readings((10.0, 20.0)).look(11.0, since_s=10.5)(BOX)


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=20))
def test_readings_that_arrive_in_any_order_leave_the_newest(times):
    made = readings(*((at_s, f"of {at_s}") for at_s in times))
    newest = made.newest(KEY)
    assert newest is not None
    assert newest.at_s == max(times)


@given(st.floats(-3.0, 3.0), st.integers(12, 40))
def test_a_steady_ramp_is_judged_by_its_slope(per_s, n):
    made = readings(*((float(at_s), 500.0 + per_s * at_s) for at_s in range(n)))
    verdict = made.rate(RATE, float(n - 1))
    if abs(abs(per_s) - RATE.per_s) > 1e-6:
        assert verdict.truth is (abs(per_s) > RATE.per_s)
    assert "changes by" in verdict.reason


def test_noise_of_neighbouring_readings_is_no_rate():
    made = readings(*((float(at_s), 500.0 + (1.0 if at_s % 2 else -1.0)) for at_s in range(30)))
    assert made.rate(RATE, 29.0).truth is False


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "hot", True], ids=str)
def test_a_rate_of_what_is_no_number_is_unknown(value):
    assert readings((0.0, 500.0), (8.0, value)).rate(RATE, 8.0).truth is None


def test_a_rate_of_a_stale_reading_is_unknown():
    assert readings((0.0, 500.0), (8.0, 500.0)).rate(RATE, 12.0).truth is None
