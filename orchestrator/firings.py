"""Firings: runs of furnaces that several samples share.

Samples wait at home until a furnace is free and a batch is formed (`orchestrator.scheduling.batching`). The run then
has the furnace, its door and all of its places until it is empty again: nobody who waits for a furnace holds anything
but homes, and a run waits for robots only, which are never held by anybody who waits.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from drivers.clock import Clock
from drivers.errors import DriverError
from orchestrator.acts.step import owner_of
from orchestrator.advice import Advice, Advisor
from orchestrator.attention import Attention
from orchestrator.errors import StorageError
from orchestrator.foresight import Foresight, Taken, stations_of
from orchestrator.journey import BatchRun, Doubt, Journey, Whereabouts
from orchestrator.outcomes import NOT_APPROVED, StopRequested, TrialLost
from orchestrator.plan import Act, Firing, Furnace, Node
from orchestrator.runner import Runner
from orchestrator.scheduling.batching import LONGEST_WAIT, Batch, Former, Member
from orchestrator.scheduling.board import Option
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.sharing import Problem

log = logging.getLogger(__name__)

LOOK_S = 1800.0
"""How often a program that runs is looked at, at least."""
COOL_LOOK_S = 300.0
OVERDUE = 1.5
"""A program that takes this many times as long as it should is no longer waited for."""
OVER = ("complete", "reset")
DOOR_TRIES = 3
REFUSALS = 24
"""Times, one after another, that a door may refuse to open though the furnace has not cooled any further."""


class Carrier(Protocol):
    """What carries samples: `orchestrator.journeys.Journeys`."""

    where: Whereabouts

    async def go_home(self, journey: Journey) -> None:
        """Carry a sample home."""
        ...

    async def go(self, journey: Journey, destination: str) -> None:
        """Carry a sample by what it holds."""
        ...

    async def claim(self, journey: Journey, options: Sequence[Option], *, is_first: bool = False) -> Option:
        """Claim one of some options for a sample.

        is_first: before all others, whatever is reserved.
        """
        ...

    def needed(self, journey: Journey, destination: str) -> frozenset[str]:
        """Return what carrying a sample takes, the destination apart."""
        ...

    def note(self, kind: str, trial: int | None, body: Mapping[str, Any]) -> None:
        """Journal what became of samples."""
        ...


class _Again(Exception):
    """The run was given up before a sample was in it: the sample waits for another one."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run of a furnace that is under way."""

    batch: BatchRun
    furnace: Furnace
    node: Firing | None
    """None where a restart left nobody who waits to be fired."""
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    turns: Counter[int] = field(default_factory=Counter)
    """Attempts at turning the door, by what for."""

    def fail(self, error: Exception) -> None:
        """Let everybody who waits for it know that it goes on no more."""
        self.error = error
        self.opened.set()
        self.is_over.set()


