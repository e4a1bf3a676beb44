"""Campaign files: the examples, what a table of mistakes says word for word, and writing back."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.campaign import Campaign
from orchestrator.errors import NewerVersion
from orchestrator.yaml_source import InvalidSource, parse_source, read_source

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SARA = (EXAMPLES / "sara" / "campaign.yaml").read_text()

SMALL = """\
labpilot: 1
name: small
parameters:
  - {name: temperature, kind: continuous, unit: degC, low: 300, high: 900}
  - {name: cycles, kind: integer, low: 1, high: 10}
  - {name: solvent, kind: categorical, levels: [water, ethanol]}
objectives:
  - {name: gain, direction: maximize, unit: umol}
recipe:
  - perform: {}
analysis: {kind: reading}
planner: {policy: random}
budget: {trials: 5}
"""


def _mistakes(text):
    with pytest.raises(InvalidSource) as caught:
        Campaign.from_source(parse_source(text, "campaign.yaml"))
    return [str(mistake) for mistake in caught.value.mistakes]


def _changed(old, new, text=SARA):
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/campaign.yaml")), ids=lambda path: path.parent.name)
def test_examples_are_read_and_written_back(path):
    campaign = Campaign.from_source(read_source(path))
    assert Campaign.from_data(campaign.data()) == campaign


def test_quantities_become_numbers_in_known_units():
    campaign = Campaign.from_source(parse_source(SARA, "campaign.yaml"))
    temperature, dwell = campaign.parameters
    assert (temperature.low, temperature.high, temperature.step) == (400.0, 1300.0, 37.5)
    assert (dwell.low, dwell.high, dwell.count, dwell.scale) == (250.0, 10000.0, 25, "log")
    anneal, reference, _, scan = campaign.recipe
    assert anneal.dwell.at({"dwell": 300.0, "peak_temperature": 500.0}) == 300.0
    assert (reference.max_age_s, reference.exposure_s, scan.half_range_mm) == (7200.0, 0.05, 1.0)
    assert (campaign.budget.duration_s, campaign.planner.charge_s) == (604800.0, 2.0)


def test_controls_are_plain_values_in_the_parameters_units():
    text = SMALL + "batch: 3\ncontrols:\n  - parameters: {temperature: 673 K, cycles: 2, solvent: water}\n"
    control = Campaign.from_source(parse_source(text, "campaign.yaml")).controls[0]
    assert control.parameters == {"temperature": 399.85, "cycles": 2, "solvent": "water"}
    assert type(control.parameters["cycles"]) is int


def test_the_example_of_the_issue():
    text = "labpilot: 1\nname: x\nparameters:\n" + "  - {name: a, kind: integer, low: 1, high: 2}\n" * 1
    text += "  - name: b\n    kind: continuous\n    low: 1\n    high: 2\n    unti: mm\n"
    found = _mistakes(text + SMALL[SMALL.index("objectives:") :])
    assert found == ["campaign.yaml:9:5: parameters.1.unti: unknown key; did you mean 'unit'?"]


def test_a_key_is_suggested_as_it_is_written():
    found = _mistakes(SMALL.replace("{policy: random}", "{policy: random, chrge: 2 s}"))
    assert [one.partition("; ")[2] for one in found] == ["did you mean 'charge'?"]


def _goals(*lines):
    """Return the small campaign with other objectives, one to a line."""
    kept = SMALL.splitlines(keepends=True)
    at = next(index for index, line in enumerate(kept) if "name: gain" in line)
    return "".join([*kept[:at], *(f"  - {line}\n" for line in lines), *kept[at + 1 :]])


MISTAKES = [
    (
        "a misspelt unit is one mistake, not five",
        _changed("unit: degC", "unti: degC"),
        ["campaign.yaml:12:5: parameters.0.unti: unknown key; did you mean 'unit'?"],
    ),
    (
        "all at once, in the order of the file",
        SARA.replace("seed: 0", "seed: '0'")
        .replace("low: 400 degC", "low: 400 s")
        .replace("points: 20", "points: two"),
        [
            "campaign.yaml:6:7: seed: must be a whole number, got text '0'; leave out the quotes",
            "campaign.yaml:13:10: parameters.0.low: '400 s' is a time, but a temperature in 'degC' is needed here",
            "campaign.yaml:40:15: recipe.3.adaptive_scan.points: must be a whole number, got text 'two'",
        ],
    ),
    (
        "direction",
        _changed("direction: learn", "direction: minimise"),
        [
            "campaign.yaml:26:16: objectives.0.direction: must be maximize, minimize, target, window, at_most, "
            "at_least, learn or classify, got text 'minimise'; did you mean 'minimize'?"
        ],
    ),
    (
        "unknown reference",
        _changed("$dwell", "$dwel"),
        ["campaign.yaml:32:14: recipe.0.anneal.dwell: no parameter 'dwel'; did you mean 'dwell'?"],
    ),
    (
        "reference of another dimension",
        _changed("dwell: $dwell", "dwell: $peak_temperature"),
        [
            "campaign.yaml:32:14: recipe.0.anneal.dwell: parameter 'peak_temperature' is a temperature in 'degC', "
            "but a time in 'us' is needed here"
        ],
    ),
    (
        "unknown step",
        _changed("photograph: {}", "photo: {}"),
        ["campaign.yaml:36:5: recipe.2.photo: unknown kind of step; did you mean 'photograph'?"],
    ),
    (
        "step without arguments",
        _changed("- photograph: {}", "- photograph"),
        ["campaign.yaml:36:5: recipe.2: write 'photograph: {}', with its arguments in the braces"],
    ),
    (
        "argument beside its step",
        _changed("  - photograph: {}", "  - photograph: {}\n    device: camera"),
        [
            "campaign.yaml:37:5: recipe.2.device: unknown kind of step; "
            "indent it below 'photograph' if it is an argument"
        ],
    ),
    (
        "two kinds in one step",
        _changed("  - photograph: {}", "  - photograph: {}\n    wait: {duration: 1 s}"),
        ["campaign.yaml:36:5: recipe.2: one step has one kind, got photograph and wait; begin each with its own '-'"],
    ),
    (
        "missing key",
        _changed("  trials: 48\n", ""),
        ["campaign.yaml:51:3: budget.trials: missing key: trials in all, controls included"],
    ),
    (
        "quantity without a unit",
        _changed("exposure: 50 ms", "exposure: 50"),
        ["campaign.yaml:35:17: recipe.1.reference.exposure: needs a unit, such as '50 s'"],
    ),
    (
        "exposure of nothing",
        _changed("exposure: 50 ms", "exposure: 0 ms"),
        ["campaign.yaml:35:17: recipe.1.reference.exposure: must be more than 0 s, got 0 ms"],
    ),
    (
        "budget of nothing",
        _changed("trials: 48", "trials: 0"),
        ["campaign.yaml:51:11: budget.trials: must be at least 1, got 0"],
    ),
    (
        "crossed bounds",
        _changed("low: 400 degC", "low: 1400 degC"),
        ["campaign.yaml:13:10: parameters.0.low: 1400 degC is above high, 1300 degC; exchange them"],
    ),
    (
        "log scale from zero",
        _changed("low: 250 us", "low: 0 us"),
        ["campaign.yaml:19:10: parameters.1.low: a log scale needs low above 0, got 0 us"],
    ),
    (
        "step on a log scale",
        _changed("count: 25", "step: 1 ms"),
        ["campaign.yaml:22:5: parameters.1.step: a log scale takes count or levels, not step"],
    ),
    (
        "step wider than the range",
        _changed("step: 37.5 K", "step: 1000 K"),
        ["campaign.yaml:15:11: parameters.0.step: must be above 0 and at most high - low = 900 degC"],
    ),
    (
        "step and count",
        _changed("step: 37.5 K", "step: 37.5 K\n    count: 3"),
        ["campaign.yaml:16:5: parameters.0.count: give one of step and count, not both"],
    ),
    (
        "one name twice",
        _changed("- name: dwell", "- name: peak_temperature"),
        [
            "campaign.yaml:16:11: parameters.1.name: the name 'peak_temperature' is taken by number 0",
            "campaign.yaml:32:14: recipe.0.anneal.dwell: no parameter 'dwell'; known: peak_temperature",
        ],
    ),
    (
        "unknown unit",
        _changed("unit: degC", "unit: degx"),
        [
            "campaign.yaml:12:11: parameters.0.unit: unknown unit 'degx'; did you mean 'deg'?",
            "campaign.yaml:31:25: recipe.0.anneal.peak_temperature: parameter 'peak_temperature' is a label in 'degx', "
            "but a temperature in 'degC' is needed here",
        ],
    ),
    (
        "kind of parameter",
        _changed("kind: continuous", "kind: contiuous"),
        ["campaign.yaml:11:11: parameters.0.kind: no such kind, text 'contiuous'; did you mean 'continuous'?"],
    ),
    (
        "scan policy",
        _changed("policy: integrated_gradient", "policy: gradient"),
        [
            "campaign.yaml:38:15: recipe.3.adaptive_scan.policy: no such policy 'gradient'; "
            "did you mean 'integrated_gradient'?"
        ],
    ),
    (
        "a list where a mapping is meant",
        _changed("budget:\n  trials: 48\n  duration: 7 d", "budget: [48, 7 d]"),
        ["campaign.yaml:50:9: budget: must be a mapping ('key: value' lines), got a list"],
    ),
    (
        "charge",
        _changed("charge: 2 s", "charge: 2 mm"),
        ["campaign.yaml:48:11: planner.charge: '2 mm' is a length, but a time in 's' is needed here"],
    ),
    (
        "text that should be quoted",
        _changed("name: sara", "name: 2026"),
        ["campaign.yaml:4:7: name: must be text, got the number 2026; put it in quotes"],
    ),
    (
        "key given twice",
        _changed("seed: 0", "seed: 0\nseed: 1"),
        ["campaign.yaml:7:1: seed: given twice; first in line 6"],
    ),
    (
        "categorical levels",
        SMALL.replace("[water, ethanol]", "[water, 5, water]"),
        ["campaign.yaml:6:56: parameters.2.levels.1: must be text, got the number 5; put it in quotes"],
    ),
    (
        "level twice",
        SMALL.replace("[water, ethanol]", "[water, water]"),
        ["campaign.yaml:6:56: parameters.2.levels.1: 'water' is given twice"],
    ),
    (
        "integer with a fraction",
        SMALL.replace("low: 1, high: 10", "low: 1.5, high: 10"),
        ["campaign.yaml:5:40: parameters.1.low: must be a whole number of '1', got 1.5"],
    ),
    (
        "controls",
        SMALL + "batch: 2\ncontrols:\n"
        "  - {parameters: {temperature: 5 s, cycles: 1, solvent: water}, per_batch: 1}\n"
        "  - {parameters: {temprature: 5}}\n",
        [
            "campaign.yaml:16:32: controls.0.parameters.temperature: '5 s' is a time, "
            "but a temperature in 'degC' is needed here",
            "campaign.yaml:17:19: controls.1.parameters.temprature: no parameter 'temprature'; "
            "did you mean 'temperature'?",
        ],
    ),
    (
        "stopping rules",
        SMALL + "stopping:\n"
        "  - {objective: gian, at_least: 3}\n"
        "  - {objective: gain, at_least: 3 s}\n"
        "  - {objective: gain}\n"
        "  - {no_improvment: {trials: 3}}\n"
        "  - no_improvement: {trials: 0}\n"
        "  - map_uncertainty: {below: x}\n",
        [
            "campaign.yaml:15:17: stopping.0.objective: no objective 'gian'; did you mean 'gain'?",
            "campaign.yaml:16:33: stopping.1.at_least: '3 s' is a time, but an amount of substance in 'umol' "
            "is needed here",
            "campaign.yaml:17:5: stopping.2: give at_least or at_most, one of the two",
            "campaign.yaml:18:6: stopping.3.no_improvment: unknown stopping rule; did you mean 'no_improvement'?",
            "campaign.yaml:19:30: stopping.4.no_improvement.trials: must be at least 1, got 0",
            "campaign.yaml:20:30: stopping.5.map_uncertainty.below: must be a number, got text 'x'",
        ],
    ),
    (
        "rules that judge what is left",
        SMALL + "stopping:\n"
        "  - no_prospect: {better_by: 3 s, risk: 0.05}\n"
        "  - no_prospect: {better_by: -1 umol, risk: 1.5}\n"
        "  - no_prospect: {risk: 0.05}\n"
        "  - hit: {at: 3}\n",
        [
            "campaign.yaml:15:30: stopping.0.no_prospect.better_by: '3 s' is a time, but an amount of substance in "
            "'umol' is needed here",
            "campaign.yaml:16:30: stopping.1.no_prospect.better_by: must be a number from 0 up, got -1",
            "campaign.yaml:16:45: stopping.1.no_prospect.risk: must be less than 1, got 1.5",
            "campaign.yaml:17:18: stopping.2.no_prospect.better_by: missing key: how much better is worth going on "
            "for, '0.5 umol'; of a desirability a number",
            "campaign.yaml:18:11: stopping.3.hit.at: unknown key",
        ],
    ),
    *(
        (f"goals, {name}", _goals(*lines), [f"campaign.yaml:{expected}"])
        for name, lines, expected in (
            (
                "no target",
                ["{name: gain, direction: target, unit: umol}"],
                "8:5: objectives.0.target: missing key: direction target needs it",
            ),
            (
                "half a window",
                ["{name: gain, direction: window, unit: umol, low: 3 umol}"],
                "8:5: objectives.0.high: missing key: direction window needs it",
            ),
            (
                "a window upside down",
                ["{name: gain, direction: window, unit: umol, low: 3 umol, high: 2000 nmol}"],
                "8:54: objectives.0.low: 3 umol is not below high, 2 umol",
            ),
            (
                "a foreign number",
                ["{name: gain, direction: maximize, unit: umol, limit: 3 umol}"],
                "8:51: objectives.0.limit: does not belong to direction: maximize",
            ),
            (
                "another dimension",
                ["{name: gain, direction: target, unit: umol, target: 3 s}"],
                "8:57: objectives.0.target: '3 s' is a time, but an amount of substance in 'umol' is needed here",
            ),
            (
                "a weight of nothing",
                ["{name: gain, direction: maximize, unit: umol, weight: 2}"],
                "8:51: objectives.0.weight: needs a desirability; without one it would do nothing",
            ),
            (
                "a limit alone",
                ["{name: gain, direction: at_most, unit: umol, limit: 3 umol}"],
                "8:29: objectives.0.direction: the first objective must be optimised or learnt; put limits after it",
            ),
            (
                "half desirable",
                [
                    "{name: gain, direction: maximize, unit: umol, desirability: [1 umol, 2 umol]}",
                    "{name: loss, direction: minimize}",
                ],
                "9:5: objectives.1.desirability: missing key: other objectives have one; give all of them one, or none",
            ),
            (
                "undesirable",
                ["{name: gain, direction: maximize, unit: umol, desirability: [2 umol, 1 umol]}"],
                "8:65: objectives.0.desirability: gives the lesser value first",
            ),
        )
    ),
    (
        "limits",
        SMALL + "limits:\n  foo: {}\n  a.b: {c: {}, d: {low: 3 degC, high: 1 degC}, e: {low: 3 s, high: 3 m}}\n",
        [
            "campaign.yaml:15:3: limits.foo: must be 'device.command'",
            "campaign.yaml:16:12: limits.a.b.c: gives neither low nor high",
            "campaign.yaml:16:25: limits.a.b.d.low: 3 degC is above high, 1 degC; exchange them",
            "campaign.yaml:16:57: limits.a.b.e.low: '3 s' is a time, but a length in 'm' is needed here",
        ],
    ),
    (
        "replay",
        SMALL + "replay:\n  mode: pol\n  columns: {temprature: {column: T}}\n  failure: {column: gain, equals: [0]}\n",
        [
            "campaign.yaml:15:9: replay.mode: must be pool or emulator, got text 'pol'; did you mean 'pool'?",
            "campaign.yaml:16:13: replay.columns.temprature: no parameter or objective 'temprature'; "
            "did you mean 'temperature'?",
            "campaign.yaml:17:35: replay.failure.equals: must be a number, text, true or false, got a list",
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_mistakes_word_for_word(text, expected):
    assert _mistakes(text) == expected


def test_an_almost_empty_file_lists_every_missing_key():
    found = _mistakes("name: x\n")
    paths = [line.split(": ")[1] for line in found]
    assert paths == ["labpilot", "parameters", "objectives", "recipe", "analysis", "planner", "budget"]
    assert all(": missing key: " in line for line in found)


def test_a_later_format_is_refused_before_its_keys_are():
    text = SMALL.replace("labpilot: 1", "labpilot: 2") + "later_key: 1\n"
    with pytest.raises(NewerVersion, match="campaign.yaml:1:11: labpilot: written for format 2, but this labpilot"):
        Campaign.from_source(parse_source(text, "campaign.yaml"))


def test_labels_are_units_in_a_replay_and_only_there():
    text = SMALL.replace("unit: umol", "unit: equivalents to C60")
    assert _mistakes(text) == ["campaign.yaml:8:45: objectives.0.unit: unknown unit 'equivalents to C60'"]
    campaign = Campaign.from_source(parse_source(text + "replay: {table: null}\n", "campaign.yaml"))
    assert campaign.units["gain"] == "equivalents to C60"
    assert Campaign.from_data(campaign.data()) == campaign


def test_stopping_goals_are_in_the_objectives_unit():
    text = SMALL + "stopping:\n  - {objective: gain, at_least: 10 nmol}\n  - no_improvement: {trials: 7}\n"
    campaign = Campaign.from_source(parse_source(text, "campaign.yaml"))
    assert [rule.kind for rule in campaign.stopping] == ["target", "no_improvement"]
    assert campaign.stopping[0].at_least == pytest.approx(0.01)
    assert Campaign.from_data(campaign.data()) == campaign


def test_levels_give_bounds_and_may_not_leave_them():
    text = SMALL.replace("low: 300, high: 900", "levels: [300, 700 K, 900]")
    temperature = Campaign.from_source(parse_source(text, "campaign.yaml")).parameters[0]
    assert temperature.bounds == (300.0, 900.0)
    assert temperature.levels[1] == pytest.approx(426.85)
    text = SMALL.replace("low: 300, high: 900", "low: 350, high: 900, levels: [300, 900]")
    assert _mistakes(text) == ["campaign.yaml:4:85: parameters.0.levels.0: 300 degC lies outside low and high"]
