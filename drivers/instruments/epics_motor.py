"""A motor axis behind an EPICS motor record.

The fields are channels: with ``ca://IOC:m1.`` the driver reads ``IOC:m1.RBV``, and with ``ca://SIM:M1:`` it reads
``SIM:M1:RBV``, as an IOC that offers the fields as records of their own names them. What a write did is read back:
VAL must be the target, DMOV must be 1, and RBV must lie within the retry deadband RDBD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from drivers.capabilities import AxisPosition, Identity
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, OutOfLimits, Rejected
from drivers.instruments.on_channels import FIND_S, check_unit, read_number, read_text, read_whole
from drivers.instruments.waiting import wait_until_done
from drivers.links.base import untrusted
from drivers.links.channels import Channels
from drivers.manifest import Manifest

UNIT = "mm"
LATE_MAX_S = 1.0
MOVE_S = 300.0
"""Longer moves are refused."""
SPARE_S = 10.0
"""How much longer than speed and distance say a move may take: acceleration, backlash, retries, settling."""
STOP_S = 20.0
POLL_S = 0.5
"""Between polls of an axis that is on its way: so soon does a move that was stopped end."""
SHORT_S = 0.05
"""Between polls of an axis that should be there."""
SAME_MM = 1e-6
SNAPSHOTS = 4
"""So often a status is read that does not hold together."""

PAUSED = {0: "Stop", 1: "Pause"}
"""What SPMG says when the record holds every move back."""

PLUS_SWITCH, STALL, AT_HOME, PROBLEM, NO_ANSWER, MINUS_SWITCH = (1 << bit for bit in (2, 6, 7, 9, 12, 13))
"""Bits of MSTA."""
_FAULTS = {
    STALL: "slip or stall",
    PROBLEM: "hardware problem",
    NO_ANSWER: "no answer from the controller",
}

Position = Annotated[float, Quantity("mm", -1000.0, 1000.0)]
Speed = Annotated[float, Quantity("mm/s", 0.01, 100.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    position_mm: float
    target_mm: float
    is_moving: bool
    flags: int


class EpicsMotorDriver:
    """Driver of one motor record in millimetres. Satisfies `Movable` and `Homeable`."""

    manifest = Manifest(
        maker="EPICS motor module",
        model="motor record",
        wires=("ca",),
        manual="EPICS motor module, docs/motorRecord.html (github.com/epics-modules/motor)",
        if_host_dies="Finishes its move and holds its position; the record goes on without a client.",
        unverified=(
            "No motor record was at hand. From memory: that equal HLM and LLM mean no limits, that a refused VAL is "
            "put back, and that DMOV is 0 by the time a write of VAL is processed. What homing does at the switch "
            "depends on the controller."
        ),
        simulator="epics-motor",
    )

    def __init__(self, link: Channels, clock: Clock, *, name: str = "motor") -> None:
        self.name = name
        self._link = link
        self._clock = clock

    async def connect(self) -> Identity:
        """Open the channels and identify the record."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the channels; safe to call twice."""
        await self._link.close()

    @command(Effect.READ, timeout_s=15.0)
    async def identify(self) -> Identity:
        """Read the device support, the description, the record's name and the version of the record."""
        return Identity(
            maker=await read_text(self._link, "DTYP", timeout_s=FIND_S),
            model=await read_text(self._link, "DESC"),
            serial=await read_text(self._link, "NAME"),
            firmware=f"{await read_number(self._link, 'VERS'):g}",
        )

    @command(Effect.READ, timeout_s=10.0)
    async def locate(self) -> AxisPosition:
        """Read the position."""
        status = await self._status(Effect.READ)
        return AxisPosition(position=status.position_mm, target=status.target_mm, is_moving=status.is_moving)

    @command(
        Effect.VERIFIABLE,
        verify="is_at",
        timeout_s=2 * MOVE_S,
        late_max_s=LATE_MAX_S,
        example={"position_mm": 5.0},
    )
    async def move(self, *, position_mm: Position) -> None:
        """Move and wait until there; a move to the same place that is under way is joined.

        Raises:
            OutOfLimits: Outside the record's soft limits; nothing was written.
            Rejected: The record is paused, refused, or is on its way elsewhere; this move did not begin.
            DeviceFault: The motor was stopped on its way, or does not get there.
        """
        status = await self._status(Effect.READ)
        deadband_mm = await self._deadband()
        if status.is_moving and abs(status.target_mm - position_mm) > SAME_MM:
            raise Rejected(f"the motor is on its way to {status.target_mm:g} mm; wait for it, or stop it")
        speed_mm_s = await read_number(self._link, "VELO")
        if not status.is_moving:
            if _is_there(status, position_mm, deadband_mm):
                return
            await self._check(position_mm, status, speed_mm_s)
            await self._link.put("VAL", float(position_mm), effect=Effect.VERIFIABLE, late_max_s=LATE_MAX_S)
            status = await self._begun(position_mm)
        status = await self._still(status, position_mm, speed_mm_s, Effect.VERIFIABLE)
        _refuse_missed(status, position_mm, deadband_mm)

    @command(Effect.READ, timeout_s=2 * MOVE_S, example={"position_mm": 5.0})
    async def is_at(self, *, position_mm: Position) -> bool:
        """Say whether the motor stands at a place, once a move to that place that is under way is over."""
        status = await self._status(Effect.READ)
        deadband_mm = await self._deadband()
        if status.is_moving and abs(status.target_mm - position_mm) <= SAME_MM:
            speed_mm_s = await read_number(self._link, "VELO")
            status = await self._still(status, position_mm, speed_mm_s, Effect.READ)
        return not status.is_moving and _is_there(status, position_mm, deadband_mm)

    @command(Effect.IDEMPOTENT, timeout_s=2 * MOVE_S, late_max_s=LATE_MAX_S)
    async def home(self) -> None:
        """Drive forward to the home switch and wait until there; homing that is under way is joined.

        Raises:
            Rejected: The record is paused, or the motor is on its way elsewhere; homing did not begin.
            DeviceFault: The motor was stopped, or did not find its switch.
        """
        status = await self._status(Effect.READ)
        is_homing = bool(await read_whole(self._link, "HOMF"))
        if status.is_moving and not is_homing:
            raise Rejected(f"the motor is on its way to {status.target_mm:g} mm; wait for it, or stop it")
        if not is_homing:
            await self._refuse_paused()
            _refuse_faults(status)
            await self._link.put("HOMF", 1, effect=Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
        await self._rest(Effect.IDEMPOTENT, MOVE_S)
        flags = await read_whole(self._link, "MSTA", Effect.IDEMPOTENT)
        if not flags & AT_HOME:
            raise DeviceFault("the motor stands still and is not at its home switch", code="not homed")

    @command(Effect.IDEMPOTENT, timeout_s=2 * STOP_S, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Brake, and wait until the motor stands still."""
        await self._link.put("STOP", 1, effect=Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
        await self._rest(Effect.IDEMPOTENT, STOP_S)

    @command(
        Effect.VERIFIABLE,
        verify="has_speed",
        timeout_s=10.0,
        late_max_s=LATE_MAX_S,
        example={"speed_mm_s": 8.0},
    )
    async def set_speed(self, *, speed_mm_s: Speed) -> None:
        """Set the speed of moves that begin from now on."""
        await check_unit(self._link, "EGU", UNIT)
        await self._link.put("VELO", float(speed_mm_s), effect=Effect.VERIFIABLE, late_max_s=LATE_MAX_S)
        found = await self._speed(Effect.VERIFIABLE)
        if abs(found - speed_mm_s) > SAME_MM:
            raise self._link.distrust(f"the speed is {found:g} and not {speed_mm_s:g} mm/s", effect=Effect.VERIFIABLE)

    @command(Effect.READ, timeout_s=10.0, example={"speed_mm_s": 8.0})
    async def has_speed(self, *, speed_mm_s: Speed) -> bool:
        """Say whether this is the speed."""
        return abs(await self._speed(Effect.READ) - speed_mm_s) <= SAME_MM

    async def _speed(self, effect: Effect) -> float:
        speed = await read_number(self._link, "VELO", effect)
        await check_unit(self._link, "EGU", UNIT, effect)
        return speed

    async def _check(self, position_mm: float, status: _Status, speed_mm_s: float) -> None:
        """Refuse, before anything is written, what the record would refuse or never finish."""
        _refuse_faults(status)
        await self._refuse_paused()
        low, high = await read_number(self._link, "LLM"), await read_number(self._link, "HLM")
        await check_unit(self._link, "EGU", UNIT)
        if low < high and not low <= position_mm <= high:
            problem = f"{position_mm:g} mm is outside the record's soft limits [{low:g}, {high:g}] mm"
            raise OutOfLimits(f"{problem}; nothing was sent", value=position_mm, low=low, high=high, unit=UNIT)
        if speed_mm_s <= 0.0 or abs(position_mm - status.position_mm) / speed_mm_s > MOVE_S - SPARE_S:
            raise Rejected(f"at {speed_mm_s:g} mm/s the way to {position_mm:g} mm takes longer than {MOVE_S:g} s")

    async def _refuse_paused(self) -> None:
        mode = await read_whole(self._link, "SPMG")
        if mode in PAUSED:
            raise Rejected(f"somebody set the motor to {PAUSED[mode]!r} (SPMG); set it to 'Go' where that was done")

    async def _begun(self, position_mm: float) -> _Status:
        """Return the status after VAL was written, or say why the record did not take it."""
        refused = await read_whole(self._link, "LVIO", Effect.VERIFIABLE)
        status = await self._status(Effect.VERIFIABLE)
        if refused and not status.is_moving:
            raise Rejected(f"the record refused {position_mm:g} mm: outside its limits, with backlash (LVIO)")
        return status

    async def _still(self, status: _Status, position_mm: float, speed_mm_s: float, effect: Effect) -> _Status:
        """Wait until the motor stands still."""

        async def poll() -> float:
            nonlocal status
            status = await self._status(effect)
            return min(POLL_S, _remaining_s(status, position_mm, speed_mm_s))

        whole_s = _remaining_s(status, position_mm, speed_mm_s)
        if not await wait_until_done(self._clock, min(POLL_S, whole_s), poll, at_most_s=whole_s + SPARE_S):
            raise untrusted(f"the motor still moves, {SPARE_S:g} s after it should have been there", effect=effect)
        return status

    async def _rest(self, effect: Effect, at_most_s: float) -> None:
        """Wait until the motor stands still, wherever; asks nothing else, so that a stop needs nothing else."""

        async def poll() -> float:
            return 0.0 if await read_whole(self._link, "DMOV", effect) else SHORT_S

        if not await wait_until_done(self._clock, await poll(), poll, at_most_s=at_most_s):
            raise untrusted(f"the motor still moves after {at_most_s:g} s", effect=effect)

    async def _status(self, effect: Effect) -> _Status:
        """Read a status that holds together: fields are read one by one, and a move may begin or end meanwhile."""
        before: _Status | None = None
        for _ in range(SNAPSHOTS):
            status, has_begun = await self._snapshot(effect)
            if status.is_moving or (not has_begun and (_agrees(status) or status == before)):
                return status
            before = status
        raise self._link.distrust("the motor's status changes again and again", effect=effect)

    async def _snapshot(self, effect: Effect) -> tuple[_Status, bool]:
        """Return a status, and whether another move has begun by its end."""
        # DMOV first: if the move was over then, RBV is where it ended
        is_moving = not await read_whole(self._link, "DMOV", effect)
        position_mm = await read_number(self._link, "RBV", effect)
        target_mm = await read_number(self._link, "VAL", effect)
        flags = await read_whole(self._link, "MSTA", effect)
        has_begun = not await read_whole(self._link, "DMOV", effect)
        await check_unit(self._link, "EGU", UNIT, effect)
        status = _Status(position_mm=position_mm, target_mm=target_mm, is_moving=is_moving, flags=flags)
        return status, has_begun

    async def _deadband(self) -> float:
        """Return how far RBV may be off the target, as the record judges it: never finer than a step."""
        return max(await read_number(self._link, "RDBD"), await read_number(self._link, "MRES"), SAME_MM)


def _remaining_s(status: _Status, position_mm: float, speed_mm_s: float) -> float:
    if not status.is_moving:
        return 0.0
    return max(SHORT_S, abs(position_mm - status.position_mm) / max(speed_mm_s, 1e-3))


def _agrees(status: _Status) -> bool:
    return abs(status.position_mm - status.target_mm) <= SAME_MM


def _is_there(status: _Status, position_mm: float, deadband_mm: float) -> bool:
    # VAL too: a motor that was stopped near the target forgot it, and one that was redirected has another
    return abs(status.position_mm - position_mm) <= deadband_mm and abs(status.target_mm - position_mm) <= deadband_mm


def _refuse_faults(status: _Status) -> None:
    for bit, problem in _FAULTS.items():
        if status.flags & bit:
            raise DeviceFault(f"the motor reports: {problem}; look at it", code=problem, needs_operator=True)


def _refuse_missed(status: _Status, position_mm: float, deadband_mm: float) -> None:
    """Say why a motor that stands still is not where it should be."""
    _refuse_faults(status)
    if _is_there(status, position_mm, deadband_mm):
        return
    where = f"at {status.position_mm:g} mm on its way to {position_mm:g} mm"
    for bit, switch in ((PLUS_SWITCH, "plus"), (MINUS_SWITCH, "minus")):
        if status.flags & bit:
            problem = f"the motor ran into its {switch} limit switch {where}; find out why before it moves again"
            raise DeviceFault(problem, code="limit switch", needs_operator=True)
    if abs(status.target_mm - position_mm) > deadband_mm:
        raise DeviceFault(f"the motor was stopped or sent elsewhere {where}", code="stopped")
    raise DeviceFault(f"the motor stands still {where} and ran out of retries", code="missed")
