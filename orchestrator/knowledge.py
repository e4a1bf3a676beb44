"""Knowledge: the planner of one campaign, and how it is brought back after a restart."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from orchestrator.campaign import Campaign
from orchestrator.records import TrialRecord, observations_of
from orchestrator.space import objectives, search_space
from planner import Planner, SearchSpace
from planner.errors import SearchSpaceExhausted
from planner.objective import Objective
from planner.proposal import Proposal

log = logging.getLogger(__name__)

WITHOUT_MODEL = frozenset({"random", "sobol", "grid"})
"""Policies that know no map: asking them how uncertain it is would cost a fit that nothing else needs."""

FALLBACK = "random"
"""The policy that goes on when the chosen one raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the planner answered, and what it cost."""

    proposals: Sequence[Proposal]
    wall_s: float
    policy: str
    fallback_reason: str = ""


@dataclass(slots=True)
class Knowledge:
    """A planner that never stops a campaign: when its policy raises, random points go on and the report says why."""

    space: SearchSpace
    objectives: Sequence[Objective]
    seed: int
    policy: str
    options: Mapping[str, Any]
    watches_map: bool = False
    """Whether a stopping rule looks at the map's uncertainty, whatever the policy."""
    planner: Planner = field(init=False)
    _proposed: list[Proposal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.planner = Planner(self.space, self.objectives, seed=self.seed, policy=self.policy, options=self.options)

    def ask(self, n: int) -> Answer:
        """Ask for points to try.

        Raises:
            SearchSpaceExhausted: No admissible point is left.
        """
        started = time.perf_counter()
        policy, reason = self.policy, ""
        try:
            proposals = self.planner.ask(n)
        except SearchSpaceExhausted:
            raise
        except Exception as error:  # the supervisor of planner policies: a campaign outlives any of them
            log.exception("planner_failed policy=%s", self.policy)
            policy, reason = FALLBACK, f"policy {self.policy!r} raised {type(error).__name__}: {error}"
            proposals = self._fall_back(n)
        self._proposed.extend(proposals)
        return Answer(proposals=proposals, wall_s=time.perf_counter() - started, policy=policy, fallback_reason=reason)

    def _fall_back(self, n: int) -> list[Proposal]:
        stand_in = Planner(self.space, self.objectives, seed=self.seed, policy=FALLBACK)
        stand_in.adopt(self._proposed)
        stand_in.tell(self.planner.observations)
        proposals = stand_in.ask(n)
        self.planner.adopt(proposals)
        return proposals

    def tell(self, trials: Sequence[TrialRecord], findings: Mapping[int, Sequence[Mapping[str, Any]]]) -> None:
        """Tell what came of trials; lost ones are given back to the planner."""
        targets = {objective.name for objective in self.objectives}
        for trial in trials:
            observations = observations_of(trial, findings.get(trial.number, []), targets)
            if observations:
                self.planner.tell(observations)
            elif trial.proposal_id is not None:
                self.planner.discard(trial.proposal_id)

    def predict(self, points: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (``n`` each) of the first objective's target.

        Raises:
            NotEnoughData: Nothing was measured yet.
        """
        posterior = self.planner.predict(points)[self.objectives[0].name]
        return posterior.mean, posterior.sd

    def diagnostics(self) -> dict[str, Any]:
        """Return what the planner says of itself, with the map's uncertainty where a map is what is wanted."""
        first = self.objectives[0]
        is_wanted = first.direction == "learn" and (self.watches_map or self.policy not in WITHOUT_MODEL)
        found = self.planner.diagnostics(with_model=is_wanted)
        uncertainty = found.pop("map_uncertainty", None)
        if uncertainty is not None:
            found["map_uncertainty"] = uncertainty[first.name]
        return found

    def restore(
        self,
        trials: Sequence[TrialRecord],
        findings: Mapping[int, Sequence[Mapping[str, Any]]],
        *,
        told: Sequence[Sequence[int]],
    ) -> None:
        """Bring the planner to where the journal says that it was.

        told: the trial numbers of each telling, in order; a telling closes the ask of its trials.
        """
        by_number = {trial.number: trial for trial in trials}
        asks: dict[int, list[Proposal]] = {}
        for trial in trials:
            proposal = trial.proposal()
            asks.setdefault(trial.ask, []).extend([proposal] if proposal else [])
        tellings = list(told)
        for index in sorted(asks):
            self.planner.adopt(asks[index])
            self._proposed.extend(asks[index])
            while tellings and by_number[tellings[0][0]].ask == index:
                self.tell([by_number[number] for number in tellings.pop(0)], findings)


def knowledge_of(campaign: Campaign, *, pool: Sequence[Mapping[str, Any]] | None) -> Knowledge:
    """Return the planner of a campaign before its first ask.

    pool: the only points that may be proposed, where the lab can answer for no others.
    """
    return Knowledge(
        space=search_space(campaign, pool),
        objectives=objectives(campaign),
        seed=campaign.seed,
        policy=campaign.planner.policy,
        options=campaign.planner.options,
        watches_map=any(rule.kind == "map_uncertainty" for rule in campaign.stopping),
    )
