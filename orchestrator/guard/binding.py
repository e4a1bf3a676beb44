"""Binds the settings to the devices of a lab: every name must exist, every value be of the reading's kind."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from drivers.command import CommandSpec, Effect, Quantity
from orchestrator import units
from orchestrator.errors import InputError
from orchestrator.fields import did_you_mean
from orchestrator.guard.predicate import ORDERS, Both, Compare, Either, Node, Not, Operand
from orchestrator.guard.rules import (
    EVERY,
    CountRule,
    Need,
    Player,
    Proof,
    RateRule,
    Rules,
    SafetyRule,
    StepRule,
    TripRule,
    Watch,
)
from orchestrator.guard.settings import Falls, GuardSettings, Holds, Safety
from orchestrator.units import Measure
from orchestrator.yaml_source import Path_

SLOWEST_READ_S = 5.0
"""A reading is given up after this, even if its driver would wait longer."""


def problems(settings: GuardSettings, players: Mapping[str, Player]) -> list[tuple[Path_, str]]:
    """Return what does not fit the lab's devices, each with the path inside `guard:` that it is about."""
    binder = _Binder(settings, players)
    binder.rules()
    return binder.found


def rules_of(settings: GuardSettings, players: Mapping[str, Player]) -> Rules:
    """Return the rules of a lab.

    Raises:
        InputError: Something does not fit the devices; lists every mistake.
    """
    binder = _Binder(settings, players)
    rules = binder.rules()
    if binder.found:
        raise InputError([f"guard.{'.'.join(map(str, path))}: {message}" for path, message in binder.found])
    return rules


class _Misfit(Exception):
    """One thing does not fit."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a reading is: a number in a unit, true or false, a word, or an object with fields."""

    hint: Any
    quantity: Quantity | None


