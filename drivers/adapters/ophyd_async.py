"""ophyd-async devices as drivers.

`adapted` turns a device that is Readable, and Movable if it moves, into a driver class. The device talks to its control
system itself: of the labpilot link only the address is used (its prefix), so nothing is recorded and the fault suite
cannot strike. What holds all the same: deadlines, limits before the wire, units as the device describes them, and that
a move has succeeded when the read-back says so, whatever its status says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from drivers.adapters.ophyd_async_driver import Connection, Move, OphydAsyncDriver, Reading
from drivers.adapters.signature import as_written
from drivers.capabilities import AxisPosition
from drivers.command import Effect, Quantity, command
from drivers.manifest import Manifest

__all__ = ["Connection", "Move", "Reading", "adapted"]

STOP_S = 10.0


def adapted(
    device: str | Callable[[str], Any],
    *,
    manifest: Manifest,
    readings: Sequence[Reading] = (),
    move: Move | None = None,
    connection: Connection | None = None,
) -> type[OphydAsyncDriver]:
    """Return a driver class for an ophyd-async device.

    Args:
        device: ``package.module:Class``, imported when the device is connected, or what makes the device; either is
            called with the prefix in the URL (``ca://PREFIX``).
        manifest: What must be known of the device.
        readings: What can be read of it.
        move: How it moves; the driver then has `move`, `is_at`, `locate` and `stop`.
        connection: How it is connected.
    """
    members: dict[str, Any] = {"__doc__": f"{manifest.maker} {manifest.model}, driven by ophyd-async."}
    members |= {declared.name: _reading(declared) for declared in readings}
    if move is not None:
        members |= {"move": _moving(move), "is_at": _verifying(move), "locate": _locating(move), "stop": _stopping()}
    members |= {
        "__module__": __name__,
        "manifest": manifest,
        "_make": staticmethod(device) if callable(device) else device,
        "_connection": connection or Connection(),
    }
    return type(f"{manifest.model.title().replace(' ', '')}Driver", (OphydAsyncDriver,), members)


def _reading(declared: Reading) -> Callable[..., Any]:
    async def read(self: OphydAsyncDriver) -> float:
        return await self._read(declared, Effect.READ)

    plausible = Quantity(declared.unit, declared.low, declared.high, declared.tolerance)
    named = as_written(read, declared.name, f"Read it, in {declared.unit}.", returns=Annotated[float, plausible])
    return command(Effect.READ, timeout_s=declared.timeout_s)(named)


def _moving(declared: Move) -> Callable[..., Any]:
    async def move(self: OphydAsyncDriver, target: float) -> None:
        await self._move(declared, float(target))

    declare = command(
        Effect.VERIFIABLE,
        verify="is_at",
        timeout_s=declared.within_s,
        late_max_s=declared.late_max_s,
        example={declared.argument: declared.example},
    )
    summary = "Move, wait until there, and read back where it is."
    return declare(as_written(move, "move", summary, takes=_target(declared), returns=None))


def _verifying(declared: Move) -> Callable[..., Any]:
    async def is_at(self: OphydAsyncDriver, target: float) -> bool:
        return abs(await self._read(declared.read_back, Effect.READ) - target) <= declared.tolerance

    timeout_s = declared.read_back.timeout_s
    declare = command(Effect.READ, timeout_s=timeout_s, example={declared.argument: declared.example})
    return declare(
        as_written(is_at, "is_at", "Say whether it stands at a place.", takes=_target(declared), returns=bool)
    )


def _target(declared: Move) -> tuple[str, Quantity]:
    return declared.argument, Quantity(declared.read_back.unit, declared.low, declared.high, declared.tolerance)


def _locating(declared: Move) -> Callable[..., Any]:
    async def locate(self: OphydAsyncDriver) -> AxisPosition:
        return await self._locate(declared)

    named = as_written(locate, "locate", "Read where it is and where it should be.", returns=AxisPosition)
    return command(Effect.READ, timeout_s=2 * declared.read_back.timeout_s)(named)


def _stopping() -> Callable[..., Any]:
    async def stop(self: OphydAsyncDriver) -> None:
        await self._stop(STOP_S)

    return command(Effect.IDEMPOTENT, timeout_s=STOP_S)(as_written(stop, "stop", "Stop moving.", returns=None))
