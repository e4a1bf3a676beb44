import pytest

from orchestrator.fields import Surroundings
from orchestrator.objectives import Objective
from orchestrator.records import TrialRecord
from orchestrator.stop_rules import Hit, MapUncertainty, NoImprovement, NoProspect, Target
from orchestrator.stopping import best_trial, reason_to_stop

YIELD = [Objective(name="yield", direction="maximize", unit="%")]
LOSS = [Objective(name="yield", direction="minimize", unit="%")]


def trials(*values):
    return [
        TrialRecord(
            number=number,
            parameters={},
            ask=number - 1,
            is_control=False,
            proposal_id=None,
            outcome="failed" if value is None else "measured",
            values={} if value is None else {"yield": value},
        )
        for number, value in enumerate(values, start=1)
    ]


@pytest.mark.parametrize(("direction", "number"), [("maximize", 3), ("minimize", 1)])
def test_the_best_is_the_first_of_equals(direction, number):
    assert (
        best_trial(trials(1.0, 2.0, 5.0, 5.0, None, 1.0), [{"name": "yield", "direction": direction}]).number == number
    )


def test_without_a_measurement_there_is_no_best():
    assert best_trial(trials(None, None), YIELD) is None


@pytest.mark.parametrize(
    ("rule", "objectives", "values", "reason"),
    [
        (Target(objective="yield", at_least=5.0), YIELD, (1.0, 5.0), "reached at least 5 in trial 2"),
        (Target(objective="yield", at_least=5.1), YIELD, (1.0, 5.0), None),
        (Target(objective="yield", at_most=1.0), LOSS, (1.0, 5.0), "reached at most 1 in trial 1"),
        (NoImprovement(trials=2), YIELD, (3.0, 2.0, None), "did not improve in 2 trials, since trial 1"),
        (NoImprovement(trials=3), YIELD, (3.0, 2.0, None), None),
        (NoImprovement(trials=1), YIELD, (None, None), None),
    ],
    ids=str,
)
def test_rules(rule, objectives, values, reason):
    found = reason_to_stop([rule], trials(*values), objectives, {})
    assert (reason is None and found is None) or reason in found


@pytest.mark.parametrize(
    ("diagnostics", "stops"), [({}, False), ({"map_uncertainty": 0.2}, False), ({"map_uncertainty": 0.05}, True)]
)
def test_a_known_map_ends_a_campaign(diagnostics, stops):
    assert (reason_to_stop([MapUncertainty(below=0.1)], [], YIELD, diagnostics) is not None) is stops


AIM = [Objective(name="yield", direction="target", unit="%", target=3.0, tolerance=0.2)]
LIMITED = [*YIELD, Objective(name="waste", direction="at_most", limit=1.0)]


def both(*pairs):
    found = trials(*(value for value, _ in pairs))
    for trial, (_, waste) in zip(found, pairs, strict=True):
        trial.values["waste"] = waste
    return found


def test_the_best_hits_what_is_aimed_at():
    assert best_trial(trials(1.0, 3.1, 9.0, 3.05), AIM).number == 4
    assert best_trial(trials(1.0, 9.0), AIM).number == 1


def test_the_best_keeps_to_limits():
    assert best_trial(both((5.0, 2.0), (3.0, 0.5), (2.0, 0.1)), LIMITED).number == 2
    assert best_trial(both((5.0, 2.0)), LIMITED) is None
    reached = Target(objective="yield", at_least=4.0)
    assert reason_to_stop([reached], both((5.0, 2.0), (3.0, 0.5)), LIMITED, {}) is None
    assert "in trial 1" in reason_to_stop([reached], both((5.0, 0.2)), LIMITED, {})


def test_a_hit_ends_a_campaign():
    assert reason_to_stop([Hit()], trials(1.0, 3.5), AIM, {}) is None
    assert reason_to_stop([Hit()], trials(1.0, None, 3.1), AIM, {}) == (
        "yield = 3.1 hit what is aimed at (yield at 3 +- 0.2) in trial 3"
    )


@pytest.mark.parametrize(
    ("diagnostics", "stops"),
    [({}, False), ({"prospects": {"0.5": 0.06}}, False), ({"prospects": {"0.5": 0.031, "1.0": 0.9}}, True)],
)
def test_a_small_risk_ends_a_campaign_and_is_stated(diagnostics, stops):
    rule = NoProspect.model_validate({"better_by": 0.5, "risk": 0.05}, context=Surroundings())
    found = reason_to_stop([rule], trials(1.0, 5.0), YIELD, diagnostics)
    assert found == (
        "by the surrogate, the chance that an untried recipe is better than trial 2 by more than 0.5 % of yield was "
        "3.1 % when it was last judged; a risk of 5 % was accepted"
        if stops
        else None
    )


PHASES = Objective(name="pattern", direction="classify")


def test_what_is_classified_leads_nothing():
    assert best_trial(trials(1.0, 3.0, 2.0), [PHASES, *YIELD]).number == 2
    assert best_trial(trials(1.0, 3.0, 2.0), [PHASES]) is None
    said = reason_to_stop([NoImprovement(trials=1)], trials(3.0, 2.0), [PHASES, *YIELD], {})
    assert said == "yield did not improve in 1 trials, since trial 1"


@pytest.mark.parametrize(
    ("best", "says"), [(3.0, "better than trial 2 by"), (7.0, "better than the best that was known beforehand by")]
)
def test_little_in_sight_is_said_of_the_best_that_is_known(best, says):
    diagnostics = {"prospects": {"0.5": 0.01}, "best": {"yield": best}}
    assert says in reason_to_stop([NoProspect(better_by=0.5, risk=0.05)], trials(1.0, 3.0), YIELD, diagnostics)
