"""A parallel gripper in the manner of DH-Robotics' PGE and AG series: Modbus RTU, per cent of force, permille of width.

The gripper knows neither newtons nor millimetres: both come from the data sheet of the model, here the PGE-15. What it
feels is one register: moving, at the reference position, something caught, something dropped.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from drivers.capabilities import GripState, Identity
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, Rejected
from drivers.instruments.waiting import wait_until_done
from drivers.links.base import untrusted
from drivers.links.modbus import ModbusBus
from drivers.manifest import Manifest

LATE_MAX_S = 0.5
POLL_S = 0.05
MOVE_S = 5.0
"""Its own way takes 0.5 s at full speed."""
HOME_S = 15.0

INITIALISE, FORCE, POSITION = 0x0100, 0x0101, 0x0103
INITIALISED, ADDRESS = 0x0200, 0x0302
MOVING, REACHED, CAUGHT, DROPPED = range(4)

LOWEST_N, HIGHEST_N, LOWEST_PERCENT, HIGHEST_PERCENT = 6.0, 15.0, 20, 100
STROKE_MM = 26.0
CLOSED, OPEN = 0, 1000
NEAR = 20
"""Permille that the fingers may be off their reference position."""

Force = Annotated[float, Quantity("N", LOWEST_N, HIGHEST_N, 0.2)]
Width = Annotated[float, Quantity("mm", 0.0, STROKE_MM, 0.5)]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    is_ready: bool
    """Whether it is initialised."""
    state: int
    permille: int


class GripperDriver:
    """Driver of a PGE-15. Satisfies `Gripper` and `Homeable`. Forces are rounded to 1 %, widths to 1 permille."""

    manifest = Manifest(
        maker="DH-Robotics",
        model="PGE-15",
        wires=("modbus+rtu",),
        manual="PGE-2 Gripper User Manual V1.0 (2021-07-30), and what docs/instruments/gripper.md names",
        if_host_dies="Finishes its move and keeps holding what it holds; without power it has to be initialised again.",
        unverified=(
            "That 20 to 100 % of force are 6 to 15 N in a straight line, that 0 permille is closed and 1000 open, and "
            "that a position written during a move replaces the one under way (`stop` needs it). The PGE-15's own "
            "manual was not at hand."
        ),
        simulator="gripper",
    )

    def __init__(self, link: ModbusBus, clock: Clock, *, name: str = "gripper") -> None:
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
        """Read its address, the only thing it tells of itself; maker and model are what this driver is for."""
        address = (await self._link.read_holding(ADDRESS))[0]
        if address > 255:
            raise self._link.distrust(f"{address} is no address of a gripper", effect=Effect.READ)
        maker, model = self.manifest.maker, self.manifest.model
        return Identity(maker=maker, model=model, serial=f"none (address {address})", firmware="not told")

    @command(Effect.IDEMPOTENT, timeout_s=2 * HOME_S, late_max_s=LATE_MAX_S)
    async def home(self) -> None:
        """Initialise: open the fingers and find their end; wait until that is done.

        Raises:
            Rejected: It holds something, which would fall.
            DeviceFault: It does not become ready.
        """
        status = await self._status(Effect.READ)
        if status.is_ready and status.state == CAUGHT:
            raise Rejected("it holds something, which would fall; release it first")
        effect = Effect.IDEMPOTENT
        await self._write(INITIALISE, 1, effect)

        async def poll() -> float:
            return 0.0 if (await _unless_refused(self._status(effect), effect)).is_ready else POLL_S

        if not await wait_until_done(self._clock, 2 * POLL_S, poll, at_most_s=HOME_S):
            problem = f"it is not initialised after {HOME_S:g} s; is something in the way of the fingers?"
            raise DeviceFault(problem, code="not-initialised", needs_operator=True)

    @command(
        Effect.VERIFIABLE,
        verify="has_closed",
        timeout_s=2 * MOVE_S,
        late_max_s=LATE_MAX_S,
        example={"force_n": 8.0},
        after=("home",),
    )
    async def grip(self, *, force_n: Force) -> None:
        """Close until something is held or until closed, and wait for that; `grip_state` tells which of the two.

        Raises:
            Rejected: It is not initialised, or still moving.
            DeviceFault: It was stopped on its way.
        """
        stops = self._stops
        await self._check_ready()
        await self._write(FORCE, _percent(force_n), Effect.VERIFIABLE)
        if self._stops != stops:
            raise Rejected("it was stopped before it closed; the fingers did not move")
        await _unless_refused(self._move(CLOSED), Effect.VERIFIABLE)

    @command(Effect.READ, timeout_s=2 * MOVE_S, example={"force_n": 8.0})
    async def has_closed(self, *, force_n: Force) -> bool:
        """Say whether it was told to close with this force, and stands still."""
        force = (await self._link.read_holding(FORCE))[0]
        return force == _percent(force_n) and await self._is_told(CLOSED)

    @command(Effect.VERIFIABLE, verify="is_open", timeout_s=2 * MOVE_S, late_max_s=LATE_MAX_S, after=("home", "grip"))
    async def release(self) -> None:
        """Open, and wait until open.

        Raises:
            Rejected: It is not initialised, or still moving.
            DeviceFault: It was stopped, or something is in the way.
        """
        await self._check_ready()
        await self._move(OPEN)

    @command(Effect.READ, timeout_s=2 * MOVE_S)
    async def is_open(self) -> bool:
        """Say whether it was told to open, and is open."""
        return await self._is_told(OPEN) and await self._is_at(OPEN)

    @command(
        Effect.VERIFIABLE,
        verify="is_open_to",
        timeout_s=2 * MOVE_S,
        late_max_s=LATE_MAX_S,
        example={"width_mm": 20.0},
        after=("home",),
    )
    async def open_to(self, *, width_mm: Width) -> None:
        """Move the fingers to a width, and wait until there.

        Raises:
            Rejected: It is not initialised, still moving, or holds something.
            DeviceFault: It was stopped, or something is in the way.
        """
        if (await self._check_ready()).state == CAUGHT:
            raise Rejected("it holds something; release it first")
        await self._move(_permille(width_mm))

    @command(Effect.READ, timeout_s=2 * MOVE_S, example={"width_mm": 20.0})
    async def is_open_to(self, *, width_mm: Width) -> bool:
        """Say whether it was told to go to this width, and is there."""
        return await self._is_told(_permille(width_mm)) and await self._is_at(_permille(width_mm))

    @command(Effect.READ)
    async def grip_state(self) -> GripState:
        """Read what the gripper feels; ``closed_empty`` also after it dropped what it held."""
        status = await self._status(Effect.READ)
        if not status.is_ready:
            return GripState(state="unknown")
        is_closed = status.state == DROPPED or status.permille <= NEAR
        felt = {MOVING: "moving", CAUGHT: "holding"}.get(status.state, "closed_empty" if is_closed else "open")
        return GripState(state=felt, width_mm=round(status.permille * STROKE_MM / OPEN, 3))

    @command(Effect.READ)
    async def has_dropped(self) -> bool:
        """Say whether it held something that has fallen since."""
        status = await self._status(Effect.READ)
        return status.is_ready and status.state == DROPPED

    @command(Effect.IDEMPOTENT, timeout_s=MOVE_S, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Stand still where the fingers are. What is held stays held; an initialisation under way is finished."""
        self._stops += 1
        effect = Effect.IDEMPOTENT
        status = await self._status(effect)
        if not status.is_ready or status.state != MOVING:
            return
        await self._link.write_register(
            POSITION, min(status.permille, OPEN), effect=effect, late_max_s=LATE_MAX_S, urgent=True
        )
        await _unless_refused(self._still(effect), effect)

    async def _check_ready(self) -> _Status:
        status = await self._status(Effect.READ)
        if not status.is_ready:
            raise Rejected("it is not initialised; home it first")
        if status.state == MOVING:
            raise Rejected("the fingers are moving; wait for them, or stop them")
        return status

    async def _move(self, permille: int) -> None:
        effect = Effect.VERIFIABLE
        await self._write(POSITION, permille, effect)
        await _unless_refused(self._arrive(permille, effect), effect)

    async def _arrive(self, permille: int, effect: Effect) -> None:
        status = await self._still(effect)
        if not status.is_ready:
            problem = "it lost its initialisation on the way; home it"
            raise DeviceFault(problem, code="not-initialised", needs_operator=True)
        if (await self._link.read_holding(POSITION, effect=effect))[0] != permille:
            raise DeviceFault(f"it was stopped on its way at {_shown(status.permille)}", code="stopped")
        if permille != CLOSED and (status.state != REACHED or abs(status.permille - permille) > NEAR):
            raise DeviceFault(
                f"the fingers stand at {_shown(status.permille)}, not at {_shown(permille)}; something is in the way",
                code="blocked",
                needs_operator=True,
            )

    async def _still(self, effect: Effect) -> _Status:
        status = _Status(is_ready=False, state=MOVING, permille=0)

        async def poll() -> float:
            nonlocal status
            status = await self._status(effect)
            return POLL_S if status.is_ready and status.state == MOVING else 0.0

        # the state register may need a moment to say that it moves
        if not await wait_until_done(self._clock, 2 * POLL_S, poll, at_most_s=MOVE_S):
            raise untrusted(f"the fingers still move after {MOVE_S:g} s", effect=effect)
        return status

    async def _is_told(self, permille: int) -> bool:
        if (await self._link.read_holding(POSITION))[0] != permille:
            return False
        status = await self._still(Effect.READ)
        return status.is_ready and status.state != MOVING

    async def _is_at(self, permille: int) -> bool:
        status = await self._status(Effect.READ)
        return status.is_ready and status.state == REACHED and abs(status.permille - permille) <= NEAR

    async def _status(self, effect: Effect) -> _Status:
        ready, state, permille = await self._link.read_holding(INITIALISED, 3, effect=effect)
        if ready > 2 or state > DROPPED or permille > OPEN + NEAR:
            raise self._link.distrust(f"{ready}, {state}, {permille} is no state of a gripper", effect=effect)
        return _Status(is_ready=ready == 1, state=state, permille=permille)

    async def _write(self, register: int, value: int, effect: Effect) -> None:
        await self._link.write_register(register, value, effect=effect, late_max_s=LATE_MAX_S)


async def _unless_refused(work: Awaitable[T], effect: Effect) -> T:
    """Await exchanges that follow an act: a refusal of one does not mean that nothing changed."""
    try:
        return await work
    except Rejected as error:
        raise untrusted(error.message, effect=effect) from error


def _percent(force_n: float) -> int:
    share = (force_n - LOWEST_N) / (HIGHEST_N - LOWEST_N)
    return round(LOWEST_PERCENT + share * (HIGHEST_PERCENT - LOWEST_PERCENT))


def _permille(width_mm: float) -> int:
    return round(width_mm * OPEN / STROKE_MM)


def _shown(permille: int) -> str:
    return f"{permille * STROKE_MM / OPEN:.1f} mm"
