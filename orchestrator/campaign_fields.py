"""The smaller parts of a campaign file: analysis, planner, controls, scheduling, budget, replay."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, field_validator

from orchestrator.ahead.fields import Charge
from orchestrator.fields import In, Number, PositiveSeconds, StrictModel, Switch, Whole, surroundings
from orchestrator.parameter_values import PARAMETER_VALUES_SCHEMA, Value, parameter_values
from orchestrator.table_fields import Column, Failure, refuse_unknown


class Analysis(StrictModel):
    """How measurements become observations."""

    kind: str = Field(min_length=1, description="The analysis, 'stripe_gradient'")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the analysis")
    charge_s: Charge = Field(
        default=0.0,
        alias="charge",
        description="Virtual time that one analysis costs its trial, '2 s'; measured: as long as it took; recorded: "
        "by the file of durations",
    )
    deadline_s: PositiveSeconds | None = Field(
        default=None,
        alias="deadline",
        description="What one analysis may take on real ports before it is tried again; 10 min where left out",
    )


class PlannerChoice(StrictModel):
    """Who chooses what to try next."""

    policy: str = Field(min_length=1, description="The policy, 'sara' or 'logei'")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the policy")
    charge_s: Charge = Field(
        default="measured",
        alias="charge",
        description="Virtual time that one ask costs, '2 s'; measured: as long as it took, which no rerun repeats; "
        "recorded: by the file of durations",
    )
    deadline_s: PositiveSeconds | None = Field(
        default=None,
        alias="deadline",
        description="What one ask may take before random points go on without it; 10 min on real ports where left out",
    )


def _control_values(value: object, info: ValidationInfo) -> dict[str, Value]:
    return parameter_values(value, surroundings(info).parameters)


class Control(StrictModel):
    """A fixed point that is measured in every batch."""

    parameters: Annotated[
        dict[str, Value], PlainValidator(_control_values), WithJsonSchema(PARAMETER_VALUES_SCHEMA)
    ] = Field(description="A value for each parameter")
    per_batch: Annotated[Whole, Field(ge=1, le=10_000)] = Field(default=1, description="How many of each batch")


class Scheduling(StrictModel):
    """Who decides which samples share a run of a furnace, and when it begins."""

    optimise: Switch = Field(
        description="Plan the runs ahead (needs the extra 'optimiser'), and follow the plan where it beats the rule"
    )
    limit_s: Annotated[float, In("s", above=0, most=5)] = Field(
        default=0.2,
        alias="limit",
        description="How long the search for one plan may take, '0.2 s'; a furnace that is free waits for it",
    )


class Budget(StrictModel):
    """What the campaign may cost."""

    trials: Annotated[Whole, Field(ge=1, le=10_000_000)] = Field(description="Trials in all, controls included")
    duration_s: PositiveSeconds | None = Field(
        default=None,
        alias="duration",
        description="Time in all, '7 d'; nothing is begun that is not expected to end in time",
    )
    cost: Annotated[Number, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="What all trials may cost together, by the levels of the parameter of kind fidelity"
    )


class Replay(StrictModel):
    """A table of measured results that plays the laboratory."""

    table: str | None = Field(default=None, description="The CSV file; null: given by --set replay.table=PATH")
    mode: Literal["pool", "emulator"] = Field(default="pool", description="Only measured rows, or a fitted regression")
    columns: dict[str, Column] = Field(default_factory=dict, description="Columns by parameter and objective")
    failure: Failure | None = Field(default=None, description="How failed runs are marked")
    duration_s: PositiveSeconds = Field(
        default=3600.0, alias="duration", description="Time that one trial takes, '1 h'"
    )

    @field_validator("columns")
    @classmethod
    def _are_of_the_campaign(cls, columns: dict[str, Column], info: ValidationInfo) -> dict[str, Column]:
        around = surroundings(info)
        refuse_unknown(columns, [*around.parameters, *around.objectives], "parameter or objective")
        return columns
