"""Parameters as a campaign file declares them: numbers in the unit that the file names."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from orchestrator.feature_fields import Features, PoolOfWords, check_words
from orchestrator.fields import (
    InUnitOf,
    Number,
    StrictModel,
    UnitName,
    Whole,
    did_you_mean,
    mistake,
)
from orchestrator.mistakes import TAG
from orchestrator.parameter_values import When
from orchestrator.units import Measure
from orchestrator.yaml_source import kind_of

MOST_LEVELS = 10_000_000

Name = Annotated[str, Field(min_length=1, max_length=100, description="A short name, unique among parameters")]
Unit = Annotated[UnitName, Field(description="The unit that bounds, proposals and tables use, 'degC'")]
_CONDITION = "Values of other parameters that this one exists for, {additive: [A, B]}; always where left out"


class Continuous(StrictModel):
    """A real number between two bounds, on a grid where step, levels or count gives one."""

    kind: Literal["continuous"] = Field(description="continuous")
    name: Name
    when: When | None = Field(default=None, description=_CONDITION)
    unit: Unit = "1"
    scale: Literal["linear", "log"] = Field(default="linear", description="How distances along it are measured")
    low: Annotated[float, InUnitOf()] | None = Field(default=None, description="The lower bound, '400 degC'")
    high: Annotated[float, InUnitOf()] | None = Field(default=None, description="The upper bound, '1300 degC'")
    step: Annotated[float, InUnitOf(is_difference=True)] | None = Field(default=None, description="Grid from low on")
    levels: tuple[Annotated[float, InUnitOf()], ...] | None = Field(default=None, description="The only values allowed")
    count: Annotated[Whole, Field(ge=2, le=MOST_LEVELS)] | None = Field(
        default=None, description="Number of levels from low to high, evenly spaced on the scale"
    )
    input_sd: Annotated[float, InUnitOf(is_difference=True)] | None = Field(
        default=None,
        description="Standard deviation of what is achieved about what is asked for, '3 K'; 0 where left out",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Continuous:
        given = [key for key in ("step", "levels", "count") if getattr(self, key) is not None]
        if len(given) > 1:
            raise mistake(f"give one of {' and '.join(given)}, not both", at=given[1], of_key=True)
        self._check_levels()
        for key in ("low", "high"):
            if getattr(self, key) is None and self.levels is None:
                raise mistake("missing key: a bound is needed where no levels are given", at=key)
        low, high = self.bounds
        if low > high:
            raise mistake(
                f"{Measure(low, self.unit)} is above high, {Measure(high, self.unit)}; exchange them", at="low"
            )
        if low == high and self.levels is None:
            raise mistake(f"low and high are both {Measure(low, self.unit)}: nothing to vary", at="high")
        if self.scale == "log" and low <= 0:
            raise mistake(f"a log scale needs low above 0, got {Measure(low, self.unit)}", at="low")
        self._check_step(high - low)
        if self.input_sd is not None and not 0 <= self.input_sd <= high - low:
            raise mistake(f"must be from 0 to high - low = {Measure(high - low, self.unit)}", at="input_sd")
        if self.input_sd and self.when is not None:
            raise mistake("is for parameters that always exist; leave it out", at="input_sd", of_key=True)
        return self

    def _check_levels(self) -> None:
        if self.levels is None:
            return
        if len(self.levels) < 2 or len(set(self.levels)) < len(self.levels):
            raise mistake("needs at least two levels, each once", at="levels")
        for index, level in enumerate(self.levels):
            if (self.low is not None and level < self.low) or (self.high is not None and level > self.high):
                raise mistake(f"{Measure(level, self.unit)} lies outside low and high", at=("levels", index))

    def _check_step(self, extent: float) -> None:
        if self.step is None:
            return
        if self.scale == "log":
            raise mistake("a log scale takes count or levels, not step", at="step", of_key=True)
        if not 0 < self.step <= extent:
            raise mistake(f"must be above 0 and at most high - low = {Measure(extent, self.unit)}", at="step")
        if extent / self.step > MOST_LEVELS:
            raise mistake(f"gives {extent / self.step:.0f} levels; leave it out", at="step")

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest value in the parameter's unit."""
        levels = self.levels or ()
        low = min(levels) if self.low is None else self.low
        high = max(levels) if self.high is None else self.high
        return low, high

    def problem(self, value: object) -> str | None:
        """Say what is wrong with a value in the parameter's unit, or return None."""
        return _outside(value, self)


class Integer(StrictModel):
    """A whole number between two bounds, both included."""

    kind: Literal["integer"] = Field(description="integer")
    name: Name
    when: When | None = Field(default=None, description=_CONDITION)
    unit: Unit = "1"
    scale: Literal["linear", "log"] = Field(default="linear", description="How distances along it are measured")
    low: Annotated[float, InUnitOf()] = Field(description="The lower bound")
    high: Annotated[float, InUnitOf()] = Field(description="The upper bound")

    @model_validator(mode="after")
    def _makes_sense(self) -> Integer:
        for key, value in (("low", self.low), ("high", self.high)):
            if value != math.floor(value) or abs(value) > 2**53:
                raise mistake(f"must be a whole number of {self.unit!r}, got {value:g}", at=key)
        if self.low >= self.high:
            raise mistake(f"{self.low:g} is not below high, {self.high:g}", at="low")
        if self.scale == "log" and self.low <= 0:
            raise mistake(f"a log scale needs low above 0, got {self.low:g}", at="low")
        if self.high - self.low > MOST_LEVELS:
            raise mistake(f"gives over {MOST_LEVELS} levels; use kind: continuous", at="high")
        return self

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest value in the parameter's unit."""
        return int(self.low), int(self.high)

    def problem(self, value: object) -> str | None:
        """Say what is wrong with a value in the parameter's unit, or return None."""
        if isinstance(value, float) and value != math.floor(value):
            return f"must be a whole number of {self.unit!r}, got {value:g}"
        return _outside(value, self)


