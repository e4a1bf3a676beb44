"""What crystallites do to a line: their sizes, strains, faults, as Fourier coefficients over the column length L.

Sizes: spheres with log-normal diameters (Scardi and Leoni, Acta Cryst. A 57 (2001) 604, doi:10.1107/S0108767301008881).
Microstrain: ``exp(-2 pi^2 <e^2(L)> L^2 / d^2)`` with a mean square that falls with L, its dependence on direction a
quartic invariant (Stephens, J. Appl. Cryst. 32 (1999) 281, doi:10.1107/S0021889898006001). Faults: a displacement R
between layers with probability p per layer turns the phase of a reflection by ``2 pi h.R``, which damps and shifts it
(Warren, X-ray Diffraction, 1969, ch. 13). A part of the material under an exponential distribution of strains gives a
shoulder on one side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

ROUGH_NM = 5.0
"""Below this length the mean square strain grows as 1/L."""
_LONGEST = 6.0
"""Column length over volume-weighted diameter, beyond which no column is."""
_N_TABLE = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Stacking faults of one kind."""

    probability: float
    normal: tuple[int, int, int]
    """Indices of the planes between which they lie."""
    displacement: tuple[float, float, float]
    """Of the layers above, in fractions of the axes."""
    layers: int
    """How many layers make one spacing of the planes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crystallites:
    """What the crystallites of one phase are like."""

    size_nm: float
    """Volume-weighted mean diameter."""
    spread: float = 0.3
    """Standard deviation of the logarithm of the diameter."""
    axis: tuple[int, int, int] = (0, 0, 1)
    """Normal of the planes that platelets lie in, or along which needles grow; strain and texture refer to it too."""
    aspect: float = 1.0
    """Length along the axis over that across it."""
    microstrain: float = 0.0
    """Root mean square at long columns."""
    strain_anisotropy: float = 0.0
    """From -0.2 (soft across the axis) to 0.8 (soft along it)."""
    gradient_share: float = 0.0
    gradient_strain: float = 0.0
    """Mean strain of that share of the material."""
    faults: Faults | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """What broadens ``n`` lines."""

    size_nm: Array
    strain: Array
    decay_per_nm: Array
    """By faults."""
    turn_per_nm: Array
    """Phase by faults, in radians."""

    def take(self, rows: NDArray[np.int64]) -> Widths:
        """Return those of some lines."""
        return Widths(
            size_nm=self.size_nm[rows],
            strain=self.strain[rows],
            decay_per_nm=self.decay_per_nm[rows],
            turn_per_nm=self.turn_per_nm[rows],
        )


def cosines(equivalents: NDArray[np.int64], normal: tuple[int, int, int], reciprocal_metric: Array) -> Array:
    """Return ``n x g`` cosines between reflections and the normal of lattice planes."""
    axis = np.array(normal)
    lengths = np.sqrt(np.einsum("ngi,ij,ngj->ng", equivalents, reciprocal_metric, equivalents))
    along = equivalents @ (reciprocal_metric @ axis)
    return along / (lengths * math.sqrt(axis @ reciprocal_metric @ axis))


def size_nm(cosine: Array, crystallites: Crystallites) -> Array:
    """Return mean diameters along the directions of lines, the mean over equivalents: ``n x g`` to ``n``.

    An ellipsoid of revolution with the volume of the sphere.
    """
    across = crystallites.size_nm * crystallites.aspect ** (-1.0 / 3.0)
    along = across * crystallites.aspect
    return np.mean(1.0 / np.sqrt((1.0 - cosine**2) / across**2 + cosine**2 / along**2), axis=1)


def strain(cosine: Array, crystallites: Crystallites) -> Array:
    """Return root mean square strains of lines: ``n x g`` to ``n``."""
    quartic = 5.0 * np.mean(cosine**4, axis=1) - 1.0
    return crystallites.microstrain * np.sqrt(np.maximum(1.0 + crystallites.strain_anisotropy * quartic, 0.05))


def fault_rates(equivalents: NDArray[np.int64], faults: Faults, reciprocal_metric: Array) -> tuple[Array, Array]:
    """Return how fast faults damp (1/nm) and turn (radians/nm) reflections along their columns, each ``n x g``."""
    normal = np.array(faults.normal)
    layer_nm = 0.1 / math.sqrt(normal @ reciprocal_metric @ normal) / faults.layers
    layers_per_nm = cosines(equivalents, faults.normal, reciprocal_metric) / layer_nm
    phase = 2.0 * math.pi * (equivalents @ np.array(faults.displacement))
    decay = np.abs(layers_per_nm) * faults.probability * (1.0 - np.cos(phase))
    return decay, layers_per_nm * faults.probability * np.sin(phase)


def transform(length_nm: Array, spacing_nm: Array, widths: Widths, crystallites: Crystallites) -> Complex:
    """Return the ``n x k`` Fourier coefficients of lines at column lengths ``n x k``, lines ``n`` spacings apart."""
    scaled = length_nm / widths.size_nm[:, None]
    result = _columns(scaled, crystallites.spread)
    damping = -widths.decay_per_nm[:, None] * length_nm
    if crystallites.microstrain:
        reach = (2.0 * math.pi**2) * (widths.strain / spacing_nm) ** 2
        damping -= reach[:, None] * length_nm * (length_nm + ROUGH_NM)
    result = (result * np.exp(damping)).astype(complex)
    if np.any(widths.turn_per_nm):
        result *= np.exp(-1j * widths.turn_per_nm[:, None] * length_nm)
    if crystallites.gradient_share:
        turn = 2.0 * math.pi * crystallites.gradient_strain / spacing_nm
        result *= 1.0 - crystallites.gradient_share * (1.0 - 1.0 / (1.0 - 1j * turn[:, None] * length_nm))
    return result


def _columns(scaled: Array, spread: float) -> Array:
    """Return Fourier coefficients of sizes at column lengths over the volume-weighted mean diameter."""
    at, values = _column_table(round(spread, 4))
    return np.interp(scaled, at, values, right=0.0)


@lru_cache(maxsize=1024)
def _column_table(spread: float) -> tuple[Array, Array]:
    at = np.linspace(0.0, _LONGEST, _N_TABLE)
    if spread < 1e-3:
        return at, np.where(at < 1.0, 1.0 - 1.5 * at + 0.5 * at**3, 0.0)
    # the volume-weighted mean diameter is M4/M3 = exp(m + 3.5 s^2), and at is in units of it
    mean = -3.5 * spread**2
    logarithm = np.log(np.maximum(at, 1e-12))

    def term(n: int) -> Array:
        reach = erfc((logarithm - mean - (3 - n) * spread**2) / (spread * math.sqrt(2.0)))
        return 0.5 * reach * at**n * math.exp(-n * mean + (((3 - n) ** 2 - 9) * spread**2) / 2.0)

    return at, term(0) - 1.5 * term(1) + 0.5 * term(3)