@dataclass(slots=True)
class _Binder:
    settings: GuardSettings
    players: Mapping[str, Player]
    found: list[tuple[Path_, str]] = field(default_factory=list)

    def rules(self) -> Rules:
        watchdog = self.settings.watchdog
        return Rules(
            commands=tuple(f"{name}.{command}" for name, item in self.players.items() for command in item.specs),
            watches=dict(self._watches()),
            needs=dict(self._needs()),
            trips=dict(self._trips()),
            rates=dict(self._rates()),
            steps=tuple(self._steps()),
            counts=dict(self._counts()),
            safety=dict(self._safety()),
            controller_s=watchdog.controller,
            guard_s=watchdog.guard,
            answer_s=watchdog.answer,
        )

    def _watches(self) -> Iterator[tuple[str, Watch]]:
        for key, watched in self.settings.readings.items():
            try:
                device, command = key.split(".")
                spec = self._readable(device, command)
                deadline_s = min(spec.timeout_s, SLOWEST_READ_S)
            except _Misfit as misfit:
                self.found.append((("readings", key), str(misfit)))
                continue
            yield (
                key,
                Watch(
                    key=key,
                    device=device,
                    command=command,
                    every_s=watched.every,
                    stale_s=watched.stale,
                    deadline_s=deadline_s,
                ),
            )

    def _needs(self) -> Iterator[tuple[str, Need]]:
        for target, interlock in self.settings.interlocks.items():
            path: Path_ = ("interlocks", target)
            self._check(path, self._acting, target)
            when = self._bound(interlock.needs, (*path, "needs"))
            yield target, Need(target=target, when=when, fresh_s=interlock.fresh, why=interlock.why)

    def _trips(self) -> Iterator[tuple[str, TripRule]]:
        for name, trip in self.settings.trips.items():
            path: Path_ = ("trips", name)
            when = self._bound(trip.when, (*path, "when"))
            stop = self._stops(trip.stop, (*path, "stop"))
            yield name, TripRule(name=name, when=when, longer_s=trip.longer_than, stop=stop)

    def _rates(self) -> Iterator[tuple[str, RateRule]]:
        for key, rate in self.settings.reading_rates.items():
            path: Path_ = ("reading_rates", key)
            stop = self._stops(rate.stop, (*path, "stop"))
            per_s = self._check(path, self._reading_rate, key, rate.at_most)
            if per_s is not None:
                watch = self.settings.readings[key]
                if rate.over < 2 * watch.every:
                    message = f"{key} is read every {watch.every:g} s, so 'over' must be at least twice that"
                    self.found.append(((*path, "over"), message))
                rule = RateRule(key=key, per_s=per_s, written=str(rate.at_most), over_s=rate.over, stop=stop)
                yield rule.name, rule

    def _steps(self) -> Iterator[StepRule]:
        for key, rate in self.settings.setpoint_rates.items():
            device, command, argument = key.split(".")
            target = f"{device}.{command}"
            per_s = self._check(("setpoint_rates", key), self._argument_rate, target, argument, rate.at_most)
            if per_s is not None:
                yield StepRule(target=target, argument=argument, per_s=per_s, written=str(rate.at_most))

    def _counts(self) -> Iterator[tuple[str, CountRule]]:
        for target, rate in self.settings.command_rates.items():
            self._check(("command_rates", target), self._acting, target)
            yield target, CountRule(target=target, times=rate.times, within_s=rate.within)

    def _safety(self) -> Iterator[tuple[str, SafetyRule]]:
        for name, safety in self.settings.devices.items():
            path: Path_ = ("devices", name)
            is_there = self._check(path, self._stoppable, name, safety) is not None
            for index, command in enumerate(safety.otherwise):
                self._check((*path, "otherwise", index), self._bare, command)
            yield (
                name,
                SafetyRule(
                    device=name,
                    safe=safety.safe,
                    takes_s=safety.takes,
                    if_computer_dies=safety.if_computer_dies,
                    on_controller_loss=safety.on_controller_loss,
                    on_guard_loss=safety.on_guard_loss,
                    reach=safety.reach,
                    stop_within_s=safety.stop_within,
                    proof=self._proof(safety.proof, (*path, "proof")) if is_there else None,
                    otherwise=tuple(safety.otherwise),
                ),
            )

    def _proof(self, proof: Falls | Holds | None, path: Path_) -> Proof | None:
        if isinstance(proof, Holds):
            return Proof(within_s=proof.within, holds=self._bound(proof.holds, (*path, "holds")))
        if isinstance(proof, Falls):
            return self._check(path, self._fall, proof)
        return None

    def _check(self, path: Path_, check: Any, *arguments: Any) -> Any:
        try:
            return check(*arguments)
        except _Misfit as misfit:
            self.found.append((path, str(misfit)))
            return None

    def _stops(self, names: list[str], path: Path_) -> tuple[str, ...]:
        for index, name in enumerate(names):
            if name not in self.settings.devices:
                known = did_you_mean(name, self.settings.devices)
                self.found.append(((*path, index), f"say under guard.devices what safe means for {name!r}{known}"))
        return tuple(names)

    def _bound(self, node: Node, path: Path_) -> Node:
        match node:
            case Compare():
                return self._check(path, self._compare, node) or node
            case Not(part=part):
                return Not(self._bound(part, path))
            case Both(parts=parts):
                return Both(tuple(self._bound(part, path) for part in parts))
            case Either(parts=parts):
                return Either(tuple(self._bound(part, path) for part in parts))

    def _compare(self, node: Compare) -> Compare:
        kind = self._kind(node.operand)
        if isinstance(node.value, Measure):
            return replace(node, value=_measure_of(kind, node))
        wanted = bool if isinstance(node.value, bool) else str
        if kind.hint is not wanted and kind.hint is not Any:
            raise _Misfit(f"{node.operand} is {_described(kind)}, which cannot be compared with {node.value!r}")
        if node.op in ORDERS:
            raise _Misfit(f"{node.value!r} has no order; write == or !=")
        return node

    def _kind(self, operand: Operand) -> _Kind:
        self._readable(operand.device, operand.command)
        if operand.key not in self.settings.readings:
            raise _Misfit(
                f"{operand.key} is not among guard.readings{did_you_mean(operand.key, self.settings.readings)}"
            )
        driver = self.players[operand.device].driver
        hint = get_type_hints(getattr(driver, operand.command), include_extras=True).get("return", Any)
        for name in operand.fields:
            hint = _field_hint(hint, name, operand)
        return _Kind(*_bare_hint(hint))

    def _device(self, name: str) -> Player:
        if name not in self.players:
            raise _Misfit(f"the lab has no device {name!r}{did_you_mean(name, self.players)}")
        return self.players[name]

    def _spec(self, device: str, command: str) -> CommandSpec:
        specs = self._device(device).specs
        if command not in specs:
            raise _Misfit(f"device {device!r} has no command {command!r}{did_you_mean(command, specs)}")
        return specs[command]

    def _readable(self, device: str, command: str) -> CommandSpec:
        spec = self._spec(device, command)
        if spec.effect is not Effect.READ:
            raise _Misfit(f"{device}.{command} acts ({spec.effect}); the guard watches what only reads")
        self._without_arguments(device, command)
        return spec

    def _without_arguments(self, device: str, command: str) -> None:
        parameters = list(inspect.signature(getattr(self.players[device].driver, command)).parameters.values())[1:]
        needed = [item.name for item in parameters if item.default is inspect.Parameter.empty]
        if needed:
            raise _Misfit(f"{device}.{command} needs {', '.join(needed)}, which nobody gives here")

    def _acting(self, target: str) -> CommandSpec | None:
        device, command = target.split(".")
        if command == EVERY:
            self._device(device)
            return None
        spec = self._spec(device, command)
        if spec.effect is Effect.READ or command == "stop":
            raise _Misfit(f"{target} is never refused: {'it stops' if command == 'stop' else 'it only reads'}")
        return spec

    def _bare(self, target: str) -> None:
        device, command = target.split(".")
        self._spec(device, command)
        self._without_arguments(device, command)

    def _stoppable(self, name: str, safety: Safety) -> bool:
        driver = self._device(name).driver
        wants = "stop" in (safety.on_controller_loss, safety.on_guard_loss)
        trips = [*self.settings.trips.values(), *self.settings.reading_rates.values()]
        if not callable(getattr(driver, "stop", None)) and (wants or any(name in trip.stop for trip in trips)):
            raise _Misfit(f"{driver.__name__} has no stop command, so {name!r} cannot be stopped")
        return True

    def _number(self, key: str) -> Quantity:
        device, command = key.split(".")
        kind = self._kind(Operand(device, command))
        if kind.quantity is None:
            raise _Misfit(f"{key} is {_described(kind)}, which cannot rise or fall")
        return kind.quantity

    def _reading_rate(self, key: str, at_most: Measure) -> float:
        return _per_second(at_most, self._number(key).unit)

    def _argument_rate(self, target: str, argument: str, at_most: Measure) -> float:
        spec = self._acting(target)
        known = spec.arguments if spec is not None else {}
        if argument not in known:
            raise _Misfit(f"{target} has no quantity {argument!r}{did_you_mean(argument, known)}")
        return _per_second(at_most, known[argument].unit)

    def _fall(self, proof: Falls) -> Proof:
        unit = self._number(proof.falls).unit
        floor = proof.or_below
        try:
            by = units.convert(proof.by.value, proof.by.unit, _difference_unit(unit), difference=True)
            below = -math.inf if floor is None else units.to_ucum(floor.value, floor.unit, unit)
        except units.UnitError as error:
            raise _Misfit(str(error)) from None
        return Proof(within_s=proof.within, falls=proof.falls, by=by, or_below=below)


