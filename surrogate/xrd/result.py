"""What an identification says: phases with probabilities and amounts, what else could be, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

Verdict = Literal["identified", "cannot tell", "unknown phase present", "amorphous", "no crystalline phase", "unusable"]
"""In one phrase; `Identification.reasons` says more."""

CELL_NAMES = ("a", "b", "c", "alpha", "beta", "gamma")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A unit cell: a, b, c in angstrom, angles in degrees, each with its esd (0 where symmetry fixes it)."""

    values: tuple[float, float, float, float, float, float]
    esd: tuple[float, float, float, float, float, float]
    volume_angstrom3: float

    def as_dict(self) -> dict[str, Any]:
        """Return a, b, c, alpha, beta, gamma, esd of each, and the volume."""
        named = dict(zip(CELL_NAMES, self.values, strict=True))
        return {
            **named,
            "esd": dict(zip(CELL_NAMES, self.esd, strict=True)),
            "volume_angstrom3": self.volume_angstrom3,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseClaim:
    """A phase of the best set."""

    name: str
    formula: str
    space_group: str
    probability: float
    """Calibrated, over all phase sets."""
    weight_fraction: float
    """Of the crystalline part."""
    weight_interval: tuple[float, float]
    """90 %."""
    cell: Cell
    reference_cell: tuple[float, float, float, float, float, float]
    """Of the library."""
    crystallite_nm: float
    texture: float
    """Ratio of the strongest to the weakest factor that the texture puts on a reflection; 1 for a random powder."""
    is_solid_solution: bool = False
    """The cell differs from the library's by more than errors and alignment explain."""
    source: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON knows them."""
        return {
            "name": self.name,
            "formula": self.formula,
            "space_group": self.space_group,
            "probability": self.probability,
            "weight_fraction": self.weight_fraction,
            "weight_interval": list(self.weight_interval),
            "cell": self.cell.as_dict(),
            "reference_cell": dict(zip(CELL_NAMES, self.reference_cell, strict=True)),
            "crystallite_nm": self.crystallite_nm,
            "texture": self.texture,
            "is_solid_solution": self.is_solid_solution,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A set of phases that could be what lies there."""

    phases: tuple[str, ...]
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualPeak:
    """A peak that no phase of the best set explains."""

    two_theta_deg: float
    d_angstrom: float
    height_sigma: float
    """Height over the standard deviation of noise and model error there."""
    relative_height: float
    """Of the pattern's highest peak above background."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One of the requirements of Leeman et al. (PRX Energy 3, 011002 (2024), doi:10.1103/PRXEnergy.3.011002)."""

    name: str
    """``G1`` to ``G8``."""
    passed: bool | None
    """None where the measurement cannot say."""
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON knows them."""
        return {"name": self.name, "passed": self.passed, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """What to draw, over ``n`` angles."""

    two_theta_deg: Array
    observed: Array
    sigma: Array
    calculated: Array
    background: Array
    """Smooth part and amorphous humps."""
    contributions: Mapping[str, Array]
    """``n`` of each phase of the best set."""
    ticks_deg: Mapping[str, Array]
    """Positions of each phase's reflections (of the strongest line)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """What a pattern holds."""

    file: str
    verdict: Verdict
    reasons: tuple[str, ...]
    """For a person to read: why this verdict, what to do."""
    phases: tuple[PhaseClaim, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    """Phase sets by probability, the best first; those of the phases above are the first of them."""
    unknown_probability: float = 0.0
    """That a crystalline phase lies there which the library does not hold."""
    unknown_peaks: tuple[ResidualPeak, ...] = ()
    amorphous_fraction: float | None = None
    amorphous_interval: tuple[float, float] | None = None
    """90 %."""
    """Share of the scattering above the smooth background that lies in humps; None where nothing can be said. It is
    a weight fraction only if the amorphous part scatters like the crystalline one."""
    rwp: float | None = None
    """Percent."""
    rexp: float | None = None
    """Percent; what counting noise alone would give."""
    gof: float | None = None
    """Rwp over Rexp."""
    zero_deg: float = 0.0
    displacement_deg: float = 0.0
    gates: tuple[Gate, ...] = ()
    seconds: float = 0.0
    """CPU seconds."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Hash of the file, reader, hash of the library, versions, seed, settings."""
    curves: Curves | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the curves as JSON knows it."""
        return {
            "file": self.file,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "phases": [phase.as_dict() for phase in self.phases],
            "alternatives": [
                {"phases": list(alternative.phases), "probability": alternative.probability}
                for alternative in self.alternatives
            ],
            "unknown_probability": self.unknown_probability,
            "unknown_peaks": [
                {
                    "two_theta_deg": peak.two_theta_deg,
                    "d_angstrom": peak.d_angstrom,
                    "height_sigma": peak.height_sigma,
                    "relative_height": peak.relative_height,
                }
                for peak in self.unknown_peaks
            ],
            "amorphous_fraction": self.amorphous_fraction,
            "amorphous_interval": None if self.amorphous_interval is None else list(self.amorphous_interval),
            "rwp": self.rwp,
            "rexp": self.rexp,
            "gof": self.gof,
            "zero_deg": self.zero_deg,
            "displacement_deg": self.displacement_deg,
            "gates": [gate.as_dict() for gate in self.gates],
            "seconds": self.seconds,
            "provenance": dict(self.provenance),
        }
