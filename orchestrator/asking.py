"""What is tried next: the planner is asked, and what is lost, ordered or a control stands beside what it proposes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from drivers.clock import Clock
from orchestrator.ahead.ahead import Ahead
from orchestrator.campaign import Campaign
from orchestrator.charges import Charges
from orchestrator.events import Event
from orchestrator.history import History
from orchestrator.hours.keeper import Timekeeper
from orchestrator.hours.room import Limit, Over, Rest
from orchestrator.journal import Journal
from orchestrator.knowledge import Answer, Knowledge
from orchestrator.models.book import REPLAYED
from orchestrator.models.files import ModelFiles
from orchestrator.models.telling import Told, told_by
from orchestrator.outcomes import StopRequested, StopSwitch
from orchestrator.people.desk import Desk
from orchestrator.records import TrialRecord
from planner.errors import NothingWithin, SearchSpaceExhausted
from surrogate.registry.ledger import Line

MOST_REPLAYED = 16
"""Results from before the first forecast that models are replayed over."""

_NOTHING = Answer(proposals=(), wall_s=0.0, policy="")
"""What the planner is not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of an ask."""

    answer: Answer
    diagnostics: dict[str, Any]
    replayed: dict[str, Any]
    """What models would have foretold of results from before the first forecast."""
    document: Mapping[str, Any] | None = None
    """What the planner knows by now; None where nothing is thought of ahead."""


@dataclass(slots=True, kw_only=True)
class Asking:
    """Asks for one batch after another, and journals each before anything of it is done."""

    campaign: Campaign
    journal: Journal
    clock: Clock
    knowledge: Knowledge
    stop: StopSwitch
    desk: Desk
    charges: Charges | None
    """What asks cost; None in wall time, where they take what they take."""
    charge: Callable[[float], None] | None
    """Lets a virtual clock pass with everything else at a stand; None in wall time."""
    history: History
    hours: Timekeeper | None = None
    """Says what still fits; None where nothing must have ended in time."""
    _given_up: Mapping[str, str] = field(default_factory=dict)
    """What had to be given up at the ask before to fit models, by target."""
    model_files: ModelFiles | None = None
    """Keeps versions of models beside the journal; None where nobody wants them."""
    ahead: Ahead | None = None
    """Says what was thought of ahead; None: every plan is made when it is needed."""

    async def batch(self, room: int) -> Sequence[TrialRecord] | Rest | Over:
        """Return the next trials, accepted and journalled; none where the operator asked to stop meanwhile.

        room: how many there may be at most.
        """
        controls = self._controls()
        again = self._again()[: min(self.campaign.batch - len(controls), room)]
        limit = None
        if self.hours is not None:
            found = self.hours.room(min(self.campaign.batch, room))
            if isinstance(found, Over | Rest):
                return found
            limit, room = self.hours.limit(found), min(room, found.n)
            again, controls = self._fitting(again, controls, limit, room)
        wanted = min(self.campaign.batch - len(controls), room) - len(again)
        asked_s, known = self.clock.now_s(), self.knowledge.n_told
        try:
            asked = await self._planned_beside(again, wanted, limit)
            charged_s = await self._paid(asked.answer, known)
        except StopRequested:
            return []
        except SearchSpaceExhausted as error:
            return self._exhausted(error)
        self.history.diagnostics, answer, replayed = asked.diagnostics, asked.answer, asked.replayed
        told = told_by(self.history.book, asked.diagnostics, self.desk.state.planned_with)
        answer = replace(answer, proposals=[told.proposal(one) for one in answer.proposals])
        accepted = self._accept(answer, again, controls[: room - len(answer.proposals) - len(again)])
        for number, trial in zip(again, accepted[len(answer.proposals) :], strict=False):
            self.desk.requeued(number, as_trial=trial.number)
        if replayed:
            self.journal.append(REPLAYED, replayed)
            self.scored(self.history.book.replayed(replayed))
        planning = None if self.ahead is None else self.ahead.part_of_ask(answer, known=known, charged_s=charged_s)
        self._journal_ask(answer, accepted, told, asked_s=asked_s, charged_s=charged_s, planning=planning)
        if self.ahead is not None:
            self.ahead.asked(asked.document)
        return accepted

    def close(self) -> None:
        """Leave what is being thought of."""
        if self.ahead is not None:
            self.ahead.close()

    def _exhausted(self, error: SearchSpaceExhausted) -> Rest | Over:
        """Wait for more time where that is all that lacks and more is to come; otherwise it is over."""
        later = self.hours.later() if isinstance(error, NothingWithin) and self.hours is not None else None
        return Over(reason=str(error)) if later is None else later

    def _again(self) -> list[int]:
        """Return the trials that are to be made again: those that people have ordered, then those that were lost."""
        lost = [trial.number for trial in self.history.trials if self._is_worth_a_remake(trial)]
        return list(dict.fromkeys([*self.desk.requeues, *lost]))

    def _is_worth_a_remake(self, trial: TrialRecord) -> bool:
        said = self.desk.state
        if trial.outcome != "lost" or trial.number in said.remade or trial.number in said.skipped:
            return False
        before = {again: number for number, again in said.remade.items()}
        number, tries = trial.number, 0
        while (number := before.get(number, 0)) and tries < self.campaign.remakes:
            tries += 1
        return tries < self.campaign.remakes

    def _fitting(
        self, again: list[int], controls: list[Mapping[str, Any]], limit: Limit | None, room: int
    ) -> tuple[list[int], list[Mapping[str, Any]]]:
        """Return those trials that are to be made again, and those controls, that there is room for."""
        if limit is None:
            return again[:room], controls
        again = [number for number in again if limit.fits(self.history.trials[number - 1].parameters)][:room]
        return again, [point for point in controls if limit.fits(point)][: max(0, room - max(1, len(again)))]

    async def _planned_beside(self, again: Sequence[int], n: int, limit: Limit | None) -> Asked:
        """Plan beside trials that are made again, which go on where nothing is left to plan.

        Raises:
            StopRequested: The operator asked to stop.
            SearchSpaceExhausted: Nothing is left at all.
        """
        try:
            return await self._planned(n, limit)
        except SearchSpaceExhausted:
            if not again:
                raise
            return Asked(answer=_NOTHING, diagnostics=self.history.diagnostics, replayed={})

    async def _planned(self, n: int, limit: Limit | None) -> Asked:
        """Have the planner take the best of what was thought of ahead, or plan anew."""
        among: Sequence[Mapping[str, Any]] = ()
        if self.ahead is not None and n:
            news = any(not self.knowledge.is_advised(said.id) for said in self.desk.state.advice)
            among = await self.ahead.choose(n, self.knowledge.n_told, is_advised_anew=news)
        if among:
            try:
                return await self._asked(n, limit, among)
            except SearchSpaceExhausted:
                self.ahead.none_fits()  # pyright: ignore[reportOptionalMemberAccess] - among is its own
        return await self._asked(n, limit)

    async def _paid(self, answer: Answer, known: int) -> float:
        """Let virtual time pass for an ask, and return what it cost.

        Raises:
            StopRequested: The operator asked to stop.
        """
        if self.charges is None:
            return answer.wall_s
        of = self.charges.of_choice if self.ahead is not None and self.ahead.is_from_lists else self.charges.of_ask
        seconds = of(answer.wall_s, known=known, key=(self.history.asks, 0))
        if self.ahead is not None:  # as on real ports: everything else goes on meanwhile
            await self.stop.unless_set(self.clock.sleep(seconds))
        elif self.charge is not None:
            self.charge(seconds)
        return seconds

    async def _asked(self, n: int, limit: Limit | None = None, among: Sequence[Mapping[str, Any]] = ()) -> Asked:
        """Ask the planner, what it says of itself, and what its models would have foretold of results from before.

        On real ports everything else goes on meanwhile.

        Raises:
            StopRequested: The operator asked to stop; the answer is not waited for.
        """

        self._pass_on()

        def work() -> Asked:
            answer = self.knowledge.ask(n, limit, among) if n else _NOTHING
            is_first = bool(answer.foretold.live) and not self.history.book.ledger.lines
            replayed = self.knowledge.replayed(MOST_REPLAYED) if is_first else {}
            document = self.knowledge.document() if self.ahead is not None and not self.ahead.why_not else None
            diagnostics = self.knowledge.diagnostics()
            return Asked(answer=answer, diagnostics=diagnostics, replayed=replayed, document=document)

        return work() if self.clock.is_virtual else await self.stop.unless_set(asyncio.to_thread(work))

    def _pass_on(self) -> None:
        """Pass on to the planner who leads, and what people have said to it since the last ask."""
        if len(self.history.book.models) > 1:
            self.knowledge.follow(self.history.book.champion)
        for said in self.desk.state.advice:
            if not self.knowledge.is_advised(said.id):
                since = self.desk.advised(said.id, n_told=self.knowledge.n_told)
                problem = self.knowledge.advise(said.id, said.kind, said.arguments, since=since)
                if problem:
                    self.journal.append("incident", {"kind": "people", "text": f"{said.kind}, {said}: {problem}"})

    def _controls(self) -> list[Mapping[str, Any]]:
        return [control.parameters for control in self.campaign.controls for _ in range(control.per_batch)]

    def _accept(self, answer: Answer, again: Sequence[int], controls: Sequence[Mapping[str, Any]]) -> list[TrialRecord]:
        first, ask = len(self.history.trials) + 1, self.history.asks
        proposed = [
            TrialRecord(
                number=first + index,
                parameters=dict(proposal.parameters),
                ask=ask,
                is_control=False,
                proposal_id=proposal.id,
                proposal_reason=proposal.reason,
                predictions={name: asdict(prediction) for name, prediction in proposal.predictions.items()},
            )
            for index, proposal in enumerate(answer.proposals)
        ]
        for number in again:
            before = self.history.trials[number - 1]
            given = self.desk.state.requeues.get(number)
            why = "as it was lost" if given is None else f"as ordered {given}"
            reason = f"trial {number} again, {why}"
            proposed.append(
                TrialRecord(
                    number=first + len(proposed),
                    parameters=dict(before.parameters),
                    ask=ask,
                    is_control=before.is_control,
                    proposal_id=None,
                    proposal_reason=reason,
                )
            )
        first += len(proposed)
        return proposed + [
            TrialRecord(number=first + index, parameters=dict(point), ask=ask, is_control=True, proposal_id=None)
            for index, point in enumerate(controls)
        ]

    def _journal_ask(
        self,
        answer: Answer,
        accepted: Sequence[TrialRecord],
        told: Told,
        *,
        asked_s: float,
        charged_s: float,
        planning: Mapping[str, Any] | None,
    ) -> None:
        names = ("number", "parameters", "is_control", "proposal_id", "proposal_reason", "predictions")
        body = {
            "index": self.history.asks,
            "n": len(accepted),
            "asked_s": asked_s,
            "charged_s": charged_s,
            "wall_s": answer.wall_s,
            "cpu_s": answer.cpu_s,
            "policy": answer.policy,
            "fallback_reason": answer.fallback_reason,
            "diagnostics": self.history.diagnostics,
            "trials": [{name: getattr(trial, name) for name in names} for trial in accepted],
        }
        if planning is not None:
            body["planning"] = planning
        if answer.foretold.live:
            numbers = [trial.number for trial in accepted[: len(answer.proposals)]]
            forecasts = dict(zip(numbers, answer.foretold.forecasts, strict=True))
            body["models"] = self.history.book.part_of_ask(answer.foretold.live, forecasts, self.campaign.seed)
            body["models"]["told_as"] = told.data()
        for text in self._new_troubles():
            self.journal.append("incident", {"kind": "model", "text": text})
        if answer.fallback_reason:
            self.journal.append("incident", {"kind": "fallback", "text": answer.fallback_reason})
        event = self.journal.append("asked", body, durable=True)
        self._foretold(event, answer)

    def _new_troubles(self) -> list[str]:
        """Return what had to be given up to fit models, where that was not so at the ask before."""
        found, before = dict(self.history.diagnostics.get("given_up", {})), self._given_up
        self._given_up = found
        return [f"{target}: {said}" for target, said in found.items() if before.get(target) != said]

    def _foretold(self, event: Event, answer: Answer) -> None:
        """Take in what models foretold, which is durable by now, and keep them."""
        book = self.history.book
        self.scored(book.asked(event.body, event.utc))
        if self.model_files is not None and answer.foretold.live:
            new = [version for version in book.versions.values() if version.ask == event.body["index"]]
            self.model_files.keep(new, answer.foretold.live)
            given = self.desk.state.planned_with
            self.model_files.point(book, pinned=None if given is None else given.arguments["version"])

    def scored(self, lines: Sequence[Line]) -> None:
        """Keep what models foretold, and how they are judged by results, beside the journal."""
        if self.model_files is not None:
            self.model_files.add(lines)
