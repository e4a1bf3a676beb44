"""What is still to be had: the probability that something untried is better than the best that is known.

The surrogates' joint posterior is drawn at the best known point and at those untried ones that promise most; the share
of draws in which one of them is better by more than is asked for is the probability. A draw knows how points hang
together, which sums of single probabilities do not. It is the risk of stopping now, the probability that the simple
regret exceeds a margin (Wilson, NeurIPS 2024, arXiv 2402.16811), judged by draws on a finite set.

A process that was fitted to few results is too sure of itself in two ways, which are allowed for here. The scale is
drawn, too, as if eight values had told it: draws follow Student's process rather than a normal one (Shah, Wilson and
Ghahramani, AISTATS 2014, arXiv 1402.4306). And where the best that was found stands higher above the mean than the
best of so many independent normal values would, the surface has peaks that a normal process has not; as another one
may be as high, deviations grow until this one is no surprise, by half at most. Predictions are widened besides, as
everywhere (`planner.models`). All of it remains the surrogate's own word; benchmarks/README.md says how often it was
wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from planner.models import TargetModel, widening
from planner.objective import Objective
from surrogate.gp import factor
from surrogate.matern_gp import GP

_N_DRAWS = 512
_JITTER = 1e-8
_FREEDOM = 8.0
"""Degrees of freedom of the scale; chosen, with the next, on the problems of benchmarks/goals.py, seeds 200 to 215."""
_MOST_GROWN = 1.5
"""Of deviations, where the best is higher than a normal process would have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What untried points may still bring.

    Attributes:
        probability: That at least one of them is better than the best known by more than `by`.
        by: In the objective's unit; of the overall desirability, where objectives have one.
        gain: Expected improvement of the best of them on the best known, in the same unit.
        points: How many untried points were looked at together.
    """

    probability: float
    by: float
    gain: float
    points: int


def prospect(
    objectives: Sequence[Objective],
    models: Mapping[str, TargetModel],
    best: np.ndarray,
    untried: np.ndarray,
    works: np.ndarray,
    *,
    by: float,
    rng: np.random.Generator,
) -> Prospect:
    """Judge untried points by joint draws.

    Args:
        objectives: What is wanted (one, or several with desirabilities), and limits.
        models: By target.
        best: The best known point, encoded, `d`.
        untried: Encoded, `n x d`.
        works: Probability that each of them gives a result, `n`; draws in which little works are the same for all.
        by: How much better is worth going on for.
        rng: Where the draws come from.
    """
    if not len(untried):
        return Prospect(probability=0.0, by=by, gain=0.0, points=0)
    codes = np.vstack([best, untried])
    drawn = {one.name: _values(models[one.name], codes, rng, _upwards(one)) for one in objectives}
    merits = _merits([one for one in objectives if one.is_ranked], drawn)
    for limit in (one for one in objectives if one.limit is not None):
        values = drawn[limit.name]
        kept = values <= limit.limit if limit.direction == "at_most" else values >= limit.limit
        merits = np.where(kept, merits, -np.inf)
    is_working = rng.random(merits.shape[1]) < works[:, None]
    top = np.where(is_working, merits[1:], -np.inf).max(axis=0)
    # where the best known fails its limits in a draw, whatever keeps to them is better
    better = (top > merits[0] + by) & np.isfinite(top)
    gains = np.where(better & np.isfinite(merits[0]), np.maximum(top - merits[0], 0.0), 0.0)
    return Prospect(
        probability=float(better.mean()), by=by, gain=float(np.where(better, gains, 0.0).mean()), points=len(untried)
    )


def grown(gp: GP, upwards: float) -> float:
    """Return what deviations are multiplied by, for the best to be no surprise.

    The height to expect of the best of n normal values is the one of Blom, Statistical Estimates and Transformed
    Beta-Variables (1958).

    Args:
        gp: What is known.
        upwards: 1 where more is better, -1 where less is, 0 where neither.
    """
    height = float(np.max(upwards * (gp.posterior(gp.X)[0] - gp.mean))) / float(np.sqrt(gp.kernel.scale))
    places = max(gp.places, 2.0)
    usual = float(ndtri((places - 0.375) / (places + 0.25)))
    return float(np.clip(height / usual, 1.0, _MOST_GROWN))


def _upwards(objective: Objective) -> float:
    return {"maximize": 1.0, "minimize": -1.0}.get(objective.direction, 0.0)


def _values(model: TargetModel, codes: np.ndarray, rng: np.random.Generator, upwards: float) -> np.ndarray:
    """Return draws of a target at points, in its unit, `n x draws`."""
    gp = model.gp
    mean, covariance = gp.joint(codes)
    root = factor(covariance * widening(gp) + np.eye(len(codes)) * _JITTER * gp.kernel.scale)
    scale = grown(gp, upwards) * np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, _N_DRAWS))
    return model.scale.inverse(mean[:, None] + scale * (root @ rng.standard_normal((len(codes), _N_DRAWS))))


def _merits(ranked: Sequence[Objective], drawn: Mapping[str, np.ndarray]) -> np.ndarray:
    if ranked[0].desirability is None:
        return ranked[0].merit(drawn[ranked[0].name])
    from planner.desirability import desirability

    each = [desirability(one, drawn[one.name]) for one in ranked]
    return np.prod(each, axis=0) ** (1.0 / len(each))
