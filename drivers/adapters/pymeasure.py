"""PyMeasure instruments as drivers.

`adapted` turns an instrument class into a driver class whose commands are declared one by one: a `Reading` of a
property, a `Setting` of one that can be read back, an `Action`. Everything goes over the labpilot link, so that its
deadlines, its distrust, its recording and the fault suite hold for code that knows nothing of them.

PyMeasure's lines carry no checksum. So every value is read twice, and a set is believed when the read-back agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from drivers.adapters.pymeasure_declared import NOTHING, Action, Reading, Setting, Wire
from drivers.adapters.pymeasure_driver import PyMeasureDriver
from drivers.adapters.signature import as_written
from drivers.command import Effect, Quantity, command
from drivers.manifest import Manifest

__all__ = ["Action", "Reading", "Setting", "Wire", "adapted"]


def adapted(
    instrument: str | Callable[..., Any],
    *,
    manifest: Manifest,
    commands: Sequence[Reading | Setting | Action],
    wire: Wire | None = None,
    nothing_to_stop: str = "",
) -> type[PyMeasureDriver]:
    """Return a driver class for a PyMeasure instrument.

    Args:
        instrument: ``package.module:Class``, imported when the device is connected, or the class itself.
        manifest: What must be known of the device.
        commands: What it can be told; nothing else of the instrument can be reached.
        wire: How it is talked to.
        nothing_to_stop: Why there is no command called ``stop``, where there is none.

    Raises:
        TypeError: An action claims to be verifiable, or to read, or calls a method and confirms it by nothing.
    """
    wire = wire or Wire()
    members: dict[str, Any] = {"__doc__": f"{manifest.maker} {manifest.model}, driven by PyMeasure."}
    for declared in commands:
        members |= _commands_of(declared, wire.late_max_s)
    members |= {
        "__module__": __name__,
        "manifest": manifest,
        "nothing_to_stop": nothing_to_stop,
        "_kind": staticmethod(instrument) if callable(instrument) else instrument,
        "_wire": wire,
    }
    return type(f"{manifest.model.title().replace(' ', '')}Driver", (PyMeasureDriver,), members)


def _commands_of(declared: Reading | Setting | Action, late_max_s: float) -> dict[str, Any]:
    match declared:
        case Reading():
            return {declared.name: _reading(declared)}
        case Setting():
            verify = f"is_{declared.name}"
            return {declared.name: _setting(declared, verify, late_max_s), verify: _verifying(declared, verify)}
        case Action():
            return {declared.name: _action(declared, late_max_s)}


def _reading(declared: Reading) -> Callable[..., Any]:
    async def read(self: PyMeasureDriver) -> float:
        return await self._read_twice(declared.attribute, declared.tolerance, declared.timeout_s)

    plausible = Quantity(declared.unit, declared.low, declared.high, declared.tolerance)
    summary = f"Read {declared.attribute}, in {declared.unit}."
    named = as_written(read, declared.name, summary, returns=Annotated[float, plausible])
    return command(Effect.READ, timeout_s=declared.timeout_s)(named)


def _setting(declared: Setting, verify: str, late_max_s: float) -> Callable[..., Any]:
    async def set_it(self: PyMeasureDriver, value: float) -> None:
        await self._set_and_read(declared, float(value))

    declare = command(
        Effect.VERIFIABLE,
        verify=verify,
        timeout_s=declared.timeout_s,
        late_max_s=late_max_s,
        example={declared.argument: declared.example},
    )
    summary = f"Set {declared.attribute} and read it back."
    return declare(as_written(set_it, declared.name, summary, takes=_argument(declared), returns=None))


def _verifying(declared: Setting, name: str) -> Callable[..., Any]:
    async def is_set(self: PyMeasureDriver, value: float) -> bool:
        landed = await self._read_twice(declared.attribute, declared.tolerance, declared.timeout_s)
        return abs(landed - value) <= declared.tolerance

    declare = command(Effect.READ, timeout_s=declared.timeout_s, example={declared.argument: declared.example})
    summary = f"Say whether {declared.attribute} is that."
    return declare(as_written(is_set, name, summary, takes=_argument(declared), returns=bool))


def _argument(declared: Setting) -> tuple[str, Quantity]:
    return declared.argument, Quantity(declared.unit, declared.low, declared.high, declared.tolerance)


def _action(declared: Action, late_max_s: float) -> Callable[..., Any]:
    is_call = declared.value is NOTHING
    if declared.effect not in (Effect.IDEMPOTENT, Effect.OPERATOR):
        raise TypeError(f"action {declared.name!r} is IDEMPOTENT or OPERATOR; what can be read back is a Setting")
    if is_call and not declared.confirmed_by:
        raise TypeError(f"action {declared.name!r} calls a method: confirmed_by= names the property to read behind it")

    async def act(self: PyMeasureDriver) -> None:
        await self._act_and_read(declared)

    what = f"Call {declared.attribute}" if is_call else f"Set {declared.attribute} to {declared.value!r}"
    declare = command(declared.effect, timeout_s=declared.timeout_s, late_max_s=late_max_s)
    return declare(as_written(act, declared.name, f"{what}, and read {declared.confirmed_by or 'it'} behind it."))
