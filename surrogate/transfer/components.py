"""What a target may take from its sources: the components that `surrogate.transfer.mixture` averages over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, qmc

from surrogate.transfer.sources import PreparedSource

Array = NDArray[np.floating[Any]]

Take = Literal["nothing", "average", "trusted", "signed", "all signed"]
"""Nothing; the mean of all sources, or one of them, by a factor near 1; one or each by a factor of either sign."""

NOTHING = 0.4
"""Prior probability that sources tell nothing but lengths and noise."""
TRUSTED_SD = 0.3
"""Standard deviation of a factor that is near 1."""
CONSTANT_SD = 1.0
"""Of the target's constant, beside what the sources' constants spread; in units of their spreads."""
N_DRAWS = 32
"""Kernels of a target that takes nothing: lengths drawn about those of the sources."""
OWN_LENGTHS = 0.25
"""Part of `NOTHING` for the lengths that the target's own values ask for: sources may be rough where it is smooth."""
COMMON_SD, OWN_SD = 0.4, 0.5
"""Standard deviations of the logarithms of what is common to all lengths of a draw, and of each one's own."""
LENGTHS = (0.4, 0.7, 1.0)
"""Of a target's own process beside what it takes, in units of the sources' lengths: what differs is rougher."""
BESIDE = (0.1, 0.3, 0.7)
"""Standard deviations of that process."""
NOISE = (0.3, 1.0, 3.0)
"""Variances of the target's noise, in units of the sources'."""

_SINGLE: tuple[Take, ...] = ("trusted", "signed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One way in which a target may be like its sources."""

    take: Take
    which: int
    """The source, where one is taken."""
    lengths: tuple[float, ...]
    """``d`` lengths of the target's own process."""
    own_sd: float
    """Its standard deviation, in units of the scale."""
    noise: float
    """In units of the sources' noise; of no meaning where the noise is known."""
    log_prior: float

    def offset(self, means: Array) -> Array:
        """Return what the target is before any factor differs from 1, ``n``, given ``n x s`` means of the sources."""
        if self.take == "average":
            return means.mean(axis=1)
        if self.take == "trusted":
            return means[:, self.which]
        return np.zeros(len(means))

    def features(self, means: Array, constant_sd: float) -> Array:
        """Return ``n x f`` columns whose unknown factors are normal with variance 1."""
        constant = np.full((len(means), 1), constant_sd)
        if self.take == "nothing":
            return constant
        if self.take == "average":
            return np.hstack([constant, TRUSTED_SD * means.mean(axis=1, keepdims=True)])
        if self.take == "all signed":
            return np.hstack([constant, means / means.shape[1] ** 0.5])
        return np.hstack([constant, (TRUSTED_SD if self.take == "trusted" else 1.0) * means[:, [self.which]]])

    def shares(self, n_sources: int) -> Array:
        """Return how much of each source's own variance is in the target's, ``s``."""
        found = np.zeros(n_sources)
        if self.take == "average":
            found[:] = n_sources**-2.0
        elif self.take == "all signed":
            found[:] = 1.0 / n_sources
        elif self.take != "nothing":
            found[self.which] = 1.0
        return found


def components(
    sources: Sequence[PreparedSource], own_lengths: Array | None = None, n_values: int = 0
) -> list[Component]:
    """Return all components for some sources, their priors summing to 1.

    Args:
        sources: At least one.
        own_lengths: ``d`` lengths that fit the target's values by themselves; None where these are too few. As they
            were sought, their prior has what evidence lacks to pay for that (Schwarz, Ann. Statist. 6, 461 (1978)).
        n_values: Number of the target's values.
    """
    n = len(sources)
    pooled = np.exp(np.mean([np.log(one.lengths) for one in sources], axis=0))
    takes: list[tuple[Take, int, float]] = [] if n == 1 else [("average", 0, 0.25), ("all signed", 0, 0.25)]
    takes.extend((take, which, (1.0 if n == 1 else 0.5) / (2 * n)) for take in _SINGLE for which in range(n))
    kernels = [(factors * pooled, NOTHING / N_DRAWS) for factors in _draws(len(pooled))]
    if own_lengths is not None:
        share = OWN_LENGTHS * max(n_values, 1) ** (-0.5 * len(pooled))
        kernels = [(lengths, (1.0 - share) * prior) for lengths, prior in kernels]
        kernels.append((own_lengths, share * NOTHING))
    found = [
        Component(
            take="nothing", which=0, lengths=tuple(lengths), own_sd=1.0, noise=noise,
            log_prior=float(np.log(prior / len(NOISE))),
        )
        for lengths, prior in kernels
        for noise in NOISE
    ]  # fmt: skip
    each = (1.0 - NOTHING) / (len(LENGTHS) * len(BESIDE) * len(NOISE))
    return found + [
        Component(
            take=take, which=which, lengths=tuple(factor * pooled), own_sd=own_sd, noise=noise,
            log_prior=float(np.log(each * prior)),
        )
        for take, which, prior in takes
        for factor in LENGTHS
        for own_sd in BESIDE
        for noise in NOISE
    ]  # fmt: skip


@cache
def _draws(d: int) -> Array:
    """Return ``N_DRAWS x d`` factors, log-normal about 1, from a Sobol sequence; the same always."""
    uniform = qmc.Sobol(d + 1, scramble=True, rng=np.random.default_rng(0)).random(N_DRAWS)
    normal = norm.ppf(uniform)
    return np.exp(OWN_SD * normal[:, :d] + COMMON_SD * normal[:, d:])
