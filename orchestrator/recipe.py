"""Recipes: what is done to make and measure one sample, as steps that name no port and no place.

Each step is a mapping with one key, the kind of step, and its arguments below::

    recipe:
      - anneal: {peak_temperature: $peak_temperature, dwell: $dwell}
      - scan: {start: -1 mm, stop: 1 mm, points: 10, exposure: 50 ms}

An argument is a quantity, or `$name` for the trial's value of that parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    create_model,
    model_validator,
)

from orchestrator.fields import (
    Argument,
    ArgumentIn,
    Millimetres,
    PositiveMillimetres,
    PositiveSeconds,
    Scalar,
    Seconds,
    StrictModel,
    Whole,
    did_you_mean,
    mistake,
)
from orchestrator.mistakes import TAG
from orchestrator.recipe_racks import Diffract, Dose, Fire, Mill, Weigh
from orchestrator.recipe_step import Step
from orchestrator.yaml_source import kind_of

SCAN_POLICIES = ("integrated_gradient", "integrated_variance", "uncertainty", "random", "grid", "sobol")
"""How an adaptive scan chooses where to go next; `planner.adaptive_scan` has the same (a test holds them equal)."""

Averages = Annotated[Whole, Field(ge=1, le=10_000, description="Exposures that are averaged into one spectrum")]
Points = Annotated[Whole, Field(ge=1, le=100_000, description="How many places are measured")]
Exposure = Annotated[PositiveSeconds, Field(alias="exposure", description="Exposure time of one spectrum, '50 ms'")]


class Anneal(Step):
    """Fire one laser shot at the sample's site."""

    kind: ClassVar[str] = "anneal"
    capabilities: ClassVar[tuple[str, ...]] = ("LaserAnnealer", "Movable")
    sends: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "anneal": {"peak_temperature_c": "peak_temperature", "dwell_us": "dwell"}
    }
    peak_temperature: Annotated[Argument, ArgumentIn("Cel")] = Field(description="Peak temperature of the stripe")
    dwell: Annotated[Argument, ArgumentIn("us", above=0)] = Field(description="Dwell time of the laser")


class Reference(Step):
    """Measure mirror and blank where the last ones are too old."""

    kind: ClassVar[str] = "reference"
    capabilities: ClassVar[tuple[str, ...]] = ("Spectrometer", "Movable")
    sends: ClassVar[Mapping[str, Mapping[str, str]]] = {"acquire": {"exposure_s": "exposure_s"}}
    max_age_s: Seconds = Field(alias="max_age", description="Oldest references that may still be used, '2 h'")
    exposure_s: Exposure
    averages: Averages = 1


class Photograph(Step):
    """Take a picture of the sample."""

    kind: ClassVar[str] = "photograph"
    capabilities: ClassVar[tuple[str, ...]] = ("Camera", "Movable")


class Scan(Step):
    """Take spectra at fixed, evenly spaced places across the stripe."""

    kind: ClassVar[str] = "scan"
    capabilities: ClassVar[tuple[str, ...]] = ("Spectrometer", "Movable")
    sends: ClassVar[Mapping[str, Mapping[str, str]]] = {"acquire": {"exposure_s": "exposure_s"}}
    start_mm: Millimetres = Field(alias="start", description="First place, from the stripe's centre, '-1 mm'")
    stop_mm: Millimetres = Field(alias="stop", description="Last place, from the stripe's centre, '1 mm'")
    points: Points
    exposure_s: Exposure
    averages: Averages = 1

    @model_validator(mode="after")
    def _has_extent(self) -> Scan:
        if self.points > 1 and self.start_mm == self.stop_mm:
            raise mistake(f"is where the scan starts, too; {self.points} points need a range", at="stop")
        return self


