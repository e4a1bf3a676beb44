"""Commands as data: effect, arguments with unit and limits, timeout, and how an unknown outcome is settled.

A driver is one plain class. Its public actions carry `@command(...)`; `command_specs` reads the declarations without
opening anything, for `labpilot devices`, for the limits gate, for recovery, and for the conformance kit.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

from drivers.errors import Ambiguous, DriverError, OutOfLimits, Rejected, Unreadable

F = TypeVar("F", bound=Callable[..., Any])


class Effect(StrEnum):
    """What happens when a command is sent once, twice, or perhaps."""

    READ = "read"
    """Changes nothing; read again."""
    IDEMPOTENT = "idempotent"
    """The same end state if repeated; send again."""
    VERIFIABLE = "verifiable"
    """The end state can be read back; verify, then repeat only if it did not land."""
    OPERATOR = "operator"
    """Can neither be known nor undone; ask a person."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Annotation of a command's argument: ``Annotated[float, Quantity("Cel", 0, 1400)]``.

    unit is a UCUM code; low and high are inclusive limits in that unit (None: unbounded). On a return value they are
    what is plausible: a reading outside is no reading.
    """

    unit: str
    low: float | None = None
    high: float | None = None
    tolerance: float = 0.0
    """How far a read-back or a second reading may be off and still be the same, in the unit."""

    def admits(self, value: float) -> bool:
        """Say whether a value lies within the limits; NaN never does."""
        return (
            math.isfinite(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
        )

    def narrowed(self, low: float | None, high: float | None) -> Quantity:
        """Intersect with further limits, a site's say."""
        lows = [bound for bound in (self.low, low) if bound is not None]
        highs = [bound for bound in (self.high, high) if bound is not None]
        return Quantity(self.unit, max(lows, default=None), min(highs, default=None), self.tolerance)

    def __str__(self) -> str:
        low = "-inf" if self.low is None else f"{self.low:g}"
        high = "inf" if self.high is None else f"{self.high:g}"
        return f"[{low}, {high}] {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """The declaration of one command."""

    name: str
    effect: Effect
    timeout_s: float
    verify: str | None
    """Name of the method that tells whether the command landed: same arguments, returns bool (VERIFIABLE only)."""
    late_max_s: float
    """How late a reply or an effect may still arrive after the timeout."""
    arguments: Mapping[str, Quantity]
    """Limits of each quantity among the arguments."""
    summary: str
    returns: Quantity | None = None
    """Unit and plausible range of the value, where the command returns one number."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of a harmless call."""
    after: tuple[str, ...] = ()
    """Commands to give before, each with its example, so that the device is ready for this one."""
    recall: str | None = None
    """Name of the READ that tells again, by the tag, what the command answered: for an answer that was lost."""
    inner: Mapping[str, Quantity] = field(default_factory=dict)
    """Quantities inside arguments that are lists of records (the segments of a profile), by field."""

    def check_limits(self, arguments: Mapping[str, Any], *, site: Mapping[str, Quantity], device: str) -> None:
        """Refuse values outside the driver's limits intersected with the site's; never clamp.

        Raises:
            OutOfLimits: A value lies outside.
            Rejected: A value is no number, or the site states its limit in another unit.
        """
        for name, quantity in self.arguments.items():
            if arguments.get(name) is not None:
                within = self._within(name, quantity, site, device)
                _refuse_outside(name, arguments[name], within, device=device, command=self.name)
        for name, quantity in self.inner.items():
            within = self._within(name, quantity, site, device)
            for value in _inner_values(arguments, name):
                _refuse_outside(name, value, within, device=device, command=self.name)

    def _within(self, name: str, quantity: Quantity, site: Mapping[str, Quantity], device: str) -> Quantity:
        limit = site.get(name)
        if limit is not None and limit.unit != quantity.unit:
            units = f"in {limit.unit}, the driver's in {quantity.unit}"
            raise Rejected(f"the site's limit of {name} is {units}", device=device, command=self.name)
        return quantity if limit is None else quantity.narrowed(limit.low, limit.high)


