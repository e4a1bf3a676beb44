"""What a device can do: small structural protocols, and the values that they return.

A driver satisfies a protocol by having its methods; it needs no base class. Names follow bluesky and LADS usage.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from drivers.command import Quantity

Celsius = Annotated[float, Quantity("Cel")]
KelvinPerMinute = Annotated[float, Quantity("K/min")]
Millimetres = Annotated[float, Quantity("mm")]
Microseconds = Annotated[float, Quantity("us")]
Seconds = Annotated[float, Quantity("s")]
Grams = Annotated[float, Quantity("g")]
Milligrams = Annotated[float, Quantity("mg")]
Millilitres = Annotated[float, Quantity("mL")]
Newtons = Annotated[float, Quantity("N")]
Degrees = Annotated[float, Quantity("deg")]
Hertz = Annotated[float, Quantity("Hz")]
MillilitresPerMinute = Annotated[float, Quantity("mL/min")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who answered at the port, read from the wire."""

    maker: str
    model: str
    serial: str
    firmware: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where an XY stage is."""

    x_mm: float
    y_mm: float
    is_moving: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """One acquisition of a spectrometer, raw."""

    wavelength_nm: NDArray[np.float64]
    """``n`` wavelengths, ascending."""
    counts: NDArray[np.float64]
    """``n`` raw counts, averaged over `averages` exposures."""
    exposure_s: float
    averages: int
    saturation_counts: float
    """Counts at and above this are clipped by the converter."""
    tag: str
    """The caller's name for this acquisition: asking again with the same tag returns the same frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One picture."""

    pixels: NDArray[np.uint8]
    """``h x w x 3``, RGB; the columns run along the stage's x."""
    pixel_um: float
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What a laser annealer reports of its last shot."""

    tag: str
    peak_temperature_c: float
    dwell_us: float
    energy_fraction: float
    """Measured pulse energy over requested; 0 is a misfire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """What a whole-experiment robot reports for one run."""

    tag: str
    state: str
    """``absent``, ``running``, ``done``, ``failed`` (the recipe's fault) or ``lost`` (the robot's fault)."""
    values: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    remaining_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One part of a heating profile: a ramp to a target, then a hold."""

    target_c: Celsius
    rate_k_per_min: KelvinPerMinute
    hold_s: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisPosition:
    """Where a single axis is."""

    position: float
    """In the unit that the driver's `move` takes."""
    target: float
    is_moving: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GripState:
    """What a gripper feels."""

    state: str
    """``open``, ``holding``, ``closed_empty``, ``moving`` or ``unknown``."""
    width_mm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispensed:
    """What a dispenser gave."""

    material: str
    amount: float
    """In the unit that the driver's `dispense` takes."""
    requested: float
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One diffractogram, raw."""

    two_theta_deg: NDArray[np.float64]
    """``n`` angles, ascending."""
    counts: NDArray[np.float64]
    """``n`` counts."""
    wavelength_angstrom: float
    count_time_s: float
    """For each step."""
    tag: str
    file: str = ""
    """The vendor's file, as it came."""


@runtime_checkable
class Device(Protocol):
    """Anything with a link: connect, say who it is, close."""

    name: str

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        ...

    async def identify(self) -> Identity:
        """Read maker, model, serial number and firmware from the wire."""
        ...

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        ...


@runtime_checkable
class Stoppable(Protocol):
    """Every actuator: stop now; safe to call twice and while a command is in flight."""

    async def stop(self) -> None:
        """Stop moving or heating."""
        ...


@runtime_checkable
class Movable(Stoppable, Protocol):
    """A stage, an axis, a rail. `move` takes what its kind of position needs: ``x_mm, y_mm``, ``position_mm``."""

    async def locate(self) -> Any:
        """Read where it is."""
        ...

    async def move(self, **target: Any) -> None:
        """Move and wait until there."""
        ...


@runtime_checkable
class Homeable(Protocol):
    """Anything that finds its zero by itself."""

    async def home(self) -> None:
        """Go and find the reference."""
        ...


@runtime_checkable
class Heater(Stoppable, Protocol):
    """A furnace, a hot plate, a hot stage, a cryostat."""

    async def read_temperature(self) -> float:
        """Read the temperature, in degrees Celsius."""
        ...

    async def read_setpoint(self) -> float:
        """Read the target that it works towards, in degrees Celsius."""
        ...

    async def set_temperature(self, *, target_c: Celsius, rate_k_per_min: KelvinPerMinute) -> None:
        """Set the target; does not wait until it is reached."""
        ...


@runtime_checkable
class ProfileHeater(Heater, Protocol):
    """A heater that runs a program of ramps and holds by itself, also when nobody is connected."""

    async def run_profile(self, *, segments: Sequence[Segment], tag: str) -> None:
        """Load and start a profile; does not wait until it ends."""
        ...

    async def remaining_s(self) -> float:
        """Read how long the profile still takes; 0 when none runs."""
        ...


@runtime_checkable
class Gripper(Stoppable, Protocol):
    """Holds things."""

    async def grip(self, *, force_n: Newtons) -> None:
        """Close until something is held, or until closed."""
        ...

    async def release(self) -> None:
        """Open."""
        ...

    async def grip_state(self) -> GripState:
        """Read what the gripper feels."""
        ...


