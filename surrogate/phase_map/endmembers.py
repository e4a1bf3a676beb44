"""Which phases there are: the fewest endmembers that explain every fingerprint within its noise.

As in successive projection (Araujo et al., Chemom. Intell. Lab. Syst. 57, 65 (2001)) the fingerprint that is explained
worst becomes the next endmember: of mixtures, that is one of the purest. Nobody says that a phase was seen alone, so
endmembers that hold others have them taken off, as far as no intensity becomes negative, and those that others explain
are left out. How many there are is decided by the noise: nothing is added once all is explained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surrogate.phase_map.patterns import Prepared
from surrogate.phase_map.unmix import Dictionary, Unmixed, moved, without_ends

_ROUNDS = 3
_STANDS_OUT = 5.0
"""Standard deviations of three neighbouring channels together."""
_STRONG = 0.06
"""Of the strongest line: channels that tell how much of an endmember another one holds at most."""
_LEAST_PART = 0.03


@dataclass(frozen=True, slots=True)
class MixtureOptions:
    """How fingerprints are taken apart."""

    most_shift: float
    """Channels."""
    most_phases: int
    """At one point."""
    least_share: float
    """Of the intensity; what is less is not seen."""
    most_endmembers: int


def find_endmembers(patterns: Prepared, options: MixtureOptions) -> tuple[np.ndarray, Unmixed]:
    """Return the endmembers (`k x channels`) and what of them each fingerprint shows."""
    endmembers = np.empty((0, patterns.values.shape[1]))
    for _ in range(_ROUNDS):
        before = len(endmembers)
        endmembers = _grown(patterns, endmembers, options)
        endmembers = _purified(endmembers, options)
        if len(endmembers) == before:
            break
    endmembers = _refined(endmembers, _unmixed(endmembers, patterns, options), patterns)
    endmembers = _fewest(endmembers, patterns, options)
    return endmembers, _unmixed(endmembers, patterns, options)


def _fewest(endmembers: np.ndarray, patterns: Prepared, options: MixtureOptions) -> np.ndarray:
    """Leave out, one after another, endmembers without which the others, fitted again, explain as much."""
    k = 0
    while k < len(endmembers) and len(endmembers) > 1:
        fewer = np.delete(endmembers, k, axis=0)
        for _ in range(_ROUNDS):
            fewer = _refined(fewer, _unmixed(fewer, patterns, options), patterns)
        if _left_over(fewer, patterns, options)[1].max() < options.least_share:
            endmembers, k = fewer, 0
        else:
            k += 1
    return endmembers


def _left_over(endmembers: np.ndarray, patterns: Prepared, options: MixtureOptions) -> tuple[np.ndarray, np.ndarray]:
    """Return what endmembers do not explain (`n x channels`), and the part of the area that stands out of it (`n`)."""
    left = _unmixed(endmembers, patterns, options).left if len(endmembers) else patterns.values
    sd = without_ends(patterns.sd, options.most_shift)
    return left, np.where(patterns.has_lines, _standing_out(left, sd), 0.0)


def _unmixed(endmembers: np.ndarray, patterns: Prepared, options: MixtureOptions) -> Unmixed:
    dictionary = Dictionary(endmembers, options.most_shift)
    return dictionary.unmix(patterns, most_phases=options.most_phases, least_share=options.least_share)


def _grown(patterns: Prepared, endmembers: np.ndarray, options: MixtureOptions) -> np.ndarray:
    """Add what is explained worst until all is explained."""
    simple = -np.sum(patterns.values > 5.0 * patterns.sd, axis=1) * 1e-4  # of equals the one with the fewest lines
    while len(endmembers) < options.most_endmembers:
        if len(endmembers):
            endmembers = _refined(endmembers, _unmixed(endmembers, patterns, options), patterns)
        left, unexplained = _left_over(endmembers, patterns, options)
        worst = int(np.argmax(np.where(unexplained > 0, unexplained + simple, -1.0)))
        if unexplained[worst] < options.least_share:
            break
        seen = patterns.values[worst] if unexplained[worst] > 0.5 else left[worst]
        endmembers = np.vstack([endmembers, _cleaned(seen, patterns.sd[worst])])
    return endmembers


def _standing_out(left: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Return the part of the area that stands out above the noise, `n`."""
    return np.sum(np.where(_significance(left, sd) > _STANDS_OUT, np.maximum(left, 0.0), 0.0), axis=1)


def _significance(left: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Return how far three neighbouring channels stand out together, `n x channels`."""
    padded = np.pad(left, ((0, 0), (1, 1)))
    spread = np.pad(sd**2, ((0, 0), (1, 1)), mode="edge")
    together = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return together / np.sqrt(spread[:, :-2] + spread[:, 1:-1] + spread[:, 2:])


def _cleaned(values: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Return an endmember: lines and what is beside them, without the noise between, of area one."""
    stands_out = _significance(values[None], sd[None])[0] > 2.0
    kept = np.where(stands_out, np.maximum(values, 0.0), 0.0)
    return kept / max(kept.sum(), 1e-300)


def _purified(endmembers: np.ndarray, options: MixtureOptions) -> np.ndarray:
    """Take endmembers off each other, and leave out those that the others explain."""
    kept = list(endmembers)
    j = 0
    while j < len(kept) and len(kept) > 1:
        rest = _without_others(kept[j], kept[:j] + kept[j + 1 :], options)
        if rest.sum() < max(2.0 * options.least_share, _LEAST_PART):
            del kept[j]
        else:
            kept[j] = rest / rest.sum()
            j += 1
    return np.array(kept).reshape(-1, endmembers.shape[1])


def _without_others(endmember: np.ndarray, others: list[np.ndarray], options: MixtureOptions) -> np.ndarray:
    """Return what is left of an endmember once as much of each other is taken off as it can hold."""
    dictionary = Dictionary(np.array(others), options.most_shift)
    rest = endmember.copy()
    for shapes in dictionary.atoms:
        amounts = [_most_held(rest, shape) for shape in shapes]
        best = int(np.argmax(amounts))
        if amounts[best] >= _LEAST_PART:
            rest = np.maximum(rest - amounts[best] * shapes[best], 0.0)
            rest = np.where(rest > 0.15 * amounts[best] * shapes[best], rest, 0.0)
    return rest


def _most_held(values: np.ndarray, shape: np.ndarray) -> float:
    """Return how much of a shape values can hold: no more than is there at any of its strong lines."""
    strong = shape > _STRONG * shape.max()
    return float(np.quantile(values[strong] / shape[strong], 0.1))


def _refined(endmembers: np.ndarray, unmixed: Unmixed, patterns: Prepared) -> np.ndarray:
    """Fit endmembers again to the fingerprints that show most of them, shifted back, less what others explain."""
    fresh = endmembers.copy()
    parts = unmixed.shares[:, :, None] * moved(endmembers[None], unmixed.shifts)
    for k in range(len(endmembers)):
        shares = unmixed.shares[:, k]
        shown = np.flatnonzero(shares > max(0.3, 0.5 * shares.max()))
        if not len(shown):
            continue
        own = moved(unmixed.left[shown] + parts[shown, k], -unmixed.shifts[shown, k])
        weight = shares[shown] / np.sum(shares[shown] ** 2)
        sd = np.sqrt(weight**2 @ patterns.sd[shown] ** 2)
        fresh[k] = _cleaned(weight @ own, sd)
    return fresh
