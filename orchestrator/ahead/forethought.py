"""Forethought: while trials are under way, workers plan for results that may come, and keep short lists.

Each imagined result is a job of the compute queue (class `speculate`) on a copy of what the planner knew at its last
ask. A list is in the journal as soon as it is made, so that a controller that takes over may choose from it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers.clock import Clock
from orchestrator.ahead.fields import Planning
from orchestrator.ahead.imagining import Expected, as_observations, awaited, imagined, quantiles, ranges
from orchestrator.ahead.lists import SPECULATED, ShortList
from orchestrator.campaign import Campaign
from orchestrator.charges import Charges
from orchestrator.history import History
from orchestrator.journal import Journal
from orchestrator.records import observations_of
from surrogate.compute import ComputeQueue, Job, JobClass, Ticket

log = logging.getLogger(__name__)

FUNCTION = "planner.speculation:short_list"
MOST_LETTERS = 4_000_000
"""A document of a planner that is longer is not handed from process to process at every ask."""
_LEASE_BYTES = 2**30
_ENDLESS_S = 1e9
_UNKNOWN_S = 600.0
"""What a list may take on real ports, where a campaign does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What short lists are made for."""

    ask: int
    awaited: Sequence[int]
    """Trials whose results are imagined."""
    arrived: Sequence[int]
    """Trials whose results have come, and which the planner was not told of yet."""


@dataclass(slots=True, kw_only=True)
class Forethought:
    """Thinks about the next ask."""

    campaign: Campaign
    settings: Planning
    queue: ComputeQueue
    clock: Clock
    journal: Journal
    history: History
    charges: Charges | None
    """None in wall time."""
    began_s: Callable[[], Mapping[int, float]]
    """Says when trials under way were begun."""
    broke: Callable[[Exception], None]
    """Hears of what ends the campaign."""
    document: Mapping[str, Any] | None = None
    """What the planner knew at its last ask; None: nothing can be thought of ahead."""
    lists: list[ShortList] = field(default_factory=list)
    """Those for the next ask that are ready."""
    begun: int = 0
    """How many were begun for it."""
    began_at_s: float = 0.0
    """When the first of those that are being made was begun."""
    _basis: Basis | None = None
    _tickets: list[Ticket] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def consider(self) -> None:
        """Begin to think of what may come, unless that is being done, or was."""
        basis = self._wanted()
        if basis is None or basis == self._basis:
            return
        self.drop()
        self._basis, self.began_at_s = basis, self.clock.now_s()
        lists = self._unmade(basis)
        self.begun += len(lists)
        self._task = asyncio.get_running_loop().create_task(self._think(lists))

    def _wanted(self) -> Basis | None:
        trials, history = self.history.trials, self.history
        if self.document is None:
            return None
        next_ones = awaited(trials, self.began_s(), at_once=self.campaign.at_once, batch=self.campaign.batch)
        if not next_ones:
            return None
        told = {number for telling in history.told for number in telling.trials}
        arrived = [trial.number for trial in trials if not trial.is_open and trial.number not in told]
        return Basis(ask=history.asks, awaited=next_ones, arrived=arrived)

    def _unmade(self, basis: Basis) -> list[ShortList]:
        """Return what is to be thought of, without points; less what a controller before this one has thought of."""
        expected = {number: self._expected(number) for number in basis.awaited}
        open_trials = [trial.number for trial in self.history.trials if trial.is_open]
        unimagined = [number for number in open_trials if number not in expected]
        directions = {objective.name: objective.direction for objective in self.campaign.objectives}
        # where nothing is expected yet, all outcomes are the same
        parts = quantiles(self.settings.outcomes if any(expected.values()) else 1)
        within = ranges(self.history.trials, directions)
        made = [(one.imagined, list(one.unimagined)) for one in self.lists]
        found: list[ShortList] = []
        for part in parts:
            values = imagined(expected, directions, part, within)
            if (values, unimagined) not in made:
                made.append((values, unimagined))
                found.append(_unwritten(basis.ask, part, values, unimagined))
        return found

    def _expected(self, number: int) -> Expected:
        """Return what the model that leads foretold of a trial; nothing where there is none, and of controls."""
        trial, book = self.history.trials[number - 1], self.history.book
        if trial.proposal_id is None:
            return {}
        foretold = book.ledger.open_forecasts(number, book.champion) if book.champion is not None else {}
        if foretold:
            return {target: (one.mean, one.sd) for target, one in foretold.items()}
        return {target: (one["mean"], one["sd"]) for target, one in trial.predictions.items()}

    async def _think(self, lists: Sequence[ShortList]) -> None:
        """Have lists made, and journal each: the supervisor of this, for which nobody waits."""
        try:
            self._tickets = [self.queue.submit(self._job(one, index)) for index, one in enumerate(lists)]
            await asyncio.gather(*(self._made(*each) for each in zip(lists, self._tickets, strict=True)))
        except Exception as error:
            log.exception("forethought_broke")
            self.broke(error)
        finally:
            self._news.set()

    def _job(self, one: ShortList, index: int) -> Job:
        assert self.document is not None  # noqa: S101 - otherwise nothing was wanted
        n = max(self.settings.short_list, self.campaign.batch)
        known = len(self.document["observations"]) + len(one.imagined)
        expected_s, timeout_s = None, self.campaign.planner.deadline_s
        if self.charges is not None:
            expected_s, timeout_s = self.charges.of_list(known=known, key=(one.ask, index)), _ENDLESS_S
        return Job(
            job_class=JobClass.SPECULATE,
            function=FUNCTION,
            arguments={"document": self.document, "imagined": [*self._arrived(), *self._told_of(one)], "n": n},
            memory_bytes=_LEASE_BYTES,
            size=float(max(1, known)),
            expected_s=expected_s,
            killable=True,
            retries=1,
            timeout_s=_UNKNOWN_S if timeout_s is None or math.isinf(timeout_s) else timeout_s,
            name=f"a plan for ask {one.ask + 1}, quantile {one.quantile:.2g}",
        )

    def _arrived(self) -> list[dict[str, Any]]:
        """Return what has come and the planner is yet to be told of."""
        targets = {objective.name for objective in self.campaign.objectives}
        numbers = () if self._basis is None else self._basis.arrived
        found = []
        for number in numbers:
            trial = self.history.trials[number - 1]
            for seen in observations_of(trial, self.history.findings.get(number, []), targets):
                found.append({name: getattr(seen, name) for name in seen.__dataclass_fields__})
        return found

    def _told_of(self, one: ShortList) -> list[dict[str, Any]]:
        return as_observations(self.history.trials, one.imagined)

    async def _made(self, one: ShortList, ticket: Ticket) -> None:
        outcome = await asyncio.shield(ticket.ended)
        if outcome.status != "done":
            log.info("no_short_list ask=%d quantile=%g why=%s", one.ask, one.quantile, outcome.reason)
            return
        points: Any = outcome.value
        body = {**one.body(), "points": points, "busy_s": outcome.busy_s}
        self.journal.append(SPECULATED, body)
        self.lists.append(ShortList.of(json.loads(json.dumps(body))))
        self._news.set()

    async def first(self, within_s: float) -> None:
        """Wait for the first list that is ready, or until none will be, at most so long."""
        until_s = self.clock.now_s() + within_s
        while not self.lists and self._task is not None and not self._task.done() and self.clock.now_s() < until_s:
            self._news.clear()
            try:
                async with asyncio.timeout(until_s - self.clock.now_s()):
                    await self._news.wait()
            except TimeoutError:
                return

    @property
    def has_suggestions(self) -> bool:
        """Return whether points that people have suggested wait to be asked for."""
        return self.document is not None and bool(self.document["said"].get("suggested"))

    @property
    def is_thinking(self) -> bool:
        """Return whether lists are being made."""
        return self._task is not None and not self._task.done()

    def asked(self, document: Mapping[str, Any] | None) -> None:
        """Forget what was thought of: the next ask is another one; document: what the planner knows by now."""
        self.drop()
        self.document, self.lists, self.begun, self._basis = document, [], 0, None

    def drop(self) -> None:
        """Leave what is being thought of."""
        for ticket in self._tickets:
            ticket.cancel()
        if self._task is not None:
            self._task.cancel()
        self._tickets, self._task = [], None


def _unwritten(ask: int, part: float, values: Mapping[int, Mapping[str, float]], others: Sequence[int]) -> ShortList:
    return ShortList(ask=ask, quantile=part, imagined=values, unimagined=others, points=(), busy_s=0.0)
