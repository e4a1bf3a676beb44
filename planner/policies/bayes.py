"""Optimising with Gaussian processes, and the policy that takes what suits the objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from planner.errors import BadOption
from planner.goals import Goal, Interval, goal_of
from planner.objective import Objective
from planner.policies.active_learning import IntegratedVariance
from planner.policies.base import Foresees, Foreteller, PlannerData, Suggestion
from planner.policies.foreseeing import Foreseeing
from planner.policies.learner import Learner
from planner.proposal import Value
from planner.space import SearchSpace

if TYPE_CHECKING:
    from planner.acquisition import Acquisition
    from planner.desirability import Desire
    from planner.doubts import Doubted
    from planner.limits import Eligible, Limit
    from planner.prospect import Prospect
    from surrogate.matern_gp import GP

_LEAST_SEEN = 0.1
"""Of the standard deviation of the noise: an expected improvement that is worth a measurement."""
_LEAST_EDGE = 0.01
"""Of the standard deviation of the noise: the least distance to what is aimed at that a first look improves on."""
_REACHED = 0.5
"""Probability from which on an interval counts as hit."""
_N_RIVALS = 300
"""New points, about, that a repeat is held against."""


class LogEI(Foreseeing):
    """Maximise, minimise, or hit: the greatest logarithm of the noisy expected improvement.

    Several objectives are traded off by random compromises, so that a batch spreads along the front; or, where they
    have desirabilities, are one number. Limits on what is measured multiply the improvement by the chance of keeping to
    them.
    """

    name = "logei"
    repeats: ClassVar[bool] = True

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        to_learn = [objective.name for objective in objectives if objective.direction == "learn"]
        if to_learn:
            raise BadOption(
                f"policy 'logei' optimises, but objective {to_learn[0]!r} is to be learnt; choose policy "
                "'auto', or make its direction maximize or minimize"
            )
        super().__init__(space, objectives, options)
        self._ranked = [objective for objective in self._objectives if objective.is_ranked]
        self._kept = [objective for objective in self._objectives if objective.is_limit]
        if self._options.replicates > 1 and not (len(objectives) == 1 and objectives[0].is_extremal):
            raise BadOption(
                "option 'replicates' weighs repeats for one objective that is maximised or minimised, without limits; "
                "leave it out, and tell what you repeat yourself without a proposal_id"
            )

    def _worth(self, data: PlannerData, fill: np.ndarray, rng: np.random.Generator) -> Acquisition:
        from planner.acquisition import NoisyLogEI, NoisyLogParEGO

        upright, limits = [self._upright(data, objective) for objective in self._ranked], self._limits(data)
        measured = [gp.X for gp in (*upright, *(limit.gp for limit in limits))]
        known = np.unique(np.vstack([*measured, self._under_way(data, fill)]), axis=0)
        how: dict[str, Any] = {"n_draws": self._options.draws, "rng": rng}
        how["limits"] = self._eligible(limits, known, rng)
        if self._ranked[0].desirability is not None:
            from planner.desirability import NoisyLogDesirability

            return NoisyLogDesirability(upright, self._desires(data), known, **how)
        goals = [self._goal(data, objective) for objective in self._ranked]
        if len(upright) > 1:
            return NoisyLogParEGO(upright, known, goals=goals, **how)
        if isinstance(goals[0], Interval):
            from planner.hits import NoisyLogHit

            return NoisyLogHit(upright[0], known, goals[0], **how)
        return NoisyLogEI(upright[0], known, **how)

    def _eligible(self, limits: Sequence[Limit], known: np.ndarray, rng: np.random.Generator) -> Eligible | None:
        """Return which of known points (`m x d`) may be the best, and the chance that others may; None: all may."""
        if not limits:
            return None
        from planner.limits import Limits

        return Limits(limits, known, n_draws=self._options.draws, rng=rng)

    def _counted(self, gp: GP) -> np.ndarray:
        """Return encoded points (`n x d`) whose results count."""
        return gp.X

    def _goal(self, data: PlannerData, objective: Objective) -> Goal:
        return goal_of(objective, self._gps.model(data, objective.name).scale)

    def _limits(self, data: PlannerData) -> list[Limit]:
        if not self._kept:
            return []
        from planner.limits import Limit

        return [Limit.of(objective, self._gps.model(data, objective.name)) for objective in self._kept]

    def _desires(self, data: PlannerData) -> list[Desire]:
        from planner.desirability import Desire

        signs = [-1.0 if objective.direction == "minimize" else 1.0 for objective in self._ranked]
        scales = [self._gps.model(data, objective.name).scale for objective in self._ranked]
        return [Desire(*each) for each in zip(self._ranked, scales, signs, strict=True)]

    def _first_look(self, data: PlannerData) -> Callable[[np.ndarray], np.ndarray]:
        """Score by the expected improvement on the best that the surrogate believes in, noise left aside.

        Each objective leads in a score of its own; what desirability makes of all is known from draws only, so that it
        is scored by the means.
        """
        from planner.acquisition import log_h
        from planner.hits import log_hit

        gps = [self._upright(data, objective) for objective in self._ranked]
        goals = [self._goal(data, objective) for objective in self._ranked]
        limits = self._limits(data)
        means = [gp.posterior(self._counted(gp))[0] for gp in gps]
        best = [float(goal.merit(mean).max()) for mean, goal in zip(means, goals, strict=True)]
        edges = [_LEAST_EDGE * float(np.sqrt(gp.typical_noise)) for gp in gps]

        def improvement(gp: GP, goal: Goal, top: float, edge: float, codes: np.ndarray) -> np.ndarray:
            m, sd = gp.posterior(codes)
            if isinstance(goal, Interval):
                return log_hit(m, sd, goal.low, goal.high, np.array(max(-top, edge)))
            return log_h((m - top) / sd) + np.log(sd)

        def look(codes: np.ndarray) -> np.ndarray:
            each = zip(gps, goals, best, edges, strict=True)
            found = [improvement(*one, codes) for one in each]
            if self._ranked[0].desirability is not None:
                found.append(self._heights(data, codes))
            chances = [limit.log_chance(codes) for limit in limits]
            return np.array(found) + np.sum(chances, axis=0) if chances else np.array(found)

        return look

    def _heights(self, data: PlannerData, codes: np.ndarray) -> np.ndarray:
        """Return how good what is expected at encoded points is, the chance of keeping to limits counted (`n`)."""
        height = np.zeros(len(codes))
        if self._ranked[0].desirability is not None:
            for desire in self._desires(data):
                mean, _ = self._gps.model(data, desire.objective.name).gp.posterior(codes)
                height += desire.log_with_toe(desire.sign * mean)
        else:
            for objective in self._ranked:
                mean, _ = self._gps.model(data, objective.name).gp.posterior(codes)
                upright = -mean if objective.direction == "minimize" else mean
                height += self._goal(data, objective).merit(upright)
        for limit in self._limits(data):
            height += limit.log_chance(codes)
        return height

    def _instead(
        self, data: PlannerData, worth: Acquisition, row: np.ndarray, ahead: np.ndarray, rng: np.random.Generator
    ) -> Acquisition | None:
        """Learn about the whole space, every other time, once the improvement to expect would drown in noise.

        A surrogate that is sure of too much never leaves the first good region by itself. Where an interval was hit
        there is nothing to improve on, and the chance of hitting it again is all that counts.
        """
        from planner.acquisition import NoisyLogEI

        if not isinstance(worth, NoisyLogEI) or (len(data.observations) + len(ahead)) % 2:
            return None
        if self._is_reached(worth) or worth(data.space.encode_rows(row[None]))[0] > np.log(
            _LEAST_SEEN * worth.noise_sd
        ):
            return None
        return self._all_over(data, ahead, rng)

    def _is_reached(self, worth: Acquisition) -> bool:
        """Say whether a range of values is believed to be hit already."""
        low, high = self._ranked[0].interval if self._ranked[0].is_aimed else (0.0, 0.0)
        if low == high or len(self._ranked) > 1:
            return False
        from planner.hits import NoisyLogHit

        return isinstance(worth, NoisyLogHit) and worth.chance_of_hit >= _REACHED

    def _again(
        self, data: PlannerData, worth: Acquisition, row: np.ndarray, candidates: np.ndarray, ahead: np.ndarray
    ) -> tuple[np.ndarray, str] | None:
        """Compare by what one measurement does for the recipe that will be recommended (`planner.repeats`)."""
        del worth
        if self._options.replicates == 1:
            return None
        from planner.repeats import log_gain_of_recommended, repeatable

        objective, space = self._ranked[0], data.space
        again = repeatable(
            data, self._gps.model(data, objective.name), objective.name, ahead, most=self._options.replicates
        )
        if not len(again.rows):
            return None
        gp, pending = self._upright(data, objective), self._under_way(data, ahead)
        gp = gp.with_pending(pending) if len(pending) else gp
        taken = data.taken_keys()
        fresh = candidates[[key not in taken for key in space.keys(candidates)]]
        fresh = fresh[:: max(1, len(fresh) // _N_RIVALS)]
        rows = np.vstack([again.rows, row, fresh])
        noise = np.concatenate([again.noise, np.full(len(rows) - len(again.rows), gp.typical_noise)])
        known = space.encode_rows(np.vstack([self._result_rows(data), ahead]))
        gains = log_gain_of_recommended(gp, known, space.encode_rows(rows), noise)
        gains = self._reckoned(data, self._options.caution)(rows, gains)
        best, rival = int(np.argmax(gains[: len(again.rows)])), float(gains[len(again.rows) :].max())
        if gains[best] <= rival:
            return None
        times = f"{min(float(np.exp(gains[best] - rival)), 99.0):.1f}"
        return again.rows[best], (
            f"again, as measurement {again.counts[best] + 1} of this recipe: for the recipe that will be recommended "
            f"it is worth {times} times the best new point"
        )

    def _upright(self, data: PlannerData, objective: Objective) -> GP:
        """Return the process of a target that counts structural failures as poor results; greater is better.

        Where an interval is to be hit it stays as it is. The probability of working alone lets the search hug the
        border of a failing region, for the improvement beyond it is never seen to be missing. As good as the worst
        result would be too low: an optimum beside the border is then not found. So a failure counts as what is
        expected there, and as no better than half of the results.
        """
        gp = self._gps.model(data, objective.name).gp
        gp = gp.negated() if objective.direction == "minimize" else gp
        failed = self._structural_failures(data)
        if not len(failed):
            return gp
        goal = self._goal(data, objective)
        return gp.with_values(failed, goal.no_better_than_half(gp.posterior(failed)[0], gp.y))

    def _reason(self, worth: Acquisition) -> str:
        if self._is_reached(worth):
            return f"{self._ranked[0]} was reached, and all within is as good: most likely to be within again"
        names = " and ".join(objective.name for objective in self._ranked)
        whole = "the desirability of " if self._ranked[0].desirability is not None else ""
        per_cost = " for its cost" if self._cost is not None else ""
        return f"greatest expected improvement of {whole}{names}{per_cost}"


class Auto:
    """Optimise with `LogEI`, learn with `IntegratedVariance`, or take `Fidelities` where there are several."""

    knows_fidelities: ClassVar[bool] = True
    knows_input_noise: ClassVar[bool] = True

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        to_learn = [objective.name for objective in objectives if objective.direction == "learn"]
        if to_learn and len(to_learn) < len(objectives):
            raise BadOption(
                f"objective {to_learn[0]!r} is to be learnt and others are to be optimised, or limited; one planner "
                "does one or the other"
            )
        self.follows_hints = True
        self._policy: Learner = self._suited(space, bool(to_learn))(space, objectives, options)
        self.plans_with = self._policy.plans_with
        self.chooses_among = self._policy.chooses_among

    @staticmethod
    def _suited(space: SearchSpace, is_learnt: bool) -> type[Learner]:
        if space.fidelity is None:
            return IntegratedVariance if is_learnt else LogEI
        from planner.policies.fidelities import Fidelities

        return Fidelities

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n points."""
        return self._policy.propose(data, n, rng)

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target, in its unit."""
        return self._policy.predict(data, target, points)

    def live(self, data: PlannerData) -> Mapping[str, Mapping[str, Foreteller]]:
        """Return the fitted models by name and target."""
        return self._policy.live(data)

    def alarms(self, data: PlannerData) -> list[str]:
        """Return what a person must know of the results, a sentence each."""
        return self._policy.alarms(data)

    def given_up(self, data: PlannerData) -> Mapping[str, str]:
        """Return what had to be given up to fit targets."""
        return self._policy.given_up(data)

    def doubted(self, data: PlannerData) -> tuple[Doubted, ...]:
        """Return the results that are not believed."""
        return self._policy.doubted(data)

    def prospect(self, data: PlannerData, by: float, rng: np.random.Generator) -> Prospect:
        """Return what untried points may still bring.

        Raises:
            BadOption: Something is learnt, so that nothing is better; or several objectives have no common measure.
            NotEnoughData: Too little was measured.
        """
        if not isinstance(self._policy, Foresees):
            raise BadOption("what is learnt has no best value that could be improved on; optimise an objective")
        return self._policy.prospect(data, by, rng)
