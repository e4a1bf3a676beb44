"""A short form of seventeen days: every target's campaign is sound, and what is counted is what happened."""

import pytest
from seventeen_days import CAMPAIGN, TARGETS, claims, counted, overrides, shares, simulated
from seventeen_days_report import draw, is_made, report

from orchestrator.check import check_campaign

SURE = {
    "verdict": "identified",
    "failed_gates": [],
    "phases": {"LiCoO2": 0.8},
    "probabilities": {"LiCoO2": 0.99},
    "weight_intervals": {"LiCoO2": [0.7, 0.9]},
}


@pytest.mark.parametrize("target", TARGETS)
def test_the_campaign_of_each_target_has_no_mistakes(target):
    assert check_campaign(CAMPAIGN, None, overrides(target, 71)).problems == ()


def test_recipes_are_shared_out_evenly():
    assert shares(355) == [71] * 5
    assert sum(shares(17)) == 17 and max(shares(17)) - min(shares(17)) <= 1


@pytest.mark.parametrize(
    ("change", "is_claimed"),
    [
        ({}, True),
        ({"verdict": "cannot tell"}, False),
        ({"failed_gates": ["G1"]}, False),
        ({"phases": {"CoO": 1.0}}, False),
        ({"probabilities": {"LiCoO2": 0.9}}, False),
        ({"weight_intervals": {"LiCoO2": [0.49, 0.9]}}, False),
    ],
    ids=["sure", "verdict", "gate", "another phase", "unsure", "too little"],
)
def test_a_claim_needs_verdict_gates_probability_and_weight(change, is_claimed):
    assert claims({**SURE, **change}, "LiCoO2") == is_claimed


def test_a_short_campaign_is_counted_and_drawn(tmp_path, capsys):
    cpu_s = simulated("LiCoO2", 3, 3, tmp_path / "c")
    found = counted(tmp_path / "c", "LiCoO2")
    assert found["recipes"] == 3
    assert len(found["powders"]) == sum(found["outcomes"].get(one, 0) for one in ("measured", "failed"))
    assert all(0.0 <= powder["true"] <= 1.0 for powder in found["powders"])
    assert found["is_lawful"] and found["violations"] == {}
    laboratories = [{"seed": 3, "campaigns": {"LiCoO2": {**found, "cpu_s": cpu_s}}}]
    report(laboratories)
    said = capsys.readouterr().out
    assert f"| 3 | 3 | {found['outcomes'].get('measured', 0)} |" in said
    assert f"{int(is_made(found))} of 1" in said
    draw(laboratories, tmp_path / "days.png")
    assert (tmp_path / "days.png").stat().st_size > 10_000
