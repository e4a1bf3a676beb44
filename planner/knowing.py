"""The part of a planner that says what it knows, and what is still to be had."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from planner.best import Recommended, best_of, recommended_of
from planner.errors import BadObservation, BadOption, NotEnoughData, PlannerError, UnknownProposal
from planner.ledger import Ledger, ask_index
from planner.policies.base import (
    DoubtsResults,
    FindsLevel,
    Foresees,
    Foretells,
    GivesUp,
    MapsRegions,
    PlannerData,
    Policy,
    TakesFromSources,
    Warns,
    policy_class,
)
from planner.proposal import Forecast, Observation, Posterior, Proposal, RegionPosterior, Value
from planner.threads import one_thread

if TYPE_CHECKING:
    from planner.doubts import Doubted
    from planner.explain import Explanation
    from planner.live import LiveModel
    from planner.objective import Objective
    from planner.policies.base import Foreteller
    from planner.prospect import Prospect
    from planner.space import SearchSpace

_N_MAP_POINTS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What models would have foretold of an observation."""

    number: int
    """Its place among the observations."""
    values: Mapping[str, float]
    """What was measured, by target."""
    forecasts: Mapping[str, Mapping[str, Forecast]]
    """At this one point, by model and target."""


class Knowing(ABC):
    """Answers questions; nothing of it changes what is proposed."""

    space: SearchSpace
    objectives: tuple[Objective, ...]
    seed: int
    policy_name: str
    _policy: Policy
    _foreseer: Policy | None = None
    """What judges what is still to be had, once that was asked."""
    _ledger: Ledger
    _n_asks: int

    @abstractmethod
    def _data(self) -> PlannerData:
        """Return all that is known."""

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

    def forecasts(self, points: Sequence[Mapping[str, Value]]) -> dict[str, dict[str, Forecast]]:
        """Return what each live model expects to measure at points, noise included, by model and target.

        A model that knows too little to say anything is left out. Empty where the policy has no models that can be
        held against each other: it classifies, is a guest, or knows none.

        Raises:
            SpaceError: A point has no number, or no known category, for a parameter.
        """
        with one_thread():
            codes = self.space.encode(points)
            return {name: _forecasts(models, codes) for name, models in self._live(self._data()).items()}

    def live_models(self) -> dict[str, LiveModel]:
        """Return the models that `forecasts` speaks for, as plain values that can be kept, by name."""
        from planner.live import lives

        data = self._data()
        with one_thread():
            return lives(self.space, self.objectives, data.observations, self._live(data))

    def replayed(self, most: int) -> list[Replay]:
        """Return what each live model would have foretold of values that are known: one step ahead, oldest first.

        Args:
            most: Of how many observations, the last ones.
        """
        data, found = self._data(), list[Replay]()
        numbers = [number for number, one in enumerate(data.observations) if one.values]
        for number in numbers[-most:]:
            observation = data.observations[number]
            before = replace(data, observations=data.observations[:number], pending=(), finished=(), taken=None)
            with one_thread():
                models = self._live(before)
                told = {
                    name: _forecasts(targets, self.space.encode([observation.parameters]))
                    for name, targets in models.items()
                }
            found.append(Replay(number=number, values=dict(observation.values), forecasts=told))
        return found

    def _live(self, data: PlannerData) -> Mapping[str, Mapping[str, Foreteller]]:
        return self._policy.live(data) if isinstance(self._policy, Foretells) else {}

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
            return explain(self._policy, data, proposal, [self.seed, ask_index(proposal.id)])

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

    def doubted(self) -> tuple[Doubted, ...]:
        """Return the results that are not believed; none unless the policy's option `robust` has them looked for."""
        if not isinstance(self._policy, DoubtsResults):
            return ()
        try:
            with one_thread():
                return self._policy.doubted(self._data())
        except BadObservation:  # results without their time, say, by which drift is corrected; the ask says so
            return ()

    def best(self, target: str | None = None) -> Observation | None:
        """Return the observation with the best measured value of a target; None where nothing was measured.

        Of values that hit what is aimed at, the one nearest to its middle is the best. Where limits are set, only
        observations that were measured to keep to all of them count; None where no observation does. Of several
        fidelities the target alone counts. What is not believed (`doubted`) is never the best.

        Args:
            target: An objective that is to be optimised; by default the first one, or, where objectives have
                desirabilities, all of them together. A target that is to be learnt or classified has no best value.
        """
        return best_of(self.objectives, self._counting_and_believed(), target)

    def recommended(self) -> Recommended | None:
        """Return the recipe with the best expected value of those that gave a result; None where there is none.

        With noise the best measured value (`best`) is partly luck. Recipes that are expected to keep to all limits come
        first; of several objectives without desirabilities the first that is optimised counts.
        """
        told = self._counting_and_believed()
        try:
            return recommended_of(self.space, self.objectives, told, self.predict)
        except NotEnoughData:
            return None

    def _counting_and_believed(self) -> list[Observation]:
        """Return what was told at the fidelity that counts, without what is not believed."""
        fidelity, wrong = self.space.fidelity, {one.number for one in self.doubted()}
        told = [one for number, one in enumerate(self.observations) if number not in wrong]
        return [one for one in told if fidelity is None or fidelity.counts(one.parameters)]

    def diagnostics(self, *, with_model: bool = False) -> dict[str, Any]:
        """Return counts, the best value so far, and what was told outside the space.

        Args:
            with_model: Also return `map_uncertainty`: for each target the mean standard deviation over the space, in
                its unit (None before anything was measured). This fits the surrogate. A policy that looks for a level
                says as `undecided` in which share of the space it is not known on which side it lies.

        What a person must know of the results (a drift, results of one recipe that contradict each other) stands in
        `alarms`, where there is any. A policy that takes from sources says as `sources` how probable it is that each of
        them tells something. One that has found results that cannot be lists them as `doubted`; one whose fit failed
        says as `given_up`, by target, what was done instead.
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
        doubts = self.doubted()
        if doubts:
            found["doubted"] = [_told_of(one) for one in doubts]
        if isinstance(self._policy, TakesFromSources):
            with one_thread():
                found["sources"] = self._policy.sources(self._data())
        with suppress(PlannerError):  # of results without their time, say; the ask says so
            if alarms := self._alarms():
                found["alarms"] = alarms
            if isinstance(self._policy, GivesUp) and (given_up := dict(self._policy.given_up(self._data()))):
                found["given_up"] = given_up
        if with_model:
            found["map_uncertainty"] = self._map_uncertainty()
            if isinstance(self._policy, FindsLevel) and found["map_uncertainty"] is not None:
                found["undecided"] = self._policy.undecided(self._data())
        return found

    def _alarms(self) -> list[str]:
        if not isinstance(self._policy, Warns):
            return []
        with one_thread():
            return self._policy.alarms(self._data())

    def _map_uncertainty(self) -> dict[str, float] | None:
        points, fidelity = self.space.sobol(_N_MAP_POINTS), self.space.fidelity
        points = points if fidelity is None else self.space.held({fidelity.name: fidelity.target}).sobol(_N_MAP_POINTS)
        try:
            return {name: float(np.mean(posterior.sd)) for name, posterior in self.predict(points).items()}
        except NotEnoughData:
            return None


def _told_of(doubt: Doubted) -> dict[str, Any]:
    """Return a result that is not believed, in plain data."""
    return {
        "observation": doubt.number,
        "proposal_id": doubt.observation.proposal_id,
        "parameters": dict(doubt.observation.parameters),
        "target": doubt.target,
        "value": doubt.value,
        "mean": doubt.mean,
        "sd": doubt.sd,
    }


def _forecasts(models: Mapping[str, Foreteller], codes: np.ndarray) -> dict[str, Forecast]:
    found = {}
    for target, model in models.items():
        mean, sd = model.forecast(codes)
        found[target] = Forecast(mean=mean, sd=sd)
    return found
