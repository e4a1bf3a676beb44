import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.instruments.waiting import POLLS_PER_S, next_poll_s, wait_until_done

RESOLUTION_S = 1e-6


def watch(start_s, end_s, *, announced_s=None, at_most_s=1e9):
    """Wait for a device that is done at `end_s`; return when that was seen, and how often it was asked."""
    loop = VirtualLoop(start_s)
    clock = VirtualClock(loop)
    asked = 0

    async def poll():
        nonlocal asked
        asked += 1
        left = end_s - clock.now_s()
        return round(left, 6) if left > RESOLUTION_S else 0.0

    async def main():
        first = end_s - start_s if announced_s is None else announced_s
        return await wait_until_done(clock, first, poll, at_most_s=at_most_s), clock.now_s()

    return *run_virtual(main(), loop=loop), asked


@given(now=st.floats(0.0, 1e6), remaining=st.floats(0.0, 1e5))
def test_polls_lie_on_the_grid_after_now(now, remaining):
    poll_s = next_poll_s(now, remaining)
    assert poll_s * POLLS_PER_S == pytest.approx(round(poll_s * POLLS_PER_S))
    assert now < poll_s
    assert poll_s > now + remaining - 1e-5
    assert poll_s < now + remaining + 2 / POLLS_PER_S


@given(start=st.integers(0, 10_000), took=st.floats(0.001, 600.0), share=st.floats(0.0, 0.999))
def test_who_joins_half_way_sees_the_end_at_the_same_instant(start, took, share):
    start_s = start / POLLS_PER_S
    end_s = start_s + took
    _, seen_s, asked = watch(start_s, end_s)
    joined_s = start_s + share * took
    _, seen_later_s, asked_later = watch(joined_s, end_s, announced_s=round(end_s - joined_s, 6) or 1e-6)
    assert seen_s == seen_later_s
    assert seen_s >= end_s - RESOLUTION_S
    assert max(asked, asked_later) <= 2


@given(
    start=st.integers(0, 10_000), ticks=st.integers(1, 1000), off_us=st.integers(-12, 12), share=st.floats(0.0, 0.999)
)
def test_an_end_next_to_a_grid_instant_is_no_exception(start, ticks, off_us, share):
    start_s = start / POLLS_PER_S
    end_s = (start + ticks) / POLLS_PER_S + off_us * 1e-6
    joined_s = start_s + share * (end_s - start_s)
    assert watch(start_s, end_s)[1] == watch(joined_s, end_s, announced_s=round(end_s - joined_s, 6) or 1e-6)[1]


def test_an_estimate_that_is_too_short_costs_polls_and_not_correctness():
    is_done, seen_s, asked = watch(0.0, 1.0, announced_s=0.2)
    assert is_done and seen_s == 1.0 and asked == 2


def test_nothing_to_wait_for_takes_no_time():
    assert watch(3.0, 3.0) == (True, 3.0, 0)


def test_patience_ends():
    is_done, seen_s, _ = watch(0.0, 1e9, at_most_s=10.0)
    assert not is_done
    assert seen_s == 10.05 or seen_s == 10.0
