"""Search spaces and constraints in the parameters' units."""

from __future__ import annotations

import pytest

from orchestrator import space
from orchestrator.campaign import Campaign
from orchestrator.parameters import Categorical
from orchestrator.units import UnitError
from orchestrator.yaml_source import InvalidSource
from planner.errors import ConstraintError


def _campaign(units, *constraints, **more):
    return Campaign.from_data(
        {
            "labpilot": 1,
            "name": "x",
            "parameters": [
                {"name": name, "kind": "continuous", "low": 0, "high": 10, "unit": unit} for name, unit in units.items()
            ]
            + [{"name": "word", "kind": "categorical", "levels": ["u", "v"]}],
            "constraints": list(constraints),
            "objectives": [{"name": "y", "direction": "maximize", "unit": "mg"}],
            "recipe": [{"perform": {}}],
            "analysis": {"kind": "reading"},
            "planner": {"policy": "random"},
            "budget": {"trials": 3},
            **more,
        }
    )


def _read(text, **units):
    return [
        (dict(found.coefficients), found.relation, found.bound) for found in space.constraints(_campaign(units, text))
    ]


@pytest.mark.parametrize(
    ("text", "units", "expected"),
    [
        ("a + 2*b <= 5 mL", {"a": "mL", "b": "mL"}, [({"a": 1, "b": 2}, "<=", 5)]),
        ("a + 2*b <= 5 mL", {"a": "mL", "b": "uL"}, [({"a": 1, "b": 0.002}, "<=", 5)]),
        ("a + b <= 5", {"a": "mL", "b": "mL"}, [({"a": 1, "b": 1}, "<=", 5)]),
        ("a >= 2*b", {"a": "mL", "b": "uL"}, [({"a": 1, "b": -0.002}, ">=", 0)]),
        ("(a + b)/2 <= 3e3 uL", {"a": "mL", "b": "mL"}, [({"a": 0.5, "b": 0.5}, "<=", 3)]),
        (
            "1 mM <= a + b <= 0.5 mol/L",
            {"a": "M", "b": "mM"},
            [({"a": 1, "b": 0.001}, ">=", 0.001), ({"a": 1, "b": 0.001}, "<=", 0.5)],
        ),
        ("a - b >= 10 K", {"a": "degC", "b": "degC"}, [({"a": 1, "b": -1}, ">=", 10)]),
        ("a <= 300 K", {"a": "degC"}, [({"a": 1}, "<=", 26.85)]),
        ("a + b <= 100 %", {"a": "%", "b": "%"}, [({"a": 1, "b": 1}, "<=", 100)]),
        ("`a` + b <= 5 cm3", {"a": "mL", "b": "mL"}, [({"a": 1, "b": 1}, "<=", 5)]),
        ("a <= 5 mL/min", {"a": "uL/s"}, [({"a": 1}, "<=", 5000 / 60)]),
    ],
)
def test_constraints_are_read_in_the_parameters_units(text, units, expected):
    found = _read(text, **units)
    for (weights, relation, bound), (want_weights, want_relation, want_bound) in zip(found, expected, strict=True):
        assert weights == pytest.approx(want_weights)
        assert relation == want_relation
        assert bound == pytest.approx(want_bound)


def test_the_users_text_is_kept_for_messages():
    assert space.constraints(_campaign({"a": "mL"}, " a <= 5 uL "))[0].text == "a <= 5 uL"


@pytest.mark.parametrize(
    ("text", "units", "error", "message"),
    [
        ("a + b <= 5 mL", {"a": "mL", "b": "s"}, UnitError, r"adds 'a' \(a volume in 'mL'\) and 'b' \(a time in 's'\)"),
        ("a <= 5 s", {"a": "mL"}, UnitError, "'5 s' is a time, but a volume in 'mL' is needed here"),
        ("a + b <= 5", {"a": "mL", "b": "uL"}, UnitError, "have different units; give the numbers theirs"),
        ("5 mL*a <= 3", {"a": "1"}, UnitError, "'5 mL' is a factor; a factor has no unit"),
        ("a + b <= 300 K", {"a": "degC", "b": "degC"}, UnitError, "a sum of temperatures has no meaning in 'K'"),
        ("a + b <= 9 degC", {"a": "degC", "b": "K"}, UnitError, "whose zeros differ; declare both in one unit"),
        ("a <= 5 foo", {"a": "mL"}, UnitError, "unknown unit 'foo'"),
        ("a + c <= 5", {"a": "mL"}, ConstraintError, "unknown parameter 'c'"),
        ("a < 5", {"a": "mL"}, ConstraintError, "use <="),
        ("a*a <= 5 mL", {"a": "mL"}, UnitError, "takes numbers without units; they are those of a in 'mL'"),
        ("a*a == 5", {"a": "mL"}, ConstraintError, "an equality must be linear"),
        ("", {"a": "mL"}, ConstraintError, "expected a number or a parameter"),
    ],
)
def test_constraints_that_make_no_sense(text, units, error, message):
    with pytest.raises(error, match=message):
        _read(text, **units)


def test_what_is_not_linear_joins_dimensions_in_the_parameters_units():
    found = space.search_space(_campaign({"a": "mL", "b": "s"}, "a * b <= 5"))
    assert found.contains({"a": 2.0, "b": 2.5, "word": "u"})
    assert found.violations({"a": 2.0, "b": 2.6, "word": "u"}) == ["constraint 'a * b <= 5': 5.2 exceeds 5"]


