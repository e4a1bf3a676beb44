"""Ask, tell: the planner's public face."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from planner import saving
from planner.advised import Advised
from planner.best import best_of
from planner.errors import (
    BadObservation,
    BadOption,
    EmptySearchSpace,
    NotEnoughData,
    SearchSpaceExhausted,
    UnknownProposal,
)
from planner.ledger import Ledger
from planner.objective import Objective, check_together
from planner.policies.base import FindsLevel, Foresees, MapsRegions, PlannerData, Policy, Suggestion, policy_class
from planner.proposal import Observation, Posterior, Proposal, RegionPosterior, Value
from planner.space import SearchSpace
from planner.threads import one_thread

if TYPE_CHECKING:
    from planner.explain import Explanation
    from planner.prospect import Prospect

_N_MAP_POINTS = 256


class Planner(Advised):
    """Chooses what to try next.

    The state follows from the constructor's arguments and the ordered list of asks, tells and discards; nothing else
    is remembered. A planner that is built anew and given back its proposals (`adopt`), discards and observations in
    their old order proposes the same points, and predicts the same digits, as the one that was lost: linear algebra
    runs on one thread, however many the process has. The k-th ask draws from a generator keyed by (seed, k).

    Args:
        space: What is admissible.
        objectives: What to optimise, or to learn.
        seed: Equal seeds and equal tells give equal proposals.
        policy: A name in `planner.policies.base.POLICIES`.
        options: The policy's options; see its options class.

    Raises:
        EmptySearchSpace: No point is admissible; says why.
        BadOption: The policy is unknown, does not suit the objectives, or has no such option.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int = 0,
        policy: str = "auto",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        check_together(tuple(objectives))
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise BadOption(f"the seed must be a whole number from 0 up, not {seed!r}")
        reason = space.is_empty()
        if reason is not None:
            raise EmptySearchSpace(reason)
        self.space = space
        self.objectives = tuple(objectives)
        self.seed = seed
        self.policy_name = policy
        self._options = dict(options or {})
        self._policy: Policy = policy_class(policy)(space, self.objectives, self._options)
        self._foreseer: Policy | None = None
        self._ledger = Ledger(space, self.objectives)
        self._n_asks = 0

    def ask(self, n: int = 1) -> list[Proposal]:
        """Return n points to try next, none of them told or pending; fewer where fewer are left.

        Where the space has parameters that are shared, the point that is worth most decides their values, and the
        others are the best beside it.

        Raises:
            SearchSpaceExhausted: Every point of the space was told or is pending.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"ask for a whole number of points from 1 up, not {n!r}")
        rng = np.random.default_rng([self.seed, self._n_asks])
        with one_thread():
            suggestions = self._suggested(n, rng)
        if not suggestions:
            raise self._exhausted()
        proposals = [
            Proposal(
                id=f"{self._n_asks}-{i}",
                parameters=dict(suggestion.parameters),
                predictions=dict(suggestion.predictions),
                reason=suggestion.reason,
            )
            for i, suggestion in enumerate(suggestions)
        ]
        self._ledger.add(proposals)
        self._n_asks += 1
        return proposals

    def _suggested(self, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n suggestions; the first decides what all of them share."""
        data, shared = self._data(), self.space.shared
        wanted = self._wanted(data, 1 if shared else n) if self._said.suggested else []
        if n == 1 or not shared:
            return wanted if len(wanted) == n else wanted + self._chosen(data, n - len(wanted), rng, wanted)
        first = wanted or self._chosen(data, 1, rng)
        if not first:
            return first
        common = {name: first[0].parameters[name] for name in shared}
        chosen = Proposal(id=f"{self._n_asks}-0", parameters=dict(first[0].parameters))
        part = replace(
            data,
            space=data.space.held(common),
            pending=(*data.pending, chosen),
            taken=data.taken_keys() | set(self.space.keys(self.space.rows([chosen.parameters]))),
        )
        others = self._chosen(part, n - 1, rng)
        said = ", ".join(f"{name} {_written(value)}" for name, value in common.items())
        return first + [replace(one, reason=f"{one.reason}; shares {said}") for one in others]

    def _exhausted(self) -> SearchSpaceExhausted:
        tried, pending, size = len(self._ledger.finished), len(self._ledger.pending), self.space.size()
        return SearchSpaceExhausted(
            f"no untried point is left: {tried} proposals were told, {pending} are pending, and the space has "
            f"{'an uncounted number of' if size is None else size} points; widen a parameter, or end the campaign",
            tried=tried,
            pending=pending,
            size=size,
        )

    def tell(self, observations: Sequence[Observation]) -> None:
        """Learn from observations; all of them or, where one is refused, none.

        Points outside the space are learnt from too (a stripe is measured at temperatures between the levels), and
        counted in `diagnostics`. The pending proposal with the same id, or with the same point where no id is given,
        is finished by this: all observations of one proposal are told in one call. A replicate that comes later is
        told without an id.

        Raises:
            BadObservation: It is no list of observations; a target or parameter is unknown, a value is not finite or
                beyond 1e280, or a proposal was told before.
            UnknownProposal: A proposal id was never given out.
        """
        if isinstance(observations, Observation):
            raise BadObservation("tell takes a list of observations; put this one into brackets")
        if not isinstance(observations, Iterable) or isinstance(observations, str | Mapping):
            raise BadObservation(f"tell takes a list of observations, not {type(observations).__name__}")
        self._ledger.tell(list(observations))

    def discard(self, proposal_id: str) -> None:
        """Give up a pending proposal whose trial was lost; its point may be proposed again.

        Raises:
            UnknownProposal: The proposal is not pending.
        """
        self._ledger.discard(proposal_id)

    def adopt(self, proposals: Sequence[Proposal]) -> None:
        """Take back proposals that a planner with these arguments gave out before; they are pending again.

        Raises:
            UnknownProposal: An id is not one of a planner's, or was adopted before.
        """
        asks = [_ask_index(proposal.id) for proposal in proposals]
        self._ledger.add(proposals)
        self._adopted(proposals)
        self._n_asks = max([self._n_asks, *(index + 1 for index in asks)])

    def save(self, path: str | Path) -> None:
        """Write everything to a file of plain JSON, whole or not at all.

        Raises:
            BadSave: An option, or something in an observation's context, is no plain data; or the file cannot be
                written.
        """
        saving.write(
            Path(path),
            saving.State(
                space=self.space,
                objectives=self.objectives,
                seed=self.seed,
                policy=self.policy_name,
                options=self._options,
                n_asks=self._n_asks,
                ledger=self._ledger,
                said=self._said,
            ),
        )

    @classmethod
    def load(cls, path: str | Path) -> Planner:
        """Return the planner that was saved; it proposes what that one would have proposed next.

        Raises:
            BadSave: The file is no saved planner, is damaged, or of a later format.
        """
        state = saving.read(Path(path))
        planner = cls(state.space, state.objectives, state.seed, state.policy, state.options)
        planner._ledger, planner._n_asks = state.ledger, state.n_asks
        planner._stand(state.said)
        return planner

    @property
    def pending(self) -> tuple[Proposal, ...]:
        """Proposals that were neither told nor discarded yet, in the order of asking."""
        return tuple(self._ledger.pending.values())

    @property
    def observations(self) -> tuple[Observation, ...]:
        """Everything told, in order."""
        return self._ledger.observations

    def predict(self, points: Sequence[Mapping[str, Value]]) -> dict[str, Posterior]:
        """Return the posterior of every target that is a number, at points; they may lie outside the space.

        What is to be classified has no such posterior; see `regions`.

        Raises:
            NotEnoughData: Nothing was measured of a target yet.
            SpaceError: A point has no number, or no known category, for a parameter.
        """
        data = self._data()
        found = {}
        for objective in [each for each in self.objectives if each.direction != "classify"]:
            with one_thread():
                mean, sd = self._policy.predict(data, objective.name, points)
            found[objective.name] = Posterior(mean=mean, sd=sd)
        return found

    def explain(self, proposal: Proposal) -> Explanation:
        """Explain a proposal by what is known now: prediction, gain, what matters, what is near, what would turn it.

        The policy is asked to choose again with other results, which takes as long as some asks.

        Raises:
            UnknownProposal: This planner never gave it out.
        """
        from planner.explain import explain

        if not self._ledger.knows(proposal.id):
            raise UnknownProposal(f"proposal {proposal.id!r} was never given out")
        data, (row, *_) = self._data(), self.space.rows([proposal.parameters])
        told = {one.proposal_id for one in data.observations}
        free = set(self.space.keys(row[None])) if proposal.id not in told else set()
        pending = tuple(one for one in data.pending if one.id != proposal.id)
        data = replace(data, pending=pending, taken=data.taken_keys() - free)
        with one_thread():
            return explain(self._policy, data, proposal, [self.seed, _ask_index(proposal.id)])

    def regions(self, points: Sequence[Mapping[str, Value]]) -> RegionPosterior:
        """Return which regions there are, and the probability of each at points; they may lie outside the space.

        Raises:
            BadOption: The policy maps no regions; 'cameo' does.
            NotEnoughData: No fingerprint was told yet.
            SpaceError: A point has no number, or no known category, for a parameter.
        """
        if not isinstance(self._policy, MapsRegions):
            raise BadOption(f"policy {self.policy_name!r} maps no regions; choose policy 'cameo'")
        with one_thread():
            return self._policy.regions(self._data(), points)

    def level(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return the chance (`n`) that the target exceeds the policy's level at points; they may lie outside the space.

        Raises:
            BadOption: The policy looks for no level; 'level_set' does.
            NotEnoughData: Nothing was measured yet.
            SpaceError: A point has no number, or no known category, for a parameter.
        """
        if not isinstance(self._policy, FindsLevel):
            raise BadOption(f"policy {self.policy_name!r} looks for no level; choose policy 'level_set'")
        with one_thread():
            return self._policy.level(self._data(), points)

    def prospect(self, by: float = 0.0) -> Prospect:
        """Return the probability that an untried point is better than the best known by more than `by`.

        It is what one risks by stopping now; what is pending counts as untried. A policy without a surrogate of its own
        is judged by the default one.

        Args:
            by: In the objective's unit, from 0 up; of the overall desirability where objectives have one.

        Raises:
            BadOption: Nothing is optimised, or several objectives have no desirabilities.
            NotEnoughData: Fewer than two values of a target were measured.
            ValueError: `by` is no number from 0 up.
        """
        if isinstance(by, bool) or not isinstance(by, int | float) or not 0.0 <= by < np.inf:
            raise ValueError(f"how much better is worth going on for must be a number from 0 up, not {by!r}")
        if self._foreseer is None:
            own = isinstance(self._policy, Foresees)
            self._foreseer = self._policy if own else self._default_foreseer()
        rng = np.random.default_rng([self.seed, self._n_asks, len(self.observations)])
        with one_thread():
            return cast(Foresees, self._foreseer).prospect(self._data(), float(by), rng)

    def _default_foreseer(self) -> Policy:
        """Return what judges in place of a policy that cannot, by what is to be optimised and its limits alone."""
        judged = [one for one in self.objectives if one.is_ranked or one.is_limit]
        return policy_class("auto")(self.space, judged or self.objectives, {})

    def best(self, target: str | None = None) -> Observation | None:
        """Return the observation with the best measured value of a target; None where nothing was measured.

        Of values that hit what is aimed at, the one nearest to its middle is the best. Where limits are set, only
        observations that were measured to keep to all of them count; None where no observation does.

        Args:
            target: An objective that is to be optimised; by default the first one, or, where objectives have
                desirabilities, all of them together. A target that is to be learnt or classified has no best value.
        """
        return best_of(self.objectives, self.observations, target)

    def diagnostics(self, *, with_model: bool = False) -> dict[str, Any]:
        """Return counts, the best value so far, and what was told outside the space.

        Args:
            with_model: Also return `map_uncertainty`: for each target the mean standard deviation over the space, in
                its unit (None before anything was measured). This fits the surrogate. A policy that looks for a level
                says as `undecided` in which share of the space it is not known on which side it lies.
        """
        ledger = self._ledger
        best = self.best()
        found: dict[str, Any] = {
            "policy": self.policy_name,
            "asks": self._n_asks,
            "observations": len(ledger.observations),
            "failures": sum(observation.failure is not None for observation in ledger.observations),
            "pending": len(ledger.pending),
            "finished": len(ledger.finished),
            "discarded": len(ledger.discarded),
            "outside_space": len(ledger.outside),
            "outside_space_first": ledger.outside[0] if ledger.outside else None,
            "best": None if best is None else dict(best.values),
            "best_parameters": None if best is None else dict(best.parameters),
        }
        if with_model:
            found["map_uncertainty"] = self._map_uncertainty()
            if isinstance(self._policy, FindsLevel) and found["map_uncertainty"] is not None:
                found["undecided"] = self._policy.undecided(self._data())
        return found

    def _map_uncertainty(self) -> dict[str, float] | None:
        points = self.space.sobol(_N_MAP_POINTS)
        try:
            return {name: float(np.mean(posterior.sd)) for name, posterior in self.predict(points).items()}
        except NotEnoughData:
            return None

    def _data(self) -> PlannerData:
        ledger = self._ledger
        return PlannerData(
            space=self._open or self.space,
            said=self._said,
            objectives=self.objectives,
            observations=ledger.observations,
            pending=tuple(ledger.pending.values()),
            finished=tuple(ledger.finished.values()),
            ask_index=self._n_asks,
            seed=self.seed,
            taken=ledger.taken() | self._barred,
        )


def _written(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _ask_index(proposal_id: str) -> int:
    ask, _, number = proposal_id.partition("-")
    if not (ask.isdecimal() and number.isdecimal()):
        raise UnknownProposal(f"proposal id {proposal_id!r} is none of a planner's; they read like '3-1'")
    return int(ask)
