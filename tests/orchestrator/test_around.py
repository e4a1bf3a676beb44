"""What a campaign file says of its parameters and objectives before any field of it is checked."""

import pytest

from orchestrator.around import around
from orchestrator.fields import Declared


def test_parameters_are_declared_by_name_with_the_unit_of_bounds():
    found = around(
        {
            "parameters": [
                {"name": "t", "kind": "continuous", "unit": "°C", "low": 1},
                {"name": "cycles", "kind": "integer", "when": {"t": [300]}},
                {"name": "solvent", "kind": "categorical", "levels": ["water", 7, "ethanol"]},
                {"name": "how", "kind": "fidelity", "levels": {"fast": 0.1, "full": 1}},
            ]
        }
    )
    assert found.parameters == {
        "t": Declared("continuous", "degC", ()),
        "cycles": Declared("integer", "1", (), is_conditional=True),
        "solvent": Declared("categorical", "1", ("water", "ethanol")),
        "how": Declared("categorical", "1", ("fast", "full")),
    }
    assert found.objectives == {} and not found.has_labels


@pytest.mark.parametrize("data", [{}, {"parameters": 3}, {"parameters": [3, {"kind": "integer"}, {"name": 4}]}])
def test_what_cannot_be_read_declares_nothing(data):
    assert around(data).parameters == {}


def test_the_first_of_two_of_one_name_and_a_misspelt_unit_count():
    items = [{"name": "y", "unitt": "umol"}, {"name": "y", "unit": "K"}]
    assert around({"objectives": items}).objectives == {"y": "umol"}


@pytest.mark.parametrize(
    ("objective", "unit"),
    [({"unit": "umol"}, "umol"), ({"unit": "umol", "desirability": {"low": 0}}, "1")],
    ids=["of-the-leading-objective", "none-of-a-desirability"],
)
def test_how_much_better_has_the_unit(objective, unit):
    limit = {"name": "cost", "direction": "at_most", "unit": "mL"}
    assert around({"objectives": [limit, {"name": "y", "direction": "maximize", **objective}]}).better_unit == unit
