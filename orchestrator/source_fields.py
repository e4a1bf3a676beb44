"""Sources in a campaign file: what was measured or computed elsewhere, in a table or by an earlier campaign."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from orchestrator.fields import (
    QUANTITY_SCHEMA,
    StrictModel,
    UnitName,
    mistake,
    read_quantity,
    surroundings,
)
from orchestrator.table_fields import Column, Failure, refuse_unknown


def _sd(value: object, info: ValidationInfo) -> float:
    unit = next(iter(surroundings(info).objectives.values()), None)
    found = read_quantity(value, unit, is_difference=True)
    if found < 0.0:
        raise mistake(f"must be a standard deviation, from 0 up, got {value}")
    return found


_Sd = Annotated[
    float, PlainValidator(_sd), PlainSerializer(float, return_type=float), WithJsonSchema(dict(QUANTITY_SCHEMA))
]


class SourceNoise(StrictModel):
    """How uncertain the values of a source are: all alike, or each by a column."""

    sd: _Sd | None = Field(default=None, description="A standard deviation of all values, '0.5 umol'")
    column: str | None = Field(default=None, min_length=1, description="The header of a column of them")
    unit: UnitName | None = Field(default=None, description="The column's unit; the objective's where left out")

    @model_validator(mode="after")
    def _says_one_thing(self) -> SourceNoise:
        if (self.sd is None) == (self.column is None):
            raise mistake("give a standard deviation, as in '0.5 umol', or a column of them, as in {column: sd}")
        if self.sd is not None and self.unit is not None:
            raise mistake("is the unit of a column; write that of a number behind it, as in '0.5 umol'", at="unit")
        return self


def _all_alike(value: object) -> object:
    return value if isinstance(value, dict | SourceNoise) else {"sd": value}


Noise = Annotated[SourceNoise, BeforeValidator(_all_alike, json_schema_input_type=float | str | SourceNoise)]


class SourceTable(StrictModel):
    """Results from elsewhere, which policy `transfer` weighs by how well they foretell this campaign's."""

    name: str = Field(min_length=1, max_length=100, description="What reasons and reports call it")
    table: str | None = Field(default=None, min_length=1, description="A CSV or Parquet file, relative to this one")
    campaign: str | None = Field(
        default=None, min_length=1, description="The directory of an earlier campaign, relative to this file"
    )
    columns: dict[str, Column] = Field(
        default_factory=dict,
        description="Columns by parameter and objective, or what the earlier campaign calls them; those of its name "
        "where left out",
    )
    noise: Noise | None = Field(
        default=None, description="Standard deviation of its values, '0.5 umol' or {column: sd}; learnt where left out"
    )
    failure: Failure | None = Field(default=None, description="How a table marks failed results, which are left out")
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="What the table's SHA-256 must be; found out where left out",
    )

    @property
    def place(self) -> tuple[str, str]:
        """The key that says where it is, and what it says."""
        return ("campaign", self.campaign) if self.campaign is not None else ("table", str(self.table))

    @field_validator("columns")
    @classmethod
    def _are_of_the_campaign(cls, columns: dict[str, Column], info: ValidationInfo) -> dict[str, Column]:
        around = surroundings(info)
        refuse_unknown(columns, [*around.parameters, *around.objectives], "parameter or objective")
        return columns

    @model_validator(mode="after")
    def _is_one_thing(self) -> SourceTable:
        if self.table is None and self.campaign is None:
            raise mistake("missing key: give table: FILE, or campaign: DIRECTORY", at="table")
        if self.table is not None and self.campaign is not None:
            raise mistake("give table or campaign, not both; two sources may stand one below the other", at="campaign")
        if self.campaign is not None:
            self._check_for_campaign()
        return self

    def _check_for_campaign(self) -> None:
        if self.failure is not None:
            raise mistake("a campaign knows itself which trials failed; leave this out", at="failure", of_key=True)
        if self.noise is not None and self.noise.column is not None:
            raise mistake(
                "a campaign has no columns: its observations tell their own standard deviations; leave this out, or "
                "give a number for those that have none", at=("noise", "column"), of_key=True,
            )  # fmt: skip
        for name, column in self.columns.items():
            if column.unit is not None:
                raise mistake("a campaign knows its units itself; leave this out",
                              at=("columns", name, "unit"), of_key=True)  # fmt: skip


def _have_names_of_their_own(given: tuple[SourceTable, ...]) -> tuple[SourceTable, ...]:
    seen: dict[str, int] = {}
    for index, item in enumerate(given):
        if item.name in seen:
            raise mistake(f"the name {item.name!r} is taken by number {seen[item.name]}", at=(index, "name"))
        seen[item.name] = index
    return given


Sources = Annotated[tuple[SourceTable, ...], AfterValidator(_have_names_of_their_own)]
