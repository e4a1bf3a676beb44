r"""A robot arm behind a UR dashboard: loads and plays the programs that are taught at the robot, one for each way.

    move_POSITION.urp, transfer_SOURCE_DESTINATION.urp

A dashboard tells whether a program runs and not what it did. What it did is read through a relay beside the robot, in
lines of our own (``labpilot result t7*..``) that a relay answers and all others pass through to the dashboard;
docs/instruments/robot_arm.md has the lines, and the URScript that reports to the relay. A transfer is ordered under a
tag, and a tag that is done is never played again.
"""

from __future__ import annotations

import re
from typing import Annotated

from drivers.capabilities import Identity
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, Rejected
from drivers.instruments.dashboard import ArmPosition, ArmState, Dashboard, Result
from drivers.instruments.waiting import wait_until_done
from drivers.instruments.wire import checked_tag
from drivers.links.base import Link, untrusted
from drivers.links.framing import Line
from drivers.manifest import Manifest

LATE_MAX_S = 1.0
POLL_S = 0.25
LOOK_S = 5.0
"""A program that runs is looked at at least this often, however long it took the last time."""
POWER_S = 60.0
MOVE_S = 120.0
TRANSFER_S = 600.0

Fraction = Annotated[float, Quantity("1", 0.05, 1.0)]

_TO = {"position": "A1"}
_WAY = {"source": "A1", "destination": "furnace"}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
_ABSENT = ("NO_CONTROLLER", "DISCONNECTED", "CONFIRM_SAFETY", "BACKDRIVE")
_MAY_MOVE = ("NORMAL", "REDUCED")