def _inner_values(arguments: Mapping[str, Any], name: str) -> Iterator[Any]:
    """Iterate over a field of the records among the arguments."""
    for argument in arguments.values():
        for record in argument if isinstance(argument, list | tuple) else ():
            value = record.get(name) if isinstance(record, Mapping) else getattr(record, name, None)
            if value is not None:
                yield value


def _refuse_outside(name: str, value: Any, quantity: Quantity, *, device: str, command: str) -> None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        problem = f"{name} = {value!r} is not a number; nothing was sent"
        raise Rejected(problem, device=device, command=command) from None
    if not quantity.admits(number):
        raise OutOfLimits(
            f"{name} = {value} is outside {quantity}; nothing was sent",
            value=number,
            low=quantity.low,
            high=quantity.high,
            unit=quantity.unit,
            device=device,
            command=command,
        )


def command(
    effect: Effect,
    *,
    timeout_s: float = 5.0,
    verify: str | None = None,
    late_max_s: float = 0.0,
    example: Mapping[str, Any] | None = None,
    after: Sequence[str] = (),
    recall: str | None = None,
) -> Callable[[F], F]:
    """Declare a public action of a driver: an ``async`` method whose arguments are keywords.

    The method then refuses values outside its own limits before the wire, whoever calls it; a number that it returns
    is held against its plausible range; and what it raises is a `DriverError` that says which device and command it
    came from, whatever the driver did wrong.

    Args:
        effect: What sending it once, twice or perhaps does.
        timeout_s: When it should be over.
        verify: The read-back of a VERIFIABLE command.
        late_max_s: How late a reply or an effect may still arrive after the timeout.
        example: Arguments of a harmless call; `labpilot driver check` gives the command with these.
        after: Commands that make the device ready for this one.
        recall: The READ that tells by a tag what the command with that tag answered.

    Raises:
        TypeError: VERIFIABLE without `verify`, `verify` with another effect, or a method that is not ``async``.
    """
    if (effect is Effect.VERIFIABLE) != (verify is not None):
        raise TypeError("verify= names the read-back of a VERIFIABLE command, and of no other")

    def declare(function: F) -> F:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__qualname__} is a command and must be async")
        checked = _checked(function, effect)
        mark = _Declared(effect, timeout_s, verify, late_max_s, dict(example or {}), tuple(after), recall)
        setattr(checked, _MARK, mark)
        return cast(F, checked)

    return declare


_MARK = "__labpilot_command__"


@dataclass(frozen=True, slots=True)
class _Declared:
    effect: Effect
    timeout_s: float
    verify: str | None
    late_max_s: float
    example: Mapping[str, Any]
    after: tuple[str, ...]
    recall: str | None


def _checked(function: Callable[..., Any], effect: Effect) -> Callable[..., Any]:
    hints: tuple[dict[str, Quantity], Quantity | None, bool] | None = None
    name = function.__name__

    @functools.wraps(function)
    async def checked(self: Any, **arguments: Any) -> Any:
        nonlocal hints
        if hints is None:  # not when declared: the hints may name what the module defines later
            hints = (*_quantities(function), _may_return_none(function))
        limits, plausible, may_be_none = hints
        try:
            for argument, quantity in limits.items():
                if arguments.get(argument) is not None:
                    _refuse_outside(argument, arguments[argument], quantity, device=self.name, command=name)
            value = await function(self, **arguments)
            if plausible is not None and not (value is None and may_be_none):
                _refuse_implausible(value, plausible, effect)
            return value
        except DriverError as error:
            error.device = error.device or self.name
            error.command = name
            raise
        except Exception as error:  # the supervisor of all drivers: nothing of theirs may end a campaign
            if isinstance(error, TypeError) and (problem := _misfit(function, self, arguments)):
                raise Rejected(f"{problem}; nothing was sent", device=self.name, command=name) from error
            raise _stray(error, effect, device=self.name, command=name) from error

    return checked


