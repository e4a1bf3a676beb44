"""What the campaign wants, from its file to its end, and which trial is the best by that."""

import json
from pathlib import Path

import pytest

from orchestrator import goals
from orchestrator.cli.main import supervise
from orchestrator.objectives import Objective

EXAMPLE = str(Path(__file__).parents[2] / "examples/photocatalysis/campaign.yaml")
WISHES = [
    Objective(name="u", direction="maximize", desirability=(0.0, 1.0)),
    Objective(name="v", direction="maximize", desirability=(0.0, 1.0), weight=2.0),
]


def simulated(capsys, *changes, trials=24):
    settings = [word for change in changes for word in ("--set", change)]
    more = ["--set", "batch=6", "--trials", str(trials), "--planner", "logei", "--json", "-"]
    assert supervise(["simulate", EXAMPLE, *settings, *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_objective_becomes_the_planners():
    aim = Objective(name="y", direction="target", unit="nm", target=50.0, tolerance=2.0)
    assert goals.planned(aim).interval == (48.0, 52.0)
    assert goals.planned(aim.model_dump(mode="json", exclude_none=True)) == goals.planned(aim)
    assert goals.worded(aim) == "y at 50 +- 2 nm"
    assert goals.worded({"name": "y", "direction": "maximize", "unit": "nm"}) == "maximize y"
    assert goals.planned({"name": "y"}).direction == "learn"


def test_rank_is_by_all_desirabilities_within_the_limits():
    assert goals.rank(WISHES, {"u": 1.0, "v": 0.5}) == pytest.approx((0.5, 0.0))
    assert goals.rank(WISHES, {"u": 1.0}) is None
    limited = [*WISHES, Objective(name="i", direction="at_least", limit=2.0)]
    assert goals.rank(limited, {"u": 1.0, "v": 0.5, "i": 1.9}) is None
    assert goals.rank(limited, {"u": 1.0, "v": 0.5}) is None, "what was not measured may be beyond the limit"
    assert goals.rank([{"name": "y", "direction": "learn"}], {"y": 1.0}) is None


def test_a_campaign_ends_with_a_hit(capsys):
    window = "objectives=[{name: hydrogen, direction: window, unit: umol, low: 2500 nmol, high: 3.5 umol}]"
    result = simulated(capsys, window, "stopping=[{hit: {}}]", "planner.options={cost: 1 + nacl}")
    assert "hit what is aimed at (hydrogen from 2.5 to 3.5)" in result["reason"]
    assert 2.5 <= result["best"]["values"]["hydrogen"] <= 3.5


def test_a_campaign_ends_when_little_is_left_to_be_had(capsys):
    result = simulated(capsys, "stopping=[{no_prospect: {better_by: 30 umol, risk: 0.4}}]", trials=60)
    assert "by more than 30 umol of hydrogen was" in result["reason"]
    assert "a risk of 40 % was accepted" in result["reason"]
    assert len(result["trials"]) < 60


@pytest.mark.parametrize(
    ("directions", "leads"),
    [
        (["classify", "maximize"], 1),
        (["learn", "maximize"], 1),
        (["classify", "learn"], 1),
        (["classify"], 0),
        (["minimize", "maximize"], 0),
    ],
    ids=["cameo", "sara", "learnt", "regions", "front"],
)
def test_what_is_optimised_leads(directions, leads):
    wanted = [Objective(name=f"y{index}", direction=one) for index, one in enumerate(directions)]
    assert goals.leading(wanted) is wanted[leads]
    assert goals.leading([one.model_dump() for one in wanted])["name"] == f"y{leads}"
