"""The loop: ask, accept, run, analyse, tell, until the budget is spent or a rule says stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from drivers.clock import Clock
from orchestrator.asking import Asking
from orchestrator.bill import Bill
from orchestrator.campaign import Campaign
from orchestrator.fidelities import counting, spent
from orchestrator.history import History
from orchestrator.hours.keeper import Timekeeper
from orchestrator.hours.room import Over, Rest
from orchestrator.journal import Journal
from orchestrator.knowledge import Knowledge
from orchestrator.outcomes import StopRequested, StopSwitch
from orchestrator.people.desk import Desk
from orchestrator.people.intent import Intent
from orchestrator.records import Telling, TrialRecord
from orchestrator.stopping import reason_to_stop
from orchestrator.trials import TrialExecutor, Verdict
from orchestrator.words import duration

log = logging.getLogger(__name__)

FAULTS_IN_A_ROW = 3
"""Trials lost to faults, one after another, before the campaign gives up on the lab."""

_STATE_AFTER = {"measured": "analysed", "failed": "failed", "lost": "lost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a campaign ended, this time."""

    status: str
    """``finished``, ``stopped`` (by the operator; may be resumed) or ``faulted`` (may be resumed)."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a live display shows."""

    trials: Sequence[TrialRecord]
    diagnostics: Mapping[str, Any]
    now_s: float