@dataclass(slots=True, kw_only=True)
class Firings:
    """Forms batches and runs furnaces."""

    carrier: Carrier
    runner: Runner
    dispatcher: Dispatcher
    clock: Clock
    furnaces: Mapping[str, Furnace]
    """By station."""
    attention: Attention
    foresight: Foresight
    advisor: Advisor | None = None
    """Who plans the runs (each kind of furnaces has another one like this); by default nobody, and the rule forms
    them."""
    _advisors: dict[tuple[str, ...], Advisor] = field(default_factory=dict)
    _formers: dict[tuple[str, ...], Former] = field(default_factory=dict)
    _nodes: dict[int, Firing] = field(default_factory=dict)
    """What each sample waits for, or is going to wait for next."""
    _assigned: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    _runs: dict[str, _Run] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _alarm: asyncio.Task[None] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def expect(self, trial: int, left: Sequence[Node]) -> None:
        """Know what is left of a sample's plan."""
        node = self.foresight.expect(trial, left)
        if node is None:
            self._nodes.pop(trial, None)
        else:
            self._nodes[trial] = node
        self.form()

    def restore(self) -> None:
        """Give runs that a restart interrupted their furnaces back, and go on with those that nobody waits in."""
        board = self.dispatcher.board
        for batch in self.carrier.where.open_batches():
            furnace = self.furnaces[batch.station]
            board.hold(batch.name, [name for name in sorted(_resources(furnace)) if board.is_free([name])])
            waiting = [trial for trial in batch.places if self._journey(trial).batch == batch.name]
            if not waiting:
                self._start(batch, furnace, None)

    async def fire(self, journey: Journey, node: Firing, left_s: float) -> None:
        """Wait for a run, have the sample in it, and return when it may be taken out.

        Raises:
            TrialLost: The run failed with the sample in it.
            StopRequested, StorageError: As the runner.
        """
        if node.path in journey.done:
            return
        self._nodes[journey.trial] = node
        while True:
            try:
                run = await self._run_for(journey, node)
                await self._taken_in(journey, run)
                await self._run_until(run, run.is_over)
                break
            except _Again:
                continue
        self.carrier.note("visit_ended", journey.trial, {"path": node.path, "place": journey.at})

    async def _run_for(self, journey: Journey, node: Firing) -> _Run:
        if journey.batch is not None:
            return self._resumed(journey.batch, node)
        await self.carrier.go_home(journey)
        future = self._assigned[journey.trial] = asyncio.get_running_loop().create_future()
        member = Member(owner=owner_of(journey.trial), key=node.key, run_s=node.work_s, since_s=self.clock.now_s())
        self.foresight.arrived(journey, member.since_s)
        former = self._former(node)
        former.join(member)
        try:
            self.form()
            await self.runner.stop.unless_set(_done(future), trial=journey.trial)
        finally:
            former.leave(member.owner)
            self._assigned.pop(journey.trial, None)
        return self._runs[journey.batch or ""]

    def _former(self, node: Firing) -> Former:
        stations = stations_of(node)
        if stations not in self._formers:
            capacity = min(len(furnace.places) for furnace in node.furnaces)
            wait = LONGEST_WAIT if node.longest_wait_s is None else node.longest_wait_s / max(node.work_s, 1.0)
            is_strict = node.longest_wait_s is not None
            self._formers[stations] = Former(capacity=capacity, longest_wait=wait, is_strict=is_strict)
        return self._formers[stations]

    async def _taken_in(self, journey: Journey, run: _Run) -> None:
        owner, place = owner_of(journey.trial), run.batch.places[journey.trial]
        if journey.at == place:
            return
        await self._run_until(run, run.opened)
        needed = self.carrier.needed(journey, place)
        if needed - self.dispatcher.board.held(owner):
            await self.carrier.claim(journey, [Option(name=place, resources=needed)], is_first=True)
        if run.error is not None:
            self.dispatcher.release(owner, needed & self.dispatcher.board.held(owner))
            raise run.error
        if f"@{place}" not in self.dispatcher.board.held(owner):
            self.dispatcher.board.pass_on(run.batch.name, owner, [f"@{place}"])
        await self.carrier.go(journey, place)

    async def _run_until(self, run: _Run, event: asyncio.Event) -> None:
        """Wait for an event of a run.

        Raises:
            TrialLost, StopRequested, StorageError: The run ended before its time.
        """
        await self.runner.stop.unless_set(event.wait())
        if run.error is not None:
            raise run.error

    def notify(self) -> None:
        """Look again at who is where."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def form(self) -> None:
        """Begin the runs that should begin now, and look again when the next one should."""
        next_s = None
        for stations, former in self._formers.items():
            while (free := self._free(stations)) is not None:
                batch, due_s = self._next(stations, former)
                if batch is None:
                    next_s = due_s if next_s is None else min(next_s, due_s or next_s)
                    break
                self._begin(batch, free)
        self._look_again(next_s)

    def _next(self, stations: tuple[str, ...], former: Former) -> tuple[Batch | None, float | None]:
        """Return what a free furnace should begin; where it should wait, when to ask again."""
        now_s = self.clock.now_s()
        coming = self._coming(former)
        advisor = self._advisor(stations)
        advice = None if advisor is None else self._advice(advisor, stations, former)
        if advice is not None:
            if advice.batch is not None:
                former.take(advice.batch)
            return advice.batch, advice.again_s
        batch = former.form(now_s, coming=coming)
        return batch, former.next_s(coming=coming) if batch is None else None

    def _advisor(self, stations: tuple[str, ...]) -> Advisor | None:
        if self.advisor is not None and stations not in self._advisors:
            self._advisors[stations] = self.advisor.another(self.form)
        return self._advisors.get(stations)

    def _advice(self, advisor: Advisor, stations: tuple[str, ...], former: Former) -> Advice | None:
        now_s = self.clock.now_s()
        in_service = [self.furnaces[name] for name in stations if self._is_in_service(self.furnaces[name])]
        taken = [self._taken(furnace) for furnace in in_service]
        signature = (
            stations,
            tuple(one.owner for one in former.waiting),
            frozenset(self._nodes),
            tuple(one.station for one, by in zip(in_service, taken, strict=True) if by is None),
        )

        def problem() -> Problem:
            return self.foresight.problem(former, now_s, furnaces=taken, stations=stations)

        return advisor.advise(former, problem, signature, now_s)

    def _is_in_service(self, furnace: Furnace) -> bool:
        """Say whether a furnace is free, or will be once its run is over."""
        board = self.dispatcher.board
        if _resources(furnace) & board.closed:
            return False
        return board.is_free(_resources(furnace)) or self._run_of(furnace) is not None

    def _run_of(self, furnace: Furnace) -> _Run | None:
        return next((run for run in self._runs.values() if run.furnace.station == furnace.station), None)

    def _taken(self, furnace: Furnace) -> Taken | None:
        run = self._run_of(furnace)
        if run is None:
            return None
        return Taken(work_s=0.0 if run.node is None else run.node.work_s, since_s=run.batch.formed_s)

    def _free(self, stations: tuple[str, ...]) -> Furnace | None:
        found = (self.furnaces[station] for station in stations)
        return next((one for one in found if self.dispatcher.board.is_free(_resources(one))), None)

    def _coming(self, former: Former) -> Mapping[str, int]:
        waiting = {member.owner for member in former.waiting}
        coming: dict[str, int] = {}
        for trial, node in self._nodes.items():
            journey = self.carrier.where.journeys.get(trial)
            if owner_of(trial) not in waiting and (journey is None or journey.batch is None):
                coming[node.key] = coming.get(node.key, 0) + 1
        return coming

    def _look_again(self, at_s: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if at_s is not None:
            self._alarm = asyncio.get_running_loop().create_task(self._wake(at_s))

    async def _wake(self, at_s: float) -> None:
        await self.clock.sleep_until(at_s)
        self._alarm = None
        self.form()

    def _begin(self, batch: Batch, furnace: Furnace) -> None:
        trials = [int(owner) for owner in batch.members]
        node = self._nodes[trials[0]]
        name = f"batch-{len(self.carrier.where.batches) + 1:05d}"
        places = dict(zip(map(str, trials), furnace.places, strict=False))
        body = {"batch": name, "station": furnace.station, "path": node.path, "places": places, "key": batch.key}
        if batch.is_planned:
            body["by"] = "optimiser"
        self.dispatcher.board.hold(name, _resources(furnace))
        self.carrier.note("batch_formed", None, body)
        self._start(self.carrier.where.batches[name], furnace, node)
        if (advisor := self._advisor(stations_of(node))) is not None:
            advisor.begun()
        for trial in trials:
            self._assigned[trial].set_result(None)

    def _resumed(self, name: str, node: Firing) -> _Run:
        """Return a sample's run; the first who asks for it after a restart sets it going again."""
        if name not in self._runs:
            batch = self.carrier.where.batches[name]
            self._start(batch, self.furnaces[batch.station], node)
        return self._runs[name]

    def _start(self, batch: BatchRun, furnace: Furnace, node: Firing | None) -> None:
        run = self._runs[batch.name] = _Run(batch=batch, furnace=furnace, node=node)
        task = asyncio.get_running_loop().create_task(self._supervised(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _supervised(self, run: _Run) -> None:
        """Carry a run through: the supervisor of runs."""
        try:
            await self._carry_out(run)
        except (StopRequested, StorageError) as error:
            run.fail(error)
            return
        except TrialLost as error:
            self._give_up(run, error)
        except Exception as error:  # the supervisor of runs: a defect costs the samples that met it, and no others
            log.exception("run_broke batch=%s", run.batch.name)
            self._give_up(run, TrialLost(f"it met a defect: {type(error).__name__}: {error}"))
        self._end(run)

    def _give_up(self, run: _Run, error: TrialLost) -> None:
        """Take a furnace that failed out of service; who is not in it yet waits for another."""
        self._doubt(run, error)
        inside = any(self._is_inside(run, trial) for trial in run.batch.places)
        run.fail(error if inside else _Again())

    def _end(self, run: _Run) -> None:
        if run.node is not None and run.error is None:
            self.foresight.fired(run.node, self.clock.now_s() - run.batch.formed_s)
        self.carrier.note("batch_ended", None, {"batch": run.batch.name})
        del self._runs[run.batch.name]
        self.runner.forget(run.batch.name)
        self.dispatcher.release(run.batch.name)
        self.form()

    async def _carry_out(self, run: _Run) -> None:
        if run.node is not None and run.batch.stage == "loading":
            await self._turned(run, 0, "open_door", "open")
            run.opened.set()
            await self._until(lambda: all(self._is_in_or_lost(run, trial) for trial in run.batch.places))
            await self._turned(run, 1, "close_door", "closed")
            self.carrier.note("batch_loaded", None, {"batch": run.batch.name})
        if run.node is not None and run.batch.stage == "loaded":
            await self._fired(run, run.node)
        run.opened.set()
        if any(self._is_inside(run, trial) for trial in run.batch.places):
            await self._turned(run, 3, "open_door", "open")
        run.error = TrialLost(run.batch.failure) if run.batch.failure else None
        run.is_over.set()
        await self._until(lambda: not any(self._is_inside(run, trial) for trial in run.batch.places))
        await self._turned(run, 4, "close_door", "closed")

    async def _fired(self, run: _Run, node: Firing) -> None:
        """Run the program; a furnace that failed at it is out of service until somebody has seen to it."""
        try:
            await self._program(run, node)
        except TrialLost as error:
            if error.code != NOT_APPROVED and not self._was_made_safe(run):
                self._doubt(run, error)
            self.carrier.note("batch_failed", None, {"batch": run.batch.name, "text": str(error)})
        else:
            self.carrier.note("batch_fired", None, {"batch": run.batch.name})

    def _was_made_safe(self, run: _Run) -> bool:
        """Say whether we stopped a furnace ourselves since it was loaded: then nothing is wrong with it."""
        stopped_s = self.carrier.where.made_safe_s.get(run.furnace.heater)
        return stopped_s is not None and run.batch.loaded_s is not None and stopped_s >= run.batch.loaded_s

    def _doubt(self, run: _Run, error: TrialLost) -> Doubt:
        return self.attention.raise_(
            "furnace",
            f"{run.furnace.station} is out of service until somebody has seen to it: {error}",
            closed=[run.furnace.heater],
            device=error.device or run.furnace.heater,
            facts={"station": run.furnace.station, "heater": run.furnace.heater, "door": run.furnace.door},
        )

    async def _turned(self, run: _Run, number: int, command: str, wanted: str) -> None:
        """Open or close the door, however long it takes: too hot still, it waits; jammed, it waits for a person."""
        refusals, before_c = 0, math.inf
        while True:
            try:
                return await self._door(run, number, command, wanted)
            except TrialLost as error:
                at_c = await self._temperature(run)
                refusals = 0 if at_c < before_c else refusals + 1  # for as long as it cools it is waited for
                if error.code == "rejected" and refusals <= REFUSALS:
                    before_c = min(at_c, before_c)
                    await self.runner.stop.unless_set(self.clock.sleep(COOL_LOOK_S))
                    continue
                refusals = 0
                await self.attention.until_seen_to(self._doubt(run, error))

    def _journey(self, trial: int) -> Journey:
        return self.carrier.where.journeys[trial]

    def _is_inside(self, run: _Run, trial: int) -> bool:
        journey = self._journey(trial)
        return journey.at == run.batch.places[trial] and not journey.has_left

    def _is_in_or_lost(self, run: _Run, trial: int) -> bool:
        journey = self._journey(trial)
        return self._is_inside(run, trial) or journey.has_left or journey.at is None

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so of the samples."""
        while not condition():
            await self.runner.stop.unless_set(self._changed.wait())

    async def _door(self, run: _Run, number: int, command: str, wanted: str) -> None:
        """Open or close the door, and see that it is so.

        Raises:
            TrialLost: It is not.
        """
        door = run.furnace.door
        if door is None:
            return
        state = ""
        for _ in range(DOOR_TRIES):
            label = f"{command.replace('_', ' ')} of {run.furnace.station}"
            await self._act(run, Act(path=self._path(run, number), label=label, device=door, command=command))
            state = await self._read(run, door, "door_state")
            if state == wanted:
                return
        raise TrialLost(f"the door of {run.furnace.station} is {state} and not {wanted}", device=door)

    def _path(self, run: _Run, number: int) -> str:
        """Return a path that no attempt at turning the door has had, a restart's own apart."""
        while True:
            count = run.turns[number]
            run.turns[number] += 1
            path = f"{number}.again{count}" if count else f"{number}"
            past = self.runner.past.get(f"{run.batch.name}.{path}")
            if past is None or past.state not in ("rejected", "failed"):
                return path

    async def _act(self, run: _Run, act: Act) -> None:
        await self.runner.act(next(iter(run.batch.places)), act, batch=run.batch.name)

    async def _read(self, run: _Run, device: str, name: str) -> Any:
        try:
            return await self.runner.read(device, name)
        except DriverError as error:
            raise TrialLost(f"{run.furnace.station} does not answer: {error}", device=device) from error

    async def _temperature(self, run: _Run) -> float:
        """Return a furnace's temperature (degC); infinite where it does not say."""
        try:
            return float(await self.runner.read(run.furnace.heater, "read_temperature"))
        except DriverError:
            return math.inf

    async def _program(self, run: _Run, node: Firing) -> None:
        """Run the program and wait until it is over and the furnace is cold.

        Raises:
            TrialLost: It was interrupted, or takes far too long.
        """
        heater = run.furnace.heater
        act = Act(
            path="2",
            label=node.label,
            device=heater,
            command="run_profile",
            arguments={"segments": [dict(segment) for segment in node.segments]},
            is_tagged=True,
        )
        await self._act(run, act)
        latest_s = self.clock.now_s() + OVERDUE * node.work_s + LOOK_S
        while (state := await self._read(run, heater, "program_state")) not in OVER:
            self._refuse_overdue(run, latest_s, f"its program is still in {state}")
            left_s = float(await self._read(run, heater, "remaining_s"))
            await self.runner.stop.unless_set(self.clock.sleep(min(max(left_s, 10.0) + 1.0, LOOK_S)))
        if state == "reset":
            raise TrialLost(f"the program of {run.furnace.station} was interrupted", device=heater)
        while (at_c := float(await self._read(run, heater, "read_temperature"))) > node.unload_below_c:
            self._refuse_overdue(run, latest_s, f"it is still at {at_c:.0f} degC")
            await self.runner.stop.unless_set(self.clock.sleep(COOL_LOOK_S))

    def _refuse_overdue(self, run: _Run, latest_s: float, what: str) -> None:
        if self.clock.now_s() > latest_s:
            hours = (self.clock.now_s() - latest_s) / 3600.0
            raise TrialLost(f"{run.furnace.station} is {hours:.1f} h overdue: {what}", device=run.furnace.heater)

    async def close(self) -> None:
        """End what still waits; the furnaces go on by themselves."""
        self._look_again(None)
        for advisor in self._advisors.values():
            await advisor.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drained(self) -> None:
        """Wait until no run is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def _done(future: asyncio.Future[None]) -> None:
    await future


def _resources(furnace: Furnace) -> frozenset[str]:
    return furnace.devices | {f"@{place}" for place in furnace.places}
