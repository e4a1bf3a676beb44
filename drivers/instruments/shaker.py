r"""An orbital shaker that speaks NAMUR commands over a serial line, as IKA's KS 4000 i control does.

    START_4 \r\nSTATUS \r\n         ->  S1\r\n         the motor runs
    OUT_WD1@90 \r\n                 ->  90\r\n         stops it if this is not sent again within 90 s

The shaker knows no tags and no durations. The driver writes a mark of the run where the shaker keeps its name (ten
characters that anybody may set), so that a run is not made twice: not after a lost reply, and not by the controller's
successor after a crash. The watchdog is set to what is left of the run, and ends it in time if there is no successor.
"""

from __future__ import annotations

import math
import re
from typing import Annotated

from drivers.capabilities import Identity
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, DriverError, Rejected
from drivers.instruments.namur import LATE_MAX_S, NamurPort
from drivers.instruments.shaker_mark import OVER, PLANNED, RUNNING, RunMark
from drivers.instruments.waiting import wait_until_done
from drivers.instruments.wire import agreed, checked_tag
from drivers.links.base import Link, untrusted
from drivers.manifest import Manifest

SHORTEST_S, LONGEST_WATCHDOG_S = 20, 1500
"""What the watchdog can be set to."""
SPARE_S = 2
"""The watchdog is set to so much more than what is left, so that it does not end a run before its controller does."""
FEED_S = 5.0
"""How often the watchdog is fed."""
HOLD_S = 600
"""How long `switch_on` holds without being repeated."""
LONGEST_S = 21_600.0
RAMP_S = 12.0
"""The full speed is reached by then."""
STILL_S = 3.0
"""Bench and vessels tremble so long after the motor has stopped."""
COAST_S = 15.0
SHORTFALL = 0.1
"""Of the set speed; a shaker that is slower is overloaded."""

SHAKING, COMMUNICATION, OVERLOAD = "S1", "-2", "-4"

Duration = Annotated[float, Quantity("s", 1.0, LONGEST_S)]
Frequency = Annotated[float, Quantity("Hz", 0.17, 8.33)]

_RUN = {"duration_s": 20.0, "frequency_hz": 5.0}
_FAULTS = {
    COMMUNICATION: ("its watchdog stopped it, since nobody spoke to it", False),
    "-3": ("it is too hot", True),
    OVERLOAD: ("its motor is overloaded or the platform is jammed", True),
}