class Categorical(StrictModel):
    """One of several words, without order."""

    kind: Literal["categorical"] = Field(description="categorical")
    name: Name
    when: When | None = Field(default=None, description=_CONDITION)
    levels: tuple[str, ...] = Field(
        default=(), json_schema_extra={"minItems": 2}, description="The words; all those of the pool where left out"
    )
    descriptors: Literal["composition"] | dict[str, tuple[float, ...]] | None = Field(
        default=None, description="What surrogates see: composition, where levels are formulas, or numbers by level"
    )
    features: Features | None = Field(
        default=None, description="What surrogates see, by featurizers, {from: composition, kind: element_statistics}"
    )
    pool: PoolOfWords | None = Field(
        default=None, description="Where the words are from: a folder of CIF or XYZ files, or a table"
    )

    @model_validator(mode="after")
    def _words_have_a_source(self) -> Categorical:
        check_words(self.levels, self.descriptors, self.features, self.pool)
        return self

    @field_validator("levels")
    @classmethod
    def _are_distinct(cls, levels: tuple[str, ...]) -> tuple[str, ...]:
        seen: set[str] = set()
        for index, level in enumerate(levels):
            if not level.strip():
                raise mistake("must not be empty", at=(index,))
            if level in seen:
                raise mistake(f"{level!r} is given twice", at=(index,))
            seen.add(level)
        return levels

    @property
    def unit(self) -> str:
        """Words have none."""
        return "1"

    def problem(self, value: object) -> str | None:
        """Say what is wrong with a value, or return None."""
        return (
            None
            if value in self.levels
            else f"{kind_of(value)} is none of its levels{did_you_mean(value, self.levels)}"
        )


class Fidelity(StrictModel):
    """At which fidelity a trial is made: in full, as a fast scan, as a simulation; one of them counts."""

    kind: Literal["fidelity"] = Field(description="fidelity")
    name: Name
    costs: dict[str, Annotated[Number, Field(gt=0, allow_inf_nan=False)]] = Field(
        alias="levels", min_length=2, description="What one trial costs at each level, {simulation: 0.05, full: 1}"
    )
    target: str | None = Field(default=None, description="The level that counts; the dearest where left out")

    @model_validator(mode="after")
    def _makes_sense(self) -> Fidelity:
        if self.target is not None and self.target not in self.costs:
            raise mistake(f"{self.target!r} is none of its levels{did_you_mean(self.target, self.costs)}", at="target")
        for level, cost in self.costs.items():
            if not level.strip():
                raise mistake("must not be empty", at=("levels", level), of_key=True)
            if cost > self.costs[self.counted]:
                raise mistake(
                    f"costs more than {self.counted!r}, the level that counts; leave it out, or make it the target",
                    at=("levels", level),
                )
        return self

    @property
    def counted(self) -> str:
        """The level that counts."""
        return max(self.costs, key=lambda level: self.costs[level]) if self.target is None else self.target

    @property
    def levels(self) -> tuple[str, ...]:
        """The words."""
        return tuple(self.costs)

    @property
    def unit(self) -> str:
        """Words have none."""
        return "1"

    @property
    def when(self) -> None:
        """It always exists."""
        return None

    def problem(self, value: object) -> str | None:
        """Say what is wrong with a value, or return None."""
        if value in self.levels:
            return None
        return f"{kind_of(value)} is none of its levels{did_you_mean(str(value), self.levels)}"


Worded = Categorical | Fidelity
"""Parameters whose values are words."""


def _outside(value: object, parameter: Continuous | Integer) -> str | None:
    low, high = parameter.bounds
    if not isinstance(value, int | float) or isinstance(value, bool):
        return f"must be a number in {parameter.unit!r}, got {kind_of(value)}"
    slack = 1e-9 * max(high - low, abs(high))
    if low - slack <= value <= high + slack:
        return None
    return f"{Measure(value, parameter.unit)} lies outside {low:g} to {Measure(high, parameter.unit)}"


_KINDS = {"continuous": Continuous, "integer": Integer, "categorical": Categorical, "fidelity": Fidelity}


def _known_kind(value: object) -> object:
    if isinstance(value, Continuous | Integer | Categorical | Fidelity):
        return value
    if not isinstance(value, dict):
        raise mistake(f"must be a mapping with name and kind, got {kind_of(value)}")
    if "kind" not in value:
        raise mistake(f"missing key: one of {', '.join(_KINDS)}", at="kind")
    if not isinstance(value["kind"], str) or value["kind"] not in _KINDS:
        raise mistake(f"no such kind, {kind_of(value['kind'])}{did_you_mean(value['kind'], _KINDS)}", at="kind")
    return value


def _tag(value: Any) -> str:
    return TAG + (value["kind"] if isinstance(value, dict) else value.kind)


AnyParameter = Annotated[
    Annotated[Continuous, Tag(TAG + "continuous")]
    | Annotated[Integer, Tag(TAG + "integer")]
    | Annotated[Categorical, Tag(TAG + "categorical")]
    | Annotated[Fidelity, Tag(TAG + "fidelity")],
    Discriminator(_tag),
    BeforeValidator(_known_kind),
]
"""One parameter, by its kind."""
