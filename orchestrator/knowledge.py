"""Knowledge: the planner of one campaign, and how it is brought back after a restart."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.campaign import Campaign
from orchestrator.diagnostics import diagnosed, with_finite_predictions
from orchestrator.hours.room import Limit
from orchestrator.models.foretelling import NOTHING_FORETOLD, Foretold, foretold, replayed
from orchestrator.people.advice import Advice, say
from orchestrator.planner_process import PlannerLost, PlannerProcess
from orchestrator.records import Telling, TrialRecord, known_observations, observations_of
from orchestrator.source_use import as_option
from orchestrator.space import objectives, search_space
from orchestrator.stop_rules import NoProspect
from orchestrator.words import plural
from planner import Observation, Planner, SearchSpace
from planner.errors import BadOption, NotEnoughData, NothingWithin, PlannerError, SearchSpaceExhausted
from planner.objective import Objective
from planner.proposal import Proposal
from planner.within import Within

if TYPE_CHECKING:
    from planner.live import LiveModel

log = logging.getLogger(__name__)

WITHOUT_MODEL = frozenset({"random", "sobol", "grid"})
"""Policies that know no map: asking them how uncertain it is would cost a fit that nothing else needs."""

FALLBACK = "random"
"""The policy that goes on when the chosen one raises."""


_Happened = Callable[[Planner], Any]


class BadProposal(ValueError):
    """A policy answered what may not be tried."""


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
    planner: Any = field(init=False)
    """A `planner.Planner`, or what stands for one in another process."""
    n_told: int = 0
    """Observations that the planner has learnt from."""
    _advice: Advice = field(init=False)
    _is_closed: bool = False
    _story: list[_Happened] = field(default_factory=list)
    """All that was done to the planner, in order: what another one must be told to stand where it does."""
    _taken: dict[str, bytes] = field(default_factory=dict)
    """Keys of the points that must not be proposed again, by proposal."""
    _leads: str | None = None
    """The model that the planner was told leads."""
    _settled: set[str] = field(default_factory=set)
    """Proposals that the planner knows what came of."""

    def __post_init__(self) -> None:
        self._advice = Advice(self.space)
        if self.known:
            self.n_told = len(self.known)
            self._story.append(lambda planner: planner.tell(list(self.known)))
        self.planner = self._planner(self.policy, self.options)

    def close(self) -> None:
        """End what works in a process of its own; safe to call twice."""
        self._is_closed = True
        self._end()

    def _end(self) -> None:
        if isinstance(self.planner, PlannerProcess):
            self.planner.close()

    def _planner(self, policy: str, options: Mapping[str, Any]) -> Any:
        told: Any = {"seed": self.seed, "policy": policy, "options": options}
        if self.deadline_s is None or policy in WITHOUT_MODEL:
            planner: Any = Planner(self.space, self.objectives, **told)
        else:
            planner = PlannerProcess(self.space, self.objectives, **told, deadline_s=self.deadline_s)
        for happened in self._story:
            with suppress(BadOption):  # a hint that another policy does not follow
                happened(planner)
        return planner

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
            proposals = self.planner.ask(n, **_restricted(limit, among))
            self._refuse(proposals, n, limit)
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
            self._end()
            if not self._is_closed:
                self.planner = self._planner(self.policy, self.options)
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

    def _refuse(self, proposals: Sequence[Proposal], n: int, limit: Limit | None) -> None:
        """Hold a policy's answer against what it may propose.

        Raises:
            BadProposal: It proposes too much, the same twice, what the space does not admit, or what takes too long.
        """
        if len(proposals) > n:
            raise BadProposal(f"it proposed {len(proposals)} points when asked for {n}")
        taken = set(self._taken.values())
        for proposal in proposals:
            problems = self.space.violations(proposal.parameters)
            if problems:
                raise BadProposal(f"it proposed what the space does not admit: {problems[0]}")
            if limit is not None and not limit.fits(proposal.parameters):
                raise BadProposal(f"it proposed what takes too long: {dict(proposal.parameters)}")
            json.dumps(dict(proposal.parameters))  # what the journal cannot hold is no plain value
            key = self._key(proposal)
            if key in taken and not proposal.is_repeat:
                raise BadProposal(f"it proposed {dict(proposal.parameters)} twice, and not as a repeat")
            taken.add(key)

    def _key(self, point: Proposal | Observation) -> bytes:
        return self.space.keys(self.space.rows([point.parameters]))[0]

    def _note(self, proposals: Sequence[Proposal]) -> None:
        self._story.append(lambda planner: planner.adopt(proposals))
        self._taken.update({proposal.id: self._key(proposal) for proposal in proposals})

    def _adopt(self, proposals: Sequence[Proposal]) -> None:
        self.planner.adopt(proposals)
        self._note(proposals)

    def _fall_back(self, n: int, limit: Limit | None) -> list[Proposal]:
        self._end()
        if self._is_closed:
            raise PlannerLost("the campaign has ended meanwhile")
        self.planner = self._planner(self.policy, self.options)  # what it has just proposed must not stay pending
        proposals = self._planner(FALLBACK, {}).ask(n, **_restricted(limit))
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
                observations = observations_of(trial, findings.get(trial.number, []), targets)
                if observations:
                    observations = self._addressed(observations)
                    self._do(lambda planner, told=observations: planner.tell(told))
                    self.n_told += len(observations)
                    self._settle(observations)
                    continue
            except Exception as error:  # the supervisor of tellings: what cannot be learnt from costs one trial
                log.exception("tell_failed trial=%d", trial.number)
                problems.append(f"the planner learnt nothing from trial {trial.number}: {error}")
            if trial.proposal_id is not None and trial.proposal_id not in self._settled:
                self._do(lambda planner, given_up=trial.proposal_id: planner.discard(given_up))
                self._taken.pop(trial.proposal_id, None)
        return problems

    def _addressed(self, observations: Sequence[Observation]) -> list[Observation]:
        """Return what is told of a proposal that is settled already as a replicate, which answers none."""
        return [replace(one, proposal_id=None) if one.proposal_id in self._settled else one for one in observations]

    def _settle(self, observations: Sequence[Observation]) -> None:
        """Know which proposals are settled: a planner counts what answers none for one that is pending at its point."""
        for one in observations:
            if one.proposal_id is not None:
                self._settled.add(one.proposal_id)
                continue
            key = self._key(one)
            pending = (name for name, at in self._taken.items() if at == key and name not in self._settled)
            self._settled.update(islice(pending, 1))

    def _do(self, happened: _Happened) -> None:
        happened(self.planner)
        self._story.append(happened)

    def advise(self, order_id: str, kind: str, arguments: Mapping[str, Any], *, since: int) -> str:
        """Take what a person said, once; see `orchestrator.people.advice`.

        Returns:
            Why the planner cannot do so; empty where it does.
        """
        if not self._advice.is_new(order_id, kind, arguments):
            return ""
        try:
            self._do(lambda planner: say(planner, kind, arguments, since))
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
            self._do(lambda planner: planner.lead(model))
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


def _restricted(limit: Limit | None, among: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return what a planner is told of a limit; what stands for one need not know of any."""
    if among:
        fitting = tuple(point for point in among if limit is None or limit.fits(point))
        said = f"the best of {plural(len(fitting), 'point')} that were thought of ahead"
        said += f"; {limit.within.said}" if limit is not None and limit.within.said else ""
        return {"within": Within(most=0.0 if limit is None else limit.within.most, points=fitting, said=said)}
    return {} if limit is None else {"within": limit.within}


def knowledge_of(
    campaign: Campaign,
    *,
    pool: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None,
    known: Sequence[Mapping[str, Any]] = (),
    sources: Sequence[Mapping[str, Any]] = (),
    deadline_s: float | None = None,
) -> Knowledge:
    """Return the planner of a campaign before its first ask.

    pool: the only points that may be proposed (`orchestrator.points.pool_for`).
    known: results from before the campaign, as the journal keeps them.
    sources: results from elsewhere, as the journal keeps them.
    deadline_s: what one answer may take, in a process of its own; None: as long as it takes, in this one.
    """
    taken = {"sources": as_option(sources, campaign.objectives[0].unit)} if sources else {}
    return Knowledge(
        space=search_space(campaign, pool),
        objectives=objectives(campaign),
        seed=campaign.seed,
        policy=campaign.planner.policy,
        options={**campaign.planner.options, **taken},
        deadline_s=deadline_s,
        known=known_observations(known),
        watches_map=any(rule.kind == "map_uncertainty" for rule in campaign.stopping),
        margins=tuple(dict.fromkeys(rule.better_by for rule in campaign.stopping if isinstance(rule, NoProspect))),
    )
