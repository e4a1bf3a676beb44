"""Casting: which device of the lab plays which part in a step, and what its driver makes of the step's arguments.

Read from driver classes alone; nothing is opened. Compiling uses the same answers that `labpilot check` has verified.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.capabilities import capabilities_of
from drivers.command import CommandSpec, Quantity, command_specs
from drivers.registry import DriverNotFound, driver_class
from orchestrator import units
from orchestrator.errors import InputError
from orchestrator.fields import Argument, Declared, Surroundings, did_you_mean, read_argument
from orchestrator.lab import Lab, Limit
from orchestrator.recipe import Command, Step, driver_argument
from orchestrator.recipe_racks import StationStep
from orchestrator.samples import Racks, Wafer
from orchestrator.yaml_source import Path_

SUPPLIED = frozenset({"self", "tag"})
"""Arguments that the runner gives by itself."""


class CastingError(InputError):
    """A step or a limit does not fit the lab; `inner` leads to the key that is wrong."""

    def __init__(self, message: str, inner: Path_ = ()) -> None:
        self.inner = inner
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Player:
    """One device as its driver class declares it."""

    driver: type
    capabilities: tuple[str, ...]
    specs: Mapping[str, CommandSpec]


@dataclass(frozen=True, slots=True)
class Casting:
    """The lab's devices and what they can do."""

    lab: Lab
    players: Mapping[str, Player] = field(default_factory=dict)

    @classmethod
    def of(cls, lab: Lab, *, base: Path = Path()) -> Casting:
        """Load the driver classes of a lab.

        Args:
            lab: The lab.
            base: Where relative paths of drivers start.

        Raises:
            CastingError: A driver cannot be found or loaded; `inner` names the device.
        """
        return cls(lab, {name: load_player(device.driver, base) for name, device in lab.devices.items()})

    def devices(self, step: Step) -> dict[str, str]:
        """Return the device for each capability that a step needs, or for the device that a command names.

        Raises:
            CastingError: None can, several could, or the one that is named cannot.
        """
        if isinstance(step, Command):
            return {"": self._named(step.device)}
        return {
            capability: self._device(capability, step.device if index == 0 else None)
            for index, capability in enumerate(step.capabilities)
        }

    def stations(self, step: StationStep) -> dict[str, tuple[str, ...]]:
        """Return the stations that can do a step, each with its devices that have what the step needs.

        Raises:
            CastingError: None can, or there is none of that name.
        """
        racks = self.lab.samples
        if not isinstance(racks, Racks):
            raise CastingError(f"needs samples in racks, but the lab {self.lab.name!r} has none (samples: kind: racks)")
        if step.station is not None and step.station not in racks.stations:
            raise CastingError(f"no station {step.station!r}{did_you_mean(step.station, racks.stations)}", ("station",))
        named = [step.station] if step.station else list(racks.stations)
        found = {name: self.with_capability(step.needs, racks.stations[name].devices) for name in named}
        found = {name: devices for name, devices in found.items() if devices}
        if not found:
            where = f"station {step.station!r}" if step.station else f"any station of the lab {self.lab.name!r}"
            raise CastingError(f"needs a {step.needs}, and no device of {where} is one")
        return found

    def with_capability(self, capability: str, devices: Iterable[str]) -> tuple[str, ...]:
        """Return those of some devices that have a capability."""
        return tuple(name for name in devices if name in self.players and capability in self.players[name].capabilities)

    def spec(self, step: Command) -> CommandSpec:
        """Return the declaration of the command that a step sends.

        Raises:
            CastingError: There is no such device, or it has no such command.
        """
        specs = self.players[self._named(step.device)].specs
        if step.command not in specs:
            raise CastingError(
                f"device {step.device!r} has no command {step.command!r}{did_you_mean(step.command, specs)}",
                ("command",),
            )
        return specs[step.command]

    def arguments(self, step: Command, declared: Mapping[str, Declared]) -> dict[str, Any]:
        """Return what a command's arguments are: an `Argument` for each quantity, plain values for the others.

        Raises:
            CastingError: One is unknown, missing, or of another dimension.
        """
        spec = self.spec(step)
        wanted = _keywords(self.players[step.device].driver, step.command)
        found: dict[str, Any] = {}
        for name, value in step.arguments.items():
            full = driver_argument(name, wanted)
            if full is None:
                raise CastingError(
                    f"{step.device}.{step.command} has no argument {name!r}{did_you_mean(name, wanted)}",
                    ("arguments", name),
                )
            found[full] = _argument(name, value, spec.arguments.get(full), declared)
        missing = [name for name, is_needed in wanted.items() if is_needed and name not in found]
        if missing:
            raise CastingError(f"{step.device}.{step.command} needs {', '.join(missing)}", ("arguments",))
        return found

    def limits(self, command: str, limits: Mapping[str, Limit]) -> dict[str, Quantity]:
        """Return a site's limits of one ``device.command`` in the driver's units, by the driver's argument.

        Raises:
            CastingError: There is no such device, command or argument, or a limit is of another dimension.
        """
        device, _, name = command.partition(".")
        specs = self.players[self._named(device)].specs
        if name not in specs:
            raise CastingError(f"device {device!r} has no command {name!r}{did_you_mean(name, specs)}")
        found: dict[str, Quantity] = {}
        known = {**specs[name].inner, **specs[name].arguments}
        for argument, limit in limits.items():
            full = driver_argument(argument, known)
            if full is None:
                raise CastingError(f"{command} limits no {argument!r}{did_you_mean(argument, known)}", (argument,))
            found[full] = _limited(argument, limit, known[full])
        return found

    def _named(self, device: str) -> str:
        if device not in self.players:
            raise CastingError(f"the lab has no device {device!r}{did_you_mean(device, self.players)}", ("device",))
        return device

    def _device(self, capability: str, named: str | None) -> str:
        able = [name for name, player in self.players.items() if capability in player.capabilities]
        if named is not None:
            if self._named(named) not in able:
                could = f"; {' or '.join(able)} could" if able else ""
                raise CastingError(f"device {named!r} is no {capability}{could}", ("device",))
            return named
        if capability == "Movable" and isinstance(self.lab.samples, Wafer) and self.lab.samples.stage in able:
            return self.lab.samples.stage
        if not able:
            raise CastingError(f"needs a {capability}, and no device of the lab {self.lab.name!r} is one")
        if len(able) > 1:
            raise CastingError(f"{' and '.join(able)} could each be its {capability}; add 'device: {able[0]}'")
        return able[0]


