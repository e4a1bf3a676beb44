"""Which phases a fingerprint shows: at most three endmembers, each shifted a little.

On channels that are even in log q an expansion of the cell is a translation (Xue et al., AAAI 31, 4635 (2017),
arXiv 1610.00689), so that a phase whose cell follows its composition is one endmember at a shift. At a point of a
ternary system at constant temperature and pressure no more than three phases coexist (Gibbs). Endmembers are taken up
one by one by how much of the fingerprint each explains, as in matching pursuit, with amounts refitted, and let go where
the fit is as good without.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from surrogate.phase_map.patterns import Prepared

STEP = 0.1
"""Of the shifts that are tried, in channels."""
SIGNIFICANCE = 25.0
"""What a phase must take off chi-squared to be seen."""


@dataclass(frozen=True, slots=True)
class Unmixed:
    """What was seen in `n` fingerprints."""

    shares: np.ndarray
    """Of the intensity, `n x k`; zero where a phase was not seen."""
    shifts: np.ndarray
    """In channels, `n x k`."""
    left: np.ndarray
    """What no endmember explains, `n x channels`."""


class Dictionary:
    """Endmembers (`k x channels`, area one) at all shifts."""

    def __init__(self, endmembers: np.ndarray, most_shift: float) -> None:
        self.endmembers = endmembers
        self.shifts = np.arange(-most_shift, most_shift + STEP / 2, STEP)
        self.atoms = moved(endmembers[:, None, :], self.shifts)
        self._flat = self.atoms.reshape(-1, endmembers.shape[1])
        self._squares = self._flat**2

    def unmix(self, patterns: Prepared, *, most_phases: int, least_share: float) -> Unmixed:
        """Find the phases of each fingerprint.

        Args:
            patterns: `n` of them.
            most_phases: By Gibbs' rule.
            least_share: Of the intensity; a phase with less counts as not seen.
        """
        shape = (len(patterns), len(self.endmembers))
        shares, shifts, left = np.zeros(shape), np.zeros(shape), np.zeros_like(patterns.values)
        sd = without_ends(patterns.sd, float(self.shifts[-1]))
        for i in range(len(patterns)):
            found, left[i] = self._pursue(patterns.values[i], sd[i], most_phases, least_share)
            for (k, s), share in found.items():
                shares[i, k], shifts[i, k] = share, self.shifts[s]
        return Unmixed(shares, shifts, left)

    def _pursue(
        self, values: np.ndarray, sd: np.ndarray, most_phases: int, least_share: float
    ) -> tuple[dict[tuple[int, int], float], np.ndarray]:
        chosen: list[tuple[int, int]] = []
        weights = sd**-2
        shares, left = np.zeros(0), values
        chi = float(left**2 @ weights)
        power = self._squares @ weights
        while len(chosen) < min(most_phases, len(self.endmembers)):
            best = self._best(left, weights, power, [k for k, _ in chosen])
            tried = self._aligned([*chosen, best], values, weights, power)
            amounts, rest = self._fit(tried, values, sd)
            after = float(rest**2 @ weights)
            if chi - after < SIGNIFICANCE:
                break
            chosen, shares, left, chi = tried, amounts, rest, after
        return self._pruned(chosen, shares, left, values, sd, least_share)

    def _best(self, left: np.ndarray, weights: np.ndarray, power: np.ndarray, without: list[int]) -> tuple[int, int]:
        """Return which endmember, at which shift, explains most of what is left."""
        along = np.maximum(self._flat @ (left * weights), 0.0)
        gain = (along**2 / np.maximum(power, 1e-300)).reshape(len(self.endmembers), -1)
        gain[without] = -1.0
        k, s = np.unravel_index(int(np.argmax(gain)), gain.shape)
        return int(k), int(s)

    def _aligned(
        self, chosen: list[tuple[int, int]], values: np.ndarray, weights: np.ndarray, power: np.ndarray
    ) -> list[tuple[int, int]]:
        """Let each phase shift to where it fits best beside the others."""
        if len(chosen) == 1:
            return chosen
        now = list(chosen)
        sd = weights**-0.5
        for j, (k, _) in enumerate(now):
            amounts, rest = self._fit(now, values, sd)
            rest = rest + amounts[j] * self.atoms[now[j]]
            others = [other for other in range(len(self.endmembers)) if other != k]
            now[j] = self._best(rest, weights, power, others)
        return now

    def _fit(self, chosen: list[tuple[int, int]], values: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the amounts that fit best, none below zero, and what is left."""
        atoms = np.array([self.atoms[one] for one in chosen])
        amounts, _ = nnls((atoms / sd).T, values / sd)
        return amounts, values - amounts @ atoms

    def _pruned(
        self,
        chosen: list[tuple[int, int]],
        shares: np.ndarray,
        left: np.ndarray,
        values: np.ndarray,
        sd: np.ndarray,
        least_share: float,
    ) -> tuple[dict[tuple[int, int], float], np.ndarray]:
        """Let phases go that are not needed, the least needed first."""
        while chosen:
            costs = []
            for j in range(len(chosen)):
                rest = self._fit(chosen[:j] + chosen[j + 1 :], values, sd)[1] if len(chosen) > 1 else values
                costs.append(float((rest / sd) @ (rest / sd)) - float((left / sd) @ (left / sd)))
            j = int(np.argmin(np.where(shares < least_share, -1.0, costs)))
            if costs[j] >= SIGNIFICANCE and shares[j] >= least_share:
                break
            chosen = chosen[:j] + chosen[j + 1 :]
            shares, left = self._fit(chosen, values, sd) if chosen else (np.zeros(0), values)
        return dict(zip(chosen, shares.tolist(), strict=True)), left


def without_ends(sd: np.ndarray, most_shift: float) -> np.ndarray:
    """Return standard deviations (`n x channels`) that let the ends count for nothing: lines come in by a shift."""
    found, margin = sd.copy(), int(np.ceil(most_shift)) + 3
    if 2 * margin < sd.shape[1] and margin:
        found[:, :margin] = found[:, -margin:] = 1e6 * sd.max()
    return found


def moved(values: np.ndarray, by: np.ndarray | float) -> np.ndarray:
    """Return fingerprints (`... x channels`) shifted by channels (`...`); what comes in at the ends is nothing.

    By Fourier's shift theorem, with room for what leaves at an end not to come in at the other.
    """
    channels = values.shape[-1]
    length = channels + 2 * int(np.ceil(np.max(np.abs(by), initial=0.0))) + 8
    ramp = -2j * np.pi * np.fft.rfftfreq(length)
    return np.fft.irfft(np.fft.rfft(values, length) * np.exp(ramp * np.asarray(by)[..., None]), length)[..., :channels]
