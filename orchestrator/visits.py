"""Visits: a sample goes to a station, is worked on there, and lets go of the devices.

What a visit needs is claimed together: the place, the devices that work there, and the robots and places on the way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from drivers.clock import Clock
from orchestrator.acts.step import owner_of
from orchestrator.attention import Attention
from orchestrator.foresight import Foresight
from orchestrator.journey import Journey
from orchestrator.measurements import MeasurementFile
from orchestrator.outcomes import Done, TrialLost
from orchestrator.plan import Act, Furnace, Visit, Way
from orchestrator.runner import Runner
from orchestrator.scheduling.board import Option
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.names import at
from orchestrator.transport.transport import Transport

FAULTS_IN_A_ROW = 3
"""Acts that one device fails at, one after another, before it is taken out of service."""


@dataclass(slots=True, kw_only=True)
class Visits:
    """Has samples worked on at stations."""

    furnaces: Mapping[str, Furnace]
    """Furnaces by station."""
    clock: Clock
    runner: Runner
    dispatcher: Dispatcher
    transport: Transport
    attention: Attention
    foresight: Foresight
    _faults: dict[str, int] = field(default_factory=dict)
    """Faults of each device since it last did what it was told."""

    async def visit(self, journey: Journey, node: Visit, left_s: float) -> Sequence[MeasurementFile]:
        """Carry a sample to where a visit's work is done, have it done, and return what was measured.

        left_s: work that is left of the sample's plan, this visit included.

        Raises:
            TrialLost: The sample, or what was to be done with it, was lost.
            StopRequested, StorageError: As the runner.
        """
        owner = owner_of(journey.trial)
        if node.path in journey.done:  # before a restart: its measurements are recalled
            return await self._acts(journey, _way(node, journey.done[node.path]))
        if journey.visit != node.path:
            await self._claimed(journey, node, left_s)
        way = _way(node, journey.place or "")
        await self._claim_rest(journey, way)
        await self.transport.carrier.go(journey, way.place, keep=way.devices)
        try:
            taken = await self._acts(journey, way)
        except TrialLost:
            await self._brought_to_rest(journey, way)
            raise
        if journey.began_s is not None:
            self.foresight.visited(node, self.clock.now_s() - journey.began_s)
        self.transport.tracker.note("visit_ended", journey.trial, {"path": node.path, "place": way.place})
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
            is_urgent = self._is_in_a_furnace(journey)  # which waits to be emptied
            granted = await self.transport.claims.leave_for(
                journey, options, is_urgent=is_urgent, due_s=due_s, work_s=left_s
            )
            if granted.name != journey.home:
                break
            await self.transport.carrier.go(journey, journey.home)
            options = [self._way_option(journey, way) for way in node.ways]
        self.transport.tracker.note("visit_began", journey.trial, {"path": node.path, "place": granted.name})
        if self.clock.now_s() > due_s:
            late_s = self.clock.now_s() - due_s
            text = f"{node.label} began {late_s:.0f} s later than the {node.within_s:.0f} s that the recipe allows"
            self.transport.tracker.incident("fault", text, trial=journey.trial)

    def _is_in_a_furnace(self, journey: Journey) -> bool:
        return self.transport.claims.layout.station_of(journey.at or "") in self.furnaces

    def _way_option(self, journey: Journey, way: Way) -> Option:
        needed = self.transport.claims.needed(journey, way.place)
        return Option(name=way.place, resources=needed | {at(way.place)} | way.devices)

    async def _claim_rest(self, journey: Journey, way: Way) -> None:
        """Claim what a visit that a restart interrupted needs to go on."""
        needed = self.transport.claims.needed(journey, way.place)
        await self.transport.claims.claim_missing(journey, Option(name=way.place, resources=needed | way.devices))

    async def _acts(self, journey: Journey, way: Way) -> Sequence[MeasurementFile]:
        taken = []
        for act in way.acts:
            done = await self._done(journey, act)
            self._faults.pop(act.device, None)
            if done.measurement is not None:
                taken.append(done.measurement)
        return taken

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
                self.transport.tracker.incident("fault", text, trial=journey.trial, device=act.device)
                if self._can_stop(act.device):
                    await self.runner.act(journey.trial, _stop(act.device, f"{attempt.path}.stop"))
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

    async def _brought_to_rest(self, journey: Journey, way: Way) -> None:
        """Stop the devices of a visit that broke off, before an arm reaches into what may move still.

        What cannot be stopped is closed with the sample in it, until a person has taken it out.
        """
        for device in sorted(way.devices):
            if not self._can_stop(device):
                continue
            try:
                await self.runner.act(journey.trial, _stop(device, f"stop{journey.moves:03d}.{device}"))
            except TrialLost as error:
                self.transport.doubts.left_inside(journey, way.place, device, error)

    def _can_stop(self, device: str) -> bool:
        return "stop" in self.runner.laboratory.stations[device].specs


def _way(node: Visit, place: str) -> Way:
    return next(way for way in node.ways if way.place == place)


def _stop(device: str, path: str) -> Act:
    return Act(path=path, label=f"stop {device}", device=device, command="stop")
