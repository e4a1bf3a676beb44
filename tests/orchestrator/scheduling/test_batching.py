import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.scheduling.batching import Batch, Former, Member

HOUR_S = 3600.0


def member(owner, *, key="900", since_s=0.0, run_s=8 * HOUR_S):
    return Member(owner=owner, key=key, run_s=run_s, since_s=since_s)


def former_of(*members, capacity=4, longest_wait=0.25):
    former = Former(capacity=capacity, longest_wait=longest_wait)
    for one in members:
        former.join(one)
    return former


def test_a_full_batch_begins_at_once():
    former = former_of(*(member(f"s{i}") for i in range(5)))
    assert former.form(0.0, coming={"900": 9}) == Batch(key="900", members=("s0", "s1", "s2", "s3"))
    assert [one.owner for one in former.waiting] == ["s4"]


def test_a_batch_waits_for_those_who_are_on_their_way():
    former = former_of(member("s0"))
    assert former.form(0.0, coming={"900": 1}) is None
    assert former.form(HOUR_S, coming={"900": 1}) is None


def test_a_batch_that_nobody_else_comes_to_begins_at_once():
    assert former_of(member("s0")).form(0.0, coming={"1100": 5}) == Batch(key="900", members=("s0",))


def test_the_oldest_member_waits_no_longer_than_a_share_of_the_run():
    former = former_of(member("s0"), member("s1", since_s=1.5 * HOUR_S), longest_wait=0.2)
    assert former.next_s(coming={"900": 1}) == pytest.approx(1.6 * HOUR_S)
    assert former.form(1.59 * HOUR_S, coming={"900": 1}) is None
    assert former.form(1.6 * HOUR_S, coming={"900": 1}) is not None


def test_a_batch_waits_no_longer_than_the_empty_place_is_worth():
    former = former_of(member("s0"))  # a place in four of an eight-hour run is worth two hours
    assert former.next_s(coming={"900": 1}) == pytest.approx(2 * HOUR_S)


def test_arrivals_that_are_rarer_than_a_place_is_worth_are_not_waited_for():
    former = former_of(member("s0"), member("s1", since_s=5 * HOUR_S), longest_wait=10.0)
    assert former.form(5 * HOUR_S, coming={"900": 1}) == Batch(key="900", members=("s0", "s1"))


def test_samples_that_disagree_do_not_share_a_run():
    former = former_of(member("s0"), member("s1", key="1100"), member("s2"))
    assert former.form(0.0, coming={}) == Batch(key="900", members=("s0", "s2"))
    assert former.form(0.0, coming={}) == Batch(key="1100", members=("s1",))
    assert former.form(0.0, coming={}) is None


def test_a_sample_that_was_lost_is_not_waited_for():
    former = former_of(member("s0"))
    former.leave("s0")
    assert former.form(0.0, coming={}) is None
    assert former.next_s(coming={}) is None


def test_a_sample_waits_once():
    with pytest.raises(ValueError, match="s0 waits for a batch already"):
        former_of(member("s0"), member("s0"))


@given(
    arrivals=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.0, 1e5)), min_size=1, max_size=30),
    capacity=st.integers(1, 8),
)
def test_everybody_is_in_one_batch_in_the_end(arrivals, capacity):
    former, seen = Former(capacity=capacity), []
    now_s, left = 0.0, [key for key, _ in arrivals]
    for number, (key, after_s) in enumerate(arrivals):
        now_s += after_s
        left.remove(key)
        former.join(member(str(number), key=key, since_s=now_s))
        coming = {one: left.count(one) for one in "abc"}
        while (batch := former.form(now_s, coming=coming)) is not None:
            seen.append(batch)
    while (next_s := former.next_s(coming={})) is not None:
        seen.append(former.form(max(now_s, next_s), coming={}))
    assert sorted(owner for batch in seen for owner in batch.members) == sorted(map(str, range(len(arrivals))))
    assert all(1 <= len(batch.members) <= capacity for batch in seen)
    assert all({arrivals[int(owner)][0] for owner in batch.members} == {batch.key} for batch in seen)