@runtime_checkable
class SampleTransfer(Stoppable, Protocol):
    """Carries samples between named places."""

    async def transfer(self, *, source: str, destination: str, tag: str) -> None:
        """Pick up at one place and put down at another."""
        ...

    async def is_holding(self) -> bool | None:
        """Say whether something is in the gripper; None where that cannot be known."""
        ...


@runtime_checkable
class Balance(Protocol):
    """Weighs."""

    async def weigh(self) -> float:
        """Read a stable weight, in grams."""
        ...

    async def tare(self) -> None:
        """Take what lies there for zero."""
        ...


@runtime_checkable
class Dispenser(Stoppable, Protocol):
    """Gives out a measured amount of a named material."""

    async def dispense(self, **order: Any) -> Dispensed:
        """Give out an amount of a material: ``material``, ``amount_mg`` or ``volume_ml``, and ``tag``."""
        ...


@runtime_checkable
class Mill(Stoppable, Protocol):
    """Grinds or shakes for a time."""

    async def run(self, *, duration_s: Seconds, frequency_hz: Hertz, tag: str) -> None:
        """Run and wait until it is over."""
        ...


@runtime_checkable
class Diffractometer(Stoppable, Protocol):
    """Takes diffractograms."""

    async def scan(
        self, *, start_deg: Degrees, stop_deg: Degrees, step_deg: Degrees, count_time_s: Seconds, tag: str
    ) -> Pattern:
        """Take one diffractogram, or return the kept one of that tag."""
        ...


@runtime_checkable
class Door(Stoppable, Protocol):
    """Opens and closes."""

    async def open_door(self) -> None:
        """Open and wait until open."""
        ...

    async def close_door(self) -> None:
        """Close and wait until closed."""
        ...

    async def door_state(self) -> str:
        """Read ``open``, ``closed``, ``moving``, ``stopped``, ``jammed`` or ``unknown``."""
        ...


@runtime_checkable
class Switchable(Protocol):
    """Is on or off."""

    async def switch_on(self) -> None:
        """Switch on."""
        ...

    async def switch_off(self) -> None:
        """Switch off."""
        ...

    async def is_on(self) -> bool:
        """Read whether it is on."""
        ...


@runtime_checkable
class FlowController(Stoppable, Protocol):
    """Lets a gas through at a set flow."""

    async def set_flow(self, *, flow_ml_per_min: MillilitresPerMinute) -> None:
        """Set the flow; does not wait until it is reached."""
        ...

    async def read_flow(self) -> float:
        """Read the flow, in mL/min at standard conditions."""
        ...


@runtime_checkable
class Spectrometer(Protocol):
    """Takes spectra."""

    async def acquire(self, *, exposure_s: Seconds, averages: int, tag: str) -> Spectrum:
        """Take one spectrum, or return the kept frame of that tag."""
        ...


@runtime_checkable
class Camera(Protocol):
    """Takes pictures."""

    async def capture(self, *, tag: str) -> Image:
        """Take one picture, or return the kept frame of that tag."""
        ...


@runtime_checkable
class LaserAnnealer(Stoppable, Protocol):
    """Anneals one stripe at the place under the beam."""

    async def anneal(self, *, peak_temperature_c: Celsius, dwell_us: Microseconds, tag: str) -> None:
        """Fire one shot and wait until it is over."""
        ...

    async def last_shot(self) -> Shot | None:
        """Read what the last shot was."""
        ...


@runtime_checkable
class Bench(Protocol):
    """A robot that does a whole experiment from its parameters, several at a time."""

    async def start(self, *, parameters: Mapping[str, float | int | str], tag: str) -> None:
        """Start one run."""
        ...

    async def result(self, *, tag: str) -> BenchResult:
        """Read a run's state, and its values once done."""
        ...


CAPABILITIES: Mapping[str, type] = {
    protocol.__name__: protocol
    for protocol in (
        Device,
        Stoppable,
        Movable,
        Homeable,
        Heater,
        ProfileHeater,
        Gripper,
        SampleTransfer,
        Balance,
        Dispenser,
        Mill,
        Spectrometer,
        Diffractometer,
        Camera,
        LaserAnnealer,
        Door,
        Switchable,
        FlowController,
        Bench,
    )
}
"""By name, as lab files, error messages and `labpilot devices` spell them."""


def capabilities_of(driver: type) -> list[str]:
    """Name the capabilities that a driver class satisfies."""
    return [name for name in CAPABILITIES if not missing_methods(driver, name)]


def missing_methods(driver: type, capability: str) -> list[str]:
    """Name the methods that a driver class lacks for a capability."""
    return [name for name in _methods(CAPABILITIES[capability]) if not callable(getattr(driver, name, None))]


def _methods(protocol: type) -> list[str]:
    # `typing.get_protocol_members` would do, from Python 3.13 on
    parts = [part for part in protocol.__mro__ if getattr(part, "_is_protocol", False) and part is not Protocol]
    return sorted({name for part in parts for name, value in vars(part).items() if inspect.iscoroutinefunction(value)})