def _measure_of(kind: _Kind, node: Compare) -> Measure:
    value = node.value
    if not isinstance(value, Measure) or kind.hint not in (float, int, Any):
        raise _Misfit(f"{node.operand} is {_described(kind)}, which cannot be compared with {value}")
    ours = units.from_ucum(kind.quantity.unit) if kind.quantity is not None else "1"
    if value.unit == "1" and ours != "1":
        raise _Misfit(f"{value} needs a unit, such as '{value} {ours}'")
    try:
        return Measure(units.convert(value.value, value.unit, ours), ours)
    except units.UnitError as error:
        raise _Misfit(str(error)) from None


def _per_second(at_most: Measure, ucum: str) -> float:
    try:
        return abs(units.convert(at_most.value, at_most.unit, f"{_difference_unit(ucum)}/s", difference=True))
    except units.UnitError as error:
        raise _Misfit(str(error)) from None


def _difference_unit(ucum: str) -> str:
    """Return the unit of a difference: kelvin for degrees of either scale."""
    ours = units.from_ucum(ucum)
    return "K" if ours in ("degC", "degF") else ours


def _bare_hint(hint: Any) -> tuple[Any, Quantity | None]:
    """Return a type without its annotations and without None, and its quantity."""
    quantity = None
    if get_origin(hint) in (Union, UnionType):
        parts = [part for part in get_args(hint) if part is not type(None)]
        hint = parts[0] if len(parts) == 1 else Any
    if get_origin(hint) is Annotated:
        quantity = next((extra for extra in get_args(hint)[1:] if isinstance(extra, Quantity)), None)
        hint = get_args(hint)[0]
    return hint, quantity


def _field_hint(hint: Any, name: str, operand: Operand) -> Any:
    bare, _ = _bare_hint(hint)
    if not (isinstance(bare, type) and is_dataclass(bare)):
        raise _Misfit(f"{operand.key} answers no object with fields, so there is no {name!r}")
    fields = get_type_hints(bare, include_extras=True)
    if name not in fields:
        raise _Misfit(f"{operand.key} answers no field {name!r}{did_you_mean(name, fields)}")
    return fields[name]


def _described(kind: _Kind) -> str:
    if kind.quantity is not None:
        return f"a number in {units.from_ucum(kind.quantity.unit)}"
    names = {float: "a number", int: "a number", bool: "true or false", str: "a word"}
    if kind.hint in names:
        return names[kind.hint]
    fields = ", ".join(get_type_hints(kind.hint)) if is_dataclass(kind.hint) else ""
    return f"an object ({fields})" if fields else "of no simple kind"
