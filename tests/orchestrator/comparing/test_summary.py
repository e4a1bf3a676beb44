import math

import pytest

from orchestrator.comparing.summary import compare
from orchestrator.comparing.telling import cells, data, head, legend, pair_sentence


@pytest.fixture
def comparison(make_campaign, make_run):
    ours = [make_run([1.0, 2.0, 3.0, 4.0 + seed], seed=seed, cpu_s=2.0) for seed in range(5)]
    theirs = [make_run([1.0, None, 1.0, 2.0 + seed], label="b", seed=seed) for seed in range(5)]
    return compare(make_campaign(), {"a": ours, "b": theirs})


def test_planners_are_compared_at_shares_of_the_budget(comparison):
    ours, theirs = comparison.rows
    assert comparison.stops == ["1", "2", "4"]
    assert ours.at["2"] == (2.0, 2.0, 2.0)
    assert ours.at["4"] == (6.0, 5.0, 7.0)
    assert theirs.at["4"] == (4.0, 3.0, 5.0)
    assert (theirs.failed, ours.failed, ours.cpu_s) == (1.0, 0.0, 2.0)


def test_trials_to_the_level_of_the_first_planner_are_censored(comparison):
    ours, theirs = comparison.rows
    assert comparison.level == 6.0
    assert (ours.n_reached, ours.reach[1]) == (3, 4.0)
    assert theirs.n_reached == 1
    assert math.isinf(theirs.reach[0])
    assert ">4" in cells(theirs, comparison)[5]


def test_a_pair_is_compared_seed_by_seed(comparison):
    (pair,) = comparison.pairs
    assert pair.gain is not None
    assert (pair.gain.value, pair.gain.low, pair.gain.high) == pytest.approx((-2.0, -2.0, -2.0))
    assert (pair.n_seeds, pair.wins) == (5, 0)
    assert pair_sentence(pair, comparison) == "b is 2 µmol worse than a [2, 2], on 5 of 5 seeds"


def test_only_seeds_that_both_have_are_paired(make_campaign, make_run):
    runs = {
        "a": [make_run([1.0], seed=seed) for seed in (0, 1, 2)],
        "b": [make_run([5.0], label="b", seed=seed) for seed in (2, 3)],
    }
    (pair,) = compare(make_campaign(budget=1), runs).pairs
    assert (pair.n_seeds, pair.gain) == (1, None)


def test_an_interval_that_holds_zero_is_no_finding(make_campaign, make_run):
    runs = {
        "a": [make_run([5.0], seed=seed) for seed in range(6)],
        "b": [make_run([value], label="b", seed=seed) for seed, value in enumerate([4.0, 8.0, 3.0, 7.0, 6.0, 5.5])],
    }
    comparison = compare(make_campaign(budget=1), runs)
    said = pair_sentence(comparison.pairs[0], comparison)
    assert said.startswith("b is 0.75 µmol better than a in the median, on 4 of 6 seeds, but anything from ")
    assert said.endswith(" worse may be")


def test_a_planner_that_measured_nothing_counts_as_the_worst(make_campaign, make_run):
    comparison = compare(make_campaign(), {"a": [make_run([1.0])], "b": [make_run([None], label="b")]})
    assert comparison.rows[1].at["4"][0] == -math.inf
    assert comparison.pairs[0].gain is None
    assert data(comparison)["planners"][1]["at"]["4"] == [None, None, None]


def test_what_a_reader_must_know_is_remarked(make_campaign, make_run):
    runs = {"a": [make_run([1.0, 2.0], fallbacks=["policy 'a' raised ValueError: no"])], "b": [make_run([1.0] * 4)]}
    remarks = compare(make_campaign(), runs, ["a, seed 3 failed: it did"]).remarks
    assert remarks[0] == "a, seed 3 failed: it did"
    assert any("1 of 1 runs ended before the budget" in text for text in remarks)
    assert any("failed at 1 asks and random points stood in" in text and "ValueError: no" in text for text in remarks)
    assert any("one run says nothing about chance" in text for text in remarks)


