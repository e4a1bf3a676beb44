"""Tables in a campaign file: replayed results, points that may be tried, and what is known beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from orchestrator.fields import Scalar, StrictModel, UnitName, did_you_mean, mistake, surroundings


class Column(StrictModel):
    """The column of a table that a parameter or objective was recorded in."""

    column: str = Field(min_length=1, description="The column's header")
    unit: UnitName | None = Field(default=None, description="The column's unit; the parameter's own where left out")


class Failure(StrictModel):
    """How a table marks runs that gave no result."""

    column: str = Field(min_length=1, description="The column's header")
    equals: Scalar = Field(description="Its value where a run failed")


def refuse_unknown(columns: Iterable[str], known: Iterable[str], what: str) -> None:
    """Refuse columns of what the campaign has not.

    Raises:
        PydanticCustomError: There are some.
    """
    names = list(known)
    for name in columns:
        if names and name not in names:
            raise mistake(f"no {what} {name!r}{did_you_mean(name, names)}", at=name, of_key=True)


class Candidates(StrictModel):
    """A table whose rows are the only points that may be tried."""

    table: str = Field(min_length=1, description="A CSV or Parquet file, relative to this one")
    columns: dict[str, Column] = Field(
        default_factory=dict, description="Columns by parameter; those of its name, or 'NAME (unit)', where left out"
    )
    sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="What the file's SHA-256 must be; found out where left out"
    )

    @field_validator("columns")
    @classmethod
    def _are_parameters(cls, columns: dict[str, Column], info: ValidationInfo) -> dict[str, Column]:
        refuse_unknown(columns, surroundings(info).parameters, "parameter")
        return columns


class Known(StrictModel):
    """A table of results from before the campaign, which the planner is told first of all."""

    table: str = Field(min_length=1, description="A CSV or Parquet file, relative to this one")
    columns: dict[str, Column] = Field(
        default_factory=dict,
        description="Columns by parameter and objective; those of its name, or 'NAME (unit)', where left out",
    )
    noise: dict[str, Column] = Field(
        default_factory=dict, description="Columns of standard deviations by objective, where they are known"
    )
    failure: Failure | None = Field(default=None, description="How failed results are marked")
    context: tuple[str, ...] = Field(default=(), description="Columns of what was observed beside, such as humidity")
    sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="What the file's SHA-256 must be; found out where left out"
    )

    @field_validator("columns")
    @classmethod
    def _are_of_the_campaign(cls, columns: dict[str, Column], info: ValidationInfo) -> dict[str, Column]:
        around = surroundings(info)
        refuse_unknown(columns, [*around.parameters, *around.objectives], "parameter or objective")
        return columns

    @field_validator("noise")
    @classmethod
    def _are_objectives(cls, noise: dict[str, Column], info: ValidationInfo) -> dict[str, Column]:
        refuse_unknown(noise, surroundings(info).objectives, "objective")
        return noise


def _by_its_path(value: object) -> object:
    return {"table": value} if isinstance(value, str) else value


CandidateTable = Annotated[Candidates, BeforeValidator(_by_its_path, json_schema_input_type=str | Candidates)]
KnownTable = Annotated[Known, BeforeValidator(_by_its_path, json_schema_input_type=str | Known)]
