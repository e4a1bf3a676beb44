"""Optimising and learning with Gaussian processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import BadOption
from planner.objective import Objective
from planner.policies.base import PlannerData, Policy, Suggestion
from planner.policies.learner import Learner
from planner.proposal import Value
from planner.space import SearchSpace

if TYPE_CHECKING:
    from planner.acquisition import Acquisition
    from planner.gp import GP

_LEAST_SEEN = 0.1
"""Of the standard deviation of the noise: an expected improvement that is worth a measurement."""


class LogEI(Learner):
    """Maximise or minimise: the greatest logarithm of the noisy expected improvement.

    Several objectives are traded off by random compromises, so that a batch spreads along the front.
    """

    name = "logei"

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        to_learn = [objective.name for objective in objectives if objective.direction == "learn"]
        if to_learn:
            raise BadOption(
                f"policy 'logei' optimises, but objective {to_learn[0]!r} is to be learnt; choose policy "
                "'auto', or make its direction maximize or minimize"
            )
        super().__init__(space, objectives, options)

    def _worth(self, data: PlannerData, fill: np.ndarray, rng: np.random.Generator) -> Acquisition:
        from planner.acquisition import NoisyLogEI, NoisyLogParEGO

        upright = [self._upright(data, objective) for objective in self._objectives]
        known = np.unique(np.vstack([*(gp.X for gp in upright), self._under_way(data, fill)]), axis=0)
        if len(upright) == 1:
            return NoisyLogEI(upright[0], known, n_draws=self._options.draws, rng=rng)
        return NoisyLogParEGO(upright, known, n_draws=self._options.draws, rng=rng)

    def _first_look(self, data: PlannerData) -> Callable[[np.ndarray], np.ndarray]:
        """Score by the expected improvement on the best that the surrogate believes in, noise left aside."""
        from planner.acquisition import log_h

        gps = [self._upright(data, objective) for objective in self._objectives]
        best = [float(gp.posterior(gp.X)[0].max()) for gp in gps]

        def look(codes: np.ndarray) -> np.ndarray:
            found = [gp.posterior(codes) for gp in gps]
            return np.array([log_h((m - top) / sd) + np.log(sd) for (m, sd), top in zip(found, best, strict=True)])

        return look

    def _instead(
        self, data: PlannerData, worth: Acquisition, row: np.ndarray, ahead: np.ndarray, rng: np.random.Generator
    ) -> Acquisition | None:
        """Learn about the whole space, every other time, once the improvement to expect would drown in noise.

        A surrogate that is sure of too much never leaves the first good region by itself.
        """
        from planner.acquisition import NoisyLogEI

        if not isinstance(worth, NoisyLogEI) or (len(data.observations) + len(ahead)) % 2:
            return None
        if worth(data.space.encode_rows(row[None]))[0] > np.log(_LEAST_SEEN * worth.noise_sd):
            return None
        return self._all_over(data, ahead, rng)

    def _upright(self, data: PlannerData, objective: Objective) -> GP:
        """Return the process of a target, greater is better, that counts structural failures as poor results.

        The probability of working alone lets the search hug the border of a failing region, for the improvement beyond
        it is never seen to be missing. As good as the worst result would be too low: an optimum beside the border is
        then not found. So a failure counts as what is expected there, and as no better than half of the results.
        """
        gp = self._gps.model(data, objective.name).gp
        gp = gp.negated() if objective.direction == "minimize" else gp
        failed = self._structural_failures(data)
        if not len(failed):
            return gp
        return gp.with_values(failed, np.minimum(gp.posterior(failed)[0], np.median(gp.y)))

    def _reason(self) -> str:
        names = " and ".join(objective.name for objective in self._objectives)
        return f"greatest expected improvement of {names}"


class Uncertainty(Learner):
    """Learn: measure where the surrogate is least certain."""

    name = "uncertainty"

    def _worth(self, data: PlannerData, fill: np.ndarray, rng: np.random.Generator) -> Acquisition:
        from planner.acquisition import TotalUncertainty

        del rng
        models = [self._gps.model(data, objective.name) for objective in self._objectives]
        return TotalUncertainty(models, np.vstack([self._under_way(data, fill), self._structural_failures(data)]))

    def _reason(self) -> str:
        names = " and ".join(objective.name for objective in self._objectives)
        return f"greatest uncertainty of {names}"


class IntegratedVariance(Learner):
    """Learn: measure what tells most about the whole space."""

    name = "integrated_variance"

    def _worth(self, data: PlannerData, fill: np.ndarray, rng: np.random.Generator) -> Acquisition:
        return self._all_over(data, fill, rng)

    def _reason(self) -> str:
        names = " and ".join(objective.name for objective in self._objectives)
        return f"tells most about {names} everywhere"


class Auto:
    """Optimise with `LogEI` what is to be optimised, learn with `IntegratedVariance` what is to be learnt."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        to_learn = [objective.name for objective in objectives if objective.direction == "learn"]
        if to_learn and len(to_learn) < len(objectives):
            raise BadOption(
                f"objective {to_learn[0]!r} is to be learnt and others are to be optimised; one planner does one or "
                "the other"
            )
        self.follows_hints = True
        self._policy: Policy = (IntegratedVariance if to_learn else LogEI)(space, objectives, options)

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n points."""
        return self._policy.propose(data, n, rng)

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target, in its unit."""
        return self._policy.predict(data, target, points)
