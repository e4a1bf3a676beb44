"""Optimising and learning with Gaussian processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class LogEI(Learner):
    """Maximise or minimise: the greatest logarithm of the noisy expected improvement.

    Several objectives are traded off by random compromises, so that a batch spreads along the front.
    """

    name = "logei"

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        to_learn = [objective.name for objective in objectives if objective.direction == "learn"]
        if to_learn:
            raise BadOption(
                f"policy 'logei' optimises, but objective {to_learn[0]!r} is to be learnt; choose policy 'uncertainty', "
                "or make its direction maximize or minimize"
            )
        super().__init__(space, objectives, options)

    def _worth(self, data: PlannerData, fill: np.ndarray, rng: np.random.Generator) -> Acquisition:
        from planner.acquisition import NoisyLogEI, NoisyLogParEGO

        models = [self._gps.model(data, objective.name).gp for objective in self._objectives]
        upright = [
            gp.negated() if objective.direction == "minimize" else gp
            for gp, objective in zip(models, self._objectives, strict=True)
        ]
        import os
        from planner.gp import GP, fit_gp
        mode=os.environ.get('MODE','')
        rows,ok=data.tried_rows()
        if mode and not ok.all():
            ch=self._chance(data)
            bad=rows[~ok]
            if 'w' in mode: bad=bad[np.exp(ch(bad))<.5]
            if len(bad):
                Z=data.space.encode_rows(bad)
                for k,g in enumerate(upright):
                    X=np.vstack([g.X,Z]); y=np.concatenate([g.y,np.full(len(Z),np.quantile(g.y, .0 if 'q' not in mode else .25))])
                    if 'r' in mode: upright[k]=fit_gp(X,y,None)
                    else: upright[k]=GP(kernel=g.kernel,mean=g.mean,X=X,y=y,noise=np.concatenate([g.noise,np.full(len(Z),np.median(g.noise)+(.1 if 'n' in mode else 0))]))
        known = np.unique(np.vstack([*(gp.X for gp in upright), self._under_way(data, fill)]), axis=0)
        if len(upright) == 1:
            return NoisyLogEI(upright[0], known, n_draws=self._options.draws, rng=rng)
        return NoisyLogParEGO(upright, known, n_draws=self._options.draws, rng=rng)

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
        return TotalUncertainty(models, self._under_way(data, fill))

    def _reason(self) -> str:
        names = " and ".join(objective.name for objective in self._objectives)
        return f"greatest uncertainty of {names}"


class Auto:
    """Optimise with `LogEI` what is to be optimised, learn with `Uncertainty` what is to be learnt."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        to_learn = [objective.name for objective in objectives if objective.direction == "learn"]
        if to_learn and len(to_learn) < len(objectives):
            raise BadOption(
                f"objective {to_learn[0]!r} is to be learnt and others are to be optimised; one planner does one or "
                "the other"
            )
        self._policy: Policy = (Uncertainty if to_learn else LogEI)(space, objectives, options)

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n points."""
        return self._policy.propose(data, n, rng)

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target, in its unit."""
        return self._policy.predict(data, target, points)
