import pytest

from orchestrator.hours.learned import Learned, beside
from orchestrator.records import TrialRecord


def trial(number, started_s, finished_s, outcome="measured"):
    return TrialRecord(
        number=number,
        parameters={},
        ask=0,
        is_control=False,
        proposal_id=None,
        outcome=outcome,
        started_s=started_s,
        finished_s=finished_s,
    )


def ended(*took_s):
    return [trial(number, 100.0 * number, 100.0 * number + lasts) for number, lasts in enumerate(took_s, 1)]


def test_four_trials_teach_nothing():
    assert Learned.of(ended(*[20.0] * 4), lambda _: 10.0) == Learned(n=4)


def test_nine_of_ten_are_covered():
    found = Learned.of(ended(*[10.0] * 8, 13.0, 13.0), lambda _: 10.0)
    assert (found.factor, found.took_s, found.n) == (1.3, 13.0, 10)


def test_nothing_is_narrowed():
    assert Learned.of(ended(*[5.0] * 9), lambda _: 10.0).factor == 1.0


def test_a_microsecond_changes_nothing():
    exact, other = ended(*[12.0] * 6), ended(*[12.000000001] * 6)
    assert Learned.of(exact, lambda _: 10.0) == Learned.of([*exact[:5], other[5]], lambda _: 10.0)


def test_only_what_was_measured_teaches():
    trials = [*ended(*[20.0] * 5), trial(6, 0.0, 900.0, "lost"), trial(7, 0.0, None, None)]
    assert Learned.of(trials, lambda _: 10.0).n == 5


def test_without_an_expectation_the_time_itself_is_learnt():
    found = Learned.of(ended(*[20.2] * 5), lambda _: None)
    assert (found.factor, found.took_s) == (1.0, 21.0)


@pytest.mark.parametrize(("start_s", "end_s", "n"), [(0.0, 5.0, 0), (5.0, 15.0, 1), (12.0, 25.0, 2), (40.0, 50.0, 1)])
def test_who_was_beside_a_trial(start_s, end_s, n):
    others = [trial(1, 10.0, 20.0), trial(2, 20.0, 30.0), trial(3, 35.0, None, None)]
    mine = trial(9, start_s, end_s)
    assert beside(mine, [*others, mine]) == n
