"""Why a point is proposed: what is expected there, what matters, what is known nearby, what would change the choice.

Everything is asked of the policy itself, through its predictions and its choices, so that it holds for every policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from planner.advised import SUGGESTED
from planner.best import keeps_to_limits
from planner.errors import NotEnoughData
from planner.policies.base import DoubtsResults, GivesUp
from planner.proposal import Observation, Prediction, Proposal, Value

if TYPE_CHECKING:
    from planner.doubts import Doubted
    from planner.objective import Objective
    from planner.policies.base import PlannerData, Policy

_N_ROWS = 256
_N_NEAREST = 3
_SHIFTS = (1.0, 2.0, 4.0, 8.0)
"""Half standard deviations of all values, by which a result is imagined to be another."""
_ELSEWHERE = 0.1
"""Root mean square over the columns of the cube, from which on a choice is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearby:
    """A result near a proposal."""

    observation: Observation
    distance: float
    """Root mean square over the columns of the encoding: 0 here, about 0.4 between random points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A result that would have led elsewhere: the choice was made again with it."""

    target: str
    at: Mapping[str, Value]
    """Where it was measured."""
    value: float
    """What was measured."""
    instead: float
    """The least change that was found to lead elsewhere."""
    leads_to: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a point is proposed, by what is known now."""

    proposal: Proposal
    predictions: Mapping[str, Prediction]
    """By target; empty before anything was measured."""
    gains: Mapping[str, float]
    """Expected improvement on the best prediction at a point that was measured, by ranked target, in its unit.

    Where limits are set and results keep to them, the best is one of those."""
    matters: Mapping[str, Mapping[str, float]]
    """By target: share of each parameter in the variation of the predicted mean; adds up to 1."""
    nearest: tuple[Nearby, ...]
    """Results with values, nearest first."""
    doubted: tuple[Doubted, ...] = ()
    """Results that are not believed."""
    given_up: Mapping[str, str] = field(default_factory=dict)
    """What had to be given up to fit targets (`planner.rescue`)."""
    turn: Turn | None = None
    """None where no result that was imagined led elsewhere, or a person chose the point."""

    def __str__(self) -> str:
        """Return it as sentences."""
        lines = [f"proposed: {_point(self.proposal.parameters)} ({self.proposal.reason or 'no reason given'})"]
        for name, one in self.predictions.items():
            gain = f", expected improvement {self.gains[name]:.3g}" if name in self.gains else ""
            lines.append(f"{name}: {one.mean:.4g} +- {one.sd:.2g} expected{gain}")
        for name, shares in self.matters.items():
            ranked = sorted(shares.items(), key=lambda item: -item[1])
            lines.append(f"what matters to {name}: " + ", ".join(f"{key} {100 * share:.0f} %" for key, share in ranked))
        for one in self.nearest:
            values = ", ".join(f"{name} {value:.4g}" for name, value in one.observation.values.items())
            lines.append(f"known at distance {one.distance:.2g}: {values} at {_point(one.observation.parameters)}")
        lines += [str(one) for one in self.doubted]
        lines += [f"{name}: {said}" for name, said in self.given_up.items()]
        if self.turn is not None:
            lines.append(
                f"it would change its mind: with {self.turn.target} {self.turn.instead:.4g} in place of "
                f"{self.turn.value:.4g} at {_point(self.turn.at)}, it would have asked for {_point(self.turn.leads_to)}"
            )
        return "\n".join(lines)


def explain(policy: Policy, data: PlannerData, proposal: Proposal, seed: Sequence[int]) -> Explanation:
    """Explain a proposal of a policy.

    Args:
        policy: Which is asked for predictions, and to choose again.
        data: What is known, without this proposal among what is pending.
        proposal: What is explained.
        seed: Of the chance with which the policy chooses again.
    """
    targets = [one for one in data.objectives if one.direction != "classify"]
    predictions, gains, matters = dict[str, Prediction](), dict[str, float](), dict[str, Mapping[str, float]]()
    for objective in targets:
        try:
            mean, sd = policy.predict(data, objective.name, [proposal.parameters])
        except NotEnoughData:
            continue
        predictions[objective.name] = Prediction(mean=float(mean[0]), sd=float(sd[0]))
        if objective.is_ranked and any(objective.name in one.values for one in data.observations):
            gains[objective.name] = _gain(policy, data, objective, proposal)
        matters[objective.name] = _shares(policy, data, objective.name)
    nearest = _nearest(data, proposal)
    is_chosen = proposal.reason != SUGGESTED  # what a person asked for no result would have changed
    return Explanation(
        proposal=proposal,
        predictions=predictions,
        gains=gains,
        matters=matters,
        nearest=nearest,
        doubted=policy.doubted(data) if isinstance(policy, DoubtsResults) else (),
        given_up=dict(policy.given_up(data)) if isinstance(policy, GivesUp) else {},
        turn=_turn(policy, data, proposal, nearest, seed) if is_chosen else None,
    )


def _gain(policy: Policy, data: PlannerData, objective: Objective, proposal: Proposal) -> float:
    """Return the expected improvement on the best predicted mean (Jones et al. 1998, doi 10.1023/A:1008306431147).

    Of what is aimed at it is the improvement of the distance (`planner.hits`).
    """
    fidelity, point = data.space.fidelity, proposal.parameters
    if fidelity is not None and not fidelity.counts(point):
        row = data.space.rows([point])
        row[:, data.space.names.index(fidelity.name)] = fidelity.target_level
        point = data.space.points(row)[0]
    mean, sd = policy.predict(data, objective.name, [point])
    here = Prediction(mean=float(mean[0]), sd=float(sd[0]))
    told = [one for one in data.observations if objective.name in one.values]
    if fidelity is not None:
        told = [one for one in told if fidelity.counts(one.parameters)] or told
    told = [one for one in told if keeps_to_limits(data.objectives, one)] or told
    means = policy.predict(data, objective.name, [one.parameters for one in told])[0]
    best = float(np.max(objective.merit(means)))
    rise = float(objective.merit(np.array([here.mean]))[0]) - best
    if here.sd <= 0 or (objective.is_aimed and best == 0.0):
        return max(rise, 0.0)
    if objective.is_aimed:
        from planner.hits import log_hit

        mean, sd = np.array([here.mean]), np.array([here.sd])
        return float(np.exp(log_hit(mean, sd, *objective.interval, np.array([-best])))[0])
    u = rise / here.sd
    return float(rise * ndtr(u) + here.sd * np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi))


def _shares(policy: Policy, data: PlannerData, target: str) -> dict[str, float]:
    """Return total effects on the predicted mean as shares of 1 (Jansen 1999, doi 10.1016/S0010-4655(98)00154-4)."""
    space, rng = data.space, np.random.default_rng(0)
    if space.fidelity is not None:
        space = space.held({space.fidelity.name: space.fidelity.target})
    rows, others = space.sample_rows(_N_ROWS, rng), space.sample_rows(_N_ROWS, rng)
    base = policy.predict(data, target, space.points(rows))[0]
    effects = []
    for column in range(len(space.names)):
        changed = rows.copy()
        changed[:, column] = others[:, column]
        effects.append(float(np.mean((policy.predict(data, target, space.points(changed))[0] - base) ** 2)))
    total = sum(effects)
    return {name: effect / total if total > 0 else 0.0 for name, effect in zip(space.names, effects, strict=True)}


def _nearest(data: PlannerData, proposal: Proposal) -> tuple[Nearby, ...]:
    told = [one for one in data.observations if one.values]
    if not told:
        return ()
    here = data.space.encode([proposal.parameters])
    far = np.sqrt(np.mean((data.space.encode([one.parameters for one in told]) - here) ** 2, axis=1))
    order = np.argsort(far, kind="stable")[:_N_NEAREST]
    return tuple(Nearby(observation=told[i], distance=float(far[i])) for i in order)


def _turn(
    policy: Policy, data: PlannerData, proposal: Proposal, nearest: Sequence[Nearby], seed: Sequence[int]
) -> Turn | None:
    """Return the least change of the nearest result, of those tried, with which the policy would choose elsewhere.

    Elsewhere than the proposal, and than what it chooses now, which may be another point: of a batch, or by chance.
    """
    targets = [one.name for one in data.objectives if one.direction != "classify"]
    found = [(one.observation, name) for one in nearest for name in targets if name in one.observation.values]
    if not found:
        return None
    told, target = found[0]
    usual = _choice(policy, data, seed)
    values = [one.values[target] for one in data.observations if target in one.values]
    sd = float(np.std(values)) or max(abs(values[0]), 1.0)
    for shift in (sign * size * sd / 2.0 for size in _SHIFTS for sign in (1.0, -1.0)):
        other = replace(told, values={**told.values, target: told.values[target] + shift})
        imagined = replace(data, observations=tuple(other if one is told else one for one in data.observations))
        choice = _choice(policy, imagined, seed)
        if usual is None or choice is None:
            return None
        places = data.space.encode([choice, usual, proposal.parameters])
        if np.all(np.sqrt(np.mean((places[1:] - places[0]) ** 2, axis=1)) > _ELSEWHERE):
            return Turn(
                target=target,
                at=told.parameters,
                value=told.values[target],
                instead=other.values[target],
                leads_to=choice,
            )
    return None


def _choice(policy: Policy, data: PlannerData, seed: Sequence[int]) -> Mapping[str, Value] | None:
    found = policy.propose(data, 1, np.random.default_rng(list(seed)))
    return found[0].parameters if found else None


def _point(point: Mapping[str, Value]) -> str:
    return ", ".join(f"{k} {v}" if isinstance(v, str) else f"{k} {v:.4g}" for k, v in point.items())
