"""The XY stage: numbered ASCII messages to a motor controller, in whole micrometres."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from drivers.capabilities import Identity, Located
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, DriverError, Rejected
from drivers.instruments.waiting import seen_as_done, wait_until_done
from drivers.instruments.wire import agreed
from drivers.links.base import Link, untrusted
from drivers.links.framing import Line
from drivers.manifest import Manifest

REPLY_S = 0.5
LATE_MAX_S = 0.25
MOVE_S = 30.0
"""The longest way takes 6 s."""

_EXAMPLE = {"x_mm": 12.5, "y_mm": -3.0}

Travel = Annotated[float, Quantity("mm", -80.0, 80.0)]

_REPLY = re.compile(rb"@01 0 (\d\d?) (OK|RJ) (BUSY|IDLE) (\S\S)(?: (.*))?")
_REASONS = {
    "BADDATA": "outside the soft limits",
    "STATUSBUSY": "it is moving",
    "BADCOMMAND": "it does not know this command",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    at: tuple[int, int]
    target: tuple[int, int]
    remaining_s: float


class XYStageDriver:
    """Driver of the XY-160. Satisfies `Movable`. Positions are rounded to the stage's resolution of 1 um."""

    manifest = Manifest(
        maker="labpilot",
        model="XY-160",
        wires=("serial",),
        manual="the docstring of simulators/instruments/stage.py: an instrument of our own",
        if_host_dies="Finishes its move and holds its position.",
        simulator="film-station/stage",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "stage") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._number = 0

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read maker, model, serial number and firmware."""
        words = (await agreed(lambda: self._ask("get device.id", Effect.READ), self._distrust)).split(" ")
        if len(words) != 4:
            raise self._link.distrust(f"{words} is no identity", effect=Effect.READ)
        return Identity(maker=words[0], model=words[1], serial=words[2], firmware=words[3])

    @command(Effect.READ)
    async def locate(self) -> Located:
        """Read the position."""
        status = await self._status_twice()
        return Located(x_mm=status.at[0] / 1000, y_mm=status.at[1] / 1000, is_moving=status.remaining_s > 0.0)

    @command(Effect.VERIFIABLE, verify="is_at", timeout_s=2 * MOVE_S, late_max_s=LATE_MAX_S, example=_EXAMPLE)
    async def move(self, *, x_mm: Travel, y_mm: Travel) -> None:
        """Move and wait until there; a move to the same place that is under way is joined.

        Raises:
            Rejected: The stage refused, or is on its way elsewhere; this move did not begin.
            DeviceFault: The stage was stopped on its way.
        """
        target = _micrometres(x_mm, y_mm)
        status = await self._status_twice()
        if status.target != target:
            if status.remaining_s:
                raise Rejected(f"the stage is on its way to {_mm(status.target)}; wait for it, or stop it")
            remaining_s = await self._start(f"move abs {target[0]} {target[1]}", Effect.VERIFIABLE)
            status = await self._still(remaining_s, Effect.VERIFIABLE)
        elif status.remaining_s:
            status = await self._still(status.remaining_s, Effect.VERIFIABLE)
        else:
            await seen_as_done(self._clock)
        if status.at != target and (status := await self._status(Effect.VERIFIABLE)).at != target:  # misread, perhaps
            raise DeviceFault(f"the stage was stopped at {_mm(status.at)} on its way to {_mm(target)}", code="stopped")

    @command(Effect.READ, timeout_s=MOVE_S, example=_EXAMPLE)
    async def is_at(self, *, x_mm: Travel, y_mm: Travel) -> bool:
        """Say whether the stage stands at a place, once a move to that place that is under way is over."""
        target = _micrometres(x_mm, y_mm)
        status = await self._status(Effect.READ)
        if status.remaining_s and status.target == target:
            status = await self._still(status.remaining_s, Effect.READ)
        if status.at != target or status.remaining_s:
            return False
        await seen_as_done(self._clock)
        return True

    @command(Effect.IDEMPOTENT, timeout_s=2 * MOVE_S, late_max_s=LATE_MAX_S)
    async def home(self) -> None:
        """Move to the origin and wait until there."""
        await self._still(await self._start("home", Effect.IDEMPOTENT), Effect.IDEMPOTENT)

    @command(Effect.IDEMPOTENT, timeout_s=MOVE_S, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Brake, and wait until the stage stands still."""
        remaining_s = await self._start("stop", Effect.IDEMPOTENT, urgent=True)
        await self._still(remaining_s, Effect.IDEMPOTENT)

    async def _start(self, text: str, effect: Effect, *, urgent: bool = False) -> float:
        data = await self._ask(text, effect, urgent=urgent)
        if not data.isdecimal():
            raise self._link.distrust(f"{data!r} is no answer to {text}", effect=effect)
        return int(data) / 1e6

    async def _still(self, remaining_s: float, effect: Effect) -> _Status:
        status: _Status | None = None

        async def poll() -> float:
            nonlocal status
            status = await self._status(effect)
            return status.remaining_s

        if not await wait_until_done(self._clock, remaining_s, poll, at_most_s=MOVE_S):
            raise untrusted(f"the stage still moves after {MOVE_S:g} s", effect=effect)
        return status or await self._status(effect)

    async def _status(self, effect: Effect) -> _Status:
        data = await self._ask("status", effect)
        try:
            x, y, target_x, target_y, remaining_us = (int(word) for word in data.split(" "))
        except ValueError:
            raise self._link.distrust(f"{data!r} is no status", effect=effect) from None
        return _Status(at=(x, y), target=(target_x, target_y), remaining_s=max(0, remaining_us) / 1e6)

    async def _status_twice(self) -> _Status:
        """Read the status twice: no checksum guards its digits."""
        before, status = await self._status(Effect.READ), await self._status(Effect.READ)
        are_moving = before.remaining_s > 0.0 and status.remaining_s > 0.0
        if before != status and not (are_moving and before.target == status.target):
            raise self._distrust("two readings of the position disagree")
        return status

    def _distrust(self, why: str) -> Exception:
        return self._link.distrust(why, effect=Effect.READ)

    async def _ask(self, text: str, effect: Effect, *, urgent: bool = False) -> str:
        self._number = self._number % 99 + 1
        reply = await self._link.exchange(
            b"/1 0 %d %b\n" % (self._number, text.encode("ascii")),
            framing=_FRAMING,
            timeout_s=REPLY_S,
            effect=effect,
            late_max_s=LATE_MAX_S,
            urgent=urgent,
        )
        match = _REPLY.fullmatch(reply)
        if match is None or int(match[1]) != self._number:
            raise self._link.distrust(f"{reply!r} is no answer to message {self._number}, {text}", effect=effect)
        data = (match[5] or b"").decode("latin-1")
        if match[2] == b"RJ":
            raise _refusal(text, data)
        if match[4] != b"--":
            flag = match[4].decode("latin-1")
            raise DeviceFault(f"the stage raises warning {flag}; look at it", code=flag, needs_operator=True)
        return data


_FRAMING = Line(b"\r\n")


def _refusal(text: str, data: str) -> DriverError:
    return Rejected(f"the stage refused {text!r}: {_REASONS.get(data, data)} ({data})")


def _micrometres(x_mm: float, y_mm: float) -> tuple[int, int]:
    return round(x_mm * 1000), round(y_mm * 1000)


def _mm(place: tuple[int, int]) -> str:
    return f"({place[0] / 1000:g}, {place[1] / 1000:g}) mm"
