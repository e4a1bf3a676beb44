"""Knowledge: the planner of one campaign, and how it is brought back after a restart."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.diagnostics import diagnosed, with_finite_predictions
from orchestrator.hours.room import Limit
from orchestrator.models.foretelling import NOTHING_FORETOLD, Foretold, foretold, replayed
from orchestrator.people.advice import Advice, say
from orchestrator.planner_process import PlannerLost
from orchestrator.proposed import Proposed, restricted
from orchestrator.records import Telling, TrialRecord, observations_of
from orchestrator.succession import WITHOUT_MODEL, Succession
from planner import Observation, SearchSpace
from planner.errors import NotEnoughData, NothingWithin, PlannerError, SearchSpaceExhausted
from planner.objective import Objective
from planner.proposal import Proposal

if TYPE_CHECKING:
    from planner.live import LiveModel

log = logging.getLogger(__name__)

FALLBACK = "random"
"""The policy that goes on when the chosen one raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the planner answered, and what it cost."""

    proposals: Sequence[Proposal]
    wall_s: float
    policy: str
    cpu_s: float = 0.0
    """Of this process: what works in a process of its own is not in it."""
    fallback_reason: str = ""
    foretold: Foretold = NOTHING_FORETOLD
    """What live models expect of the proposals."""


@dataclass(slots=True)
class Knowledge:
    """A planner that never stops a campaign: when its policy raises, random points go on and the report says why."""

    space: SearchSpace
    objectives: Sequence[Objective]
    seed: int
    policy: str
    options: Mapping[str, Any]
    deadline_s: float | None = None
    """What an answer of the policy may take, which then works in a process of its own; None: it works in this one."""
    known: Sequence[Observation] = ()
    """What is told before the first ask: results from before the campaign."""
    watches_map: bool = False
    """Whether a stopping rule looks at the map's uncertainty, whatever the policy."""
    margins: Sequence[float] = ()
    """How much better is worth going on for, by stopping rules that look at what untried recipes may bring."""
    n_told: int = field(init=False)
    """Observations that the planner has learnt from."""
    _advice: Advice = field(init=False)
    _planners: Succession = field(init=False)
    _proposed: Proposed = field(init=False)
    _leads: str | None = None
    """The model that the planner was told leads."""

    def __post_init__(self) -> None:
        self._advice, self._proposed = Advice(self.space), Proposed(self.space)
        self.n_told = len(self.known)
        self._planners = Succession(
            space=self.space,
            objectives=self.objectives,
            seed=self.seed,
            policy=self.policy,
            options=self.options,
            deadline_s=self.deadline_s,
            story=[lambda planner: planner.tell(list(self.known))] if self.known else [],
        )

    @property
    def planner(self) -> Any:
        """A `planner.Planner`, or what stands for one in another process."""
        return self._planners.planner

    @planner.setter
    def planner(self, planner: Any) -> None:
        self._planners.planner = planner

    def close(self) -> None:
        """End what works in a process of its own; safe to call twice."""
        self._planners.close()

    def document(self) -> dict[str, Any] | None:
        """Return what the planner knows as plain data; None where it would not choose among points by that."""
        try:
            return self.planner.document() if self.planner.chooses_among() else None
        except Exception:  # the supervisor of what is thought of ahead: plans are then made when they are needed
            log.exception("document_failed policy=%s", self.policy)
            return None

    def ask(self, n: int, limit: Limit | None = None, among: Sequence[Mapping[str, Any]] = ()) -> Answer:
        """Ask for points to try: the border at which a policy's answer is checked.

        limit: what they may take; None: anything.
        among: the points to choose from; none: the whole space.

        Raises:
            SearchSpaceExhausted: No admissible point is left, or none within the limit.
        """
        started, started_cpu_s = time.perf_counter(), time.process_time()
        policy, reason = self.policy, ""
        try:
            proposals = self.planner.ask(n, **restricted(limit, among))
            self._proposed.refuse(proposals, n, limit)
        except SearchSpaceExhausted:
            raise
        except Exception as error:  # the supervisor of planner policies: a campaign outlives any of them
            log.exception("planner_failed policy=%s", self.policy)
            policy, reason = FALLBACK, f"policy {self.policy!r} raised {type(error).__name__}: {error}"
            proposals = self._fall_back(n, limit)
        else:
            self._note(proposals)
        proposals = [with_finite_predictions(proposal) for proposal in proposals]
        expected = self._foretold(proposals)
        return Answer(
            foretold=expected,
            proposals=proposals,
            wall_s=time.perf_counter() - started,
            cpu_s=time.process_time() - started_cpu_s,
            policy=policy,
            fallback_reason=reason,
        )

    def _foretold(self, proposals: Sequence[Proposal]) -> Foretold:
        """Return what live models expect of proposals; nothing where they cannot say."""
        if self.policy in WITHOUT_MODEL:
            return NOTHING_FORETOLD
        try:
            return foretold(self.planner, proposals)
        except PlannerLost:
            log.exception("forecasts_lost policy=%s", self.policy)
            self._planners.succeed()
        except Exception:  # the supervisor of forecasts: a campaign does not end because nobody can be scored
            log.exception("forecasts_failed policy=%s", self.policy)
        return NOTHING_FORETOLD

    def replayed(self, most: int) -> dict[str, Any]:
        """Return what models would have foretold of the last known results (`orchestrator.models.foretelling`)."""
        try:
            return {} if self.policy in WITHOUT_MODEL else replayed(self.planner, most)
        except Exception:  # the supervisor of forecasts, as above
            log.exception("replay_failed policy=%s", self.policy)
            return {}

    def live_models(self) -> Mapping[str, LiveModel]:
        """Return the models as they are now; none where they cannot say."""
        try:
            return {} if self.policy in WITHOUT_MODEL else self.planner.live_models()
        except Exception:  # the supervisor of forecasts, as above
            log.exception("models_failed policy=%s", self.policy)
            return {}

    def _note(self, proposals: Sequence[Proposal]) -> None:
        self._planners.story.append(lambda planner: planner.adopt(proposals))
        self._proposed.take(proposals)

    def _adopt(self, proposals: Sequence[Proposal]) -> None:
        self.planner.adopt(proposals)
        self._note(proposals)

    def _fall_back(self, n: int, limit: Limit | None) -> list[Proposal]:
        if not self._planners.succeed():  # what it has just proposed must not stay pending
            raise PlannerLost("the campaign has ended meanwhile")
        proposals = self._planners.another(FALLBACK, {}).ask(n, **restricted(limit))
        if limit is not None:
            proposals = [proposal for proposal in proposals if limit.fits(proposal.parameters)]
            if not proposals:
                raise NothingWithin("random points that fit were not found", tried=0, pending=0, size=None)
        self._adopt(proposals)
        return proposals

    def tell(self, trials: Sequence[TrialRecord], findings: Mapping[int, Sequence[Mapping[str, Any]]]) -> Sequence[str]:
        """Tell what came of trials; lost ones are given back to the planner.

        Returns:
            Why the planner refused to learn from some of them: a defect of their analysis, which costs no campaign.
        """
        targets = {objective.name for objective in self.objectives}
        problems: list[str] = []
        for trial in trials:
            try:
                if self._learn(observations_of(trial, findings.get(trial.number, []), targets)):
                    continue
            except Exception as error:  # the supervisor of tellings: what cannot be learnt from costs one trial
                log.exception("tell_failed trial=%d", trial.number)
                problems.append(f"the planner learnt nothing from trial {trial.number}: {error}")
            self._give_up(trial.proposal_id)
        return problems

    def _learn(self, observations: Sequence[Observation]) -> bool:
        """Tell the planner of observations; say whether there were any."""
        if not observations:
            return False
        told = self._proposed.addressed(observations)
        self._planners.do(lambda planner: planner.tell(told))
        self.n_told += len(told)
        self._proposed.settle(told)
        return True

    def _give_up(self, proposal_id: str | None) -> None:
        if proposal_id is not None and not self._proposed.is_settled(proposal_id):
            self._planners.do(lambda planner: planner.discard(proposal_id))
            self._proposed.give_up(proposal_id)

    def advise(self, order_id: str, kind: str, arguments: Mapping[str, Any], *, since: int) -> str:
        """Take what a person said, once; see `orchestrator.people.advice`.

        Returns:
            Why the planner cannot do so; empty where it does.
        """
        if not self._advice.is_new(order_id, kind, arguments):
            return ""
        try:
            self._planners.do(lambda planner: say(planner, kind, arguments, since))
        except PlannerError as error:
            log.warning("advice_refused order=%s text=%s", order_id, error)
            return str(error)
        return ""

    def follow(self, model: str | None) -> None:
        """Tell the planner which of its models leads; one whose policy has no choice has nothing to follow."""
        if model == self._leads:
            return
        self._leads = model
        try:
            self._planners.do(lambda planner: planner.lead(model))
        except PlannerError as error:
            log.warning("champion_refused model=%s text=%s", model, error)

    def is_advised(self, order_id: str) -> bool:
        """Say whether a piece of advice was taken."""
        return order_id in self._advice.taken

    def predict(self, points: Sequence[Mapping[str, Any]], target: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (``n`` each) of a target; of the first that is a number, where left out.

        Raises:
            NotEnoughData: Nothing was measured yet.
        """
        numbers = [objective.name for objective in self.objectives if objective.direction != "classify"]
        if not numbers:
            raise NotEnoughData("regions have no mean; see the planner's regions")
        posterior = self.planner.predict(points)[numbers[0] if target is None else target]
        return posterior.mean, posterior.sd

    def diagnostics(self) -> dict[str, Any]:
        """Return what the planner says of itself, with the map's uncertainty where a map is what is wanted.

        What it cannot say, because a fit failed say, is left out.
        """
        looks_at_map = self.watches_map or self.policy not in WITHOUT_MODEL
        return diagnosed(self.planner, self.objectives, looks_at_map=looks_at_map, margins=self.margins)

    def restore(
        self,
        trials: Sequence[TrialRecord],
        findings: Mapping[int, Sequence[Mapping[str, Any]]],
        *,
        told: Sequence[Telling],
        before_ask: Callable[[int], None] | None = None,
    ) -> None:
        """Bring the planner to where the journal says that it was.

        Args:
            trials: All of them.
            findings: By trial.
            told: The tellings, in order.
            before_ask: Called with the index of each ask, when the planner knows what it knew at it.
        """
        by_number = {trial.number: trial for trial in trials}
        asks: dict[int, list[Proposal]] = {}
        for trial in trials:
            proposal = trial.proposal()
            asks.setdefault(trial.ask, []).extend([proposal] if proposal else [])
        tellings = list(told)
        for index in sorted(asks):
            if before_ask is not None:
                before_ask(index)
            self._adopt(asks[index])
            self._advice.were_proposed(asks[index])
            while tellings and tellings[0].after_asks <= index + 1:
                self.tell([by_number[number] for number in tellings.pop(0).trials], findings)
