"""Kinds of fields that campaign and lab files are made of: quantities, units, and arguments taken from parameters.

Each turns what a person wrote into a plain number in one known unit, or says what is wrong with it. What a field must
know of the rest of the file (the unit of a parameter, say) comes with the validation context, a `Surroundings`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    Strict,
)
from pydantic_core import PydanticCustomError, core_schema

from orchestrator import units
from orchestrator.yaml_source import kind_of

UNIT_MISTAKE = "unit_mistake"
"""Type of the error where a quantity does not fit the unit given beside it."""

QUANTITY_SCHEMA = {"type": ["number", "string"]}


class StrictModel(BaseModel):
    """A frozen model that knows all of its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Switch = Annotated[bool, Strict()]


@dataclass(frozen=True, slots=True)
class Declared:
    """A parameter as far as the rest of the file must know it."""

    kind: str
    unit: str
    levels: tuple[str, ...] = ()
    is_conditional: bool = False
    """Whether it exists only where other parameters have certain values."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a field may ask about the file that it stands in."""

    parameters: Mapping[str, Declared] = field(default_factory=dict)
    objectives: Mapping[str, str] = field(default_factory=dict)
    """Units by name."""
    better_unit: str = "1"
    """The unit of how much better one result is than another."""
    has_labels: bool = False
    """Whether a unit may be a mere label: in a replayed table it need not mean anything."""


def _scalar(value: object) -> object:
    if not isinstance(value, int | float | str):
        raise mistake(f"must be a number, text, true or false, got {kind_of(value)}")
    return value


Scalar = Annotated[
    int | float | bool | str,
    PlainValidator(_scalar, json_schema_input_type=int | float | bool | str),
]


def surroundings(info: core_schema.ValidationInfo) -> Surroundings:
    """Return the context of a validation."""
    return info.context if isinstance(info.context, Surroundings) else Surroundings()


def mistake(message: str, *, at: str | tuple[str | int, ...] = (), of_key: bool = False) -> PydanticCustomError:
    """Return the error for a mistake in words; `at` names the key (or path) inside this value that it is about."""
    inner = (at,) if isinstance(at, str) else at
    return PydanticCustomError("mistake", "{message}", {"message": message, "at": inner, "of_key": of_key})


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for a near miss, otherwise "; known: ..."."""
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in names}
    written = str(word).casefold()
    near = difflib.get_close_matches(written, folded, n=1, cutoff=0.6)
    near = near or [name for name in folded if len(written) >= 4 and written in name]
    if near:
        return f"; did you mean {folded[near[0]]!r}?"
    return f"; known: {', '.join(names)}" if names else ""


@dataclass(frozen=True, slots=True)
class In:
    """Annotation: a quantity, kept as a float in this unit (our spelling)."""

    unit: str
    least: float | None = None
    above: float | None = None
    most: float | None = None

    def read(self, value: object) -> float:
        """Return the number.

        Raises:
            PydanticCustomError: It is no such quantity, or out of range.
        """
        if isinstance(value, int | float) and not isinstance(value, bool) and self.unit != "1":
            raise mistake(f"needs a unit, such as '{value:g} {self.unit}'")
        try:
            number = units.read(value, self.unit)
        except units.UnitError as error:
            raise mistake(str(error)) from None
        return self.checked(number, value)

    def checked(self, number: float, written: object) -> float:
        """Return the number if it lies within the range.

        Raises:
            PydanticCustomError: It does not.
        """
        tail = "" if self.unit == "1" else f" {self.unit}"
        if self.above is not None and number <= self.above:
            raise mistake(f"must be more than {self.above:g}{tail}, got {written}")
        if self.least is not None and number < self.least:
            raise mistake(f"must be at least {self.least:g}{tail}, got {written}")
        if self.most is not None and number > self.most:
            raise mistake(f"must be at most {self.most:g}{tail}, got {written}")
        return number

    def write(self, number: float) -> str | float:
        """Return what `read` reads back as the same number."""
        return number if self.unit == "1" else str(units.Measure(number, self.unit))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(QUANTITY_SCHEMA) if self.unit == "1" else {"type": "string"}


Seconds = Annotated[float, In("s", least=0)]
PositiveSeconds = Annotated[float, In("s", above=0)]
Millimetres = Annotated[float, In("mm")]
PositiveMillimetres = Annotated[float, In("mm", above=0)]


@dataclass(frozen=True, slots=True)
class InUnitOf:
    """Annotation: a quantity in the unit that the field `unit` before it gives."""

    is_difference: bool = False

    def read(self, value: object, info: core_schema.ValidationInfo) -> float:
        """Return the number.

        Raises:
            PydanticCustomError: It is no such quantity.
        """
        unit = info.data.get("unit")
        return read_quantity(value, unit, is_difference=self.is_difference)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(float)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(QUANTITY_SCHEMA)


def read_quantity(value: object, unit: str | None, *, is_difference: bool = False) -> float:
    """Return a quantity in a unit; with a unit that could not be read itself, the number as it stands.

    Raises:
        PydanticCustomError: It is no such quantity.
    """
    try:
        if unit is None:
            return units.split(value).value if isinstance(value, str) else units.read(value, "1")
        return units.read(value, unit, difference=is_difference)
    except units.UnitError as error:
        raise PydanticCustomError(UNIT_MISTAKE, "{message}", {"message": str(error)}) from None


def _unit_name(value: object, info: core_schema.ValidationInfo) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value == 1:
        return "1"
    if not isinstance(value, str):
        return value
    if surroundings(info).has_labels:
        return units.spell(value) if units.is_known(value) else value.strip()
    try:
        units.scale_of(units.spell(value))
    except units.UnknownUnit as error:
        raise mistake(str(error)) from None
    return units.spell(value)


UnitName = Annotated[str, BeforeValidator(_unit_name)]
"""A unit as people write it, in our spelling; a mere label where the context allows one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A number for a driver, in its unit: fixed, or taken from a parameter of the trial."""

    ucum: str | None
    """The driver's unit; None: the parameter's value is handed on as it is."""
    value: float = 0.0
    parameter: str | None = None
    parameter_unit: str = "1"

    def at(self, parameters: Mapping[str, Any]) -> Any:
        """Return the number for one trial, in the driver's unit."""
        if self.parameter is None:
            return self.value
        if self.ucum is None:
            return parameters[self.parameter]
        return units.to_ucum(float(parameters[self.parameter]), self.parameter_unit, self.ucum)

    def __str__(self) -> str:
        return f"${self.parameter}" if self.parameter else _in_our_unit(self.value, self.ucum)


