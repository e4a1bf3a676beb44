from pathlib import Path

import numpy as np
import pytest

from orchestrator.check import check_campaign
from orchestrator.comparing.measure import measure_of, refuse_unscored
from orchestrator.errors import InputError

EXAMPLES = Path(__file__).parents[3] / "examples"
NAN = float("nan")


def curve(measure, label="a"):
    (found,) = measure.curves[label]
    return found


def same(found, expected):
    np.testing.assert_allclose(found, expected)


def test_without_a_truth_it_is_the_best_measured_value(make_campaign, make_run):
    measure = measure_of(make_campaign(), {"a": [make_run([None, 3.0, 2.0, 5.0])]})
    same(curve(measure), [NAN, 3, 3, 5])
    assert (measure.kind, measure.sign, measure.unit) == ("best", 1.0, "umol")
    assert "noise included" in measure.note


def test_less_is_better_where_the_campaign_minimises(make_campaign, make_run):
    campaign = make_campaign({"name": "gas", "direction": "minimize", "unit": "umol"})
    measure = measure_of(campaign, {"a": [make_run([3.0, 5.0, 2.0])]})
    same(curve(measure), [3, 3, 2, 2])
    assert measure.better == "lower"


def test_with_a_truth_it_is_that_of_the_recipe_that_measured_best(make_campaign, make_run):
    run = make_run([3.0, 9.0, 4.0, 5.0], metrics={"true_values": {"gas": [3.5, 1.0, 4.5, 5.5]}})
    same(curve(measure_of(make_campaign(), {"a": [run]})), [3.5, 1, 1, 1])


def test_one_run_without_a_truth_leaves_all_by_what_was_measured(make_campaign, make_run):
    knows = make_run([3.0, 9.0], metrics={"true_values": {"gas": [3.5, 1.0]}})
    measure = measure_of(make_campaign(), {"a": [knows], "b": [make_run([1.0, 2.0], label="b")]})
    same(curve(measure), [3, 9, 9, 9])


@pytest.mark.parametrize(("direction", "known", "expected"), [("maximize", 10, [7, 4]), ("minimize", 1, [2, 2])])
def test_where_the_best_is_known_it_is_the_regret(make_campaign, make_run, direction, known, expected):
    campaign = make_campaign({"name": "gas", "direction": direction, "unit": "umol"}, budget=2)
    metrics = {"true_values": {"gas": [3.0, 6.0]}, "known_best": {"gas": known}}
    measure = measure_of(campaign, {"a": [make_run([3.0, 6.0], metrics=metrics)]})
    same(curve(measure), expected)
    assert (measure.kind, measure.better) == ("regret", "lower")
    assert "µmol" in measure.note


def test_controls_are_trials_and_never_the_best(make_campaign, make_run):
    same(curve(measure_of(make_campaign(), {"a": [make_run([3.0, 99.0, 4.0], controls=[2])]})), [3, 3, 4, 4])


def test_several_objectives_are_compared_by_their_hypervolume(make_campaign, make_run):
    campaign = make_campaign(
        {"name": "gas", "direction": "maximize", "unit": "umol"}, {"name": "cost", "direction": "minimize", "unit": "1"}
    )
    first = make_run([{"gas": 0.0, "cost": 10.0}, {"gas": 4.0, "cost": 5.0}, {"gas": 2.0}, {"gas": 2.0, "cost": 0.0}])
    other = make_run([{"gas": 1.0, "cost": 9.0}, None], label="b")
    measure = measure_of(campaign, {"a": [first], "b": [other]})
    # the box is 4 umol by 10; the first front holds (4, 5) and (2, 0): 4*5 + 2*5 of 40
    same(curve(measure), [0, 0.5, 0.5, 0.75])
    same(curve(measure, "b"), [0.025] * 4)
    assert "gas 0\u00a0µmol, cost 10" in measure.note


def test_fronts_that_were_never_measured_cannot_be_compared(make_campaign, make_run):
    campaign = make_campaign({"name": "gas", "direction": "maximize"}, {"name": "cost", "direction": "minimize"})
    with pytest.raises(InputError, match="no trial of any run measured every objective"):
        measure_of(campaign, {"a": [make_run([{"gas": 1.0}])]})


def test_maps_are_compared_by_their_error(make_campaign, make_run):
    campaign = make_campaign({"name": "gas", "direction": "learn"})
    measure = measure_of(campaign, {"a": [make_run([1.0, 2.0], metrics={"map_error": [None, 0.4]})]})
    same(curve(measure), [NAN, 0.4, 0.4, 0.4])
    with pytest.raises(InputError, match="a, seed 0: its world did not say how wrong the map is"):
        measure_of(campaign, {"a": [make_run([1.0])]})


def test_a_map_that_nobody_can_judge_is_refused_before_anything_is_run():
    ready = check_campaign(EXAMPLES / "photocatalysis/campaign.yaml", None, [
        "objectives.hydrogen.direction=learn", "planner.policy=random", "planner.options={}",
    ]).require()  # fmt: skip
    with pytest.raises(InputError, match=r"'hydrogen' is to be learnt.*\(photocatalysis\) does not say how wrong"):
        refuse_unscored(ready)
    refuse_unscored(check_campaign(EXAMPLES / "sara/campaign.yaml").require())


def test_what_is_aimed_at_is_compared_by_the_distance_to_it(make_campaign, make_run):
    campaign = make_campaign(
        {"name": "gas", "direction": "target", "unit": "umol", "target": "4 umol", "tolerance": "0.5 umol"}
    )
    measure = measure_of(campaign, {"a": [make_run([None, 9.0, 3.0, 4.2])]})
    same(curve(measure), [NAN, 4.5, 0.5, 0])
    assert (measure.kind, measure.better) == ("distance", "lower")
    assert "gas at 4 +- 0.5 umol" in measure.note
    truth = make_run([9.0, 3.0], metrics={"true_values": {"gas": [8.0, 4.0]}})
    same(curve(measure_of(campaign, {"a": [truth]}))[:2], [3.5, 0.0])
