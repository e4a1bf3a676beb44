"""What a measurement file holds, whoever wrote it: axis with unit, counts, attenuation, radiation, the whole header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Fact = str | float | int | bool

Quantity = Literal[
    "two_theta", "omega", "q", "d_spacing", "wavelength", "energy", "wavenumber", "raman_shift", "frequency", "time",
    "position", "mass_to_charge", "unknown",
]  # fmt: skip
"""What an axis may count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The abscissa of ``n`` points, in the order of the file."""

    quantity: Quantity
    unit: str
    """UCUM: ``deg``, ``Ao`` (angstrom), ``/Ao``, ``nm``, ``um``, ``eV``, ``/cm``, ``Hz``, ``s``, ``mm``, ``1``."""
    values: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Radiation:
    """The lines of an X-ray source."""

    wavelength_angstrom: tuple[float, ...]
    """Strongest first, as the file gives them; K-alpha 1, K-alpha 2, K-beta as far as it names them."""
    ratio: tuple[float, ...]
    """Intensity of each line relative to the first, hence 1.0 first."""
    anode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One curve of ``n`` points.

    What was detected stands in `counts`, as it was detected; `values` is what is looked at and analysed: counts times
    attenuation, unless the file gives something else (a rate, reflectance, absorbance).
    """

    kind: Literal["diffractogram", "spectrum"]
    axis: Axis
    values: Array
    """``n``."""
    unit: str
    """Of the values: ``counts``, ``counts/s``, ``1`` (reflectance, transmittance, absorbance), ``%``, ``arbitrary``."""
    quantity: str = "intensity"
    """What the values are: ``intensity``, ``reflectance``, ``transmittance``, ``absorbance``, ..."""
    counts: Array | None = None
    """``n`` counts as detected, where the file gives whole counts; never scaled."""
    attenuation: Array | None = None
    """``n`` factors of at least 1 by which `counts` were weakened; None where nothing says so."""
    count_time_s: Array | None = None
    """``n`` times that each point was counted for."""
    sigma: Array | None = None
    """``n`` standard deviations of the values: those of the file, or Poisson's where counts are known."""
    radiation: Radiation | None = None
    title: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """What the header says, by field: ``tube_voltage_kv``, ``sample``, ``started_at`` (ISO 8601), ``integration_s``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementFile:
    """A file, read."""

    name: str
    format: str
    """In words: ``PANalytical XRDML 1.5``."""
    reader: str
    version: str
    """Of the reader; it changes when the same file would give other numbers."""
    sha256: str
    header: str
    """All of the original header: text as it stands, or the fields of a binary header as JSON."""
    scans: tuple[Scan, ...]
    warnings: tuple[str, ...] = ()
    """What the reader had to assume, one sentence each."""
    checked_by: tuple[str, ...] = ()
    """Other readers that read the same numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a reader found in a file's bytes."""

    format: str
    header: str
    scans: tuple[Scan, ...]
    warnings: tuple[str, ...] = ()


def poisson_sigma(counts: Array, attenuation: Array | None = None) -> Array:
    """Return the ``n`` standard deviations of counts times attenuation.

    The variance of ``c`` counts is taken as ``c + 1``: the posterior mean of the rate under a flat prior, which is
    above zero also where nothing was counted.
    """
    sigma = np.sqrt(np.maximum(counts, 0.0) + 1.0)
    return sigma if attenuation is None else sigma * attenuation


def counted(counts: Array, *, attenuation: Array | None = None) -> dict[str, Any]:
    """Return the fields of a `Scan` of whole counts: values, unit, counts, attenuation, sigma."""
    values = counts if attenuation is None else counts * attenuation
    sigma = poisson_sigma(counts, attenuation)
    return {"values": values, "unit": "counts", "counts": counts, "attenuation": attenuation, "sigma": sigma}
