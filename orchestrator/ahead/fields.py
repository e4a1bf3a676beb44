"""What a campaign file says of computing: what it costs in virtual time, and whether plans are made ahead."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    model_validator,
)

from orchestrator import units
from orchestrator.fields import In, Number, StrictModel, Switch, Whole, mistake

MOST_POINTS = 25
"""Points that are scored anew once a result is known: so many cost next to nothing beside a search."""


def _charge(value: object) -> float | str:
    return value if value in ("measured", "recorded") else In("s", least=0).read(value)  # pyright: ignore


def _written_charge(value: float | str) -> str:
    return value if isinstance(value, str) else str(units.Measure(value, "s"))


Charge = Annotated[
    float | Literal["measured", "recorded"],
    PlainValidator(_charge, json_schema_input_type=str),
    PlainSerializer(_written_charge, return_type=str),
]
"""Virtual time that computing costs."""


class Durations(StrictModel):
    """A file of durations that `labpilot compute DIR --durations FILE` wrote."""

    file: str = Field(min_length=1, description="The file, relative to this one")
    sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="What the file's SHA-256 must be; found out where left out"
    )


def _by_its_path(value: object) -> object:
    return {"file": value} if isinstance(value, str) else value


DurationsFile = Annotated[Durations, BeforeValidator(_by_its_path, json_schema_input_type=str | Durations)]


class Planning(StrictModel):
    """Whether the planner thinks ahead while trials are under way, and how far."""

    ahead: Switch = Field(
        description="Plan for a few results that may come, and take the best of these plans once the result is known"
    )
    outcomes: Annotated[Whole, Field(ge=1, le=5)] = Field(
        default=3, description="How many results are imagined: so many quantiles of what is expected"
    )
    short_list: Annotated[Whole, Field(ge=1, le=MOST_POINTS)] = Field(
        default=5, description="How many points are kept of the plan for each"
    )
    s_max: Annotated[Whole, Field(ge=0, le=10_000)] | None = Field(
        default=None,
        description="How many results a short list may neither know nor have imagined; where left out, one less than "
        "trials under way at once, at least 1",
    )
    wait: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.01,
        description="For what part of a trial's duration an instrument may wait for a plan that knows everything",
    )
    workers: Annotated[Whole, Field(ge=1, le=8)] = Field(
        default=1, description="How many processes plan ahead side by side"
    )
    charge_s: Charge | None = Field(
        default=None,
        alias="charge",
        description="Virtual time that a choice from short lists costs, '1 s'; measured: as long as it took; recorded: "
        "by the file of durations. Where left out, as the planner's charge says, unless that is a time",
    )

    @model_validator(mode="after")
    def _keeps_few(self) -> Planning:
        if self.outcomes * self.short_list > MOST_POINTS:
            raise mistake(
                f"{self.outcomes} outcomes with {self.short_list} points each are more than the {MOST_POINTS} that are "
                f"scored anew; write {MOST_POINTS // self.outcomes} or less",
                at=("short_list",),
            )
        return self
