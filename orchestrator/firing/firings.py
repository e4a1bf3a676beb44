"""Firings: samples wait for a run of a furnace, are in it together, and are taken out.

Samples wait at home until a furnace is free and a batch is formed. The run then has the furnace, its door and all of
its places until it is empty again: nobody who waits for a furnace holds anything but homes, and a run waits for robots
only, which are never held by anybody who waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.clock import Clock
from orchestrator.acts.step import owner_of
from orchestrator.advice import Advisor
from orchestrator.attention import Attention
from orchestrator.errors import StorageError
from orchestrator.firing.controls import Controls
from orchestrator.firing.forming import Forming, resources_of
from orchestrator.firing.run import FurnaceRun, GivenUp
from orchestrator.foresight import Foresight
from orchestrator.journey import BatchRun, Journey
from orchestrator.outcomes import StopRequested, TrialLost
from orchestrator.plan import Firing, Furnace, Node
from orchestrator.runner import Runner
from orchestrator.scheduling.batching import Batch, Member
from orchestrator.scheduling.board import Option
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.names import at
from orchestrator.transport.transport import Transport

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Firings:
    """Starts runs of furnaces, and brings samples to them."""

    furnaces: Mapping[str, Furnace]
    """By station."""
    clock: Clock
    runner: Runner
    dispatcher: Dispatcher
    transport: Transport
    attention: Attention
    foresight: Foresight
    advisor: Advisor | None = None
    """Who plans the runs; by default nobody, and the rule forms them."""
    _forming: Forming = field(init=False)
    _assigned: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    _runs: dict[str, FurnaceRun] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._forming = Forming(
            furnaces=self.furnaces,
            board=self.dispatcher.board,
            clock=self.clock,
            where=self.transport.tracker.where,
            foresight=self.foresight,
            runs=self._runs,
            begin=self._begin,
            advisor=self.advisor,
        )

    def form(self) -> None:
        """Begin the runs that should begin now."""
        self._forming.form()

    def expect(self, trial: int, left: Sequence[Node]) -> None:
        """Know what is left of a sample's plan."""
        node = self.foresight.expect(trial, left)
        if node is None:
            self._forming.nodes.pop(trial, None)
        else:
            self._forming.nodes[trial] = node
        self.form()

    def restore(self) -> None:
        """Give runs that a restart interrupted their furnaces back, and go on with those that nobody waits in."""
        board, where = self.dispatcher.board, self.transport.tracker.where
        for batch in where.open_batches():
            furnace = self.furnaces[batch.station]
            board.hold(batch.name, [name for name in sorted(resources_of(furnace)) if board.is_free([name])])
            waiting = [trial for trial in batch.places if where.journeys[trial].batch == batch.name]
            if not waiting:
                self._start(batch, furnace, None)

    async def fire(self, journey: Journey, node: Firing) -> None:
        """Wait for a run, have the sample in it, and return when it may be taken out.

        Raises:
            TrialLost: The run failed with the sample in it.
            StopRequested, StorageError: As the runner.
        """
        if node.path in journey.done:
            return
        self._forming.nodes[journey.trial] = node
        while True:
            try:
                run = await self._run_for(journey, node)
                await self._taken_in(journey, run)
                await self._run_until(run, run.is_over)
                break
            except GivenUp:
                continue
        self.transport.tracker.note("visit_ended", journey.trial, {"path": node.path, "place": journey.at})

    async def _run_for(self, journey: Journey, node: Firing) -> FurnaceRun:
        if journey.batch is not None:
            return self._resumed(journey.batch, node)
        await self.transport.carrier.go_home(journey)
        future = self._assigned[journey.trial] = asyncio.get_running_loop().create_future()
        member = Member(owner=owner_of(journey.trial), key=node.key, run_s=node.work_s, since_s=self.clock.now_s())
        self.foresight.arrived(journey, member.since_s)
        former = self._forming.former(node)
        former.join(member)
        try:
            self.form()
            await self.runner.stop.unless_set(_done(future), trial=journey.trial)
        finally:
            former.leave(member.owner)
            self._assigned.pop(journey.trial, None)
        return self._runs[journey.batch or ""]

    async def _taken_in(self, journey: Journey, run: FurnaceRun) -> None:
        owner, place = owner_of(journey.trial), run.batch.places[journey.trial]
        board = self.dispatcher.board
        if journey.at == place:
            return
        await self._run_until(run, run.opened)
        needed = self.transport.claims.needed(journey, place)
        # before all others, whatever is reserved: the run waits for it
        await self.transport.claims.claim_missing(journey, Option(name=place, resources=needed), is_first=True)
        if run.error is not None:
            self.dispatcher.release(owner, needed & board.held(owner))
            raise run.error
        if at(place) not in board.held(owner):
            board.pass_on(run.batch.name, owner, [at(place)])
        await self.transport.carrier.go(journey, place)

    async def _run_until(self, run: FurnaceRun, event: asyncio.Event) -> None:
        """Wait for an event of a run.

        Raises:
            TrialLost, StopRequested, StorageError: The run ended before its time.
        """
        await self.runner.stop.unless_set(event.wait())
        if run.error is not None:
            raise run.error

    def _begin(self, batch: Batch, furnace: Furnace) -> None:
        tracker = self.transport.tracker
        trials = [int(owner) for owner in batch.members]
        node = self._forming.nodes[trials[0]]
        name = f"batch-{len(tracker.where.batches) + 1:05d}"
        places = dict(zip(map(str, trials), furnace.places, strict=False))
        body = {"batch": name, "station": furnace.station, "path": node.path, "places": places, "key": batch.key}
        if batch.is_planned:
            body["by"] = "optimiser"
        self.dispatcher.board.hold(name, resources_of(furnace))
        tracker.note("batch_formed", None, body)
        self._start(tracker.where.batches[name], furnace, node)
        self._forming.begun(node)
        for trial in trials:
            self._assigned[trial].set_result(None)

    def _resumed(self, name: str, node: Firing) -> FurnaceRun:
        """Return a sample's run; the first who asks for it after a restart sets it going again."""
        if name not in self._runs:
            batch = self.transport.tracker.where.batches[name]
            self._start(batch, self.furnaces[batch.station], node)
        return self._runs[name]

    def _start(self, batch: BatchRun, furnace: Furnace, node: Firing | None) -> None:
        controls = Controls(batch=batch, furnace=furnace, runner=self.runner, attention=self.attention)
        run = FurnaceRun(controls=controls, node=node, clock=self.clock, tracker=self.transport.tracker)
        self._runs[batch.name] = run
        task = asyncio.get_running_loop().create_task(self._supervised(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _supervised(self, run: FurnaceRun) -> None:
        """Carry a run through: the supervisor of runs."""
        try:
            await run.carry_out()
        except (StopRequested, StorageError) as error:
            run.fail(error)
            return
        except TrialLost as error:
            run.give_up(error)
        except Exception as error:  # the supervisor of runs: a defect costs the samples that met it, and no others
            log.exception("run_broke batch=%s", run.batch.name)
            run.give_up(TrialLost(f"it met a defect: {type(error).__name__}: {error}"))
        self._end(run)

    def _end(self, run: FurnaceRun) -> None:
        if run.node is not None and run.error is None:
            self.foresight.fired(run.node, self.clock.now_s() - run.batch.formed_s)
        self.transport.tracker.note("batch_ended", None, {"batch": run.batch.name})
        del self._runs[run.batch.name]
        self.runner.forget(run.batch.name)
        self.dispatcher.release(run.batch.name)
        self.form()

    async def close(self) -> None:
        """End what still waits; the furnaces go on by themselves."""
        await self._forming.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drained(self) -> None:
        """Wait until no run is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def _done(future: asyncio.Future[None]) -> None:
    await future
