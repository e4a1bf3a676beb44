import pytest

from orchestrator.parameters import Objective
from orchestrator.records import TrialRecord
from orchestrator.stop_rules import MapUncertainty, NoImprovement, Target
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
    assert best_trial(trials(1.0, 2.0, 5.0, 5.0, None, 1.0), "yield", direction).number == number


def test_without_a_measurement_there_is_no_best():
    assert best_trial(trials(None, None), "yield", "maximize") is None


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
