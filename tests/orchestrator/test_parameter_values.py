import pytest
from pydantic_core import PydanticCustomError

from orchestrator.fields import Declared
from orchestrator.parameter_values import parameter_values

DECLARED = {
    "t": Declared("continuous", "degC"),
    "cycles": Declared("integer", "1"),
    "solvent": Declared("categorical", "1", ("water", "ethanol")),
    "dye": Declared("continuous", "mL", is_conditional=True),
}
GIVEN = {"t": "700 K", "cycles": 3, "solvent": "water"}


def test_quantities_are_read_in_the_parameters_units():
    found = parameter_values({**GIVEN, "dye": "0.002 L"}, DECLARED)
    assert found == {"t": pytest.approx(426.85), "cycles": 3, "solvent": "water", "dye": pytest.approx(2.0)}
    assert isinstance(found["cycles"], int)


def test_only_what_always_exists_must_be_given():
    assert "dye" not in parameter_values(GIVEN, DECLARED)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ([1], "must be a mapping from parameter to value"),
        ({**GIVEN, "solvnt": "water"}, "no parameter 'solvnt'; did you mean 'solvent'"),
        ({"t": 1}, "gives no value for cycles, solvent"),
        ({**GIVEN, "solvent": 3}, "must be text, got"),
        ({**GIVEN, "t": "3 mL"}, "degC"),
    ],
    ids=["no-mapping", "unknown", "missing", "no-word", "other-unit"],
)
def test_mistakes_say_what_is_wrong(value, match):
    with pytest.raises(PydanticCustomError, match=match):
        parameter_values(value, DECLARED)