class AdaptiveScan(Step):
    """Take spectra across the stripe, each place chosen from those before."""

    kind: ClassVar[str] = "adaptive_scan"
    capabilities: ClassVar[tuple[str, ...]] = ("Spectrometer", "Movable")
    sends: ClassVar[Mapping[str, Mapping[str, str]]] = {"acquire": {"exposure_s": "exposure_s"}}
    policy: str = Field(description="How the next place is chosen, 'integrated_gradient'")
    half_range_mm: PositiveMillimetres = Field(
        alias="half_range", description="How far from the stripe's centre spectra are taken, '1 mm'"
    )
    points: Points
    exposure_s: Exposure
    averages: Averages = 1

    @model_validator(mode="after")
    def _knows_its_policy(self) -> AdaptiveScan:
        if self.policy not in SCAN_POLICIES:
            raise mistake(f"no such policy {self.policy!r}{did_you_mean(self.policy, SCAN_POLICIES)}", at="policy")
        return self


class Perform(Step):
    """Let a robot do the whole experiment; it gets every parameter of the campaign."""

    kind: ClassVar[str] = "perform"
    capabilities: ClassVar[tuple[str, ...]] = ("Bench",)


class Command(Step):
    """Send any command that a driver declares, so that an instrument of your own can take part."""

    kind: ClassVar[str] = "command"
    device: str = Field(min_length=1, description="The device of the lab file")  # pyright: ignore[reportIncompatibleVariableOverride]
    command: str = Field(min_length=1, description="The command, as `labpilot devices describe` lists it")
    arguments: dict[str, Scalar] = Field(
        default_factory=dict, description="Arguments: quantities, plain values, or $parameter"
    )


class Wait(Step):
    """Let time pass."""

    kind: ClassVar[str] = "wait"
    duration: Annotated[Argument, ArgumentIn("s", least=0)] = Field(
        description="How long, '30 s' or a $parameter, of which less than nothing counts as nothing"
    )


STEPS: Mapping[str, type[Step]] = {
    step.kind: step
    for step in (
        Anneal,
        Reference,
        Photograph,
        Scan,
        AdaptiveScan,
        Perform,
        Command,
        Wait,
        Dose,
        Weigh,
        Mill,
        Fire,
        Diffract,
    )
}
"""Kinds of steps by the key that names them."""


def _entry(step: type[Step]) -> Any:
    name = f"{step.__name__}Entry"
    field = (step, Field(description=(step.__doc__ or "").strip()))
    return Annotated[create_model(name, __base__=StrictModel, **{step.kind: field}), Tag(TAG + step.kind)]  # type: ignore[call-overload]


def _one_kind(value: object) -> object:
    if isinstance(value, Step):
        return {value.kind: value}
    if isinstance(value, str) and value in STEPS:
        raise mistake(f"write '{value}: {{}}', with its arguments in the braces")
    if not isinstance(value, dict) or not value:
        raise mistake(f"must be a step such as 'photograph: {{}}', got {kind_of(value)}")
    unknown = [key for key in value if key not in STEPS]
    if unknown:
        known = [key for key in value if key in STEPS]
        hint = f"; indent it below {known[0]!r} if it is an argument" if known else did_you_mean(unknown[0], STEPS)
        raise mistake(f"unknown kind of step{hint}", at=unknown[0], of_key=True)
    if len(value) > 1:
        raise mistake(f"one step has one kind, got {' and '.join(value)}; begin each with its own '-'")
    return {key: {} if arguments is None else arguments for key, arguments in value.items()}


def _kind_tag(value: Any) -> str:
    return TAG + next(iter(value if isinstance(value, dict) else type(value).model_fields))


def _unwrapped(entry: Any) -> Step:
    return getattr(entry, next(iter(type(entry).model_fields)))


def _written(step: Step) -> dict[str, Any]:
    return {step.kind: step.model_dump(mode="json", by_alias=True, exclude_none=True)}


def _any_of(members: list[Any]) -> Any:
    union = members[0]
    for member in members[1:]:
        union = union | member
    return union


AnyStep = Annotated[
    _any_of([_entry(step) for step in STEPS.values()]),
    Discriminator(_kind_tag),
    BeforeValidator(_one_kind),
    AfterValidator(_unwrapped),
    PlainSerializer(_written),
]
"""One step of a recipe: written as ``{anneal: {...}}``, read as an `Anneal`."""


def driver_argument(name: str, declared: Mapping[str, Any]) -> str | None:
    """Return the driver's argument that a person means: ``peak_temperature`` is ``peak_temperature_c``."""
    if name in declared:
        return name
    return next((full for full in declared if full.rpartition("_")[0] == name), None)