def _refuse_implausible(value: Any, plausible: Quantity, effect: Effect) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not plausible.admits(float(value)):
        problem = f"the device answered {value!r}, which is outside the plausible {plausible}"
        raise Unreadable(problem) if effect is Effect.READ else Ambiguous(f"{problem}; it may have been carried out")


def _misfit(function: Callable[..., Any], driver: Any, arguments: Mapping[str, Any]) -> str:
    """Say why arguments do not fit a function; nothing where they do."""
    try:
        inspect.signature(function).bind(driver, **arguments)
    except TypeError as error:
        return str(error)
    return ""


def _stray(error: Exception, effect: Effect, *, device: str, command: str) -> DriverError:
    problem = f"the driver failed with {type(error).__name__}: {error}"
    if effect is Effect.READ:
        return Unreadable(f"{problem}; nothing was changed", device=device, command=command)
    return Ambiguous(f"{problem}; the command may have been carried out", device=device, command=command)


def command_specs(driver: type) -> dict[str, CommandSpec]:
    """Read the declarations of a driver class, by command name.

    Raises:
        TypeError: A command names a read-back that the class lacks.
    """
    specs: dict[str, CommandSpec] = {}
    for name, function in inspect.getmembers(driver, inspect.isfunction):
        mark = getattr(function, _MARK, None)
        if mark is None:
            continue
        if mark.verify is not None and not inspect.iscoroutinefunction(getattr(driver, mark.verify, None)):
            raise TypeError(f"{driver.__name__}.{name} is verified by {mark.verify!r}, which is no async method of it")
        if mark.recall is not None and not inspect.iscoroutinefunction(getattr(driver, mark.recall, None)):
            raise TypeError(f"{driver.__name__}.{name} is recalled by {mark.recall!r}, which is no async method of it")
        arguments, returns = _quantities(function)
        specs[name] = CommandSpec(
            name=name,
            effect=mark.effect,
            timeout_s=mark.timeout_s,
            verify=mark.verify,
            late_max_s=mark.late_max_s,
            arguments=arguments,
            summary=(inspect.getdoc(function) or "").partition("\n")[0],
            returns=returns,
            example=mark.example,
            after=mark.after,
            recall=mark.recall,
            inner=_inner_quantities(function),
        )
    return specs


def _quantities(function: Callable[..., Any]) -> tuple[dict[str, Quantity], Quantity | None]:
    """Return the quantities among a function's arguments, and that of its value."""
    hints = get_type_hints(function, include_extras=True)
    found = {name: quantity for name, hint in hints.items() if (quantity := _quantity_of(hint)) is not None}
    returned = found.pop("return", None)
    return found, returned


def _may_return_none(function: Callable[..., Any]) -> bool:
    return type(None) in get_args(get_type_hints(function).get("return"))


def _inner_quantities(function: Callable[..., Any]) -> dict[str, Quantity]:
    """Return the quantities of the records that a function takes lists of."""
    found: dict[str, Quantity] = {}
    for name, hint in get_type_hints(function, include_extras=True).items():
        for record in _records(hint) if name != "return" else ():
            fields = get_type_hints(record, include_extras=True)
            found |= {key: quantity for key, of in fields.items() if (quantity := _quantity_of(of)) is not None}
    return found


def _records(hint: Any) -> Iterator[type]:
    """Iterate over the dataclasses in a hint, however deep."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for part in get_args(hint):
        yield from _records(part)


def _quantity_of(hint: Any) -> Quantity | None:
    candidates = [hint, *get_args(hint)] if get_origin(hint) is not Annotated else [hint]
    for candidate in candidates:
        if get_origin(candidate) is Annotated:
            for extra in get_args(candidate)[1:]:
                if isinstance(extra, Quantity):
                    return extra
    return None