class ShakerDriver:
    """Driver of the KS 4000 i control. Satisfies `Mill` and `Switchable`. Speeds are whole turns a minute."""

    manifest = Manifest(
        maker="IKA",
        model="KS 4000 i control",
        wires=("serial", "rfc2217", "tcp"),
        manual="IKA, Operating instructions KS 4000 i control, KS 4000 ic control (KS 4000 i 1011), pages 26 and 27",
        if_host_dies="Shakes to the end of the run, 1500 s at most (600 s from switch_on); its watchdog stops it.",
        unverified="STATUS and its letters are IKA's for the LR 1000; that a value is answered with its channel, "
        "that OUT_WD2@0 ends WD1 too, and that the name outlives a power cut, no manual says",
        simulator="shaker",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "shaker") -> None:
        self.name = name
        self._link = link
        self._port = NamurPort(link)
        self._clock = clock
        self._began_s: dict[str, float] = {}
        """When runs that this driver started began, by digest; the mark knows it to a second only."""

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read model and software; the shaker has no serial number to tell."""
        said, again = [
            [await self._port.ask(request, effect=Effect.READ) for request in ("IN_TYPE", "IN_SOFTWARE")]
            for _ in range(2)
        ]
        if said != again:  # lines carry no checksum: a name is believed when it is said twice
            raise self._link.distrust(f"it says {said}, then {again}", effect=Effect.READ)
        model, firmware = said
        if not re.fullmatch(r"[A-Z]{2} ?\d{3,4}[A-Za-z ]*", model) or not re.fullmatch(r"[\w ./:-]+", firmware):
            raise self._link.distrust(f"{model!r}, {firmware!r} is no identity", effect=Effect.READ)
        return Identity(maker="IKA", model=model, serial="", firmware=firmware)

    @command(Effect.VERIFIABLE, verify="has_run", timeout_s=2 * LONGEST_S, late_max_s=LATE_MAX_S, example=_RUN)
    async def run(self, *, duration_s: Duration, frequency_hz: Frequency, tag: str) -> None:
        """Shake for a time, stop, and wait until all is still; a run of this tag is never made twice.

        A run of this tag that is under way is joined and ended in time, also one that another controller began.

        Raises:
            Rejected: It shakes for somebody else, or does not start (hood open); this run did not begin.
            DeviceFault: The run ended early, or the shaker is overloaded.
        """
        wanted = RunMark.of(checked_tag(tag), PLANNED, self._utc_s())
        mark, is_shaking = await self._where()
        rpm = _rpm(frequency_hz)
        if mark is None or mark.digest != wanted.digest or self._never_started(mark, is_shaking):
            mark = await self._begin(wanted, rpm, duration_s, is_shaking)
        elif not is_shaking:
            if mark.stage == OVER:
                return
            if not await self._was_ended_in_time(mark, duration_s):
                raise self._ended_early(tag)
        if mark.stage == PLANNED:
            mark = await self._write_mark(mark.at(RUNNING))
        if mark.stage == RUNNING:
            await self._shake(mark, duration_s, rpm, tag)
        await self._end(mark.at(OVER))

    @command(Effect.READ, example=_RUN)
    async def has_run(self, *, duration_s: Duration, frequency_hz: Frequency, tag: str) -> bool:
        """Say whether the last run has this tag, lasted its whole time, and is over."""
        digest = RunMark.of(checked_tag(tag), OVER, 0.0).digest
        mark, is_shaking = await self._where()
        return mark is not None and (mark.digest, mark.stage) == (digest, OVER) and not is_shaking

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S, example={"frequency_hz": 2.0})
    async def set_frequency(self, *, frequency_hz: Frequency) -> None:
        """Set the speed for `switch_on`, or change it while it shakes."""
        await self._set_speed(_rpm(frequency_hz), Effect.IDEMPOTENT)

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S, after=("set_frequency",))
    async def switch_on(self) -> None:
        """Start shaking at the set speed; it stops by itself after 10 minutes unless this is repeated.

        Raises:
            Rejected: It does not start (hood open).
            DeviceFault: It reports a fault.
        """
        await self._clear(Effect.IDEMPOTENT)
        await self._feed(HOLD_S, Effect.IDEMPOTENT)
        await self._start(Effect.IDEMPOTENT)

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def switch_off(self) -> None:
        """Stop shaking."""
        await self._stop(Effect.IDEMPOTENT)

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Stop the motor."""
        await self._stop(Effect.IDEMPOTENT, urgent=True)

    @command(Effect.READ)
    async def is_on(self) -> bool:
        """Read whether the motor is switched on, from here or at the shaker."""
        return await agreed(self._is_on, lambda why: self._link.distrust(why, effect=Effect.READ))

    async def _is_on(self) -> bool:
        status = await self._port.status(effect=Effect.READ)
        if status != "S0":
            return status == SHAKING
        return await self._port.value("IN_PV_4", channel=4, effect=Effect.READ) > 0.0

    @command(Effect.READ)
    async def read_frequency(self) -> Annotated[float, Quantity("Hz", 0.0, 12.0, tolerance=0.1)]:
        """Read how fast it shakes."""
        return await self._port.value("IN_PV_4", channel=4, effect=Effect.READ) / 60.0

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def reset(self) -> None:
        """Stop, clear an error message, and leave remote operation."""
        if await self._port.status("RESET", effect=Effect.IDEMPOTENT) == SHAKING:
            raise self._link.distrust("it shakes on after RESET", effect=Effect.IDEMPOTENT)

    async def _where(self) -> tuple[RunMark | None, bool]:
        """Return the mark of the last run, and whether the motor runs."""
        return RunMark.read(await self._port.ask("IN_NAME", effect=Effect.READ)), await self._is_shaking(Effect.READ)

    def _never_started(self, mark: RunMark, is_shaking: bool) -> bool:
        # so soon after it was planned, no watchdog can have ended what does not shake
        return mark.stage == PLANNED and not is_shaking and mark.age_s(self._utc_s()) < SHORTEST_S

    async def _was_ended_in_time(self, mark: RunMark, duration_s: float) -> bool:
        """Say whether the watchdog, and nobody else, ended a run whose time had passed.

        It was set to what was left; only of a longer run can less have been left to it than to the run.
        """
        if mark.stage != RUNNING or duration_s + SPARE_S > LONGEST_WATCHDOG_S:
            return False
        is_over = mark.age_s(self._utc_s()) >= duration_s
        return is_over and await self._port.status(effect=Effect.READ) == COMMUNICATION

    async def _begin(self, mark: RunMark, rpm: int, duration_s: float, is_shaking: bool) -> RunMark:
        if is_shaking:
            raise Rejected("it shakes for somebody else; wait for it, or stop it")
        await self._clear(Effect.VERIFIABLE)
        await self._write_mark(mark)
        await self._set_speed(rpm, Effect.VERIFIABLE)
        await self._feed(_watchdog_s(duration_s), Effect.VERIFIABLE)
        self._began_s[mark.digest] = self._clock.now_s()
        # with the start, since a controller that dies between them would leave a run of which nobody knows
        await self._start(Effect.VERIFIABLE, f"OUT_NAME {mark.at(RUNNING)}", otherwise=f"OUT_NAME {mark}")
        return mark

    async def _clear(self, effect: Effect) -> None:
        """Clear what the watchdog has left, of a run whose end was lost, say; any other fault is for a person."""
        status = await self._port.status(effect=Effect.READ)
        if status == COMMUNICATION:
            status = await self._port.status("RESET", effect=effect)
        _refuse_fault(status)

    async def _start(self, effect: Effect, *more: str, otherwise: str = "") -> None:
        status = await self._port.status("START_4", *more, effect=effect)
        if status != SHAKING and not await self._is_shaking(effect):
            await self._disarm(effect)
            if otherwise:
                await self._port.status(otherwise, effect=effect)
            _refuse_fault(status)
            raise Rejected("it does not start; is the hood open?")

    async def _shake(self, mark: RunMark, duration_s: float, rpm: int, tag: str) -> None:
        age_s = mark.age_s(self._utc_s())
        began_s = self._began_s.get(mark.digest, self._clock.now_s() - age_s)

        async def poll() -> float:
            if not await self._is_shaking(Effect.VERIFIABLE):
                if await self._was_ended_in_time(mark, duration_s):
                    return 0.0
                await self._disarm(Effect.VERIFIABLE)
                raise self._ended_early(tag)
            await self._feed(_watchdog_s(began_s + duration_s - self._clock.now_s()), Effect.VERIFIABLE)
            if self._clock.now_s() - began_s > RAMP_S:
                await self._keep_up(rpm)
            return min(FEED_S, began_s + duration_s - self._clock.now_s())

        if not await wait_until_done(self._clock, await poll(), poll, at_most_s=duration_s + FEED_S):
            raise untrusted("the run does not end", effect=Effect.VERIFIABLE)

    async def _keep_up(self, rpm: int) -> None:
        if await self._is_near(rpm) or await self._is_near(rpm):  # one reading may be damaged
            return
        await self._stop(Effect.VERIFIABLE)
        problem = f"it does not shake at {rpm} turns a minute, and was stopped; is it overloaded?"
        raise DeviceFault(problem, code="speed", needs_operator=True)

    async def _is_near(self, rpm: int) -> bool:
        speed = await self._port.value("IN_PV_4", channel=4, effect=Effect.VERIFIABLE)
        return abs(speed - rpm) <= SHORTFALL * rpm + 1.0

    async def _end(self, mark: RunMark) -> None:
        await self._write_mark(mark, "STOP_4")
        if await self._is_shaking(Effect.VERIFIABLE):
            raise self._link.distrust("it shakes on after STOP_4", effect=Effect.VERIFIABLE)
        await self._disarm(Effect.VERIFIABLE)
        still_s = self._clock.now_s() + STILL_S

        async def poll() -> float:
            speed = await self._port.value("IN_PV_4", channel=4, effect=Effect.VERIFIABLE)
            return 0.1 if speed else still_s - self._clock.now_s()

        if not await wait_until_done(self._clock, STILL_S, poll, at_most_s=COAST_S):
            raise DeviceFault("it does not come to rest", code="coasting", needs_operator=True)
        self._began_s.pop(mark.digest, None)

    async def _stop(self, effect: Effect, *, urgent: bool = False) -> None:
        status = await self._port.status("STOP_4", effect=effect, urgent=urgent)
        if status == SHAKING:
            raise self._link.distrust("it shakes on after STOP_4", effect=effect)
        await self._disarm(effect)

    async def _write_mark(self, mark: RunMark, *more: str) -> RunMark:
        found = await self._port.ask(f"OUT_NAME {mark}", *more, "IN_NAME", effect=Effect.VERIFIABLE)
        if found != str(mark):
            raise self._link.distrust(f"the name is {found!r} and not {mark}", effect=Effect.VERIFIABLE)
        return mark

    async def _set_speed(self, rpm: int, effect: Effect) -> None:
        speed = await self._port.value(f"OUT_SP_4 {rpm}", "IN_SP_4", channel=4, effect=effect)
        if speed != rpm:
            raise self._link.distrust(f"the set speed is {speed:g} and not {rpm}", effect=effect)

    async def _feed(self, watchdog_s: int, effect: Effect) -> None:
        await self._port.echoed(f"OUT_WD1@{watchdog_s}", watchdog_s, effect=effect)

    async def _disarm(self, effect: Effect) -> None:
        await self._port.echoed("OUT_WD2@0", 0, effect=effect)

    async def _is_shaking(self, effect: Effect) -> bool:
        # lines carry no checksum: that the motor stands still is believed when it is said twice
        return await self._port.status(effect=effect) == SHAKING or await self._port.status(effect=effect) == SHAKING

    def _utc_s(self) -> float:
        return self._clock.utc().timestamp()

    def _ended_early(self, tag: str) -> DriverError:
        problem = f"run {tag!r} ended early, by stop(), at the shaker, or by its watchdog; how far it came is not known"
        return DeviceFault(problem, code="ended early", needs_operator=True)


def _watchdog_s(left_s: float) -> int:
    return min(max(math.ceil(left_s) + SPARE_S, SHORTEST_S), LONGEST_WATCHDOG_S)


def _rpm(frequency_hz: float) -> int:
    return round(60.0 * frequency_hz)


def _refuse_fault(status: str) -> None:
    if status.startswith("-"):
        problem, needs_operator = _FAULTS.get(status, ("look it up in its manual", True))
        raise DeviceFault(f"the shaker reports {status}: {problem}", code=status, needs_operator=needs_operator)
