"""What a device can do: small structural protocols, and the values that they return.

A driver satisfies a protocol by having its methods; it needs no base class. Names follow bluesky and LADS usage.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from drivers.command import Quantity

Celsius = Annotated[float, Quantity("Cel")]
Millimetres = Annotated[float, Quantity("mm")]
Microseconds = Annotated[float, Quantity("us")]
Seconds = Annotated[float, Quantity("s")]


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
    """An XY stage."""

    async def locate(self) -> Located:
        """Read the position."""
        ...

    async def move(self, *, x_mm: Millimetres, y_mm: Millimetres) -> None:
        """Move and wait until there."""
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
    protocol.__name__: protocol for protocol in (Device, Stoppable, Movable, Spectrometer, Camera, LaserAnnealer, Bench)
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