@dataclass(slots=True)
class CampaignLoop:
    """One execution of a campaign, from wherever its history stands."""

    campaign: Campaign
    journal: Journal
    clock: Clock
    knowledge: Knowledge
    executor: TrialExecutor
    stop: StopSwitch
    desk: Desk
    asking: Asking
    history: History = field(default_factory=History)
    on_progress: Callable[[Progress], None] | None = None
    bill: Callable[[], Bill] | None = None
    """Says what the campaign has cost so far; None where nobody keeps account."""
    hours: Timekeeper | None = None
    """Says what still fits; None where nothing must have ended in time."""
    closed_until: datetime | None = None
    """The end of the window that was open when this execution began."""
    _rest: Rest | None = None
    """Why nothing is asked for until later."""
    _broken: list[Exception] = field(default_factory=list)
    """What ended the campaign while trials were under way."""
    _ending: Ending | None = None
    """Why nothing more is asked for, while the last trials are under way."""
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> Ending:
        """Go on until something ends the campaign, and journal what it was.

        Raises:
            StorageError: The journal or a file could not be written; nothing was acted upon unrecorded.
        """
        if self.executor.journeys is not None:
            self.executor.journeys.more_to_come = self._has_more_to_ask
        watching = asyncio.get_running_loop().create_task(self._watch_hours())
        try:
            ending = await self._until_ended()
            if self.executor.journeys is not None and not self.stop.is_set:
                await self.executor.journeys.firings.drained()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            if self.executor.journeys is not None:
                await self.executor.journeys.close()
        self.journal.append("campaign_ended", asdict(ending), durable=True)
        return ending

    def reconsider(self) -> None:
        """Look again at what may be asked for: people have ordered something."""
        self._ending = self._rest = None
        self._woken.set()

    def broke(self, error: Exception) -> None:
        """End the campaign by what happened beside it."""
        self._broken.append(error)
        self.stop.set()
        self._woken.set()

    async def _watch_hours(self) -> None:
        """Write down when it closes and opens; a journal that does not take that ends the campaign."""
        if self.hours is None:
            return
        try:
            await self.hours.watch(self.closed_until)
        except Exception as error:  # the supervisor of this task, which nobody waits for
            log.error("hours_broke error=%s", error)
            self.broke(error)

    async def _until_ended(self) -> Ending:
        running: dict[int, asyncio.Task[None]] = {}
        try:
            return await self._looped(running)
        except asyncio.CancelledError:
            _raise_interrupt(running.values())
            raise
        finally:
            self.asking.close()
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)

    async def _looped(self, running: dict[int, asyncio.Task[None]]) -> Ending:
        """Ask whenever there is room for another batch, and carry trials through side by side meanwhile.

        Raises:
            StorageError: Something could not be written, by the first trial that it happened to.
        """
        while True:
            self._begin_open(running)
            if not running and (self._broken or self.stop.is_set):
                if self._broken:
                    raise self._broken[0]
                return Ending(status="stopped", reason=f"{self.stop.reason}; the current step was finished")
            if self._may_ask() and len(running) <= self.campaign.at_once - self.campaign.batch:
                self._tell()
                self._ending = self._ending or self._ended() or await self._ask()
                if self._ending is not None and not running:
                    return self._ending
                if self._ending is None:
                    continue
            if self.asking.ahead is not None and self._has_more_to_ask():
                self.asking.ahead.consider()
            await self._next_end(running)

    def _begin_open(self, running: dict[int, asyncio.Task[None]]) -> None:
        """Begin the trials that are open and not under way."""
        if self.stop.is_set:
            return
        for trial in self.history.trials:
            if trial.is_open and trial.number not in running:
                running[trial.number] = asyncio.get_running_loop().create_task(self._one(trial))

    def _has_more_to_ask(self) -> bool:
        return self._ending is None and not self.stop.is_set and len(self.history.trials) < self._most_trials

    def _may_ask(self) -> bool:
        return not self.stop.is_set and self.desk.intent is not Intent.PAUSE and self._rest is None

    async def _next_end(self, running: dict[int, asyncio.Task[None]]) -> None:
        """Wait until there is something to ask or to end for."""
        loop = asyncio.get_running_loop()
        others: list[asyncio.Task[Any]] = [loop.create_task(self._woken.wait())]
        if self._rest is not None and self.hours is not None and not self.stop.is_set:
            others.append(loop.create_task(self._rested(self.hours.looks_again_s(self._rest))))
        try:
            done, _ = await asyncio.wait([*running.values(), *others], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self._woken.clear()
        self._rest = None
        for number in [number for number, task in running.items() if task in done]:
            running.pop(number).result()

    async def _rested(self, until_s: float) -> None:
        """Let time pass, unless people want to stop."""
        with suppress(StopRequested):
            await self.stop.unless_set(self.clock.sleep_until(until_s))

    async def _one(self, trial: TrialRecord) -> None:
        try:
            self._take(trial, await self.executor.run(trial))
        except StopRequested:
            self.stop.set()
        except Exception as error:  # not the group's to see: it would cut its other trials off in the middle of an act
            log.error("trial_broke trial=%d error=%s", trial.number, error)
            self._broken.append(error)
            self.stop.set()
        else:
            self._show()

    def _take(self, trial: TrialRecord, verdict: Verdict) -> None:
        self.history.trials[trial.number - 1] = replace(
            trial,
            state=_STATE_AFTER[verdict.outcome],
            outcome=verdict.outcome,
            reason=verdict.reason,
            values=verdict.values,
            context=verdict.context,
            started_s=verdict.started_s,
            finished_s=self.clock.now_s(),
        )
        self.history.findings[trial.number] = list(verdict.findings)
        if verdict.is_fault:
            self.history.faults.append(verdict.reason)
        else:
            self.history.faults.clear()

    def _tell(self) -> None:
        """Tell in the order of the trial numbers, so that the order in which they ended changes nothing."""
        told = {number for telling in self.history.told for number in telling.trials}
        waiting = [trial for trial in self.history.trials if trial.number not in told and not trial.is_open]
        if waiting:
            for problem in self.knowledge.tell(waiting, self.history.findings):
                self.journal.append("incident", {"kind": "fallback", "text": problem})
            numbers = [trial.number for trial in waiting]
            self.history.told.append(Telling(numbers, self.history.asks))
            self.journal.append("told", {"trials": numbers, "asks": self.history.asks})
            self.asking.scored(self.history.book.told(waiting, self.history.findings))

    def _ended(self) -> Ending | None:
        trials, duration_s = self.history.trials, self.desk.duration_budget_s(self.campaign.budget.duration_s)
        if len(trials) >= self._most_trials:
            return Ending(status="finished", reason=f"the budget of {self._most_trials} trials is spent")
        if duration_s is not None and self.clock.now_s() >= duration_s:
            return Ending(status="finished", reason=f"the budget of {duration(duration_s)} is spent")
        # where devices are taken out of service one by one, many samples may be lost to the same cause at once
        most = FAULTS_IN_A_ROW if self.executor.journeys is None else max(FAULTS_IN_A_ROW, self.campaign.at_once)
        if len(self.history.faults) >= most:
            reasons = "; ".join(self.history.faults[-FAULTS_IN_A_ROW:])
            return Ending(status="faulted", reason=f"{most} trials in a row were lost: {reasons}")
        campaign, diagnostics = self.campaign, self.history.diagnostics
        if campaign.budget.cost is not None and spent(campaign.parameters, trials) >= campaign.budget.cost:
            return Ending(status="finished", reason=f"the budget of {campaign.budget.cost:g} in cost is spent")
        counted = counting(campaign.parameters, trials)
        reason = reason_to_stop(campaign.stopping, counted, campaign.objectives, diagnostics, self.bill)
        return Ending(status="finished", reason=reason) if reason else None

    @property
    def _most_trials(self) -> int:
        return self.desk.trials_budget(self.campaign.budget.trials)

    async def _ask(self) -> Ending | None:
        found = await self.asking.batch(self._most_trials - len(self.history.trials))
        if isinstance(found, Over):
            return Ending(status="finished", reason=found.reason)
        if isinstance(found, Rest):
            self._rest = found
        elif found:
            self.history.trials.extend(found)
            self._show()
        return None

    def _show(self) -> None:
        if self.on_progress is not None:
            self.on_progress(
                Progress(trials=self.history.trials, diagnostics=self.history.diagnostics, now_s=self.clock.now_s())
            )


def _raise_interrupt(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Let a signal that struck in a trial end everything at once: what was cancelled for it has nothing to make safe.

    Raises:
        KeyboardInterrupt: One did.
    """
    for task in tasks:
        if task.done() and not task.cancelled() and isinstance(task.exception(), KeyboardInterrupt):
            raise KeyboardInterrupt