class RobotArmDriver:
    """Driver of a UR e-Series arm. Satisfies `Movable`, `Homeable`, `SampleTransfer` and `Stoppable`."""

    manifest = Manifest(
        maker="Universal Robots",
        model="UR e-Series",
        wires=("tcp",),
        manual="Dashboard Server e-Series, port 29999 (Universal Robots, DashboardServer_e-Series_2022.pdf)",
        if_host_dies="Finishes the program that runs, and holds its position and what it grips.",
        unverified=(
            "The lines that begin with 'labpilot' are our own: a relay beside the robot must answer them, and the "
            "programs must report to it. What a controller does with a program that a protective stop has paused, and "
            "the text after 'STOPPED' with no program loaded, are from memory."
        ),
        simulator="robot-arm",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "arm") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._wire = Dashboard(link)
        self._took_s: dict[str, float] = {}
        """How long each program took the last time."""
        link.greeting = Line()

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
        model, serial, firmware = await self._wire.identity()
        return Identity(maker="Universal Robots", model=model, serial=serial, firmware=firmware)

    @command(Effect.READ)
    async def state(self) -> ArmState:
        """Read the robot's mode, its safety status and its program."""
        program_state, program = await self._wire.program(Effect.READ)
        return ArmState(
            mode=await self._wire.mode(Effect.READ),
            safety=await self._wire.safety(Effect.READ),
            program=program,
            program_state=program_state,
            is_remote=await self._wire.is_remote(Effect.READ),
        )

    @command(Effect.READ)
    async def locate(self) -> ArmPosition:
        """Read the taught position that the arm stands at."""
        is_moving = await self._wire.is_running(Effect.READ)
        status = await self._wire.status(Effect.READ)
        return ArmPosition(position="" if is_moving else status.at, is_moving=is_moving, programs=status.seq)

    @command(Effect.READ)
    async def is_holding(self) -> bool | None:
        """Say whether something is in the gripper; None while the gripper moves."""
        grip = (await self._wire.status(Effect.READ)).gripper
        return None if grip == "moving" else grip == "holding"

    @command(Effect.IDEMPOTENT, timeout_s=2 * POWER_S, late_max_s=LATE_MAX_S)
    async def power_on(self) -> None:
        """Power the arm, release its brakes, and wait until it can move.

        Raises:
            Rejected: The pendant is in local control.
            DeviceFault: The controller has no arm, or waits for a person.
        """
        effect = Effect.IDEMPOTENT
        if await self._mode(effect) == "POWER_OFF":
            await self._wire.act("power on", "Powering on", effect)
        await self._until_mode(("IDLE", "RUNNING"), effect)
        if await self._mode(effect) == "IDLE":
            await self._wire.act("brake release", "Brake releasing", effect)
        await self._until_mode(("RUNNING",), effect)

    @command(
        Effect.VERIFIABLE,
        verify="is_at",
        timeout_s=2 * MOVE_S,
        late_max_s=LATE_MAX_S,
        example=_TO,
        after=("power_on",),
    )
    async def move(self, *, position: str) -> None:
        """Move to a taught position and wait until there; a move to the same place that is under way is joined.

        Raises:
            Rejected: There is no such program, or the arm is not ready; it did not move.
            DeviceFault: The arm was stopped on its way, or stopped itself.
        """
        await self._go(_named(position), Effect.VERIFIABLE)

    @command(Effect.READ, timeout_s=MOVE_S, example=_TO)
    async def is_at(self, *, position: str) -> bool:
        """Say whether the arm stands at a taught position, once a move there that is under way is over."""
        state, program = await self._wire.program(Effect.READ)
        if state == "PLAYING":
            if program != _move(_named(position)):
                return False
            await self._until_idle(program, MOVE_S, Effect.READ)
        return (await self._wire.status(Effect.READ)).at == position

    @command(Effect.IDEMPOTENT, timeout_s=2 * MOVE_S, late_max_s=LATE_MAX_S, after=("power_on",))
    async def home(self) -> None:
        """Move to the home position and wait until there."""
        await self._go("home", Effect.IDEMPOTENT)

    @command(
        Effect.VERIFIABLE,
        verify="has_transferred",
        timeout_s=2 * TRANSFER_S,
        late_max_s=LATE_MAX_S,
        example=_WAY,
        after=("power_on",),
    )
    async def transfer(self, *, source: str, destination: str, tag: str) -> None:
        """Pick a sample up at one place, put it down at another, and wait; never twice under one tag.

        A transfer of this tag that a stop has paused, and that may go on again, goes on from where it stands.

        Raises:
            Rejected: There is no such program, the arm is not ready, nothing lies at the source, or the destination is
                taken; nothing was moved.
            DeviceFault: The sample was not gripped or was lost, or the arm stopped; somebody must look.
        """
        effect, program = Effect.VERIFIABLE, _transfer(source, destination)
        result = await self._result(tag, program, Effect.READ)
        if result.word == "paused":
            await self._check_ready(program)
            await self._wire.act("play", "Starting program", effect)
        elif result.word not in ("done", "running"):
            await self._load(program, effect)
            await self._wire.order(tag, program, effect)
            await self._wire.act("play", "Starting program", effect)
        if result.word != "done":
            await self._until_idle(program, TRANSFER_S, effect)
            await self._check_done(await self._result(tag, program, effect), effect)

    @command(Effect.READ, timeout_s=TRANSFER_S, example=_WAY)
    async def has_transferred(self, *, source: str, destination: str, tag: str) -> bool:
        """Say whether the transfer of this tag is done, once it is over."""
        program = _transfer(source, destination)
        result = await self._result(tag, program, Effect.READ)
        if result.word == "running":
            await self._until_idle(program, TRANSFER_S, Effect.READ)
            result = await self._result(tag, program, Effect.READ)
        return result.word == "done"

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S, example={"fraction": 0.5})
    async def set_speed(self, *, fraction: Fraction) -> None:
        """Set the speed slider, from the next program on."""
        await self._wire.set_speed(fraction, Effect.IDEMPOTENT)

    @command(Effect.READ)
    async def speed(self) -> Annotated[float, Quantity("1", 0.01, 1.0, tolerance=1e-4)]:
        """Read the speed slider, as a fraction."""
        return (await self._wire.status(Effect.READ)).speed

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """End the program that runs: the arm brakes where it is and keeps its grip."""
        await self._wire.stop()

    @command(Effect.VERIFIABLE, verify="is_unlocked", timeout_s=30.0, late_max_s=LATE_MAX_S)
    async def unlock_protective_stop(self) -> None:
        """Release a protective stop, for a person who has looked at its cause; nothing happens if there is none.

        Raises:
            Rejected: The stop is less than 5 s old, or the pendant is in local control.
            DeviceFault: The robot has stopped for another reason.
        """
        effect = Effect.VERIFIABLE
        if await self._wire.safety(Effect.READ) == "PROTECTIVE_STOP":
            await self._wire.act("unlock protective stop", "Protective stop releasing", effect)
        await self._check_safety(effect)

    @command(Effect.READ)
    async def is_unlocked(self) -> bool:
        """Say whether no protective stop is in force."""
        return await self._wire.safety(Effect.READ) != "PROTECTIVE_STOP"

    async def _go(self, position: str, effect: Effect) -> None:
        state, program = await self._wire.program(Effect.READ)
        if state != "PLAYING" or program != _move(position):
            await self._load(_move(position), effect)
            await self._wire.act("play", "Starting program", effect)
        await self._until_idle(_move(position), MOVE_S, effect)
        await self._check_safety(effect)
        at = (await self._wire.status(effect)).at
        if at != position:
            where = f"at {at!r}" if at else "between two positions"
            raise DeviceFault(f"the arm was stopped {where} on its way to {position!r}", code="stopped")

    async def _load(self, program: str, effect: Effect) -> None:
        """Load a program that the arm is ready for.

        Raises:
            Rejected: The arm is off or busy, or has no such program.
        """
        await self._check_ready(program)
        await self._wire.load(program, effect)

    async def _check_ready(self, program: str) -> None:
        if await self._wire.is_running(Effect.READ):
            raise Rejected(f"the arm runs another program; {program} was not started")
        mode = await self._mode(Effect.READ)
        if mode != "RUNNING":
            raise Rejected(f"the arm is {mode} and cannot move; call power_on() first")
        await self._check_safety(Effect.READ)

    async def _mode(self, effect: Effect) -> str:
        mode = await self._wire.mode(effect)
        if mode in _ABSENT:
            raise DeviceFault(f"the controller says {mode}; look at the pendant", code=mode, needs_operator=True)
        return mode

    async def _check_safety(self, effect: Effect) -> None:
        safety = await self._wire.safety(effect)
        if safety not in _MAY_MOVE:
            raise DeviceFault(
                f"the arm has stopped itself ({safety}); find the cause before you release it",
                code=safety,
                needs_operator=True,
            )

    async def _check_done(self, result: Result, effect: Effect) -> None:
        if result.word == "done":
            return
        if result.word.startswith("refused:"):
            raise Rejected(f"the program refused: {result.why}; nothing was moved")
        await self._check_safety(effect)
        grip = (await self._wire.status(effect)).gripper
        raise DeviceFault(
            f"{result.program} ended {result.word!r} with the gripper {grip}; see where the sample is",
            code=result.why or result.word,
            needs_operator=True,
        )

    async def _result(self, tag: str, program: str, effect: Effect) -> Result:
        result = await self._wire.result(checked_tag(tag), effect)
        if result.word != "unknown" and result.program != program:
            raise Rejected(f"tag {tag!r} was used for {result.program}; nothing was started")
        return result

    async def _until_idle(self, program: str, at_most_s: float, effect: Effect) -> None:
        """Wait for the end of a program; the time that it took before tells when to look closely."""
        began_s = self._clock.now_s()
        due_s = began_s + self._took_s.get(program, 0.0)

        async def poll() -> float:
            if not await self._wire.is_running(effect):
                return 0.0
            return min(max(POLL_S, due_s - self._clock.now_s()), LOOK_S)

        if not await wait_until_done(self._clock, await poll(), poll, at_most_s=at_most_s):
            raise untrusted(f"the program still runs after {at_most_s:g} s", effect=effect)
        took_s = self._clock.now_s() - began_s
        self._took_s[program] = took_s - POLL_S if took_s > POLL_S else 0.0

    async def _until_mode(self, wanted: tuple[str, ...], effect: Effect) -> None:
        async def poll() -> float:
            return 0.0 if await self._mode(effect) in wanted else POLL_S

        if not await wait_until_done(self._clock, await poll(), poll, at_most_s=POWER_S):
            raise untrusted(f"the arm is not {' or '.join(wanted)} after {POWER_S:g} s", effect=effect)


def _named(position: str) -> str:
    if not _NAME.fullmatch(position):
        raise Rejected(f"{position!r} is no position: letters, digits and '-', at most 40; nothing was sent")
    return position


def _move(position: str) -> str:
    return f"move_{position}.urp"


def _transfer(source: str, destination: str) -> str:
    if source == destination:
        raise Rejected(f"{source!r} is source and destination; nothing was sent")
    return f"transfer_{_named(source)}_{_named(destination)}.urp"
