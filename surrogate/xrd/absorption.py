"""What absorption contrast between particles may have done to weight fractions: Brindley's effect.

Large particles of a phase that absorbs more than its neighbours show less of themselves than their weight, and the
others more. By how much depends on the size of the particles, which a powder pattern does not tell, so that nothing is
corrected: the interval of each weight is widened to the side on which the truth must then lie.

Brindley, Phil. Mag. 36, 347 (1945), doi:10.1080/14786444508520918: a phase keeps the part ``tau`` of its intensity, the
mean of ``exp(-(mu - mean mu) x)`` over the paths ``x`` in a particle, taken here as a sphere that rays pass straight
through: ``tau = integral from 0 to 1 of 3 x^2 exp(-(mu - mean mu) d x) dx`` for the diameter ``d``. Mass absorption
follows from the imaginary part of the form factor by the optical theorem, ``2 r_e lambda f'' N_A / M``, with Cromer and
Liberman's f'' (J. Chem. Phys. 53, 1891 (1970), doi:10.1063/1.1674266); scattering, a few per cent, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gemmi
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from surrogate.xrd.phase import Phase, content_of_cell

Array = NDArray[np.floating[Any]]

MEDIAN_UM = 2.0
SPREAD = 2.0
"""Factor of one standard deviation. Powders ground by hand have particles of one to ten micrometres; one in twenty
specimens is taken to have coarser ones than 6.3."""
COARSE_UM = 5.0
"""The size that a reason speaks of."""
LEAST_EFFECT = 0.12
"""Change of the ratio of two phases (as a logarithm) at that size from which it is counted: less is within the error
that every scale is given, ``sqrt(2)`` times 0.08."""
N_SIZES = 24
N_NOISE = 40
N_ROUNDS = 12
"""Until weights and the mean absorption that they make agree."""

_ELECTRON_RADIUS_CM = 2.8179403e-13
_AVOGADRO = 6.02214076e23
_EV_ANGSTROM = 12398.42
_UM_PER_CM = 1e4
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_PATH, _SHARE = (_NODES + 1.0) / 2.0, 3.0 / 2.0 * _WEIGHTS * ((_NODES + 1.0) / 2.0) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Powder:
    """The ``k`` phases of a set."""

    per_cm: Array
    """``k`` linear absorption coefficients."""
    density_g_cm3: Array
    """``k``."""


def powder(phases: Sequence[Phase], wavelength_angstrom: float) -> Powder:
    """Return how strongly phases absorb X-rays of a wavelength."""
    return Powder(
        per_cm=np.array([linear_per_cm(phase, wavelength_angstrom) for phase in phases]),
        density_g_cm3=np.array([phase.density_g_cm3 for phase in phases]),
    )


@lru_cache(maxsize=1024)
def mass_cm2_g(element: str, wavelength_angstrom: float) -> float:
    """Return the mass absorption coefficient of an element."""
    known = gemmi.Element(element)
    _, imaginary = gemmi.cromer_liberman(z=known.atomic_number, energy=_EV_ANGSTROM / wavelength_angstrom)
    return 2.0 * _ELECTRON_RADIUS_CM * wavelength_angstrom * 1e-8 * max(imaginary, 0.0) * _AVOGADRO / known.weight


def linear_per_cm(phase: Phase, wavelength_angstrom: float) -> float:
    """Return the linear absorption coefficient of a dense phase."""
    mass = sum(
        amount * gemmi.Element(element).weight * mass_cm2_g(element, wavelength_angstrom)
        for element, amount in content_of_cell(phase.sites).items()
    )
    return phase.density_g_cm3 * mass / phase.mass_per_cell


def kept(contrast: Array) -> Array:
    """Return the parts of their intensities that particles keep, for ``(mu - mean mu) d`` of any shape."""
    return np.exp(-contrast[..., None] * _PATH) @ _SHARE


def true_fractions(seen: Array, of: Powder, size_um: Array) -> Array:
    """Return the weight fractions, ``s x k``, that particles of ``s`` sizes would have to have to look like those seen.

    Args:
        seen: ``k`` fractions without regard to contrast.
        of: The phases.
        size_um: ``s`` diameters, the same for all phases.
    """
    found = np.tile(seen, (len(size_um), 1))
    for _ in range(N_ROUNDS):
        weighted = seen / kept(_contrast(found, of, size_um))
        # the geometric mean of two rounds does not swing
        weighted = np.sqrt(found * weighted / weighted.sum(axis=1, keepdims=True))
        found = weighted / weighted.sum(axis=1, keepdims=True)
    return found


def _contrast(fractions: Array, of: Powder, size_um: Array) -> Array:
    volume = fractions / of.density_g_cm3
    mean = (volume @ of.per_cm) / volume.sum(axis=1)
    return (of.per_cm - mean[:, None]) * size_um[:, None] / _UM_PER_CM


def matters(seen: Array, of: Powder) -> bool:
    """Say whether coarse particles would change the ratio of any two phases by more than errors allow for."""
    if len(seen) < 2:
        return False
    logs = np.log(kept(_contrast(seen[None], of, np.array([COARSE_UM]))))[0]
    return float(np.ptp(logs)) > LEAST_EFFECT


def widened(seen: Array, of: Powder, relative: Array, interval: Array) -> Array:
    """Return 90 % intervals, ``k x 2``, that also hold what particles of likely sizes make of the weights.

    An interval grows to one side only, since fine particles, without any effect, are always possible.

    Args:
        seen: ``k`` fractions.
        of: The phases.
        relative: ``k x k`` covariance of the logarithms of the phases' scales.
        interval: ``k x 2`` without regard to contrast.
    """
    if not matters(seen, of):
        return interval
    size_um = MEDIAN_UM * SPREAD ** ndtri((np.arange(N_SIZES) + 0.5) / N_SIZES)
    true = true_fractions(seen, of, size_um)
    # of w_i = r_i / sum(r): dw_i = w_i (dlog r_i - sum_j w_j dlog r_j)
    centred = np.eye(len(seen)) - true[:, None, :]
    sd = true * np.sqrt(np.maximum(np.einsum("sij,jl,sil->si", centred, relative, centred), 0.0))
    noise = ndtri((np.arange(N_NOISE) + 0.5) / N_NOISE)
    low, high = np.quantile(true[:, None] + sd[:, None] * noise[:, None], (0.05, 0.95), axis=(0, 1))
    bounds = np.stack([np.minimum(low, interval[:, 0]), np.maximum(high, interval[:, 1])], axis=1)
    return np.clip(bounds, 0.0, 1.0)


def contrast_reason(phases: Sequence[Phase], seen: Sequence[float], wavelength_angstrom: float) -> str:
    """Say that weights depend on the size of the particles; empty where contrast is too small for that."""
    fractions, of = np.array(seen, dtype=float), powder(phases, wavelength_angstrom)
    if not matters(fractions, of):
        return ""
    strong, weak = int(of.per_cm.argmax()), int(of.per_cm.argmin())
    coarse = true_fractions(fractions, of, np.array([COARSE_UM]))[0]
    ratio = float(of.per_cm[strong]) / max(float(of.per_cm[weak]), 1e-9)
    times = f"{ratio:.0f}" if ratio >= 10.0 else f"{ratio:.1f}"
    return (
        f"{phases[strong].name} absorbs {times} times as much as {phases[weak].name}: the weights hold for fine "
        f"particles, and their intervals allow for coarser ones (with {COARSE_UM:g} um {phases[strong].name} would be "
        f"{100 * coarse[strong]:.0f} wt%, not {100 * fractions[strong]:.0f}): grind finer"
    )
