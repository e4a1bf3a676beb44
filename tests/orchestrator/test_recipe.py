"""Recipes: each kind of step, arguments from parameters, and the driver's names of arguments."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from orchestrator.fields import Declared, Surroundings
from orchestrator.recipe import SCAN_POLICIES, STEPS, AnyStep, driver_argument
from orchestrator.yaml_source import InvalidSource

ADAPTER = TypeAdapter(AnyStep)
AROUND = Surroundings(
    parameters={
        "temperature": Declared("continuous", "K"),
        "dwell": Declared("continuous", "ms"),
        "solvent": Declared("categorical", "1", ("water",)),
    }
)

EXAMPLES = {
    "anneal": {"peak_temperature": "$temperature", "dwell": "10 ms"},
    "reference": {"max_age": "2 h", "exposure": "50 ms", "averages": 4},
    "photograph": {},
    "scan": {"start": "-1 mm", "stop": "1 mm", "points": 10, "exposure": "50 ms"},
    "adaptive_scan": {"policy": "integrated_gradient", "half_range": "1 mm", "points": 20, "exposure": "50 ms"},
    "perform": {"device": "robot"},
    "command": {"device": "laser", "command": "anneal", "arguments": {"dwell": "$dwell", "n": 3, "fast": True}},
    "wait": {"duration": "30 s"},
    "dose": {"mixture": "$solvent", "mixtures": {"water": {"NaCl": "0.3 g"}}, "tolerance": "2 mg", "within": "20 min"},
    "weigh": {"station": "scales"},
    "mill": {"duration": "10 min", "frequency": "5 Hz"},
    "fire": {
        "program": [{"target": "$temperature", "rate": "5 K/min", "hold": "8 h"}],
        "unload_below": "80 degC",
        "longest_wait": "1 h",
        "cooling": "3 K/min",
    },
    "diffract": {"start": "10 deg", "stop": "80 deg", "step": "0.02 deg", "count_time": "0.2 s"},
}


def _read(value):
    return ADAPTER.validate_python(value, context=AROUND)


def test_there_is_an_example_of_every_kind():
    assert EXAMPLES.keys() == STEPS.keys()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_kind_is_read_and_written_back(kind):
    step = _read({kind: EXAMPLES[kind]})
    assert step.kind == kind
    written = ADAPTER.dump_python(step, mode="json")
    assert list(written) == [kind]
    assert _read(written) == step


def test_arguments_from_parameters_arrive_in_the_drivers_unit():
    step = _read({"anneal": {"peak_temperature": "$temperature", "dwell": "$dwell"}})
    assert step.peak_temperature.at({"temperature": 673.15, "dwell": 2.5}) == pytest.approx(400.0)
    assert step.dwell.at({"temperature": 673.15, "dwell": 2.5}) == 2500.0


def test_fixed_arguments_arrive_in_the_drivers_unit():
    step = _read({"anneal": {"peak_temperature": "673.15 K", "dwell": "0.01 s"}})
    assert step.peak_temperature.at({}) == pytest.approx(400.0)
    assert step.dwell.at({}) == 10000.0


def test_plain_values_of_a_command_keep_their_type():
    step = _read({"command": EXAMPLES["command"]})
    assert [type(value) for value in step.arguments.values()] == [str, int, bool]


def test_a_step_without_arguments_may_be_left_empty():
    assert _read({"photograph": None}) == _read({"photograph": {}})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"anneal": {"peak_temperature": "$solvent", "dwell": "1 ms"}}, "parameter 'solvent' is categorical, but"),
        ({"anneal": {"peak_temperature": "$temperature + 5", "dwell": "1 ms"}}, "no parameter 'temperature . 5'"),
        ({"anneal": {"peak_temperature": "400 degC", "dwell": "0 ms"}}, "must be more than 0 us, got 0 ms"),
        ({"scan": {**EXAMPLES["scan"], "stop": "-1 mm"}}, "is where the scan starts, too; 10 points need a range"),
        ({"scan": {**EXAMPLES["scan"], "points": 0}}, "greater than or equal to 1"),
        ({"command": {**EXAMPLES["command"], "arguments": {"n": [1]}}}, "must be a number, text, true or false"),
        ([], "must be a step such as 'photograph: {}', got a list"),
        ({}, "must be a step such as 'photograph: {}', got a mapping"),
    ],
)
def test_says_what_is_wrong(value, message):
    with pytest.raises(ValueError, match=message) as caught:
        _read(value)
    assert not isinstance(caught.value, InvalidSource)


@pytest.mark.parametrize(
    ("written", "full"),
    [("peak_temperature", "peak_temperature_c"), ("dwell_us", "dwell_us"), ("dwell", "dwell_us"), ("peak", None)],
)
def test_arguments_may_leave_out_the_drivers_unit(written, full):
    assert driver_argument(written, {"peak_temperature_c": 1, "dwell_us": 1, "n": 1}) == full


def test_the_planner_knows_the_same_scan_policies():
    from planner.adaptive_scan import SCAN_POLICIES as planned

    assert planned == SCAN_POLICIES
