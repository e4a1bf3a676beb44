"""The guard itself: watches readings, answers checks, latches trips, makes devices safe.

It knows nothing of processes, sockets or databases. In virtual time it is a task beside the campaign and shares the
laboratory's drivers; in wall time `orchestrator.guard.process` runs it, with drivers of its own.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from drivers.clock import Clock
from orchestrator.guard.allowing import Allowing
from orchestrator.guard.answers import Answer, Event, StopReport, Why
from orchestrator.guard.board import STOP_ALL, TripBoard
from orchestrator.guard.controller import ControllerWatch
from orchestrator.guard.making_safe import MakingSafe, Reached, Reconnect
from orchestrator.guard.readings import Readings
from orchestrator.guard.rules import Rules, SafetyRule
from orchestrator.guard.trips import Impossible
from orchestrator.guard.watching import Watching

log = logging.getLogger(__name__)

KEPT_EVENTS = 1000


class Refused(ValueError):
    """What a person asked of the guard cannot be; the message says why."""


@dataclass(slots=True)
class Guard:
    """One guard of one laboratory.

    Args:
        rules: What it goes by.
        drivers: The devices that it reaches, by name.
        clock: The time.
        reconnect: Opens a device's link, at first and after it was lost; None where somebody else does.
        latched: Trips that were latched when the guard before this one ended, with their reason.
        on_event: Who hears of events; must not wait for anything.
    """

    rules: Rules
    drivers: dict[str, Any]
    clock: Clock
    reconnect: Reconnect | None = None
    latched: Mapping[str, str] = field(default_factory=dict)
    on_event: Callable[[Event], None] | None = None
    expects_controller: bool = False
    """Whether the guard before this one was hearing a controller, which must be heard again."""
    readings: Readings = field(init=False)
    board: TripBoard = field(init=False)
    controller: ControllerWatch = field(init=False)
    _reached: Reached = field(init=False)
    _watching: Watching = field(init=False)
    _allowing: Allowing = field(init=False)
    _safe: dict[str, MakingSafe] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)
    _n_events: int = 0
    _period_s: float = field(init=False)
    _ran_s: float = 0.0
    """When the guard is known to have run last."""
    _judged_s: float = -math.inf
    failure: BaseException | None = None
    """What ended a task that must not end; the guard watches no more and allows nothing."""

    def __post_init__(self) -> None:
        self.readings = Readings(self.rules.watches, self.rules.rates)
        everything = tuple(dict.fromkeys([*self.drivers, *self.rules.safety]))
        self.board = TripBoard(self.rules, self.readings, self.clock, everything, self.latched)
        self.controller = ControllerWatch(self.clock, self.rules.controller_s)
        self._reached = Reached(self.drivers, self.clock, self.reconnect, self.controller.stop)
        self._watching = Watching(self.drivers, self.readings, self.clock, self.reconnect, self._heard)
        self._allowing = Allowing(self.rules, self.readings, self._watching, self.clock)
        self._period_s = min([*(watch.every_s for watch in self.rules.watches.values()), self.rules.controller_s / 4])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch while this is entered. What was latched before is stopped again; stops under way end with this."""
        self._ran_s = self.clock.now_s()
        if self.expects_controller:
            self.controller.expect()
        async with self._watching.running(self._has_ended):
            ticking = asyncio.create_task(self._tick())
            ticking.add_done_callback(self._has_ended)
            for name in self.board.latched_now:
                self._make_safe(self._stoppable(name), f"{name} was latched before the guard started again")
            try:
                yield
            finally:
                tasks = [ticking, *self._tasks.values()]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def is_judging(self) -> bool:
        """Say whether trips were judged as lately as they should be."""
        return self.failure is None and self.clock.now_s() - self._judged_s <= 2 * self._period_s + 1.0

    def _has_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and self.failure is None:
            self.failure = task.exception()
            log.error("guard_broke", exc_info=self.failure)

    def beat(self, epoch: int) -> bool:
        """Note that the controller lives; False where a later one has taken over."""
        self._notice_sleep()
        if self.controller.is_fenced(epoch):
            return False
        is_new = self.controller.heard_s() is None or epoch > self.controller.epoch
        if self.controller.beat(epoch):
            self._tell("controller_back", f"the controller (epoch {epoch}) is heard again")
        elif is_new:
            self._tell("controller_heard", f"the controller (epoch {epoch}) is heard")
        return True

    def goodbye(self, epoch: int) -> None:
        """Note that the controller ends on purpose: its silence from now on is no loss."""
        if not self.controller.is_fenced(epoch):
            self.controller.goodbye()
            self._tell("controller_left", f"the controller (epoch {epoch}) ended on purpose")

    def told(self, values: Mapping[str, tuple[Any, float]]) -> None:
        """Take readings, each with its age in seconds, of devices that only the controller reaches.

        What the guard reads by itself is not taken from anybody.
        """
        now_s = self.clock.now_s()
        for key, (value, age_s) in values.items():
            watch = self.rules.watches.get(key)
            if watch is not None and self.rules.reach(watch.device) == "controller":
                self.readings.put(key, value, now_s - max(0.0, age_s))
                self._heard(key)

    async def check(self, device: str, command: str, arguments: Mapping[str, Any], *, epoch: int = 0) -> Answer:
        """Say whether a command may be given now."""
        if self.controller.is_fenced(epoch):
            text = f"controller {self.controller.epoch} has taken over from controller {epoch}"
            return Answer(why=Why.FENCED, reason=text)
        if command == "stop":
            return Answer()
        if f"{device}.{command}" not in self.rules.commands:
            return Answer(why=Why.UNKNOWN, reason=f"the lab that is guarded has no {device}.{command}")
        if self.failure is not None:
            return Answer(why=Why.SILENT, reason=f"the guard broke ({type(self.failure).__name__}: {self.failure})")
        self._notice_sleep()
        answer = self._blocked(device)
        if answer.is_allowed:
            answer = await self._allowing.check(device, command, arguments)
        if answer.is_allowed:  # a reading may have come meanwhile
            answer = self._blocked(device)
        if answer.is_allowed:
            self._allowing.note(device, command, arguments)
            self._safe.pop(device, None)  # what it was made is over
        return answer

    def _blocked(self, device: str) -> Answer:
        for name in self.board:  # a reading may have become stale since the last tick
            if device in self.board.devices(name):
                self._judge(name)
        answer, making = self.board.blocked(device), self._safe.get(device)
        if answer.is_allowed and making is not None and not making.is_over:
            return Answer(why=Why.PENDING, reason=f"{device} is being made safe ({making.state}): {making.reason}")
        return answer

    async def stop_all(self, *, who: str, reason: str) -> StopReport:
        """Stop every device in parallel, each within its deadline, and latch until somebody acknowledges.

        Raises:
            Refused: Nobody is named, or no reason.
        """
        _require_person(who, reason)
        began_s = self.clock.now_s()
        self.board.latch_all(f"{who}: {reason}")
        facts = {"trip": STOP_ALL, "reason": f"{who}: {reason}"}
        self._tell("tripped", f"stop for all by {who}: {reason}", is_alarm=True, **facts)
        stoppable = self._stoppable(STOP_ALL)
        begun = self._make_safe(stoppable, f"stop for all by {who}", again=True)
        await asyncio.gather(*(one.is_tried.wait() for one in begun.values()))
        failed = {name: one.reason for name, one in begun.items() if not one.has_stopped}
        report = StopReport(
            stopped=tuple(name for name in begun if name not in failed),
            failed=failed,
            without_stop=tuple(name for name in self.board.everything if name not in stoppable),
            took_s=self.clock.now_s() - began_s,
        )
        text = f"{len(report.stopped)} stopped; could not be stopped: {', '.join(failed) or 'none'}"
        self._tell("stop_report", text, is_alarm=bool(failed), failed=failed)
        return report

    def acknowledge(self, trip: str, *, who: str, reason: str) -> None:
        """Let a person release a latched trip.

        Raises:
            Refused: There is no such trip, it is not latched, its cause is not over, a device is not safe, or nobody is
                named.
        """
        _require_person(who, reason)
        if trip not in self.board:
            raise Refused(f"no trip is called {trip!r}; there are {', '.join(self.board)}")
        self._judge(trip)
        for name in self.board.devices(trip):
            making = self._safe.get(name)
            if making is not None and not making.is_over:
                raise Refused(f"{trip}: {name} is not known to be safe ({making.state}): {making.reason}")
        try:
            self.board.acknowledge(trip)
        except Impossible as error:
            raise Refused(f"{trip}: {error}") from None
        self._tell("acknowledged", f"{trip} was acknowledged by {who}: {reason}", trip=trip, who=who, reason=reason)

    def status(self) -> dict[str, Any]:
        """Return readings with their age, trips, devices and the controller, as JSON values."""
        now_s = self.clock.now_s()
        return {
            "readings": {key: self.readings.row(key, now_s) for key in self.rules.watches},
            "trips": self.board.rows(),
            "devices": {name: {"state": str(one.state), "reason": one.reason} for name, one in self._safe.items()},
            "controller": {
                "epoch": self.controller.epoch,
                "silent_s": self.controller.heard_s(),
                "is_lost": self.controller.is_lost,
            },
            "n_events": self._n_events,
        }

    @property
    def unsafe(self) -> list[str]:
        """Devices that are being made safe and are not known to be safe yet."""
        return [name for name, making in self._safe.items() if not making.is_over]

    def events_since(self, number: int) -> Sequence[Event]:
        """Return the events after a number; of very many, the last."""
        return [event for event in self._events if event.number > number]

    def _stoppable(self, trip: str) -> list[str]:
        return [name for name in self.board.devices(trip) if self._reached.can_stop(name, self.rules)]

    async def _tick(self) -> None:
        """See what no reading tells: that one is stale, and that the controller is silent."""
        while True:
            self._notice_sleep()
            self._watch_controller()
            for name in self.board:
                self._judge(name)
            self._judged_s = self.clock.now_s()
            await self.clock.sleep(self._period_s)

    def _notice_sleep(self) -> None:
        """See whether the guard itself did not run (suspended, starved), before it blames others for the silence."""
        now_s = self.clock.now_s()
        missed_s = now_s - self._ran_s - self._period_s
        self._ran_s = now_s
        if missed_s > self._period_s + 1.0:
            self.controller.forgive(missed_s)
            self.board.woke(now_s)
            self._tell("slept", f"the guard did not run for {missed_s:.3g} s; readings are taken anew", is_alarm=True)

    def _heard(self, key: str) -> None:
        self._notice_sleep()
        for name in self.board.about(key):
            self._judge(name)

    def _judge(self, name: str) -> None:
        status = self.board.judge(name)
        if status is not None:
            text = f"{name}: {status.reason}"
            self._tell("tripped", text, is_alarm=True, trip=name, reason=status.reason)
            self._make_safe(self.board.devices(name), text)

    def _watch_controller(self) -> None:
        if self.controller.has_just_been_lost():
            stop = [name for name, rule in self.rules.safety.items() if rule.on_controller_loss == "stop"]
            text = f"the controller has been silent for {self.controller.heard_s():.3g} s"
            self._tell("controller_lost", f"{text}; stopping: {', '.join(stop) or 'nothing'}", is_alarm=True)
            self._make_safe(stop, text)

    def _make_safe(self, devices: Sequence[str], why: str, *, again: bool = False) -> dict[str, MakingSafe]:
        """Begin to make devices safe; where that is under way it goes on, unless they must be told again."""
        for name in devices:
            running = self._tasks.get(name)
            if running is not None and not running.done():
                if not again:
                    continue
                running.cancel()
                self._safe[name].is_tried.set()  # it may not have begun, and somebody may wait for it
            rule = self.rules.safety.get(name) or SafetyRule.unsaid(name)
            one = MakingSafe(rule, self._reached, self.readings, self.rules.proof_every_s(rule), self._teller(name))
            self._safe[name] = one
            self._tell("stopping", f"stopping {name}: {why}", device=name)
            self._tasks[name] = asyncio.create_task(one.run())
        return {name: self._safe[name] for name in devices}

    def _teller(self, device: str) -> Callable[[str, str, bool], None]:
        return lambda kind, text, is_alarm: self._tell(kind, text, is_alarm=is_alarm, device=device)

    def _tell(self, kind: str, text: str, *, is_alarm: bool = False, **facts: Any) -> None:
        self._n_events += 1
        event = Event(kind=kind, text=text, utc=self.clock.utc(), is_alarm=is_alarm, facts=facts, number=self._n_events)
        self._events = [*self._events[-KEPT_EVENTS:], event]
        self._hand_on(event)

    def _hand_on(self, event: Event) -> None:
        """Hand an event to who hears of events: their supervisor, since no listener may keep the guard from acting."""
        if self.on_event is None:
            return
        try:
            self.on_event(event)
        except Exception:  # the supervisor of listeners
            log.exception("listener_broke event=%s", event.kind)


def _require_person(who: str, reason: str) -> None:
    if not who.strip() or not reason.strip():
        raise Refused("say who does this, and why")
