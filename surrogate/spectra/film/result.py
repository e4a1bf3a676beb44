"""What a fit says of a film: thickness and optical constants with uncertainty, and what else it could be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.film.dispersion import TaucLorentz

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmSolution:
    """One film that explains the spectra."""

    thickness_nm: float
    thickness_sd_nm: float
    probability: float
    """Among the solutions found, given that the model holds."""
    misfit: float
    """Mean square of the residuals in standard deviations: 1 where the model explains everything but noise."""
    material: TaucLorentz


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticalConstants:
    """N = n + ik at ``n`` wavelengths, with limits that hold 90 %."""

    wavelength_nm: Array
    n: Array
    n_interval: Array
    """``2 x n``: lower and upper limit, given the first solution's thickness order."""
    k: Array
    k_interval: Array
    """``2 x n``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmResult:
    """A film, measured."""

    thickness_nm: float
    """Of the likeliest solution."""
    thickness_sd_nm: float
    """Over all solutions."""
    thickness_interval_nm: tuple[float, float]
    """Holds 90 %, over all solutions."""
    constants: OpticalConstants
    solutions: tuple[FilmSolution, ...]
    """The likeliest first; more than one where spectra leave the order of the fringes open."""
    misfit: float
    """Of the first solution, see `FilmSolution`."""
    calculated: Array
    """``c x n``: R (and T) of the first solution, without offset and tilt."""
    guess_nm: float | None = None
    """What the network said beforehand; None if none was asked."""
    guess_confidence: float | None = None
    """The probability that the network gave to within 10 % of that."""
    warnings: tuple[str, ...] = ()

    @property
    def relative_half_width(self) -> float:
        """Return half the width of the 90 % interval, relative to thickness."""
        low, high = self.thickness_interval_nm
        return 0.5 * (high - low) / self.thickness_nm

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the curves as JSON knows it."""
        return {
            "thickness_nm": self.thickness_nm,
            "thickness_sd_nm": self.thickness_sd_nm,
            "thickness_interval_nm": list(self.thickness_interval_nm),
            "misfit": self.misfit,
            "solutions": [
                {
                    "thickness_nm": s.thickness_nm,
                    "thickness_sd_nm": s.thickness_sd_nm,
                    "probability": s.probability,
                    "misfit": s.misfit,
                    "eps_inf": s.material.eps_inf,
                    "oscillators_ev": [o.as_row() for o in s.material.oscillators],
                }
                for s in self.solutions
            ],
            "guess_nm": self.guess_nm,
            "guess_confidence": self.guess_confidence,
            "warnings": list(self.warnings),
        }


class NotDetermined(CannotTell):
    """The spectra do not fix the thickness; the best that was found is in `result`, not to be used as an answer."""

    def __init__(self, reason: str, result: FilmResult) -> None:
        super().__init__(reason)
        self.result = result
