"""What a laboratory uses up: how much is stocked, and what each dose took, from the journal's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from orchestrator import units
from orchestrator.fields import QUANTITY_SCHEMA, StrictModel, Whole, mistake

UNITS: Mapping[str, str] = {"amount_mg": "mg", "volume_ml": "mL"}
"""Arguments of a `dispense` command, and their units."""


def _amount(value: object) -> units.Measure:
    try:
        amount = value if isinstance(value, units.Measure) else units.measure(value)
    except units.UnitError as error:
        raise mistake(str(error)) from None
    if not any(units.same_dimension(amount.unit, unit) for unit in UNITS.values()):
        raise mistake(f"must be a mass such as '200 g' or a volume such as '500 mL', got {amount}")
    if amount.value <= 0:
        raise mistake(f"must be more than nothing, got {amount}")
    return amount


Amount = Annotated[units.Measure, PlainValidator(_amount), PlainSerializer(str), WithJsonSchema(QUANTITY_SCHEMA)]


class Stock(StrictModel):
    """How much there is when the campaign begins, and again whenever something was filled up."""

    materials: dict[Annotated[str, Field(min_length=1)], Amount] = Field(
        default_factory=dict, description="Mass or volume by material, {TiO2: 200 g}"
    )
    containers: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Containers in the full magazine, 400"
    )


class StepLike(Protocol):
    """A step's row."""

    @property
    def command_id(self) -> str: ...  # noqa: D102
    @property
    def trial(self) -> int: ...  # noqa: D102
    @property
    def device(self) -> str: ...  # noqa: D102
    @property
    def command(self) -> str: ...  # noqa: D102
    @property
    def arguments(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def result(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def started_s(self) -> float: ...  # noqa: D102
    @property
    def finished_s(self) -> float | None: ...  # noqa: D102
    @property
    def attempts(self) -> int: ...  # noqa: D102
    @property
    def settled_by(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One dose, or one container fetched."""

    material: str
    amount: float
    unit: str
    """``mg``, ``mL`` or ``1``."""
    trial: int
    device: str
    at_s: float


def doses(steps: Iterable[StepLike]) -> Iterator[Use]:
    """Return what was dispensed.

    A dose that failed, or of which nobody knows, counts as a whole: it may have come out, and a stock that is thought
    smaller than it is does no harm.
    """
    for step in steps:
        found = next((name for name in UNITS if name in step.arguments), None)
        if step.command != "dispense" or found is None or step.state == "rejected":
            continue
        asked = float(step.arguments[found])
        given = step.result.get("amount") if step.state == "done" else None
        yield Use(
            material=str(step.arguments.get("material", step.device)),
            amount=asked if given is None else float(given),
            unit=UNITS[found],
            trial=step.trial,
            device=step.device,
            at_s=step.started_s,
        )


def fetched(steps: Iterable[StepLike], magazine: str) -> Iterator[Use]:
    """Return the containers that were taken out of a magazine, one for each transfer that was not refused."""
    for step in steps:
        if step.command == "transfer" and step.state != "rejected" and step.arguments.get("source") == magazine:
            yield Use(
                material=magazine, amount=1.0, unit="1", trial=step.trial, device=step.device, at_s=step.started_s
            )