def load_player(driver: str, base: Path) -> Player:
    """Load a driver class and read what it declares.

    Raises:
        CastingError: It cannot be found or loaded.
    """
    try:
        found = driver_class(driver, base=base)
    except DriverNotFound as error:
        raise CastingError(str(error), ("driver",)) from None
    return Player(found, tuple(capabilities_of(found)), command_specs(found))


def _keywords(driver: type, command: str) -> dict[str, bool]:
    """Return a command's arguments, and whether each must be given."""
    signature = inspect.signature(getattr(driver, command))
    return {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in signature.parameters.items()
        if name not in SUPPLIED
    }


def _argument(name: str, value: object, quantity: Quantity | None, declared: Mapping[str, Declared]) -> Any:
    try:
        if quantity is not None:
            return read_argument(value, quantity.unit, Surroundings(parameters=declared))
        if isinstance(value, str) and value.startswith("$"):
            return _plain_reference(value[1:], declared)
    except ValueError as error:
        raise CastingError(str(error), ("arguments", name)) from None
    return value


def _plain_reference(name: str, declared: Mapping[str, Declared]) -> Argument:
    if name not in declared:
        raise ValueError(f"no parameter {name!r}{did_you_mean(name, declared)}")
    return Argument(ucum=None, parameter=name)


def _limited(name: str, limit: Limit, quantity: Quantity) -> Quantity:
    bounds: dict[str, float | None] = {"low": None, "high": None}
    for key, bound in (("low", limit.low), ("high", limit.high)):
        if bound is None:
            continue
        try:
            bounds[key] = units.to_ucum(bound.value, bound.unit, quantity.unit)
        except units.UnitError as error:
            raise CastingError(str(error), (name, key)) from None
    return Quantity(quantity.unit, bounds["low"], bounds["high"])
