"""Runs made by hand, whose figures can be told without a computer."""

from pathlib import Path

import pytest

from orchestrator.campaign import Campaign
from orchestrator.comparing.runs import Run

EXAMPLES = Path(__file__).parents[3] / "examples"


def a_campaign(*objectives, budget=4, **changes):
    data = {
        "labpilot": 1,
        "name": "hand made",
        "description": "Runs whose figures can be told by hand.",
        "parameters": [{"name": "x", "kind": "continuous", "unit": "mL", "low": 0, "high": 1}],
        "objectives": list(objectives or [{"name": "gas", "direction": "maximize", "unit": "umol"}]),
        "recipe": [{"perform": {"device": "robot"}}],
        "analysis": {"kind": "reading"},
        "planner": {"policy": "random"},
        "budget": {"trials": budget},
    }
    return Campaign.from_data({**data, **changes})


def a_run(values, *, label="a", seed=0, name="gas", controls=(), metrics=None, fallbacks=(), cpu_s=1.0):
    """Make a run; a value may be None (failed), a mapping by objective, or a number."""
    trials = [
        {
            "number": number,
            "parameters": {"x": 0.5},
            "outcome": "failed" if value is None else "measured",
            "values": {} if value is None else value if isinstance(value, dict) else {name: value},
            "is_control": number in controls,
        }
        for number, value in enumerate(values, start=1)
    ]
    result = {
        "status": "finished",
        "reason": "the budget is spent",
        "trials": trials,
        "metrics": metrics or {},
        "planning_cpu_s": cpu_s,
        "wall_s": 0.1,
    }
    return Run(label=label, seed=seed, result=result, violations=0, fallbacks=list(fallbacks))


@pytest.fixture
def make_campaign():
    return a_campaign


@pytest.fixture
def make_run():
    return a_run
