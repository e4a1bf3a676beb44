"""Stopping rules as a campaign file writes them; `orchestrator.stopping` applies them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from orchestrator.fields import (
    QUANTITY_SCHEMA,
    Number,
    StrictModel,
    Whole,
    did_you_mean,
    mistake,
    read_quantity,
    surroundings,
)
from orchestrator.mistakes import TAG
from orchestrator.yaml_source import kind_of


def _in_objective_unit(value: object, info: ValidationInfo) -> float | None:
    if value is None:
        return None
    return read_quantity(value, surroundings(info).objectives.get(info.data.get("objective", "")))


Goal = Annotated[float | None, PlainValidator(_in_objective_unit), WithJsonSchema(QUANTITY_SCHEMA)]


class Target(StrictModel):
    """Stop when a trial has measured a value as good as this."""

    kind: ClassVar[str] = "target"
    objective: str = Field(description="Which objective")
    at_least: Goal = Field(default=None, description="Enough if a measured value is this high")
    at_most: Goal = Field(default=None, description="Enough if a measured value is this low")

    @field_validator("objective")
    @classmethod
    def _is_one(cls, name: str, info: ValidationInfo) -> str:
        known = surroundings(info).objectives
        if known and name not in known:
            raise mistake(f"no objective {name!r}{did_you_mean(name, known)}")
        return name

    @model_validator(mode="after")
    def _has_one_goal(self) -> Target:
        if (self.at_least is None) == (self.at_most is None):
            raise mistake("give at_least or at_most, one of the two")
        return self


class NoImprovement(StrictModel):
    """Stop when the best value of the first objective has not changed for so many trials."""

    kind: ClassVar[str] = "no_improvement"
    trials: Annotated[Whole, Field(ge=1, description="How many trials")]


class Hit(StrictModel):
    """Stop when a trial has hit every target and window, within all limits."""

    kind: ClassVar[str] = "hit"


def _in_unit_of_better(value: object, info: ValidationInfo) -> float:
    number = read_quantity(value, surroundings(info).better_unit, is_difference=True)
    if not 0.0 <= number < float("inf"):
        raise mistake(f"must be a number from 0 up, got {number:g}")
    return number


class NoProspect(StrictModel):
    """Stop when probably no untried recipe is better, by enough, than the best that was measured."""

    kind: ClassVar[str] = "no_prospect"
    better_by: Annotated[float, PlainValidator(_in_unit_of_better), WithJsonSchema(QUANTITY_SCHEMA)] = Field(
        description="How much better is worth going on for, '0.5 umol'; of a desirability a number"
    )
    risk: Annotated[Number, Field(gt=0, lt=1, description="The probability of a better one that is accepted, 0.05")]


class MapUncertainty(StrictModel):
    """Stop when the map of a `learn` objective is known well enough."""

    kind: ClassVar[str] = "map_uncertainty"
    below: Annotated[Number, Field(gt=0, allow_inf_nan=False, description="Mean standard deviation of the map")]


class Cost(StrictModel):
    """Stop when the campaign has cost enough, by the prices of its lab."""

    kind: ClassVar[str] = "cost"
    most: Annotated[
        Number, Field(gt=0, allow_inf_nan=False, description="The most it may cost, in the currency of the lab file")
    ]


class NoImprovementEntry(StrictModel):
    """Stop when nothing gets better."""

    kind: ClassVar[str] = "no_improvement"
    no_improvement: NoImprovement


class HitEntry(StrictModel):
    """Stop when what is aimed at is hit."""

    kind: ClassVar[str] = "hit"
    hit: Hit


class NoProspectEntry(StrictModel):
    """Stop when nothing better is in sight."""

    kind: ClassVar[str] = "no_prospect"
    no_prospect: NoProspect


class MapUncertaintyEntry(StrictModel):
    """Stop when the map is known."""

    kind: ClassVar[str] = "map_uncertainty"
    map_uncertainty: MapUncertainty


class CostEntry(StrictModel):
    """Stop when it has cost enough."""

    kind: ClassVar[str] = "cost"
    cost: Cost


Rule = Target | Hit | NoImprovement | NoProspect | MapUncertainty | Cost


KINDS = ("no_improvement", "no_prospect", "hit", "map_uncertainty", "cost")
"""Rules that are written below a key of their own."""


def _one_rule(value: object) -> object:
    if isinstance(value, Hit | NoImprovement | NoProspect | MapUncertainty | Cost):
        return {value.kind: value}
    if isinstance(value, Target):
        return value
    if not isinstance(value, dict) or not value:
        raise mistake(f"must be a rule such as 'no_improvement: {{trials: 20}}', got {kind_of(value)}")
    if not {"objective", "at_least", "at_most", *KINDS} & value.keys():
        unknown = next(iter(value))
        raise mistake(f"unknown stopping rule{did_you_mean(unknown, ('objective', *KINDS))}", at=unknown, of_key=True)
    return value


def _tag(value: Any) -> str:
    if isinstance(value, dict):
        return TAG + next((kind for kind in KINDS if kind in value), "target")
    return TAG + "target"


def _unwrapped(entry: Any) -> Rule:
    return entry if isinstance(entry, Target) else getattr(entry, entry.kind)


def _written(rule: Rule) -> dict[str, Any]:
    data = rule.model_dump(mode="json", exclude_none=True)
    return data if isinstance(rule, Target) else {rule.kind: data}


AnyRule = Annotated[
    Annotated[Target, Tag(TAG + "target")]
    | Annotated[NoImprovementEntry, Tag(TAG + "no_improvement")]
    | Annotated[NoProspectEntry, Tag(TAG + "no_prospect")]
    | Annotated[HitEntry, Tag(TAG + "hit")]
    | Annotated[MapUncertaintyEntry, Tag(TAG + "map_uncertainty")]
    | Annotated[CostEntry, Tag(TAG + "cost")],
    Discriminator(_tag),
    BeforeValidator(_one_rule),
    AfterValidator(_unwrapped),
    PlainSerializer(_written),
]
"""One stopping rule."""
