"""Heating profiles: minutes add up, and what cannot be is refused."""

import pytest

from simulators.materials.solid_state.profile import Segment, from_log, hold, program, ramp


def test_a_program_goes_up_stays_and_comes_down():
    segments = program(900.0, 480, heating_c_per_min=5.0, cooling_c_per_min=10.0)
    assert [segment.minutes for segment in segments] == [175, 480, 88]
    temperatures = [value for segment in segments for value in segment.temperatures_c()]
    assert len(temperatures) == 743 and max(temperatures) == 900.0 and temperatures[0] == 27.5


def test_a_ramp_is_the_same_in_two_parts():
    whole = list(Segment(start_c=25.0, end_c=626.0, minutes=120).temperatures_c())
    middle = 25.0 + 601.0 / 2.0
    halves = [Segment(start_c=25.0, end_c=middle, minutes=60), Segment(start_c=middle, end_c=626.0, minutes=60)]
    assert [value for half in halves for value in half.temperatures_c()] == pytest.approx(whole, abs=1e-9)


def test_a_log_is_taken_as_it_is():
    log = (25.0, 300.5, 299.0)
    assert [value for segment in from_log(log) for value in segment.temperatures_c()] == list(log)


@pytest.mark.parametrize("minutes", [0, -1, 1.5, True])
def test_odd_times_are_refused(minutes):
    with pytest.raises(ValueError, match="whole minutes"):
        hold(900.0, minutes)


def test_odd_temperatures_and_rates_are_refused():
    with pytest.raises(ValueError, match="2000 degC"):
        hold(float("nan"), 1)
    with pytest.raises(ValueError, match="above 0"):
        ramp(25.0, 900.0, rate_c_per_min=-5.0)