def test_head_legend_and_data_agree(comparison):
    assert head(comparison)[2:5] == ["after 1 / µmol", "after 2 / µmol", "after 4 / µmol"]
    assert len(cells(comparison.rows[0], comparison)) == len(head(comparison))
    assert "higher is better" in legend(comparison)
    told = data(comparison)
    assert told["planners"][0]["median"] == [1.0, 2.0, 3.0, 6.0]
    assert told["planners"][1]["curves"][0] == [1.0, 1.0, 1.0, 2.0]
    assert told["pairs"][0]["gain"]["value"] == -2.0


WAYS = [
    {"name": "x", "kind": "continuous", "unit": "mL", "low": 0, "high": 1},
    {"name": "way", "kind": "fidelity", "levels": {"scan": 0.25, "full": 1}},
]


def at(run, *ways):
    for trial, way in zip(run.result["trials"], ways, strict=True):
        trial["parameters"]["way"] = way
    return run


def test_trials_of_several_fidelities_are_compared_along_their_cost(make_campaign, make_run):
    runs = {
        "a": [at(make_run([7.0, 8.0, 3.0, 9.0], seed=seed), "scan", "scan", "full", "full") for seed in (0, 1)],
        "b": [at(make_run([1.0, 2.0, 4.0, 5.0], label="b", seed=seed), *["full"] * 4) for seed in (0, 1)],
    }
    compared = compare(make_campaign(parameters=WAYS), runs)
    assert compared.along.places.tolist() == [0.625, 1.25, 1.875, 2.5], "up to what a spent"
    assert compared.measure.curves["a"][0] == pytest.approx([math.nan, math.nan, 3.0, 9.0], nan_ok=True)
    assert compared.measure.curves["b"][0] == pytest.approx([math.nan, 1.0, 1.0, 2.0], nan_ok=True)
    assert [row.reach[0] for row in compared.rows] == [2.5, math.inf]
    assert head(compared)[2:6] == ["after 0.625 / µmol", "after 1.25 / µmol", "after 2.5 / µmol", "cost to 9"]
    assert ">2.5" in cells(compared.rows[1], compared)[5]
    assert "the budget of a cost of 2.5" in legend(compared)
    assert data(compared)["planners"][0]["cost_to_level"] == [2.5, 2.5, 2.5]
    (remark,) = [text for text in compared.remarks if "cost" in text]
    assert "one at way 'scan' 0.25, one at 'full', which alone gives the measure, 1; up to 2.5" in remark


def test_a_budget_of_cost_is_the_end_and_no_early_one(make_campaign, make_run):
    campaign = make_campaign(parameters=WAYS, budget=8)
    campaign = campaign.model_copy(update={"budget": campaign.budget.model_copy(update={"cost": 2.0})})
    compared = compare(campaign, {"a": [at(make_run([1.0, 2.0]), "full", "full")]})
    assert compared.along.places[-1] == 2.0
    assert not any("ended before" in text or "spent least" in text for text in compared.remarks)
    ended = compare(campaign, {"a": [at(make_run([1.0]), "full")]})
    assert any("1 of 1 runs ended before the budget" in text for text in ended.remarks)


def test_runs_without_a_trial_are_compared_along_cost_too(make_campaign, make_run):
    runs = {"a": [at(make_run([1.0, 2.0]), "full", "full")], "b": [make_run([], label="b")]}
    compared = compare(make_campaign(parameters=WAYS), runs)
    assert compared.along.places[-1] == 1.0, "nothing was spent by one: the dearest trial is the end"
    assert compared.measure.curves["a"][0, -1] == 1.0
    assert cells(compared.rows[1], compared)[4] == cells(compared.rows[1], compared)[2]
    assert any(text.startswith("b: 1 of 1 runs ended before the budget") for text in compared.remarks)
