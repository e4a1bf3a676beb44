"""What a detector did that the sample did not: stretches it was off, points it could not count, spikes, steps.

Each is found by a chance that counting statistics bound from above: the probability of any one count of a mean ``m`` is
at most about ``1 / sqrt(2 pi m)``, so that equal values in a row, or at the top, soon are no accident. Quantised,
calculated and clipped patterns repeat values everywhere; where they do, nothing is said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, percentile_filter
from scipy.special import gammaln

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

LEAST_CHANCE = 1e-6
"""Of a stretch of equal values, anywhere in the scan."""
LEAST_RUN = 5
NATURAL_SHARE = 0.3
"""Of neighbours that are equal: from here on a constant is how the file is written."""
NEAR_POINTS = 40
NEXT_POINTS = 5
NEARLY_NOTHING = 0.05
"""Of the quarter's lowest intensities."""
FALL = 5.0
"""Factor between a stretch of nearly nothing and what lies beside it."""
FALL_SIGMA = 6.0
SATURATED_CHANCE = 1e-4
PLATEAU_SIGMA = 0.1
"""A detector at its limit may still waver by so much of what counting would."""
NEAR_TOP_SIGMA = 4.0
NARROWEST_DEG = 0.05
"""Full width of the sharpest line of a laboratory device."""
COARSEST_DEG = 0.05
"""Of steps at which a spike can be told from a line."""
SPIKE_SIGMA = 8.0
SPIKE_WINDOW_DEG = 0.2
"""On each side; most of it lies beyond a sharp line."""
SCATTER_POINTS = 61
STEP_WINDOW_DEG = 3.0
LEVEL_POINTS = 25
"""On each side of a step."""
STEP_FACTOR = 1.2
STEP_GAIN = 40.0
"""Of chi squared, against a cubic."""
STEP_SLACK = 0.05
"""Of what a cubic leaves: what is level need not be so to better than this."""
MOST_STEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A scan's ``n`` points after the check."""

    value: Array
    """Spikes and dead stretches are bridged, steps are levelled."""
    variance: Array
    ignored: Mask
    """Points that tell nothing."""
    warnings: tuple[str, ...] = field(default=())


def checked(angle: Array, value: Array, variance: Array, counts: Array | None = None) -> Checked:
    """Find what is wrong with the ``n`` points of a scan in ascending order.

    Args:
        angle: In degrees.
        value: Intensities.
        variance: Of each.
        counts: As they were detected, before any attenuation was multiplied back; where they are known.
    """
    warnings = []
    dead = _dead(value, variance)
    if _is_bare(value, dead):
        dead = np.zeros_like(dead)
    warnings += _told_stretches(angle, value, dead)
    detected, noise = (value, variance) if counts is None else (counts, np.maximum(counts, 1.0))
    saturated = _saturated(detected, noise, is_counted=counts is not None) & ~dead
    if saturated.any():
        warnings.append(
            f"{saturated.sum()} points at the highest value, {detected[saturated].max():g}, are flatter than counting "
            "allows: the detector was saturated, and they are left out; attenuate the beam"
        )
    spikes = _spikes(angle, value, variance) & ~dead & ~saturated
    if _is_bare(value, dead | spikes):
        spikes = np.zeros_like(spikes)
    if spikes.any():
        where = ", ".join(f"{at:.2f}" for at in angle[spikes][:5])
        warnings.append(f"{spikes.sum()} single points stand far above their neighbours ({where} deg): left out")
        variance = np.where(_near(spikes, 8), np.minimum(variance, median_filter(variance, 25)), variance)
    bridged = _bridged(angle, value, dead | spikes)
    value, variance, more = _levelled(angle, bridged, variance)
    return Checked(value=value, variance=variance, ignored=dead | saturated | spikes, warnings=(*warnings, *more))


def _is_bare(value: Array, ignored: Mask) -> bool:
    """Say whether nothing would be left to see."""
    return bool(ignored.all()) or float(np.ptp(value[~ignored])) <= 1e-9 * float(np.ptp(value))


def _near(mask: Mask, reach: int) -> Mask:
    return np.convolve(mask, np.ones(2 * reach + 1), mode="same") > 0.5


def _bridged(angle: Array, value: Array, missing: Mask) -> Array:
    return np.interp(angle, angle[~missing], value[~missing]) if missing.any() else value


