import pytest

from orchestrator.ahead.pace import LISTED, WHOLE, Pace, Took, slack_s, trial_s
from orchestrator.records import TrialRecord


def trial(number, started_s=None, finished_s=None):
    return TrialRecord(
        number=number, parameters={}, ask=0, is_control=False, proposal_id=None,
        state="accepted" if finished_s is None else "told", outcome=None if finished_s is None else "measured",
        started_s=started_s, finished_s=finished_s,
    )  # fmt: skip


def test_plans_are_expected_to_take_what_they_took_each_kind_by_itself():
    pace = Pace(policy="logei")
    assert pace.ask_s(5) is None and pace.choice_s(5) == 0.0
    pace.learn([Took(how=WHOLE, known=5, seconds=20.0), Took(how=LISTED, known=5, seconds=1.0)])
    assert pace.ask_s(5) == pytest.approx(20.0, rel=0.03)
    assert pace.choice_s(6) == pytest.approx(1.0, rel=0.03)


def test_a_trial_takes_the_median():
    assert trial_s([trial(1)]) is None
    assert trial_s([trial(1, 0.0, 10.0), trial(2, 10.0, 40.0), trial(3, 0.0, 25.0), trial(4, 50.0)]) == 25.0


@pytest.mark.parametrize(
    ("begun_s", "lanes", "expected"),
    [({}, 1, 0.0), ({2: 95.0}, 1, 25.0), ({2: 95.0}, 2, 0.0), ({2: 95.0, 3: 90.0}, 1, 25.0), ({2: 60.0}, 1, 0.0)],
    ids=["nothing runs", "one runs", "a place is free", "the second spares the place", "it should be over"],
)
def test_there_is_time_until_a_place_is_free(begun_s, lanes, expected):
    trials = [trial(1, 0.0, 30.0), *(trial(number) for number in begun_s)]
    assert slack_s(trials, begun_s, lanes=lanes, now_s=100.0, lasts_s=30.0) == expected


def test_nothing_is_counted_on_where_nobody_knows_how_long_trials_take():
    assert slack_s([trial(1)], {1: 0.0}, lanes=1, now_s=5.0, lasts_s=None) == 0.0
