from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.health.clocks import Tick, clocks, jumps
from orchestrator.health.finding import Level

START = datetime(2026, 3, 29, tzinfo=UTC)
gaps = st.lists(st.floats(0.0, 1e5), min_size=3, max_size=20)


def ticks(gaps_s, *, step_s=0.0, at=0, epochs=()):
    mono_s, wall_s, epoch, found = 0.0, 0.0, 1, []
    for index, gap_s in enumerate(gaps_s):
        mono_s, wall_s = mono_s + gap_s, wall_s + gap_s + (step_s if index == at else 0.0)
        epoch += index in epochs
        found.append(Tick(epoch=epoch, utc=START + timedelta(seconds=wall_s), mono_s=mono_s))
    return found


@given(gaps)
def test_clocks_that_agree_have_made_no_step(gaps_s):
    assert list(jumps(ticks(gaps_s))) == []


@given(gaps, st.one_of(st.floats(200.0, 1e6), st.floats(-1e6, -200.0)), st.data())
def test_one_step_is_found_once_and_with_its_size(gaps_s, step_s, data):
    at = data.draw(st.integers(1, len(gaps_s) - 1))
    (found,) = jumps(ticks(gaps_s, step_s=step_s, at=at))
    assert found.by_s == pytest.approx(step_s, abs=1e-3)


def test_a_clock_that_is_drawn_in_has_made_no_step():
    drawn = [
        Tick(epoch=1, utc=START + timedelta(seconds=at_s * (1 + 5e-4)), mono_s=at_s) for at_s in range(0, 90_000, 3600)
    ]
    assert list(jumps(drawn)) == []


def test_between_two_starts_time_may_pass_but_not_run_back():
    assert list(jumps(ticks([1.0, 1.0, 1.0], step_s=5000.0, at=1, epochs=(1,)))) == []
    (found,) = jumps(ticks([1.0, 1.0, 1.0], step_s=-5000.0, at=1, epochs=(1,)))
    assert found.by_s == pytest.approx(-4999.0)


def test_an_hour_is_grave_and_a_few_seconds_are_worth_knowing():
    hour = clocks(list(jumps(ticks([1.0, 1.0], step_s=3600.0, at=1))), is_virtual=False)
    assert hour.level is Level.WARNING
    assert "1 step, the last by 1 h forwards" in hour.text
    some = clocks(list(jumps(ticks([1.0, 1.0], step_s=-5.0, at=1))), is_virtual=False)
    assert some.level is Level.NOTE
    assert "5 s backwards" in some.text
    assert clocks([], is_virtual=False).level is Level.OK
    assert clocks([], is_virtual=True).text == "virtual time does not jump"
