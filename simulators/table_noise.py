"""How much repeats of one condition scatter: the noise of a measured table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.replay_table import Table

MIN_DEGREES = 5
"""Degrees of freedom (repeats less conditions) below which repeats say nothing about the noise."""
MAX_BINS = 8
MIN_CONDITIONS_PER_BIN = 10
SIGNIFICANCE = 0.01

FROM_REPEATS = "repeats of the same condition"
FROM_RESIDUALS = "cross-validation residuals, for want of repeats: model error is in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The scatter of one target."""

    sd: float
    """Pooled over all repeats."""
    source: str
    by_value: tuple[tuple[float, float], ...] = ()
    """(value, sd) knots, rising in value, where the scatter depends on the value; empty where it does not show."""

    def sd_at(self, value: float) -> float:
        """Return the standard deviation at a true value."""
        if not self.by_value:
            return self.sd
        values, sds = zip(*self.by_value, strict=True)
        return float(np.interp(value, values, sds))


def repeat_noise(table: Table, target: int) -> Noise | None:
    """Estimate the noise of a target from repeats, or return None where there are too few.

    The scatter is taken to depend on the value where Levene's test (centred on the median, as Brown and Forsythe do,
    doi:10.1080/01621459.1974.10482955) finds that it differs between bins of the conditions' means.
    """
    repeated = np.flatnonzero(table.good_counts >= 2)
    degrees = int(np.sum(table.good_counts[repeated] - 1))
    if degrees < MIN_DEGREES:
        return None
    deviations = [_deviations(table, condition, target) for condition in repeated]
    sd = float(np.sqrt(sum(float(np.sum(d**2)) for d in deviations) / degrees))
    return Noise(
        sd=sd, source=FROM_REPEATS, by_value=_by_value(table.means[repeated, target], deviations) if sd else ()
    )


def _deviations(table: Table, condition: np.intp, target: int) -> NDArray[np.float64]:
    values = table.values[table.rows_of[condition], target]
    values = values[np.isfinite(values)]
    return values - values.mean()


def _by_value(means: NDArray[np.float64], deviations: list[NDArray[np.float64]]) -> tuple[tuple[float, float], ...]:
    from scipy.stats import levene  # half a second to import, and `labpilot check` needs none of it

    n_bins = min(MAX_BINS, len(means) // MIN_CONDITIONS_PER_BIN)
    if n_bins < 2:
        return ()
    bins = np.array_split(np.argsort(means, kind="stable"), n_bins)
    # n repeats about their own mean scatter less than about the truth, by sqrt((n - 1) / n)
    scaled = [
        [deviations[i] * np.sqrt(len(deviations[i]) / (len(deviations[i]) - 1)) for i in members] for members in bins
    ]
    groups = [np.concatenate(group) for group in scaled]
    if levene(*groups, center="median").pvalue > SIGNIFICANCE:
        return ()
    sds = [_pooled([deviations[i] for i in members]) for members in bins]
    centres = [float(means[members].mean()) for members in bins]
    return tuple(zip(centres, sds, strict=True))


def _pooled(deviations: list[NDArray[np.float64]]) -> float:
    degrees = sum(len(d) - 1 for d in deviations)
    return float(np.sqrt(sum(float(np.sum(d**2)) for d in deviations) / degrees))
