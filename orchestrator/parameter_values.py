"""Values of parameters in a campaign file: controls, and conditions on other parameters, in the parameters' units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema

from orchestrator.fields import QUANTITY_SCHEMA, Declared, did_you_mean, mistake, read_quantity, surroundings
from orchestrator.yaml_source import kind_of

Value = float | int | str

PARAMETER_VALUES_SCHEMA = {"type": "object", "additionalProperties": QUANTITY_SCHEMA}


def parameter_values(value: object, declared: Mapping[str, Declared]) -> dict[str, Value]:
    """Read one value for each parameter of the campaign that exists, quantities in its unit.

    Raises:
        PydanticCustomError: A name is unknown or missing, or a value cannot be read.
    """
    if not isinstance(value, dict):
        raise mistake(f"must be a mapping from parameter to value, got {kind_of(value)}")
    for name in value:
        if name not in declared:
            raise mistake(f"no parameter {name!r}{did_you_mean(name, declared)}", at=name, of_key=True)
    missing = [name for name, one in declared.items() if name not in value and not one.is_conditional]
    if missing:
        raise mistake(f"gives no value for {', '.join(missing)}")
    return {name: _parameter_value(name, value[name], one) for name, one in declared.items() if name in value}


def _parameter_value(name: str, value: object, declared: Declared) -> Value:
    if declared.kind == "categorical":
        if not isinstance(value, str):
            raise mistake(f"must be text, got {kind_of(value)}", at=name)
        return value
    try:
        number = read_quantity(value, declared.unit)
    except ValueError as error:
        raise mistake(str(error), at=name) from None
    return int(number) if declared.kind == "integer" and number == math.floor(number) else number


def _when(value: object, info: ValidationInfo) -> dict[str, list[Value]]:
    """Read values of other parameters, quantities in their units."""
    if not isinstance(value, dict) or not value:
        raise mistake(f"must be a mapping such as {{additive: [A, B]}}, got {kind_of(value)}")
    around, found = surroundings(info).parameters, {}
    for name, values in value.items():
        if name not in around:
            raise mistake(f"no parameter {name!r}{did_you_mean(name, around)}", at=name, of_key=True)
        if not isinstance(values, list | tuple) or not values:
            raise mistake(f"must be a list of its values, got {kind_of(values)}", at=name)
        found[name] = [_parameter_value(name, one, around[name]) for one in values]
    return found


When = Annotated[
    dict[str, list[Value]],
    PlainValidator(_when),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "array", "items": QUANTITY_SCHEMA}}),
]
"""Values of other parameters that a parameter exists for, by name."""
