"""Journeys: which sample does what next, from its admission until it is put away.

Its visits to stations are made one after another (`orchestrator.visits`), its runs of furnaces are shared with others
(`orchestrator.firing`), and between them it is carried (`orchestrator.transport`). It keeps its home throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drivers.clock import Clock
from orchestrator.acts.step import owner_of
from orchestrator.advice import Advisor
from orchestrator.attention import Attendant, Attention
from orchestrator.firing.firings import Firings
from orchestrator.foresight import Foresight
from orchestrator.journal import Journal
from orchestrator.journey import Journey, Whereabouts
from orchestrator.measurements import MeasurementFile
from orchestrator.outcomes import TrialFailed, TrialLost
from orchestrator.plan import Act, Firing, Furnace, Node, Plan, Visit, Wait
from orchestrator.records import TrialRecord
from orchestrator.runner import Runner
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.layout import Layout
from orchestrator.transport.transport import Transport
from orchestrator.visits import Visits


@dataclass(slots=True, kw_only=True)
class Journeys:
    """Carries out plans whose samples stand in racks."""

    layout: Layout
    runner: Runner
    dispatcher: Dispatcher
    journal: Journal
    clock: Clock
    where: Whereabouts
    furnaces: Mapping[str, Furnace]
    """Furnaces by station."""
    attendant: Attendant
    advisor: Advisor | None = None
    """Who plans the runs of furnaces; by default a rule forms them."""
    more_to_come: Callable[[], bool] = lambda: False
    """Whether more samples will be asked for."""
    firings: Firings = field(init=False)
    attention: Attention = field(init=False)
    _transport: Transport = field(init=False)
    _visits: Visits = field(init=False)

    def __post_init__(self) -> None:
        self.attention = Attention(
            where=self.where,
            dispatcher=self.dispatcher,
            journal=self.journal,
            stop=self.runner.stop,
            attendant=self.attendant,
        )
        self._transport = Transport.of(
            layout=self.layout,
            furnaces=self.furnaces,
            runner=self.runner,
            dispatcher=self.dispatcher,
            clock=self.clock,
            attention=self.attention,
        )
        foresight = Foresight(where=self.where, more_to_come=self._has_more_to_come)
        self._visits = Visits(
            furnaces=self.furnaces,
            clock=self.clock,
            runner=self.runner,
            dispatcher=self.dispatcher,
            transport=self._transport,
            attention=self.attention,
            foresight=foresight,
        )
        self.firings = Firings(
            furnaces=self.furnaces,
            clock=self.clock,
            runner=self.runner,
            dispatcher=self.dispatcher,
            transport=self._transport,
            attention=self.attention,
            foresight=foresight,
            advisor=self.advisor,
        )
        self.attention.on_seen_to = self.firings.form

    def _has_more_to_come(self) -> bool:
        """Say whether samples wait for a home, or are going to be asked for."""
        return self._transport.admission.is_awaited or self.more_to_come()

    async def begin(self, epoch: int, trials: Iterable[TrialRecord]) -> None:
        """Take up what a restart left, and make robots and doors ready.

        Raises:
            TrialLost: A robot or a door cannot be made ready.
            StopRequested, StorageError: As the runner.
        """
        self.restore(trial.number for trial in trials if trial.is_open)
        for robot in self.layout.reach:
            if "power_on" in self.runner.laboratory.stations[robot].specs:
                await self._make_ready(epoch, robot, "power_on")
        doors = [furnace.door for furnace in self.furnaces.values() if furnace.door is not None]
        for door in doors:
            if await self.runner.read(door, "door_state") not in ("open", "closed"):
                await self._make_ready(epoch, door, "home")

    async def _make_ready(self, epoch: int, device: str, command: str) -> None:
        act = Act(path=device, label=f"make {device} ready", device=device, command=command)
        await self.runner.act(0, act, batch=f"start-{epoch:04d}")

    def restore(self, trials: Iterable[int]) -> None:
        """Give open trials and runs of furnaces what they held before a restart.

        Raises:
            ValueError: Two samples are said to stand at one place: the journal contradicts itself.
        """
        for trial in trials:
            journey = self.where.journeys.get(trial)
            if journey is not None and not journey.has_left:
                self._transport.claims.restore(journey, self._transport.carrier.begun(journey))
        self.attention.restore()
        self.firings.restore()

    async def close(self) -> None:
        """End what still waits; furnaces go on by themselves."""
        await self.firings.close()
        await self.attention.close()

    async def run(self, trial: int, plan: Plan) -> list[MeasurementFile]:
        """Carry one sample through its plan, put it away, and return what was measured.

        Raises:
            TrialFailed: The recipe asks for what the limits refuse.
            TrialLost: The sample, or what was to be done with it, was lost.
            StopRequested: The operator asked to stop.
            StorageError: The journal or a file could not be written.
        """
        journey = await self._transport.admission.admitted(trial)
        taken: list[MeasurementFile] = []
        try:
            await self._transport.carrier.settle(journey)
            for index, node in enumerate(plan.nodes):
                if journey.batch is None:  # a furnace gives its samples back once it is open again
                    self.runner.stop.refuse_skipped(trial)
                left_s = sum(one.work_s for one in plan.nodes[index:] if isinstance(one, Visit | Firing))
                self.firings.expect(trial, plan.nodes[index:])
                taken.extend(await self._node(journey, node, left_s))
        except (TrialFailed, TrialLost):
            await self._put_away(journey)
            raise
        await self._put_away(journey)
        return taken

    async def _node(self, journey: Journey, node: Node, left_s: float) -> Sequence[MeasurementFile]:
        match node:
            case Wait():
                await self.runner.wait(journey.trial, node)
                return []
            case Firing():
                await self.firings.fire(journey, node)
                return []
            case Visit():
                return await self._visits.visit(journey, node, left_s)
            case _:
                raise TypeError(f"a {type(node).__name__} has no place in a plan of visits")

    async def _put_away(self, journey: Journey) -> None:
        owner = owner_of(journey.trial)
        self.runner.forget(owner)
        await self._transport.departure.put_away(journey)
        self.firings.expect(journey.trial, ())
        self.dispatcher.release(owner)
