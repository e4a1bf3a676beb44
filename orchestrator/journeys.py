"""Journeys: samples carried from station to station, worked on, and put away.

What a sample needs next is claimed together: the place it goes to, the devices that work there, and the robots and
places on the way. It keeps its home from admission until it leaves. See `orchestrator.scheduling.board` for why nobody
waits for ever.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from drivers.clock import Clock
from drivers.errors import DriverError
from orchestrator.acts.step import owner_of
from orchestrator.advice import Advisor
from orchestrator.attention import RESTOCK, Attendant, Attention
from orchestrator.firings import Firings
from orchestrator.foresight import Foresight
from orchestrator.journal import Journal
from orchestrator.journey import Doubt, Journey, Whereabouts
from orchestrator.measurements import MeasurementFile
from orchestrator.outcomes import Done, TrialFailed, TrialLost
from orchestrator.plan import Act, Firing, Furnace, Plan, Visit, Wait, Way
from orchestrator.records import TrialRecord
from orchestrator.runner import Runner
from orchestrator.scheduling.board import Option
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.layout import Layout, Leg, Route

log = logging.getLogger(__name__)

PUTS_AWAY = 3
"""How often it is tried to take a sample out of the laboratory before a person must."""
PAUSE_S = 120.0
GRIPS = 3
"""How often a robot tries to grip what it did not get hold of."""
FAULTS_IN_A_ROW = 3
"""Acts that one device fails at, one after another, before it is taken out of service."""
NOT_GRIPPED = "not_gripped"
"""What a robot calls a transfer that left the sample where it was."""


A_HOME = "@home"
"""What admission claims: one of the homes, whichever is free. (That every sample names all of them in its claim would
make the board's work grow with the square of their number.)"""


def at(place: str) -> str:
    """Return the board's name of a place; devices go by their own."""
    return f"@{place}"


def board_names(layout: Layout, devices: Mapping[str, int]) -> dict[str, int]:
    """Return how many owners each device and each place that can be full serves at once."""
    places = [place for place in layout.places if place not in layout.unlimited]
    return {**devices, **{at(place): 1 for place in places}, A_HOME: len(layout.homes)}


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
    _faults: dict[str, int] = field(default_factory=dict)
    """Faults of each device since it last did what it was told."""

    def __post_init__(self) -> None:
        self.attention = Attention(
            where=self.where,
            dispatcher=self.dispatcher,
            journal=self.journal,
            stop=self.runner.stop,
            attendant=self.attendant,
        )
        self.firings = Firings(
            carrier=self,
            runner=self.runner,
            dispatcher=self.dispatcher,
            clock=self.clock,
            furnaces=self.furnaces,
            attention=self.attention,
            foresight=Foresight(where=self.where, more_to_come=self._has_more_to_come),
            advisor=self.advisor,
        )
        self.attention.on_seen_to = self.firings.form

    def _has_more_to_come(self) -> bool:
        """Say whether samples wait for a home, or are going to be asked for."""
        is_waiting = any(A_HOME in claim.options[0].resources for claim in self.dispatcher.board.waiting)
        return is_waiting or self.more_to_come()

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
            if journey is None or journey.has_left:
                continue
            places = {journey.home, journey.at or journey.home}
            if journey.place is not None and journey.batch is None:
                places.add(journey.place)
            begun = self._begun(journey)
            if begun is not None:
                places.add(begun.destination)
                self.dispatcher.board.hold(owner_of(trial), [begun.robot])
            self.dispatcher.board.hold(owner_of(trial), [A_HOME, *sorted(self._limited(places))])
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
        journey = await self._admitted(trial)
        taken: list[MeasurementFile] = []
        try:
            await self._settled(journey)
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

    async def _admitted(self, trial: int) -> Journey:
        """Give a sample its home, where it has none yet."""
        known = self.where.journeys.get(trial)
        if known is not None:
            return known
        option = Option(name="admission", resources=frozenset({A_HOME}))
        await self.runner.stop.unless_set(self.dispatcher.claim(owner_of(trial), [option]), trial=trial)
        home = await self._a_home(trial)
        body = {"sample": f"sample-{trial:06d}", "home": home, "at": self.layout.magazine}
        self.note("sample_admitted", trial, body)
        return self.where.journeys[trial]

    async def _a_home(self, trial: int) -> str:
        """Take a home; where all that are left are closed until somebody has looked, the first that is opened again."""
        owner, board = owner_of(trial), self.dispatcher.board
        for home in self.layout.homes:
            if board.is_free([at(home)]):
                board.hold(owner, [at(home)])
                return home
        options = [Option(name=home, resources=frozenset({at(home)})) for home in self.layout.homes]
        try:
            option = await self.runner.stop.unless_set(self.dispatcher.claim(owner, options), trial=trial)
        except BaseException:
            self.dispatcher.release(owner)
            raise
        return option.name

    async def _node(self, journey: Journey, node: Any, left_s: float) -> Sequence[MeasurementFile]:
        match node:
            case Wait():
                await self.runner.wait(journey.trial, node)
                return []
            case Firing():
                await self.firings.fire(journey, node, left_s)
                return []
            case Visit():
                return await self._visit(journey, node, left_s)
            case _:
                raise TypeError(f"a {type(node).__name__} has no place in a plan of visits")

    async def _visit(self, journey: Journey, node: Visit, left_s: float) -> Sequence[MeasurementFile]:
        owner = owner_of(journey.trial)
        if node.path in journey.done:  # before a restart: its measurements are recalled
            return await self._acts(journey, _way(node, journey.done[node.path]))
        if journey.visit != node.path:
            await self._claimed(journey, node, left_s)
        way = _way(node, journey.place or "")
        await self._claim_rest(journey, way)
        await self.go(journey, way.place, keep=way.devices)
        try:
            taken = await self._acts(journey, way)
        except TrialLost:
            await self._brought_to_rest(journey, way)
            raise
        if journey.began_s is not None:
            self.firings.foresight.visited(node, self.clock.now_s() - journey.began_s)
        self.note("visit_ended", journey.trial, {"path": node.path, "place": way.place})
        self.runner.forget(owner)  # the devices are others' from now on: nothing of this visit is to be set again
        self.dispatcher.release(owner, self.dispatcher.board.held(owner) & way.devices)
        return taken

    async def _claimed(self, journey: Journey, node: Visit, left_s: float) -> None:
        """Wait for a place where the work can be done; go home meanwhile if others wait for this one."""
        options = [self._way_option(journey, way) for way in node.ways]
        due_s = math.inf
        if node.within_s is not None and journey.done_s is not None:
            due_s = journey.done_s + node.within_s
        while True:
            is_urgent = self.layout.station_of(journey.at or "") in self.furnaces  # which waits to be emptied
            granted = await self.leave_for(journey, options, is_urgent=is_urgent, due_s=due_s, work_s=left_s)
            if granted.name != journey.home:
                break
            await self.go(journey, journey.home)
            options = [self._way_option(journey, way) for way in node.ways]
        self.note("visit_began", journey.trial, {"path": node.path, "place": granted.name})
        if self.clock.now_s() > due_s:
            late_s = self.clock.now_s() - due_s
            text = f"{node.label} began {late_s:.0f} s later than the {node.within_s:.0f} s that the recipe allows"
            self.journal.append("incident", {"kind": "fault", "text": text}, trial=journey.trial)

    def _way_option(self, journey: Journey, way: Way) -> Option:
        return Option(name=way.place, resources=self.needed(journey, way.place) | {at(way.place)} | way.devices)

    async def leave_for(
        self,
        journey: Journey,
        options: Sequence[Option],
        *,
        is_urgent: bool = False,
        due_s: float = math.inf,
        work_s: float = 0.0,
    ) -> Option:
        """Claim one of the options, or the way home where the sample is in somebody's way.

        is_urgent: it goes home at once if none of the options can be had.
        """
        if journey.at not in (journey.home, *self.layout.unlimited) and journey.at is not None:
            home = Option(name=journey.home, resources=self.needed(journey, journey.home), is_retreat=not is_urgent)
            options = [*options, home]
        return await self.claim(journey, options, is_first=is_urgent, due_s=due_s, work_s=work_s)

    async def claim(self, journey: Journey, options: Sequence[Option], **more: Any) -> Option:
        """Claim, for as long as nobody asks to stop; all that the sample holds besides its home is kept from others.

        Raises:
            StopRequested: The operator asked to stop.
            Skipped: The trial was given up.
        """
        owner = owner_of(journey.trial)
        frees = self.dispatcher.board.held(owner) - {A_HOME, at(journey.home)}
        waiting = self.dispatcher.claim(owner, options, frees=frees, **more)
        return await self.runner.stop.unless_set(waiting, trial=journey.trial)

    async def _claim_rest(self, journey: Journey, way: Way) -> None:
        """Claim what a visit that a restart interrupted needs to go on."""
        owner = owner_of(journey.trial)
        wanted = self.needed(journey, way.place) | way.devices
        if wanted - self.dispatcher.board.held(owner):
            await self.claim(journey, [Option(name=way.place, resources=wanted)])

    async def _acts(self, journey: Journey, way: Way) -> Sequence[MeasurementFile]:
        taken = []
        for act in way.acts:
            done = await self._done(journey, act)
            self._faults.pop(act.device, None)
            if done.measurement is not None:
                taken.append(done.measurement)
        return taken

    async def _brought_to_rest(self, journey: Journey, way: Way) -> None:
        """Stop the devices of a visit that broke off, before an arm reaches into what may move still.

        What cannot be stopped is closed with the sample in it, until a person has taken it out.
        """
        for device in sorted(way.devices):
            if "stop" not in self.runner.laboratory.stations[device].specs:
                continue
            path = f"stop{journey.moves:03d}.{device}"
            try:
                await self.runner.act(
                    journey.trial, Act(path=path, label=f"stop {device}", device=device, command="stop")
                )
            except TrialLost as error:
                self._left_inside(journey, way.place, device, error)

    def _left_inside(self, journey: Journey, place: str, device: str, error: TrialLost) -> None:
        if journey.at is None:  # said already, of another device
            return
        robot = next(name for name, places in self.layout.reach.items() if place in places)
        text = f"{device} cannot be stopped, so no robot reaches for {journey.sample} at {place}; take it out ({error})"
        self.note("sample_lost", journey.trial, {"places": [place], "text": text})
        closed = sorted({device, *self._limited([place])})
        facts = {"sample": journey.sample, "places": [place], "robot": robot, "code": "running"}
        self.attention.raise_("lost", text, closed=closed, trial=journey.trial, device=device, facts=facts)

    async def _done(self, journey: Journey, act: Act) -> Done:
        """Carry out an act, and again where it broke off and more of it does no harm."""
        for repeat in range(act.repeats + 1):
            attempt = replace(act, path=f"{act.path}.again{repeat}") if repeat else act
            try:
                return await self.runner.act(journey.trial, attempt)
            except TrialLost as error:
                if repeat == act.repeats or error.code == "rejected":
                    self._count_fault(act.device, error)
                    raise
                text = f"{act.label} broke off, and is done again: {error}"
                body = {"kind": "fault", "device": act.device, "text": text}
                self.journal.append("incident", body, trial=journey.trial)
                if "stop" in self.runner.laboratory.stations[act.device].specs:
                    stop = Act(
                        path=f"{attempt.path}.stop", label=f"stop {act.device}", device=act.device, command="stop"
                    )
                    await self.runner.act(journey.trial, stop)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _count_fault(self, device: str, error: TrialLost) -> None:
        """Take a device out of service that needs a person, or that fails time after time."""
        if not error.is_fault:
            return
        self._faults[device] = self._faults.get(device, 0) + 1
        if error.needs_operator or self._faults[device] >= FAULTS_IN_A_ROW:
            text = f"{device} is out of service until somebody has seen to it: {error}"
            facts = {"device": device, "code": error.code}
            self.attention.raise_("device", text, closed=[device], device=device, facts=facts)
            self._faults.pop(device)

    async def go_home(self, journey: Journey) -> None:
        """Carry a sample to its home."""
        if journey.at != journey.home:
            option = Option(name=journey.home, resources=self.needed(journey, journey.home))
            await self.leave_for(journey, [option], is_urgent=True)
            await self.go(journey, journey.home)

    async def go(self, journey: Journey, destination: str, *, keep: Iterable[str] = ()) -> None:
        """Carry a sample to a place, by robots and places that it holds, and let go of what it needs no more.

        Raises:
            TrialLost: It did not arrive.
        """
        kept = frozenset(keep)
        while journey.at != destination:
            leg = self.route(journey, destination).legs[0]
            doubt = await self._carried(journey, leg)
            if doubt is not None:
                await self._helped(journey, destination, kept, doubt)
            self._let_go(journey, kept | self.needed(journey, destination) | {at(destination)})
        self._let_go(journey, kept)

    async def _helped(self, journey: Journey, destination: str, keep: frozenset[str], doubt: Doubt) -> None:
        """Wait for a person, without keeping robots from others, and claim the way again."""
        self._let_go(journey, keep | {at(destination)})
        await self.attention.until_seen_to(doubt)
        needed = self.needed(journey, destination)
        if needed - self.dispatcher.board.held(owner_of(journey.trial)):
            await self.claim(journey, [Option(name=destination, resources=needed)])

    def _let_go(self, journey: Journey, keep: frozenset[str]) -> None:
        owner = owner_of(journey.trial)
        kept = keep | {A_HOME, at(journey.home), at(journey.at or journey.home)}
        gone = self.dispatcher.board.held(owner) - kept
        if gone:
            self.dispatcher.release(owner, gone)

    def route(self, journey: Journey, destination: str) -> Route:
        """Return the way from where a sample is.

        Raises:
            TrialLost: Nobody knows where it is, or there is no way.
        """
        route = None if journey.at is None else self.layout.route(journey.at, destination)
        if route is None:
            raise TrialLost(f"no way leads from {journey.at or 'a place that nobody knows'} to {destination}")
        return route

    def needed(self, journey: Journey, destination: str) -> frozenset[str]:
        """Return the robots, and the places on the way, that carrying a sample somewhere takes."""
        if journey.at == destination:
            return frozenset()
        legs = self.route(journey, destination).legs
        robots = {leg.robot for leg in legs}
        return frozenset(robots | self._limited(leg.destination for leg in legs[:-1]))

    def _limited(self, places: Iterable[str]) -> set[str]:
        return {at(place) for place in places if place not in self.layout.unlimited}

    async def _carried(self, journey: Journey, leg: Leg) -> Doubt | None:
        """Have a robot carry a sample; return what a person must see to first, where the robot cannot.

        Raises:
            TrialLost: Nobody knows where the sample is, or the robot refused.
        """
        for attempt in range(1, GRIPS + 1):
            if (doubt := await self._behind_a_door(journey, leg)) is not None:
                return doubt
            try:
                await self.runner.act(journey.trial, _transfer(journey, leg))
            except TrialLost as error:
                is_out_of_stock = error.code == "rejected" and leg.source == self.layout.magazine
                if error.code == NOT_GRIPPED or is_out_of_stock:
                    self.note("sample_not_moved", journey.trial, {"text": str(error)})
                    if is_out_of_stock:
                        return self._out_of_stock(leg)
                    if attempt == GRIPS:
                        return self._askew(journey, leg)
                    continue
                if error.code == "rejected" and attempt < GRIPS and await self._is_ready_again(journey, leg, error):
                    continue
                self._not_arrived(journey, leg, error, is_blocked=attempt > 1)
                raise
            self.note("sample_moved", journey.trial, {"at": leg.destination})
            return None
        return None

    async def _is_ready_again(self, journey: Journey, leg: Leg, error: TrialLost) -> bool:
        """Switch on a robot that refuses to move, as one that has restarted does; False where that cannot be done."""
        if "power_on" not in self.runner.laboratory.stations[leg.robot].specs:
            return False
        self.note("sample_not_moved", journey.trial, {"text": str(error)})
        text = f"{leg.robot} refused to move, and is made ready again: {error}"
        body = {"kind": "recovery", "device": leg.robot, "text": text}
        self.journal.append("incident", body, trial=journey.trial)
        act = Act(
            path=f"{_move_path(journey)}.ready", label=f"make {leg.robot} ready", device=leg.robot, command="power_on"
        )
        await self.runner.act(journey.trial, act)
        return True

    async def _behind_a_door(self, journey: Journey, leg: Leg) -> Doubt | None:
        """Let no arm reach into a furnace before its door was seen open; return what a person must see to first."""
        for place in (leg.source, leg.destination):
            furnace = self.furnaces.get(self.layout.station_of(place) or "")
            if furnace is None or furnace.door is None:
                continue
            try:
                state = await self.runner.read(furnace.door, "door_state")
            except DriverError as error:
                state = f"unknown ({error})"
            if state != "open":
                text = f"the door of {furnace.station} is {state}, and {journey.sample} is to pass through it; open it"
                facts = {"station": furnace.station, "heater": furnace.heater, "door": furnace.door, "open": True}
                return self.attention.raise_(
                    "furnace", text, closed=[furnace.heater], trial=journey.trial, device=furnace.door, facts=facts
                )
        return None

    def _askew(self, journey: Journey, leg: Leg) -> Doubt:
        text = f"{leg.robot} does not get hold of {journey.sample} at {leg.source}; set it straight"
        facts = {"place": leg.source, "robot": leg.robot, "sample": journey.sample}
        return self.attention.raise_("askew", text, trial=journey.trial, device=leg.robot, facts=facts)

    def _out_of_stock(self, leg: Leg) -> Doubt:
        """Ask for containers, once for all who wait for them."""
        facts = {"place": leg.source}
        known = [one for one in self.where.doubted.values() if one.kind == RESTOCK and one.facts == facts]
        text = f"{leg.source} holds no container any more; fill it"
        return known[0] if known else self.attention.raise_(RESTOCK, text, device=leg.robot, facts=facts)

    def _not_arrived(self, journey: Journey, leg: Leg, error: TrialLost, *, is_blocked: bool = False) -> None:
        """Close the places where a sample may be, until somebody has looked.

        is_blocked: the robot refuses though it was made ready, so something else is amiss: it may hold the sample.
        """
        if error.code == "rejected" and not is_blocked:  # nothing was moved
            self.note("sample_not_moved", journey.trial, {"text": str(error)})
            return
        candidates = [leg.source, leg.destination, f"the floor below {leg.robot}"]
        self.note("sample_lost", journey.trial, {"places": candidates, "text": str(error)})
        self.attention.raise_(
            "lost",
            f"look for {journey.sample}: at {', '.join(candidates[:2])} or on {candidates[2]} ({error})",
            closed=sorted({*self._limited((leg.source, leg.destination)), leg.robot}),
            trial=journey.trial,
            device=leg.robot,
            facts={"sample": journey.sample, "places": candidates, "robot": leg.robot, "code": error.code},
        )

    async def _settled(self, journey: Journey) -> None:
        """Find out what became of a transfer that a restart interrupted."""
        begun = self._begun(journey)
        if begun is not None:
            doubt = await self._carried(journey, begun)
            if doubt is not None:
                await self._helped(journey, journey.at or journey.home, frozenset(), doubt)
            self._let_go(journey, frozenset({at(journey.place)} if journey.place else ()))

    def _begun(self, journey: Journey) -> Leg | None:
        """Return the transfer that was begun before a restart and is not known to be over."""
        past = self.runner.past.get(f"{owner_of(journey.trial)}.{_move_path(journey)}")
        if past is None:
            return None
        arguments = past.act["arguments"]
        return Leg(robot=past.act["device"], source=arguments["source"], destination=arguments["destination"])

    async def _put_away(self, journey: Journey) -> None:
        """Take a sample out of the laboratory; what goes wrong then costs its trial nothing."""
        owner = owner_of(journey.trial)
        self.runner.forget(owner)
        for attempt in range(1, PUTS_AWAY + 1):
            if journey.at in (None, self.layout.magazine, self.layout.chute) or journey.has_left:
                break
            try:
                option = Option(name=self.layout.chute, resources=self.needed(journey, self.layout.chute))
                await self.claim(journey, [option])
                await self.go(journey, self.layout.chute)
            except (TrialFailed, TrialLost) as error:
                self._let_go(journey, frozenset())
                await self._not_put_away(journey, error, is_last=attempt == PUTS_AWAY)
        if not journey.has_left:
            self.note("sample_left", journey.trial, {"at": journey.at})
        self.firings.expect(journey.trial, ())
        self.dispatcher.release(owner)

    async def _not_put_away(self, journey: Journey, error: Exception, *, is_last: bool) -> None:
        """Wait a while and try again; in the end, close the place of a sample that is in the way until it is taken."""
        text = f"{journey.sample} was not taken out of the laboratory: {error}"
        self.journal.append("incident", {"kind": "fault", "text": text}, trial=journey.trial)
        if not is_last:
            await self.runner.stop.unless_set(self.clock.sleep(PAUSE_S))
        elif journey.at is not None:
            robot = next(name for name, places in self.layout.reach.items() if journey.at in places)
            facts = {"sample": journey.sample, "places": [journey.at], "robot": robot, "code": "stranded"}
            closed = sorted(self._limited([journey.at]))
            text = f"take {journey.sample} away from {journey.at}: {error}"
            self.attention.raise_("lost", text, closed=closed, trial=journey.trial, device=robot, facts=facts)

    def note(self, kind: str, trial: int | None, body: Mapping[str, Any]) -> None:
        """Journal what became of a sample, and know it from then on."""
        self.where.apply(self.journal.append(kind, body, trial=trial))
        self.firings.notify()


def _move_path(journey: Journey) -> str:
    return f"m{journey.moves:03d}"


def _transfer(journey: Journey, leg: Leg) -> Act:
    return Act(
        path=_move_path(journey),
        label=f"carry from {leg.source} to {leg.destination}",
        device=leg.robot,
        command="transfer",
        arguments={"source": leg.source, "destination": leg.destination},
        is_tagged=True,
    )


def _way(node: Visit, place: str) -> Way:
    return next(way for way in node.ways if way.place == place)
