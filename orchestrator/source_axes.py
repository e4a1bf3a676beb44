"""Which columns of a source a campaign takes, and in which units they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.columns import Axis
from orchestrator.earlier_campaign import SD_OF

if TYPE_CHECKING:
    from orchestrator.campaign import Campaign
    from orchestrator.source_fields import SourceTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All that a campaign wants of a source."""

    parameters: tuple[Axis, ...]
    target: Axis
    noise: Axis | None
    """A column of standard deviations."""
    sd: float | None
    """The standard deviation of values that have none of their own."""
    failure: tuple[str, Any] | None
    """A column, and what it says of failed results."""

    @property
    def needed(self) -> tuple[Axis, ...]:
        """Columns that must be there."""
        return (*self.parameters, self.target)

    @classmethod
    def of(cls, campaign: Campaign, given: SourceTable, *, headers: Iterable[str], units: Mapping[str, str]) -> Wanted:
        """Return what a campaign wants of a source with these columns, some of which have known units."""
        first = campaign.objectives[0]
        target = _axis(given, first, units)
        return cls(
            parameters=tuple(_parameter(given, item, units) for item in campaign.parameters),
            target=target,
            noise=_noise(given, target, units, set(headers)),
            sd=None if given.noise is None else given.noise.sd,
            failure=None if given.failure is None else (given.failure.column, given.failure.equals),
        )


def _axis(given: SourceTable, item: Any, units: Mapping[str, str], **more: Any) -> Axis:
    said = given.columns.get(item.name)
    column, unit = (None, None) if said is None else (said.column, said.unit)
    return Axis(item.name, column, units.get(column or item.name, unit), item.unit, **more)


def _parameter(given: SourceTable, item: Any, units: Mapping[str, str]) -> Axis:
    is_conditional = item.when is not None
    if item.kind == "categorical":
        return _axis(given, item, units, kind="categorical", levels=item.levels, is_conditional=is_conditional)
    # whole numbers and grids need not be kept to: a model of the source stands where its points are
    return _axis(given, item, units, kind="continuous", is_conditional=is_conditional)


def _noise(given: SourceTable, target: Axis, units: Mapping[str, str], headers: set[str]) -> Axis | None:
    if given.campaign is not None:
        column = SD_OF + (target.column or target.name)
        unit = units.get(column)
        return Axis(target.name, column, unit, target.unit, is_difference=True) if column in headers else None
    if given.noise is None or given.noise.column is None:
        return None
    return Axis(target.name, given.noise.column, given.noise.unit, target.unit, is_difference=True)
