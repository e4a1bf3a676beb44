"""The processing phase diagram of the simulated film, and what each of its phases looks like.

Five phases follow one another with temperature: amorphous, beta, delta, gamma, dewetted. Their boundaries are lines in
log10 dwell, ``T_i = a_i + b_i * (log10(dwell / us) - 3)``, which is Kissinger's shift of a transformation with dwell in
a small window (H. E. Kissinger, Anal. Chem. 29, 1702 (1957), doi 10.1021/ac60131a045): the slopes of the first three
belong to activation energies of 1.5 to 3.5 eV. The diagram and the oscillators are synthetic, shaped after Bi2O3; none
of them was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulators.chance import generator
from simulators.materials.optics import HC_EV_NM, KNOT_NM, TaucLorentz
from simulators.materials.options import FilmOptions

Array = NDArray[np.float64]

PHASES = ("amorphous", "beta", "delta", "gamma", "dewetted")

BOUNDARY_C = (560.0, 760.0, 930.0, 1180.0)
"""a_i: boundary temperatures at a dwell of 1 ms, in degC."""

SLOPE_C_PER_DECADE = (-90.0, -60.0, -110.0, -40.0)
"""b_i: shift of each boundary with log10 dwell."""

NARROW_C = (15.0, 12.0, 18.0, 10.0)
"""Logistic widths, in degC."""

DIFFUSE_C = (40.0, 35.0, 40.0, 30.0)
"""Logistic widths of a film whose transitions are smeared out."""

POCKET_LOG10_DWELL = 3.4
"""Where delta stops forming when the nucleation pocket is on."""

POCKET_WIDTH = 0.05
"""Logistic width of the pocket's edge, in decades of dwell."""

OSCILLATORS = (
    TaucLorentz(amplitude=113.0, resonance=4.6, broadening=2.65, gap=2.62, eps_inf=1.66),
    TaucLorentz(amplitude=131.0, resonance=3.96, broadening=1.95, gap=2.47, eps_inf=1.9),
    TaucLorentz(amplitude=70.0, resonance=3.97, broadening=2.39, gap=2.2, eps_inf=1.82),
    TaucLorentz(amplitude=159.0, resonance=4.7, broadening=1.1, gap=2.78, eps_inf=1.83),
)
"""One per phase that is a film; where the film has dewetted, the substrate shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDiagram:
    """Which phases a place holds after (highest temperature, dwell), as fractions that add up to one."""

    boundary_c: tuple[float, ...] = BOUNDARY_C
    slope_c_per_decade: tuple[float, ...] = SLOPE_C_PER_DECADE
    width_c: tuple[float, ...] = NARROW_C
    has_pocket: bool = False

    def boundaries_c(self, log10_dwell_us: ArrayLike) -> Array:
        """Return ``n x 4`` boundary temperatures at ``n`` log10 dwells."""
        decades = np.asarray(log10_dwell_us, dtype=float)[..., None] - 3.0
        return np.array(self.boundary_c) + np.array(self.slope_c_per_decade) * decades

    def fractions(self, temperature_c: ArrayLike, log10_dwell_us: ArrayLike) -> Array:
        """Return ``n x 5`` phase fractions at ``n`` temperatures and (``n`` or one) log10 dwells."""
        from scipy.special import expit  # slow to import, and `labpilot check` needs none of it

        temperature = np.asarray(temperature_c, dtype=float)[..., None]
        passed = expit((temperature - self.boundaries_c(log10_dwell_us)) / np.array(self.width_c))
        # each boundary can only transform what the one before it has made
        passed = np.minimum.accumulate(passed, axis=-1)
        edge = np.ones_like(passed[..., :1])
        shares = np.concatenate([edge, passed], axis=-1) - np.concatenate([passed, 0.0 * edge], axis=-1)
        return self._without_delta(shares, log10_dwell_us) if self.has_pocket else shares

    def visible(self, log10_dwell_us: ArrayLike) -> NDArray[np.bool_]:
        """Say ``n x 4`` which boundaries exist: beyond the pocket, beta turns to gamma and the third one is gone."""
        dwell = np.asarray(log10_dwell_us, dtype=float)
        exists = np.ones((*dwell.shape, 4), dtype=bool)
        exists[..., 2] = ~((dwell > POCKET_LOG10_DWELL) & self.has_pocket)
        return exists

    def _without_delta(self, shares: Array, log10_dwell_us: ArrayLike) -> Array:
        from scipy.special import expit

        dwell = np.broadcast_to(np.asarray(log10_dwell_us, dtype=float), shares.shape[:-1])
        moved = shares[..., 2] * expit((dwell - POCKET_LOG10_DWELL) / POCKET_WIDTH)
        shares[..., 2] -= moved
        shares[..., 3] += moved
        return shares


def phase_diagram(seed: int, options: FilmOptions) -> PhaseDiagram:
    """Return the diagram of one world: the published one, or with a hidden error drawn from the seed."""
    widths = DIFFUSE_C if options.diffuse else NARROW_C
    chance = generator(seed, "phase diagram")
    shift, turn, stretch = chance.normal(0.0, 8.0, 4), chance.normal(0.0, 6.0, 4), chance.normal(0.0, 0.1, 4)
    if not options.hidden_error:
        shift, turn, stretch = np.zeros(4), np.zeros(4), np.zeros(4)
    return PhaseDiagram(
        boundary_c=tuple(np.add(BOUNDARY_C, shift).tolist()),
        slope_c_per_decade=tuple(np.add(SLOPE_C_PER_DECADE, turn).tolist()),
        width_c=tuple((np.array(widths) * np.exp(stretch)).tolist()),
        has_pocket=options.nucleation_pocket,
    )


def phase_indices(seed: int, options: FilmOptions) -> NDArray[np.complex128]:
    """Return ``4 x 303`` complex indices of the film's phases at the knots, with the world's hidden error."""
    errors = generator(seed, "optical constants").normal(0.0, 0.02, len(OSCILLATORS))
    strength = 1.0 + errors * options.hidden_error
    susceptibility = np.array([phase.permittivity(HC_EV_NM / KNOT_NM) - 1.0 for phase in OSCILLATORS])
    return np.sqrt(1.0 + strength[:, None] * susceptibility)


def bruggeman(fractions: Array, indices: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Mix by Bruggeman's effective medium: the eps with ``sum_i f_i (eps_i - eps) / (eps_i + 2 eps) = 0``.

    (D. A. G. Bruggeman, Ann. Phys. 416, 636 (1935), doi 10.1002/andp.19354160705.) Newton's method from the linear
    mixture; the phases are close enough for five steps to reach rounding error.

    Args:
        fractions: ``m x p``, each row adding up to one.
        indices: ``p x n``.

    Returns:
        ``m x n`` complex indices.
    """
    eps_i = np.square(indices)
    eps = fractions @ eps_i
    for _ in range(5):
        value, slope = np.zeros_like(eps), np.zeros_like(eps)
        for share, one in zip(fractions.T, eps_i, strict=True):
            below = one + 2.0 * eps
            value += share[:, None] * (one - eps) / below
            slope -= share[:, None] * 3.0 * one / np.square(below)
        eps = eps - value / slope
    return np.sqrt(eps)
