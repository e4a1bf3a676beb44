"""Stripes that look for one phase: where people expect it, and where its fraction may still grow.

In the manner of SARA-H, which carries on from SARA (Ament et al., Sci. Adv. 7, eabg4930 (2021)): once the map is
known well enough, the next stripe is the one whose centre has the largest expected improvement of the phase's fraction
(in logarithm: Ament et al., arXiv 2310.20708, eq. 9). The fraction is described by the same kind of process as the
gradient, since phases begin and end along the same slanted lines. People's regions multiply a stripe's worth by
``pi^(trust / n)`` after n stripes, so that data outvote them (Hvarfner et al., piBO, arXiv 2204.11051, eq. 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import BadOption, did_you_mean
from planner.parameters import Categorical
from planner.space import SearchSpace

if TYPE_CHECKING:
    from surrogate.map_model import GradientMap

FRACTION_SCALE = 0.5
"""g0 of the map of a fraction: its process describes log(1 + fraction / 0.5), in which 0.9 is still far from 0.7."""
NOTHING_BETTER = 0.0005
"""Improvement of log(1 + fraction / 0.5) below which no stripe looks for the phase: the map is improved instead."""
_KEYS = ("within", "confidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A box of parameters where somebody expects the phase."""

    low: np.ndarray
    """`p`, as rows of the space; -inf where nothing is said."""
    high: np.ndarray
    confidence: float

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Return which rows (`n x p`) lie within, `n`."""
        return np.all((rows >= self.low - 1e-9) & (rows <= self.high + 1e-9), axis=1)


def read_regions(space: SearchSpace, given: Sequence[Any]) -> tuple[Region, ...]:
    """Return the regions that an option gives.

    Args:
        space: whose parameters they name.
        given: mappings, each with `within` (a parameter's name to [low, high], in its unit) and `confidence`: how
            probably the phase is there, above 0 and below 1.

    Raises:
        BadOption: One is none; says why.
    """
    return tuple(_read(space, one, f"region {number} of option 'regions'") for number, one in enumerate(given))


def _read(space: SearchSpace, given: Any, where: str) -> Region:
    if not isinstance(given, Mapping) or set(given) != set(_KEYS):
        raise BadOption(f"{where} must be a mapping with {' and '.join(_KEYS)}, not {given!r}")
    confidence, within = given["confidence"], given["within"]
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0.0 < confidence < 1.0:
        raise BadOption(f"{where}: confidence is a probability above 0 and below 1, not {confidence!r}")
    if not isinstance(within, Mapping) or not within:
        raise BadOption(f"{where}: within names at least one parameter with [low, high], not {within!r}")
    names = list(space.names)
    low, high = np.full(len(names), -np.inf), np.full(len(names), np.inf)
    for name, ends in within.items():
        if name not in names:
            raise BadOption(f"{where} names {name!r}, which is no parameter{did_you_mean(str(name), names)}")
        if isinstance(space.parameters[names.index(name)], Categorical):
            raise BadOption(f"{where} names {name!r}, which is a word; regions are of numbers")
        low[names.index(name)], high[names.index(name)] = _ends(ends, f"{where}: {name!r}")
    return Region(low=low, high=high, confidence=float(confidence))


def _ends(given: Any, where: str) -> tuple[float, float]:
    is_pair = isinstance(given, Sequence) and not isinstance(given, str) and len(given) == 2
    if not is_pair or not all(isinstance(end, int | float) and np.isfinite(end) for end in given):
        raise BadOption(f"{where} takes [low, high], two numbers in the parameter's unit, not {given!r}")
    if given[0] > given[1]:
        raise BadOption(f"{where} begins at {given[0]!r}, above its end {given[1]!r}; swap them")
    return float(given[0]), float(given[1])


def log_prior(regions: Sequence[Region], rows: np.ndarray) -> np.ndarray:
    """Return log pi of rows (`n x p`), `n`: the confidence within a region, what is left of the highest without."""
    if not regions:
        return np.zeros(len(rows))
    left = 1.0 - max(region.confidence for region in regions)
    inside = np.array([np.where(region.holds(rows), region.confidence, 0.0) for region in regions]).max(axis=0)
    return np.log(np.maximum(inside, left))


def log_improvement(known: GradientMap, conditions: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Return the log expected improvement of the phase at conditions (`n x d`), `n`, over the best one made.

    That is the greatest mean of those made (`m x d`), which noise has less of a say in than in values.
    """
    from planner.acquisition import log_h

    best = float(known.latent(*split(made))[0].max())
    mean, variance = known.latent(*split(conditions))
    sd = np.sqrt(variance)
    return np.log(sd) + log_h((mean - best) / sd)


def map_uncertainty(known: GradientMap, conditions: np.ndarray) -> float:
    """Return the root mean variance of v over conditions (`n x d`), over what it would be without any stripe."""
    _, variance = known.latent(*split(conditions))
    return float(np.sqrt(np.mean(variance) / known.hyperparameters.variance))


def split(conditions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return temperature, log10 dwell and fractions (None without) of conditions, `n x d`."""
    fractions = conditions[:, 2:]
    return conditions[:, 0], conditions[:, 1], fractions if fractions.shape[1] else None