def test_what_trials_share_is_the_spaces():
    assert space.search_space(_campaign({"a": "mL"}, shared=["word"])).shared == ("word",)
    with pytest.raises(InvalidSource, match="no parameter 'wrd'; did you mean 'word'"):
        _campaign({"a": "mL"}, shared=["wrd"])
    with pytest.raises(InvalidSource, match="leave one out"):
        _campaign({"a": "mL"}, shared=["word", "a"])


def test_the_search_space_has_every_axis_as_declared():
    campaign = _campaign({"a": "mL"}, "a <= 5 mL")
    found = space.search_space(campaign)
    assert found.names == ("a", "word")
    assert found.contains({"a": 5.0, "word": "u"})
    assert not found.contains({"a": 5.1, "word": "u"})


@pytest.mark.parametrize(
    ("descriptors", "widths"),
    [(None, {2}), ({"U": (1.0, 7.0), "V": (2.0, 7.0)}, {1}), ("composition", range(20, 200))],
    ids=["a column each", "a table, one column of which says nothing", "formulas"],
)
def test_the_search_space_has_the_descriptors_of_words(descriptors, widths):
    word = Categorical(kind="categorical", name="word", levels=("U", "V"), descriptors=descriptors)
    found = space.search_space(_campaign({}).model_copy(update={"parameters": (word,)}))
    assert found.width in widths


def test_names_need_not_be_pythons():
    campaign = _campaign({"pt/gcn2": "mg", "X Offset": "mg"}, "`pt/gcn2` + `X Offset` <= 5 mg")
    (found,) = space.constraints(campaign)
    assert dict(found.coefficients) == {"pt/gcn2": 1.0, "X Offset": 1.0}
    assert space.search_space(campaign).names == ("pt/gcn2", "X Offset", "word")


def test_candidates_make_a_pool():
    found = space.search_space(_campaign({"a": "mL"}), candidates=[{"a": 1.0, "word": "u"}, {"a": 2.0, "word": "v"}])
    assert found.size() == 2


def test_objectives_keep_direction_and_unit():
    found = space.objectives(_campaign({"a": "mL"}))
    assert [(item.name, item.direction, item.unit) for item in found] == [("y", "maximize", "mg")]


_WITH_CONDITIONS = [
    {"name": "additive", "kind": "categorical", "levels": ["none", "A", "B"]},
    {"name": "amount", "kind": "continuous", "unit": "mL", "low": 0, "high": 5, "when": {"additive": ["A", "B"]}},
    {"name": "first", "kind": "continuous", "unit": "degC", "low": 300, "high": 900, "step": 100},
    {"name": "second", "kind": "continuous", "unit": "degC", "low": 300, "high": 900, "when": {"first": ["573.15 K"]}},
]


def test_conditions_are_read_in_the_units_of_what_decides():
    campaign = _campaign({}, "amount <= 2000 uL", parameters=_WITH_CONDITIONS)
    found = space.search_space(campaign)
    assert Campaign.from_data(campaign.data()) == campaign
    assert found.violations({"additive": "none", "first": 400}) == []
    assert found.violations({"additive": "A", "amount": 1.0, "first": 300, "second": 500}) == []
    assert "misses 2" in found.violations({"additive": "A", "amount": 3.0, "first": 400})[0]
    assert found.violations({"additive": "none", "first": 400, "second": 500}) == [
        "parameter 'second' exists only where first is 300.0; leave it out"
    ]


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ({"adittive": ["A"]}, "no parameter 'adittive'; did you mean 'additive'"),
        ({"additive": "A"}, "must be a list of its values"),
        ("A", "must be a mapping"),
        ({"first": ["3 mL"]}, "parameters.1"),
    ],
)
def test_conditions_that_cannot_be_read_are_refused(when, says):
    parameters = [dict(one) for one in _WITH_CONDITIONS]
    parameters[1]["when"] = when
    with pytest.raises(InvalidSource, match=says):
        _campaign({}, parameters=parameters)


def _noisy(**more):
    furnace = {"name": "t", "kind": "continuous", "unit": "degC", "low": 300, "high": 900, **more}
    return _campaign({}, parameters=[furnace, {"name": "word", "kind": "categorical", "levels": ["u", "v"]}])


def test_how_far_what_is_achieved_lies_from_what_is_asked_for_is_a_difference_in_the_parameters_unit():
    noise = space.search_space(_noisy(input_sd="3 K")).input_noise
    assert noise is not None and noise.at_zero[0] == pytest.approx(3 / 600) and not noise.at_zero[1:].any()
    assert space.search_space(_noisy()).input_noise is None
    assert Campaign.from_data(_noisy(input_sd="3 K").data()) == _noisy(input_sd="3 K")


@pytest.mark.parametrize(
    ("more", "says"),
    [({"input_sd": "-1 K"}, "from 0 to high - low"), ({"input_sd": "3 bar"}, "bar"), ({"input_sd": 700}, "high - low")],
    ids=["negative", "another unit", "wider than the range"],
)
def test_a_deviation_of_inputs_that_makes_no_sense_is_refused(more, says):
    with pytest.raises(InvalidSource, match=says):
        _noisy(**more)
