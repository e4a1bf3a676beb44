"""A phase of which nothing is known but that it has peaks: what the evidence of a set would be beside one.

Free peaks, each of its own place, height and one of a few widths, are put where they lower the loss of a fit most
(`surrogate.xrd.linear.loss_of`: linear where the data lie far above the model, so that a set that the fit chose may
leave whole peaks to them). Each must gain more than `COST`, what its three numbers are worth. The sum of what they gain
beyond it is added to a set's log evidence under the hypothesis that the library lacks a phase; it is greedy, so a lower
bound. As in matching pursuit (Mallat and Zhang, IEEE Trans. Signal Process. 41, 3397 (1993), doi:10.1109/78.258082).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d
from scipy.signal import find_peaks

from surrogate.xrd.linear import UNEXPLAINED_SD
from surrogate.xrd.pattern import Pattern

Array = NDArray[np.floating[Any]]

COST = 3.0
"""Of a free peak, in nats."""
WIDTHS = (0.8, 1.3, 2.2)
"""In typical widths of the pattern's peaks."""
REACH = 3.0
"""Half a peak's window, in its full widths."""
ROUNDS = 4
MOST_PEAKS = 60
"""Of a round."""
LEAST_STEPS = 1.5
"""Full width of a peak in steps, at least."""
LOWERED = 0.8
"""A height that is also tried: beside others a peak may be lower than it looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wildcard:
    """What free peaks would explain of what a model leaves."""

    gain: float
    """Of log evidence, in nats: what all peaks lower the loss by beyond their cost."""
    n_peaks: int
    misfit: float
    """Chi squared per step of what is left after them."""


def wildcard(pattern: Pattern, model: Array) -> Wildcard:
    """Put free peaks on what a model of ``n`` intensities leaves unexplained."""
    seen = np.isfinite(pattern.variance)
    root = np.sqrt(np.where(seen, pattern.weight, 0.0))
    residual = pattern.intensity - model
    width = max(pattern.width_deg / pattern.grid.step_deg, LEAST_STEPS)
    shapes = [_shape(width * one) for one in WIDTHS]
    gain, n_peaks = 0.0, 0
    for _ in range(ROUNDS):
        gains = _put(residual, root, shapes, round(width))
        if not gains:
            break
        gain += sum(one - COST for one in gains)
        n_peaks += len(gains)
    return Wildcard(gain=gain, n_peaks=n_peaks, misfit=float(((root * residual) ** 2).sum() / max(int(seen.sum()), 1)))


def _put(residual: Array, root: Array, shapes: list[Array], apart: int) -> list[float]:
    """Take the peaks of one round, each away from the others, from the residual; return what each gains."""
    best, which = _matched(residual, root**2, shapes)
    places, _ = find_peaks(best, height=COST, distance=max(1, apart))
    gains: list[float] = []
    taken = np.zeros(len(residual), dtype=bool)
    for place in places[np.argsort(-best[places], kind="stable")][:MOST_PEAKS]:
        near = slice(max(place - apart, 0), place + apart)
        if taken[near].any():
            continue
        shape = shapes[which[place]]
        half = len(shape) // 2
        here = slice(max(place - half, 0), min(place + half + 1, len(residual)))
        cut = shape[here.start - place + half : here.stop - place + half]
        gained, height = _best_height(residual[here], root[here], cut)
        if gained > COST:
            residual[here] -= height * cut
            taken[near] = True
            gains.append(gained)
    return gains


def _matched(residual: Array, weight: Array, shapes: list[Array]) -> tuple[Array, NDArray[np.int64]]:
    """Return what the best peak at each of ``n`` steps would gain of a quadratic loss, and its width's number."""
    gains = []
    for shape in shapes:
        signal = convolve1d(weight * residual, shape, mode="constant")
        power = convolve1d(weight, shape**2, mode="constant")
        gains.append(0.5 * np.maximum(signal, 0.0) ** 2 / np.maximum(power, 1e-12))
    which = np.argmax(gains, axis=0)
    return np.max(gains, axis=0), which


def _best_height(residual: Array, root: Array, shape: Array) -> tuple[float, float]:
    """Return what a peak gains of the loss, at the better of two heights, and that height."""
    power = float(((root * shape) ** 2).sum())
    height = float((root**2 * shape * residual).sum()) / max(power, 1e-12)
    if height <= 0.0:
        return 0.0, 0.0
    before = _loss(residual * root)
    return max((before - _loss((residual - one * shape) * root), one) for one in (height, LOWERED * height))


def _loss(scaled: Array) -> float:
    far = UNEXPLAINED_SD * (scaled - 0.5 * UNEXPLAINED_SD)
    return float(np.where(scaled > UNEXPLAINED_SD, far, 0.5 * scaled**2).sum())


def _shape(width: float) -> Array:
    """Return a peak of height 1, half Gaussian, half Lorentzian, of a full width in steps."""
    half = math.ceil(REACH * width)
    away = np.arange(-half, half + 1) / width
    return 0.5 * np.exp(-4.0 * math.log(2.0) * away**2) + 0.5 / (1.0 + 4.0 * away**2)
