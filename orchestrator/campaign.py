"""The campaign file: what is to be found out, in which space, by which recipe, for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from orchestrator.ahead.fields import DurationsFile, Planning
from orchestrator.around import around
from orchestrator.campaign_fields import Analysis, Budget, Control, PlannerChoice, Replay, Scheduling
from orchestrator.context import ContextEntry
from orchestrator.fields import StrictModel, Whole, did_you_mean, mistake
from orchestrator.goals import leading
from orchestrator.hours.windows import Closed
from orchestrator.lab import FormatVersion, Limits, check_format
from orchestrator.mistakes import validated
from orchestrator.objectives import Objective
from orchestrator.parameters import AnyParameter
from orchestrator.recipe import AnyStep
from orchestrator.source_fields import Sources
from orchestrator.stop_rules import AnyRule
from orchestrator.table_fields import CandidateTable, KnownTable
from orchestrator.yaml_source import Source


class Campaign(StrictModel):
    """The goal, search space, budget and stop rule of one campaign."""

    labpilot: FormatVersion
    name: str = Field(min_length=1, max_length=100, description="A short name")
    description: str = Field(default="", description="What the campaign is for")
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = Field(default=0, description="Where chance starts")
    lab: str | None = Field(default=None, min_length=1, description="The lab file, relative to this one")
    parameters: tuple[AnyParameter, ...] = Field(min_length=1, description="The axes of the search space")
    constraints: tuple[str, ...] = Field(default=(), description="What must always hold, 'a + 2*b <= 5 mL'")
    objectives: tuple[Objective, ...] = Field(min_length=1, description="What is optimised or mapped")
    candidates: CandidateTable | None = Field(
        default=None, description="A table (CSV or Parquet) whose rows are the only points that may be tried"
    )
    known: KnownTable | None = Field(
        default=None, description="A table (CSV or Parquet) of earlier results, which the planner is told beforehand"
    )
    sources: Sources = Field(
        default=(),
        description="Tables and earlier campaigns of the same parameters, which policy 'transfer' learns from",
    )
    recipe: tuple[AnyStep, ...] = Field(min_length=1, description="The steps of one trial")
    context: dict[str, ContextEntry] = Field(
        default_factory=dict, description="What is observed beside each trial but not chosen, by name"
    )
    analysis: Analysis = Field(description="How measurements become observations")
    planner: PlannerChoice = Field(description="Who chooses what to try next")
    planning: Planning | None = Field(
        default=None, description="Whether plans are made ahead; where left out, instruments wait for each"
    )
    durations: DurationsFile | None = Field(
        default=None, description="A file of recorded durations, by which 'charge: recorded' charges virtual time"
    )
    duration: str | None = Field(
        default=None,
        min_length=1,
        description="How long one trial takes, '2 h + hold'; where left out, what its steps take together",
    )
    closed: Closed | None = Field(
        default=None, description="When nothing of this campaign may be under way, beside when the lab is closed"
    )
    batch: Annotated[Whole, Field(ge=1, le=10_000)] = Field(default=1, description="Trials per ask, controls included")
    shared: tuple[str, ...] = Field(
        default=(), description="Parameters that all trials of one ask have in common, but for controls"
    )
    in_flight: Annotated[Whole, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Trials under way at once; the batch where left out: then each ask waits for the last"
    )
    remakes: Annotated[Whole, Field(ge=0, le=100)] = Field(
        default=0, description="How often what a lost trial was to find out is tried again, with a new sample"
    )
    scheduling: Scheduling | None = Field(
        default=None, description="How samples are shared out to furnaces; by a rule where left out"
    )
    controls: tuple[Control, ...] = Field(default=(), description="Fixed points measured in every batch")
    budget: Budget = Field(description="What the campaign may cost")
    stopping: tuple[AnyRule, ...] = Field(default=(), description="When to stop before the budget is spent")
    limits: Limits = Field(default_factory=dict, description="What this campaign allows, narrower than the lab")
    replay: Replay | None = Field(default=None, description="A table of measured results that plays the laboratory")

    @field_validator("parameters", "objectives")
    @classmethod
    def _have_distinct_names(cls, items: tuple[Any, ...]) -> tuple[Any, ...]:
        seen: dict[str, int] = {}
        for index, item in enumerate(items):
            if item.name in seen:
                raise mistake(f"the name {item.name!r} is taken by number {seen[item.name]}", at=(index, "name"))
            seen[item.name] = index
        return items

    @field_validator("objectives")
    @classmethod
    def _go_together(cls, objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
        if objectives[0].is_limit:
            raise mistake("the first objective must be optimised or learnt; put limits after it", at=(0, "direction"))
        are_joined = any(item.desirability is not None for item in objectives)
        for index, item in enumerate(objectives):
            if are_joined and item.is_ranked and item.desirability is None:
                raise mistake("missing key: other objectives have one; give all of them one, or none",
                              at=(index, "desirability"))  # fmt: skip
        return objectives

    @model_validator(mode="after")
    def _shares_what_there_is(self) -> Campaign:
        names = [parameter.name for parameter in self.parameters]
        for index, name in enumerate(self.shared):
            if name not in names:
                raise mistake(f"no parameter {name!r}{did_you_mean(name, names)}", at=("shared", index))
        if self.shared and set(self.shared) == set(names):
            raise mistake("trials cannot have every parameter in common; leave one out", at=("shared",))
        return self

    @model_validator(mode="after")
    def _has_one_fidelity(self) -> Campaign:
        places = [index for index, item in enumerate(self.parameters) if item.kind == "fidelity"]
        if len(places) > 1:
            raise mistake("another parameter says the fidelity already", at=("parameters", places[1], "kind"))
        if places and self.parameters[places[0]].name in self.shared:
            place = self.shared.index(self.parameters[places[0]].name)
            raise mistake("the fidelity is chosen for each trial; leave it out", at=("shared", place))
        if self.budget.cost is not None and not places:
            raise mistake(
                "nothing says what a trial costs; give a parameter of kind fidelity, or stop by money: "
                "'stopping: [{cost: {most: 500}}]'",
                at=("budget", "cost"),
            )
        return self

    @model_validator(mode="after")
    def _knows_what_computing_costs(self) -> Campaign:
        charges = {
            ("planner", "charge"): self.planner.charge_s,
            ("analysis", "charge"): self.analysis.charge_s,
            ("planning", "charge"): None if self.planning is None else self.planning.charge_s,
        }
        for path, charge in charges.items():
            if charge == "recorded" and self.durations is None:
                raise mistake("no durations were recorded; write 'durations: FILE', a file that `labpilot compute DIR "
                              "--durations FILE` wrote", at=path)  # fmt: skip
        if self.durations is not None and "recorded" not in charges.values():
            raise mistake("nothing is charged by it; write 'charge: recorded', or leave it out", at=("durations",))
        if self.is_ahead and self.choice_charge_s is None:
            raise mistake(
                "an ask costs a fixed time, and nothing says what a choice from short lists costs; write 'charge: 1 s' "
                "beside 'ahead'",
                at=("planning",),
            )
        return self

    @property
    def is_ahead(self) -> bool:
        """Whether plans are made ahead."""
        return self.planning is not None and self.planning.ahead

    @property
    def choice_charge_s(self) -> float | str | None:
        """What a choice from short lists costs in virtual time; None where nobody says."""
        if self.planning is not None and self.planning.charge_s is not None:
            return self.planning.charge_s
        return self.planner.charge_s if isinstance(self.planner.charge_s, str) else None

    @property
    def leading(self) -> Objective:
        """The objective that the campaign is judged by first; see `orchestrator.goals`."""
        return leading(self.objectives)

    @property
    def n_controls(self) -> int:
        """Controls in each batch."""
        return sum(control.per_batch for control in self.controls)

    @property
    def at_once(self) -> int:
        """Trials under way at once: whenever a whole batch fewer are, the planner is asked for the next."""
        return max(self.in_flight or 0, self.batch)

    @property
    def units(self) -> dict[str, str]:
        """Units of parameters and objectives by name."""
        return {item.name: item.unit for item in (*self.parameters, *self.objectives)}

    @classmethod
    def from_source(cls, source: Source) -> Campaign:
        """Read a campaign file.

        Raises:
            InvalidSource: Something is wrong; carries every mistake.
            NewerVersion: It is for a later labpilot.
        """
        check_format(source)
        return validated(cls, source, around(source.data))

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Campaign:
        """Read what `data()` wrote.

        Raises:
            InvalidSource: Something is wrong; carries every mistake.
            NewerVersion: It is for a later labpilot.
        """
        return cls.from_source(Source("campaign", dict(data)))

    def data(self) -> dict[str, Any]:
        """Return the campaign as JSON values that `from_data` reads."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
