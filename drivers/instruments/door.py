"""The door and its interlocks: a station with an HTTP and JSON interface.

The door is told where to be (a PUT of its target, which may be sent twice), and asked how far it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.capabilities import Identity
from drivers.clock import Clock
from drivers.command import Effect, command
from drivers.errors import Ambiguous, DeviceFault, Rejected
from drivers.instruments.acting import after_acting
from drivers.instruments.resource import STALE_S, Fields
from drivers.instruments.waiting import wait_until_done
from drivers.instruments.wire import agreed
from drivers.links.http import HttpBus
from drivers.manifest import Manifest

LATE_MAX_S = 0.5
TRAVEL_S = 20.0
"""The door needs 4 s, and 8 s to find its end."""

_STATES = ("open", "closed", "opening", "closing", "stopped", "jammed", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interlock:
    """A condition that the station watches."""

    name: str
    holds: bool
    """Whether it holds; a reading that is too old never does."""
    reason: str
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    state: str
    remaining_s: float
    is_obstructed: bool


class DoorDriver:
    """Driver of the DR-1. Satisfies `Door`, `Homeable` and `Stoppable`.

    `door_state` also says ``stopped`` (half-way) and ``unknown`` (lost power: `home` it).
    """

    manifest = Manifest(
        maker="labpilot",
        model="DR-1",
        wires=("http",),
        manual="RFC 9110 (HTTP) and RFC 8259 (JSON); the resources are our own: docs/instruments/door.md",
        if_host_dies="Finishes its way; the station's own sensor still stops it before a person.",
        unverified="all resource and field names: a convention of labpilot that no device on the market speaks",
        simulator="door/door",
    )

    def __init__(self, link: HttpBus, clock: Clock, *, name: str = "door") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._stops = 0

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
        read = await agreed(lambda: self._link.get("/identity"), self._distrust)
        found = Fields(read, self._link, Effect.READ)
        words = [found.text(key) for key in ("maker", "model", "serial", "firmware")]
        return Identity(maker=words[0], model=words[1], serial=words[2], firmware=words[3])

    @command(Effect.READ)
    async def door_state(self) -> str:
        """Read ``open``, ``closed``, ``moving``, ``jammed``, ``stopped`` or ``unknown``."""
        state = (await self._status()).state
        return "moving" if state in ("opening", "closing") else state

    @command(Effect.READ)
    async def interlocks(self) -> tuple[Interlock, ...]:
        """Read what the station watches; what it has not looked at for 2 s does not hold."""
        found = Fields(await self._link.get("/interlocks"), self._link, Effect.READ)
        return tuple(_interlock(row) for row in found.rows("interlocks"))

    @command(Effect.IDEMPOTENT, timeout_s=2 * TRAVEL_S, late_max_s=LATE_MAX_S, after=("home",))
    async def open_door(self) -> None:
        """Open and wait until open.

        Raises:
            Rejected: An interlock forbids it, or the door was not homed; it stays where it is.
            DeviceFault: It was stopped on its way, or is jammed.
        """
        await self._go("open")

    @command(Effect.IDEMPOTENT, timeout_s=2 * TRAVEL_S, late_max_s=LATE_MAX_S, after=("home",))
    async def close_door(self) -> None:
        """Close and wait until closed.

        Raises:
            Rejected: Somebody is in the way, or the door was not homed; it stays where it is.
            DeviceFault: It was stopped on its way (``obstructed`` by a person, say), or is jammed.
        """
        await self._go("closed")

    @command(Effect.IDEMPOTENT, timeout_s=2 * TRAVEL_S, late_max_s=LATE_MAX_S)
    async def home(self) -> None:
        """Close slowly onto the end switch, so that the door knows where it is.

        Raises:
            Rejected: Somebody is in the way.
            DeviceFault: It was stopped on its way, or is jammed.
        """
        await self._go("home")

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Hold the door where it is."""
        self._stops += 1
        await self._put("hold", urgent=True)

    async def _go(self, target: str) -> None:
        stops, status = self._stops, await self._status()
        self._refuse_broken(status)
        if status.state == "unknown" and target != "home":
            raise Rejected("the door lost power and does not know where it is; home() it")
        try:
            status = await self._put(target)
        finally:
            if self._stops != stops:  # a stop overtakes what waits for its turn on the link: this came after it
                await self._put("hold", urgent=True)
        status = await self._still(status)
        self._refuse_broken(status)
        reached = "closed" if target == "home" else target
        if status.state != reached:
            why = "obstructed" if status.is_obstructed else "stopped"
            raise DeviceFault(f"the door is {status.state} on its way to {reached}: {why}", code=why)

    async def _still(self, status: _Status) -> _Status:
        async def poll() -> float:
            nonlocal status
            status = await after_acting(self._status())
            return status.remaining_s

        if not await wait_until_done(self._clock, status.remaining_s, poll, at_most_s=TRAVEL_S):
            raise Ambiguous(f"the door still moves after {TRAVEL_S:g} s")
        return status

    def _refuse_broken(self, status: _Status) -> None:
        if status.state == "jammed":
            raise DeviceFault("the door is jammed; free it, then home() it", code="jammed", needs_operator=True)

    async def _put(self, target: str, *, urgent: bool = False) -> _Status:
        answer = await self._link.put(
            "/door", {"target": target}, effect=Effect.IDEMPOTENT, late_max_s=LATE_MAX_S, urgent=urgent
        )
        found = Fields(answer, self._link, Effect.IDEMPOTENT)
        found.text("target", target)
        return _status(found)

    async def _status(self) -> _Status:
        found = Fields(await self._link.get("/door"), self._link, Effect.READ)
        found.require_fresh()
        return _status(found)

    def _distrust(self, why: str) -> Exception:
        return self._link.distrust(why, effect=Effect.READ)


def _status(found: Fields) -> _Status:
    remaining_s = found.number("remaining_s")
    if remaining_s < 0.0:
        raise found.bus.distrust(f"{remaining_s} s cannot remain", effect=found.effect)
    return _Status(
        state=found.text("state", *_STATES), remaining_s=remaining_s, is_obstructed=found.flag("is_obstructed")
    )


def _interlock(row: Fields) -> Interlock:
    age_s, reason = row.number("age_s"), row.text("reason")
    if is_old := not 0.0 <= age_s <= STALE_S:
        reason = f"not looked at for {age_s:g} s; it was: {reason}"
    return Interlock(name=row.text("name"), holds=row.flag("holds") and not is_old, reason=reason, age_s=age_s)
