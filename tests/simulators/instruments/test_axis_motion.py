"""Motion of one axis: trapezoids, braking, and what stands in the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.instruments.axis_motion import Leg, Way, braking, way_through


def leg(target_mm, *, top_mm_s=10.0, start_mm=0.0):
    return Leg(start_mm=start_mm, target_mm=target_mm, began_s=0.0, top_mm_s=top_mm_s, acceleration_mm_s2=50.0)


def test_a_long_leg_speeds_up_cruises_and_slows_down():
    move = leg(10.0)
    assert move.end_s == pytest.approx(10.0 / 10.0 + 10.0 / 50.0)
    assert move.at(0.1) == pytest.approx(0.5 * 50.0 * 0.1**2)
    assert move.at(0.2) == pytest.approx(1.0)
    assert move.at(0.6) == pytest.approx(5.0)
    assert move.at(1.1) == pytest.approx(10.0 - 0.25)
    assert move.speed_at(0.6) == pytest.approx(10.0)
    assert move.at(99.0) == 10.0


def test_a_short_leg_never_reaches_its_top_speed():
    move = leg(-0.5)
    assert move.end_s == pytest.approx(2 * (0.5 / 50.0) ** 0.5)
    assert move.at(0.5 * move.end_s) == pytest.approx(-0.25)
    assert move.speed_at(0.5 * move.end_s) == pytest.approx((0.5 * 50.0) ** 0.5)


def test_braking_takes_the_distance_that_its_speed_asks_for():
    way = Way(legs=(leg(50.0),))
    (brake,) = braking(way, 2.0, 50.0)
    assert brake.target_mm - way.at(2.0) == pytest.approx(10.0**2 / (2 * 50.0))
    assert brake.end_s == pytest.approx(2.2)
    assert brake.at(2.1) - way.at(2.0) == pytest.approx(0.75)
    assert braking(way, way.end_s, 50.0) == ()


def test_an_obstacle_ends_a_way_where_it_is_met_and_lets_the_axis_go_back():
    way = Way(legs=(leg(50.0),)).blocked(-30.0, 20.0)
    assert way.at(1e9) == pytest.approx(20.0, abs=1e-6)
    assert way.end_s == pytest.approx(20.0 / 10.0 + 0.1, abs=1e-6)
    back = Way(rest_mm=20.0, legs=(leg(0.0, start_mm=20.0),)).blocked(-30.0, 20.0)
    assert back.at(1e9) == 0.0
    still = Way(rest_mm=20.0, legs=(leg(21.0, start_mm=20.0),)).blocked(-30.0, 20.0)
    assert still.at(1e9) == pytest.approx(20.0, abs=1e-6)


@given(
    targets=st.lists(st.tuples(st.floats(-50, 50), st.floats(0.1, 20)), min_size=1, max_size=4),
    times=st.lists(st.floats(0, 60), min_size=2, max_size=8),
)
def test_no_axis_moves_faster_than_its_legs_allow(targets, times):
    way = Way(legs=way_through(0.0, targets, began_s=0.0, acceleration_mm_s2=50.0))
    top = max(speed for _, speed in targets)
    for one, other in zip(sorted(times), sorted(times)[1:], strict=False):
        assert abs(way.at(other) - way.at(one)) <= top * (other - one) + 1e-6
        assert 0.0 <= way.speed_at(one) <= top + 1e-6
    assert way.at(1e9) == targets[-1][0]
    assert Way.unpacked(way.packed()) == way