def read_argument(value: object, ucum: str, around: Surroundings, within: In | None = None) -> Argument:
    """Return what was written for a driver's argument: a quantity, or ``$parameter``.

    Raises:
        PydanticCustomError: It is neither, or of another dimension, or out of range.
    """
    limits = within or In(units.from_ucum(ucum))
    if not (isinstance(value, str) and value.strip().startswith("$")):
        return Argument(ucum=ucum, value=limits.read(value))
    name = value.strip()[1:]
    declared = around.parameters.get(name)
    if declared is None:
        raise mistake(f"no parameter {name!r}{did_you_mean(name, around.parameters)}")
    if declared.kind == "categorical":
        raise mistake(f"parameter {name!r} is categorical, but a quantity in {limits.unit!r} is needed here")
    if not units.same_dimension(declared.unit, limits.unit):
        raise mistake(
            f"parameter {name!r} is {_described(declared.unit)} in {declared.unit!r}, "
            f"but {units.describe(limits.unit)} in {limits.unit!r} is needed here"
        )
    return Argument(ucum=ucum, parameter=name, parameter_unit=declared.unit)


def _in_our_unit(value: float, ucum: str | None) -> str:
    return str(units.Measure(value, units.from_ucum(ucum or "1")))


def _described(unit: str) -> str:
    return units.describe(unit) if units.is_known(unit) else "a label"


@dataclass(frozen=True, slots=True)
class ArgumentIn:
    """Annotation: an `Argument` in this UCUM unit."""

    ucum: str
    above: float | None = None
    least: float | None = None

    def read(self, value: object, info: core_schema.ValidationInfo) -> Argument:
        """Return the argument.

        Raises:
            PydanticCustomError: It cannot be one.
        """
        within = In(units.from_ucum(self.ucum), least=self.least, above=self.above)
        return read_argument(value, self.ucum, surroundings(info), within)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string"}
