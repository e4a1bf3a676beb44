"""Forming: which samples go into which furnace together, and when.

A rule (`orchestrator.scheduling.batching`) decides once a furnace is free, or an advisor where there is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from drivers.clock import Clock
from orchestrator.acts.step import owner_of
from orchestrator.advice import Advice, Advisor
from orchestrator.firing.run import FurnaceRun
from orchestrator.foresight import Foresight, Taken, stations_of
from orchestrator.journey import Whereabouts
from orchestrator.plan import Firing, Furnace
from orchestrator.scheduling.batching import LONGEST_WAIT, Batch, Former
from orchestrator.scheduling.board import Board
from orchestrator.scheduling.names import at
from orchestrator.scheduling.sharing import Problem

Stations = tuple[str, ...]
"""What tells one kind of furnaces from another."""


@dataclass(slots=True, kw_only=True)
class Forming:
    """Forms batches whenever something has changed, and has them begun."""

    furnaces: Mapping[str, Furnace]
    """By station."""
    board: Board
    clock: Clock
    where: Whereabouts
    foresight: Foresight
    runs: Mapping[str, FurnaceRun]
    """Those that are under way."""
    begin: Callable[[Batch, Furnace], None]
    """Begins a run; its furnace is not free from then on."""
    advisor: Advisor | None
    """Who plans the runs (each kind of furnaces has another one like this); None: nobody, and the rule forms them."""
    nodes: dict[int, Firing] = field(default_factory=dict)
    """What each sample waits for, or is going to wait for next."""
    _advisors: dict[Stations, Advisor] = field(default_factory=dict)
    _formers: dict[Stations, Former] = field(default_factory=dict)
    _alarm: asyncio.Task[None] | None = None

    def former(self, node: Firing) -> Former:
        """Return what samples that wait for a run join."""
        stations = stations_of(node)
        if stations not in self._formers:
            capacity = min(len(furnace.places) for furnace in node.furnaces)
            wait = LONGEST_WAIT if node.longest_wait_s is None else node.longest_wait_s / max(node.work_s, 1.0)
            is_strict = node.longest_wait_s is not None
            self._formers[stations] = Former(capacity=capacity, longest_wait=wait, is_strict=is_strict)
        return self._formers[stations]

    def form(self) -> None:
        """Begin the runs that should begin now, and look again when the next one should."""
        next_s = None
        for stations, former in self._formers.items():
            while (free := self._free(stations)) is not None:
                batch, due_s = self._next(stations, former)
                if batch is None:
                    next_s = due_s if next_s is None else min(next_s, due_s or next_s)
                    break
                self.begin(batch, free)
        self._look_again(next_s)

    def begun(self, node: Firing) -> None:
        """Know that a run was begun: an advisor's answer no longer holds."""
        if (advisor := self._advisor(stations_of(node))) is not None:
            advisor.begun()

    async def close(self) -> None:
        """Look and ask no more."""
        self._look_again(None)
        for advisor in self._advisors.values():
            await advisor.close()

    def _next(self, stations: Stations, former: Former) -> tuple[Batch | None, float | None]:
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

    def _coming(self, former: Former) -> Mapping[str, int]:
        waiting = {member.owner for member in former.waiting}
        coming: dict[str, int] = {}
        for trial, node in self.nodes.items():
            journey = self.where.journeys.get(trial)
            if owner_of(trial) not in waiting and (journey is None or journey.batch is None):
                coming[node.key] = coming.get(node.key, 0) + 1
        return coming

    def _advisor(self, stations: Stations) -> Advisor | None:
        if self.advisor is not None and stations not in self._advisors:
            self._advisors[stations] = self.advisor.another(self.form)
        return self._advisors.get(stations)

    def _advice(self, advisor: Advisor, stations: Stations, former: Former) -> Advice | None:
        now_s = self.clock.now_s()
        in_service = [self.furnaces[name] for name in stations if self._is_in_service(self.furnaces[name])]
        taken = [self._taken(furnace) for furnace in in_service]
        signature = (
            stations,
            tuple(one.owner for one in former.waiting),
            frozenset(self.nodes),
            tuple(one.station for one, by in zip(in_service, taken, strict=True) if by is None),
        )

        def problem() -> Problem:
            return self.foresight.problem(former, now_s, furnaces=taken, stations=stations)

        return advisor.advise(former, problem, signature, now_s)

    def _is_in_service(self, furnace: Furnace) -> bool:
        """Say whether a furnace is free, or will be once its run is over."""
        if resources_of(furnace) & self.board.closed:
            return False
        return self.board.is_free(resources_of(furnace)) or self._run_of(furnace) is not None

    def _run_of(self, furnace: Furnace) -> FurnaceRun | None:
        return next((run for run in self.runs.values() if run.furnace.station == furnace.station), None)

    def _taken(self, furnace: Furnace) -> Taken | None:
        run = self._run_of(furnace)
        if run is None:
            return None
        return Taken(work_s=0.0 if run.node is None else run.node.work_s, since_s=run.batch.formed_s)

    def _free(self, stations: Stations) -> Furnace | None:
        found = (self.furnaces[station] for station in stations)
        return next((one for one in found if self.board.is_free(resources_of(one))), None)

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


def resources_of(furnace: Furnace) -> frozenset[str]:
    """Return what a run of a furnace holds, by its names on the board."""
    return furnace.devices | {at(place) for place in furnace.places}
