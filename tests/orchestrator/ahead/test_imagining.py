import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ahead.imagining import as_observations, awaited, imagined, quantiles, ranges
from orchestrator.records import TrialRecord


def trial(number, outcome=None, y=None):
    return TrialRecord(
        number=number,
        parameters={"x": float(number)},
        ask=number - 1,
        is_control=False,
        proposal_id=f"{number - 1}-0",
        state="accepted" if outcome is None else "told",
        outcome=outcome,
        values={} if y is None else {"y": y},
    )


@pytest.mark.parametrize(
    ("at_once", "batch", "expected"),
    [(1, 1, [4, 5, 6]), (3, 1, [5]), (3, 3, [4, 5, 6]), (4, 1, []), (4, 2, [5])],
)
def test_those_that_end_before_there_is_room_are_awaited_the_first_begun_first(at_once, batch, expected):
    trials = [trial(3, "measured", 1.0), trial(4), trial(5), trial(6)]
    assert awaited(trials, {4: 30.0, 5: 20.0, 6: 40.0}, at_once=at_once, batch=batch) == expected


@given(n=st.integers(1, 5))
def test_quantiles_are_the_middles_of_equal_parts_and_the_middle_one_comes_first(n):
    found = quantiles(n)
    assert sorted(found) == pytest.approx([(2 * i + 1) / (2 * n) for i in range(n)])
    assert abs(found[0] - 0.5) == min(abs(part - 0.5) for part in found)


@given(mean=st.floats(-1e3, 1e3), sd=st.floats(1e-3, 1e2), direction=st.sampled_from(["maximize", "minimize"]))
def test_a_higher_quantile_is_a_better_result(mean, sd, direction):
    low, middle, high = (
        imagined({7: {"y": (mean, sd)}}, {"y": direction}, part, {})[7]["y"] for part in (1 / 6, 0.5, 5 / 6)
    )
    assert middle == pytest.approx(mean)
    assert (low < middle < high) if direction == "maximize" else (low > middle > high)


def test_nothing_is_imagined_far_beyond_what_was_measured():
    within = ranges([trial(1, "measured", 2.0), trial(2, "measured", 5.0), trial(3, "failed")], ["y", "z"])
    assert within == {"y": (-1.0, 8.0)}
    assert imagined({4: {"y": (1e9, 1.0)}}, {"y": "maximize"}, 0.5, within) == {4: {"y": 8.0}}


def test_of_equal_results_nothing_is_said_about_what_may_come():
    assert ranges([trial(1, "measured", 2.0), trial(2, "measured", 2.0)], ["y"]) == {}


def test_a_trial_of_which_nothing_is_expected_stays_pending():
    found = as_observations([trial(1), trial(2)], {1: {"y": 0.5}, 2: {}})
    assert found == [{"parameters": {"x": 1.0}, "values": {"y": 0.5}, "proposal_id": "0-0"}]
