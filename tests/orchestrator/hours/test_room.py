import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.hours.room import Lanes, free_from, shared_out


def lanes(*free_s, deadline_s=10.0):
    return Lanes(free_s=free_s, begin_s=0.0, deadline_s=deadline_s)


@pytest.mark.parametrize(
    ("free_s", "n", "most_s"),
    [((0.0,), 1, 10.0), ((0.0,), 3, 10 / 3), ((0.0, 4.0), 2, 6.0), ((0.0, 4.0), 3, 5.0), ((0.0, 12.0), 2, 5.0)],
    ids=str,
)
def test_how_long_each_may_take(free_s, n, most_s):
    assert lanes(*free_s).longest_of(n) == pytest.approx(most_s)


def test_nothing_fits_behind_the_deadline():
    assert lanes(10.0, 12.0).longest_of(1) == 0.0


@pytest.mark.parametrize(
    ("n", "durations_s", "expected"),
    [
        (4, (1.0, 2.0), (4, None)),  # all of them, whatever they take
        (8, (1.0, 2.0), (5, None)),  # five of two hours follow each other
        (4, (1.0, 12.0), (1, 10.0)),  # one is begun at once, and must fit
        (4, (11.0, 12.0), (0, None)),
    ],
    ids=["all", "fewer", "one", "none"],
)
def test_what_is_asked_for(n, durations_s, expected):
    assert shared_out(n, lanes(0.0), lambda _: durations_s) == expected


def test_no_more_than_those_that_are_under_way_have_room_for():
    assert shared_out(4, lanes(0.0, 0.0), lambda n: (1.0, 2.0) if n < 3 else None) == (2, None)


def test_lanes_of_trials_under_way_and_of_those_that_wait():
    assert free_from(3, 1.0, ends_s=[5.0], waiting_s=[]) == [1.0, 1.0, 5.0]
    assert free_from(2, 1.0, ends_s=[5.0], waiting_s=[2.0, 3.0]) == [5.0, 6.0]
    assert free_from(1, 1.0, ends_s=[0.5], waiting_s=[]) == [1.0]  # overdue: it may end at any moment


@given(
    free_s=st.lists(st.floats(0.0, 20.0), min_size=1, max_size=4),
    deadline_s=st.floats(1.0, 15.0),
    n=st.integers(1, 6),
    shortest_s=st.floats(0.1, 5.0),
    span_s=st.floats(0.0, 9.0),
)
def test_what_is_asked_for_can_be_carried_out(free_s, deadline_s, n, shortest_s, span_s):
    room = Lanes(free_s=tuple(sorted(free_s)), begin_s=0.0, deadline_s=deadline_s)
    count, most_s = shared_out(n, room, lambda _: (shortest_s, shortest_s + span_s))
    lasts_s = shortest_s + span_s if most_s is None else most_s
    here_s = sorted(free_s)
    for _ in range(count):
        here_s = sorted([here_s[0] + lasts_s, *here_s[1:]])
        assert min(end for end in here_s if end >= lasts_s) <= deadline_s + 1e-6
    assert count == 0 or lasts_s >= shortest_s
    if count == 0:
        assert min(free_s) + shortest_s > deadline_s - 1e-6
