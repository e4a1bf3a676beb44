"""Steps of recipes for laboratories whose samples stand in racks: each is work at a station."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, model_validator

from orchestrator.fields import (
    Argument,
    ArgumentIn,
    In,
    PositiveSeconds,
    Seconds,
    StrictModel,
    Surroundings,
    did_you_mean,
    mistake,
    surroundings,
)
from orchestrator.recipe_step import Step


class StationStep(Step):
    """Work on a sample at a station."""

    needs: ClassVar[str] = ""
    """The capability that a device of the station must have."""
    station: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Which station; needed where several stations could and are not alike"
    )
    within_s: PositiveSeconds | None = Field(
        default=None, alias="within", description="How long after the step before it must have begun, '20 min'"
    )


Mass = Annotated[float, In("mg", above=0)]


def _choice(value: object, info: ValidationInfo) -> str:
    around: Surroundings = surroundings(info)
    if not isinstance(value, str) or not value:
        raise mistake(f"must be the name of a mixture or a $parameter, got {value!r}")
    if value.startswith("$"):
        declared = around.parameters.get(value[1:])
        if declared is None:
            raise mistake(f"no parameter {value[1:]!r}{did_you_mean(value[1:], around.parameters)}")
        if declared.kind != "categorical":
            raise mistake(f"parameter {value[1:]!r} is {declared.kind}; a mixture is chosen by a categorical one")
    return value


class Dose(StationStep):
    """Weigh powders into the sample's container."""

    kind: ClassVar[str] = "dose"
    needs: ClassVar[str] = "Dispenser"
    mixture: Annotated[str, PlainValidator(_choice, json_schema_input_type=str)] = Field(
        description="Which mixture: its name, or the $parameter that chooses one"
    )
    mixtures: dict[str, dict[str, Mass]] = Field(
        min_length=1, description="Mass of each powder by mixture, {oxide: {BaO: 0.8 g, TiO2: 0.4 g}}"
    )
    tolerance_mg: Mass = Field(default=5.0, alias="tolerance", description="Largest error of each dose, '5 mg'")

    @model_validator(mode="after")
    def _has_the_mixture(self) -> Dose:
        for name, powders in self.mixtures.items():
            if not powders:
                raise mistake("holds no powder", at=("mixtures", name))
        if not self.mixture.startswith("$") and self.mixture not in self.mixtures:
            raise mistake(f"no mixture {self.mixture!r}{did_you_mean(self.mixture, self.mixtures)}", at="mixture")
        return self

    def powders(self, parameters: Mapping[str, Any]) -> Mapping[str, float]:
        """Return the mass of each powder of one trial, in milligrams."""
        name = parameters[self.mixture[1:]] if self.mixture.startswith("$") else self.mixture
        return self.mixtures[str(name)]


class Weigh(StationStep):
    """Weigh the container and what is in it."""

    kind: ClassVar[str] = "weigh"
    needs: ClassVar[str] = "Balance"


class Mill(StationStep):
    """Mix or grind the powder."""

    kind: ClassVar[str] = "mill"
    needs: ClassVar[str] = "Mill"
    duration: Annotated[Argument, ArgumentIn("s", above=0)] = Field(description="How long, '10 min' or a $parameter")
    frequency: Annotated[Argument, ArgumentIn("Hz", above=0)] = Field(description="How fast, '5 Hz'")


class Heating(StrictModel):
    """A ramp to a temperature, then a hold."""

    target: Annotated[Argument, ArgumentIn("Cel")] = Field(description="Temperature, '900 degC' or a $parameter")
    rate: Annotated[Argument, ArgumentIn("K/min", above=0)] = Field(description="How fast, '5 K/min'")
    hold: Annotated[Argument, ArgumentIn("s")] = Field(description="How long it is held, '8 h' or a $parameter")


def _several(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class Fire(StationStep):
    """Heat in a furnace, together with other samples that agree on the program."""

    kind: ClassVar[str] = "fire"
    needs: ClassVar[str] = "ProfileHeater"
    program: Annotated[
        tuple[Heating, ...], BeforeValidator(_several, json_schema_input_type=Heating | tuple[Heating, ...])
    ] = Field(min_length=1, description="Ramps and holds, one after another")
    cooling: Annotated[Argument, ArgumentIn("K/min", above=0)] = Field(
        default=Argument(ucum="K/min", value=5.0), description="How fast it cools in the end at most, '5 K/min'"
    )
    unload_below_c: Annotated[float, In("degC")] = Field(
        default=100.0, alias="unload_below", description="How cold it must be before the door is opened, '100 degC'"
    )
    longest_wait_s: Seconds | None = Field(
        default=None, alias="longest_wait", description="How long a sample waits at most for others to share the run"
    )


class Diffract(StationStep):
    """Take a diffractogram."""

    kind: ClassVar[str] = "diffract"
    needs: ClassVar[str] = "Diffractometer"
    start_deg: Annotated[float, In("deg", above=0)] = Field(default=10.0, alias="start", description="First angle")
    stop_deg: Annotated[float, In("deg", above=0)] = Field(default=80.0, alias="stop", description="Last angle")
    step_deg: Annotated[float, In("deg", above=0)] = Field(default=0.02, alias="step", description="Step")
    count_time_s: PositiveSeconds = Field(default=0.15, alias="count_time", description="Counting time of each step")

    @model_validator(mode="after")
    def _has_extent(self) -> Diffract:
        if self.stop_deg <= self.start_deg:
            raise mistake(f"must be more than start, {self.start_deg:g} deg, got {self.stop_deg:g} deg", at="stop")
        return self