def _runs(same: Mask) -> list[tuple[int, int]]:
    """Return the first index and the one behind the last of each row of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _dead(value: Array, variance: Array) -> Mask:
    """Return where the detector was off, or its last value was repeated."""
    dead = np.zeros(len(value), dtype=bool)
    equal = np.diff(value) == 0.0
    before = np.concatenate([[0], np.cumsum(equal)])
    for first, last in _runs(equal):
        if last - first + 1 >= LEAST_RUN and value[first] < value.max() and _is_no_accident(before, first, last):
            dead[first : last + 1] = True
    # where a background was taken off, nearly nothing is what is left of it
    level = float(np.quantile(value, 0.25))
    low = (value < NEARLY_NOTHING * level) & (level > 0.0)
    for first, behind in _runs(low):
        if _has_walls(value, variance, first, behind):
            dead[first:behind] = True
    return dead


def _is_no_accident(before: NDArray[np.int64], first: int, last: int) -> bool:
    """Say whether equal neighbours from one pair to another are too many, as others in the scan are."""
    n, inside = len(before) - 1, last - first
    everywhere = (int(before[-1]) - inside + 1.0) / (n - inside + 2.0)
    reach = max(NEAR_POINTS, inside)
    left, right = max(first - reach, 0), min(last + reach, n)
    beside = (int(before[right]) - int(before[left]) - inside + 1.0) / (right - left - inside + 2.0)
    return everywhere < NATURAL_SHARE and math.log(n) + inside * math.log(max(everywhere, beside)) < math.log(
        LEAST_CHANCE
    )


def _has_walls(value: Array, variance: Array, first: int, behind: int) -> bool:
    """Say whether intensities fall to nearly nothing at once, and rise again at once."""
    inside = float(value[first:behind].mean())
    sides = [slice(max(first - NEXT_POINTS, 0), first), slice(behind, behind + NEXT_POINTS)]
    levels = [float(np.median(value[side])) for side in sides if len(value[side])]
    noise = [float(np.sqrt(np.median(variance[side]))) for side in sides if len(value[side])]
    return bool(levels) and all(
        level > FALL * inside and level - inside > FALL_SIGMA * sd for level, sd in zip(levels, noise, strict=True)
    )


def _told_stretches(angle: Array, value: Array, dead: Mask) -> list[str]:
    runs = _runs(dead)
    if not runs:
        return []
    told = [f"{angle[a]:.2f} to {angle[b - 1]:.2f} deg ({value[a]:g})" for a, b in runs[:3]]
    more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
    return [f"the detector seems to have been off or stuck: {', '.join(told)}{more}; these points are left out"]


def _saturated(detected: Array, variance: Array, *, is_counted: bool) -> Mask:
    """Return the points of a plateau at the top that counting statistics would not leave so flat."""
    top = float(detected.max())
    sd = math.sqrt(float(variance[int(detected.argmax())]))
    steps = np.diff(np.unique(detected))
    quantum = 1.0 if is_counted else float(steps.min(initial=math.inf))
    if not 0.0 < quantum < sd:
        return np.zeros(len(detected), dtype=bool)
    n_near = int((detected > top - NEAR_TOP_SIGMA * sd).sum())
    for band in (0.0, PLATEAU_SIGMA * sd):
        at_top = detected >= top - band
        chance = (band + quantum) / (math.sqrt(2.0 * math.pi) * sd)
        n = int(at_top.sum())
        if (
            n >= 3
            and chance < 1.0
            and _log_choices(n_near, n) + (n - 1) * math.log(chance) < math.log(SATURATED_CHANCE)
        ):
            return at_top
    return np.zeros(len(detected), dtype=bool)


def _log_choices(n: int, k: int) -> float:
    return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _spikes(angle: Array, value: Array, variance: Array) -> Mask:
    """Return single points so far above both neighbours that no line is as narrow."""
    step = float(np.median(np.diff(angle)))
    none = np.zeros(len(value), dtype=bool)
    # where values repeat they were clipped or rounded, and how much they scattered is not known
    if not 0.0 < step <= COARSEST_DEG or float(np.mean(np.diff(value) == 0.0)) > NATURAL_SHARE:
        return none
    beside = math.exp(-4.0 * math.log(2.0) * (step / NARROWEST_DEG) ** 2)
    base = median_filter(value, max(9, 2 * round(SPIKE_WINDOW_DEG / step) + 1), mode="nearest")
    above = value - base
    # what was scaled or clipped scatters more than its counts
    scatter = percentile_filter(np.abs(above), 90, size=SCATTER_POINTS, mode="nearest") / 1.645
    noise = np.maximum(np.sqrt(median_filter(variance, 25, mode="nearest")), scatter)
    padded = np.pad(above, 1, mode="edge")
    neighbour = np.maximum(padded[:-2], padded[2:])
    # at an end one side is missing, and a line may be cut
    none[1:-1] = ((above > SPIKE_SIGMA * noise) & (neighbour + 3.0 * noise < 0.9 * beside * above))[1:-1]
    return none


def _levelled(angle: Array, value: Array, variance: Array) -> tuple[Array, Array, list[str]]:
    """Bring what lies behind a step of the intensity to the level before it."""
    warnings: list[str] = []
    for _ in range(MOST_STEPS):
        found = _step(angle, value, variance)
        if found is None:
            break
        at, factor = found
        behind = np.arange(len(value)) >= at
        value = np.where(behind, value / factor, value)
        variance = np.where(behind, variance / factor**2, variance)
        warnings.append(
            f"the intensity jumps by a factor {factor:.2f} at {angle[at]:.2f} deg: what follows was divided by it, as "
            "is right where the counting time or the beam changed; if it was something else, measure again"
        )
    return value, variance, warnings


def _step(angle: Array, value: Array, variance: Array) -> tuple[int, float] | None:
    """Return where the level changes from one point to the next and for long, and by which factor.

    No line does so: a straight line with a jump has to describe the near points as well as noise lets it, and far
    better than a cubic; and what is lowest over some degrees has to change alike.
    """
    native = float(np.median(np.diff(angle)))
    size = max(2 * LEVEL_POINTS, round(STEP_WINDOW_DEG / max(native, 1e-6)))
    if len(value) < 4 * LEVEL_POINTS:
        return None
    window = np.lib.stride_tricks.sliding_window_view(value, 2 * LEVEL_POINTS)
    noise = np.lib.stride_tricks.sliding_window_view(variance, 2 * LEVEL_POINTS).mean(1)
    with_step, smooth = (_misfit(window, base) / np.maximum(noise, 1e-300) for base in (_STEPPED, _CUBIC))
    n_free = 2 * LEVEL_POINTS - _STEPPED.shape[1]
    at = np.arange(len(window)) + LEVEL_POINTS
    # what lies beyond a gap may be at another level
    is_step = (smooth - with_step > STEP_GAIN) & (angle[at] - angle[at - 1] < 2.5 * native)
    is_step &= with_step < np.maximum(n_free + 4.0 * math.sqrt(2.0 * n_free), STEP_SLACK * smooth)
    best, factor = 0, 1.0
    for place in at[is_step]:
        found = _factor(value, int(place), size)
        if abs(math.log(found)) > max(abs(math.log(factor)), math.log(STEP_FACTOR)):
            best, factor = int(place), found
    return None if factor == 1.0 else (best, factor)


def _misfit(window: Array, base: Array) -> Array:
    """Return what an orthonormal base leaves of each row's sum of squares."""
    centred = window - window.mean(1, keepdims=True)
    return np.maximum((centred**2).sum(1) - ((centred @ base) ** 2).sum(1), 0.0)


def _factor(value: Array, at: int, size: int) -> float:
    """Return by how much the lower intensities change over some degrees; 1 where they do not as the nearest do."""
    line = np.linalg.lstsq(_COLUMNS, value[at - LEVEL_POINTS : at + LEVEL_POINTS], rcond=None)[0]
    below, above = float(line[0] - line[2]), float(line[0] + line[2])
    sides = [value[max(at - size, 0) : at], value[at : at + size]]
    low, high = (float(np.median(np.sort(side)[: max(len(side) // 2, 1)])) for side in sides)
    if min(low, high, below, above) <= 0.0:
        return 1.0
    near, far = above / below, high / low
    return near if abs(math.log(far / near)) < 0.3 * abs(math.log(near)) else 1.0


_PLACE = np.arange(-LEVEL_POINTS, LEVEL_POINTS) + 0.5
_COLUMNS = np.column_stack([np.ones(2 * LEVEL_POINTS), _PLACE / LEVEL_POINTS, np.sign(_PLACE)])
"""A straight line with a jump."""
_STEPPED = np.linalg.qr(_COLUMNS)[0]
_CUBIC = np.linalg.qr(np.polynomial.chebyshev.chebvander(_PLACE / LEVEL_POINTS, 3))[0]
