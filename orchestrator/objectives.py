"""Objectives in a campaign file: what is optimised, hit, kept to or mapped."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from orchestrator.fields import InUnitOf, Number, StrictModel, mistake
from orchestrator.parameters import Unit
from orchestrator.units import Measure

_NUMBERS: dict[str, tuple[str, ...]] = {
    "target": ("target", "tolerance"),
    "window": ("low", "high"),
    "at_most": ("limit",),
    "at_least": ("limit",),
}
"""The numbers that belong to a direction."""


class Objective(StrictModel):
    """One target and what to do with it."""

    name: Annotated[str, Field(min_length=1, max_length=100, description="The target that the analysis gives")]
    direction: Literal["maximize", "minimize", "target", "window", "at_most", "at_least", "learn", "classify"] = Field(
        description="maximize, minimize, hit a target or a window, keep to a limit (at_most, at_least), learn a map, "
        "or classify fingerprints into regions"
    )
    unit: Unit = "1"
    target: Annotated[float, InUnitOf()] | None = Field(default=None, description="The value to hit, '80 degC'")
    tolerance: Annotated[float, InUnitOf(is_difference=True)] | None = Field(
        default=None, description="How far from the target is as good as on it"
    )
    low: Annotated[float, InUnitOf()] | None = Field(default=None, description="The least value in the window")
    high: Annotated[float, InUnitOf()] | None = Field(default=None, description="The greatest value in the window")
    limit: Annotated[float, InUnitOf()] | None = Field(default=None, description="What results must keep to")
    desirability: tuple[Annotated[float, InUnitOf()], Annotated[float, InUnitOf()]] | None = Field(
        default=None, description="The two values, lesser first, between which desirability runs from 0 to 1"
    )
    weight: Annotated[Number, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="Power of the desirability, 1 where left out"
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Objective:
        own = _NUMBERS.get(self.direction, ())
        for key in ("target", "tolerance", "low", "high", "limit"):
            given = getattr(self, key) is not None
            if given and key not in own:
                raise mistake(f"does not belong to direction: {self.direction}", at=key, of_key=True)
            if key in own and not given and key != "tolerance":
                raise mistake(f"missing key: direction {self.direction} needs it", at=key)
        if self.tolerance is not None and self.tolerance < 0:
            raise mistake(f"must not be below 0, got {self.tolerance:g}", at="tolerance")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise mistake(
                f"{Measure(self.low, self.unit)} is not below high, {Measure(self.high, self.unit)}", at="low"
            )
        self._check_desirability()
        return self

    def _check_desirability(self) -> None:
        if self.desirability is None:
            if self.weight is not None:
                raise mistake("needs a desirability; without one it would do nothing", at="weight", of_key=True)
            return
        if self.direction in ("at_most", "at_least", "learn", "classify"):
            raise mistake(f"does not belong to direction: {self.direction}", at="desirability", of_key=True)
        low, high = self.desirability
        if low >= high:
            raise mistake("gives the lesser value first", at="desirability")
        start, end = self.interval or (high, low)
        if self.interval is not None and not low < start <= end < high:
            raise mistake(
                f"falls to 0 at its two values; {start:g} to {end:g} must lie between them", at="desirability"
            )

    @property
    def interval(self) -> tuple[float, float] | None:
        """What hits, from the least to the greatest value; None where there is nothing to hit."""
        if self.target is not None:
            return self.target - (self.tolerance or 0.0), self.target + (self.tolerance or 0.0)
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def is_ranked(self) -> bool:
        """Whether one value can be better than another."""
        return self.direction in ("maximize", "minimize", "target", "window")

    @property
    def is_limit(self) -> bool:
        """Whether it is no goal, but a limit that results must keep to."""
        return self.direction in ("at_most", "at_least")
