"""What a film lies on: glass that shows its back, or something opaque."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.spectra.film.dispersion import IndexFunction, soda_lime_index
from surrogate.spectra.film.transfer import Intensities, Scattering, coherent, on_half_space, on_thick_substrate


@dataclass(frozen=True, slots=True, kw_only=True)
class Substrate:
    """A substrate in air, polished on both sides if it is transparent."""

    name: str
    index: IndexFunction
    """Wavelengths in nm to N = n + ik; raises ValueError outside its range."""
    thickness_mm: float | None
    """None: opaque, nothing comes back from its rear and nothing is transmitted."""

    @property
    def is_opaque(self) -> bool:
        """Say whether only reflectance can be measured."""
        return self.thickness_mm is None


def glass(thickness_mm: float = 1.0) -> Substrate:
    """Return clear soda-lime float glass."""
    return Substrate(name="soda-lime glass", index=soda_lime_index, thickness_mm=thickness_mm)


def silicon() -> Substrate:
    """Return a silicon wafer whose rear does not reflect (rough, or light absorbed on the way): 250 to 1050 nm."""
    return Substrate(name="silicon", index=silicon_index, thickness_mm=None)


@cache
def _silicon_table() -> NDArray[np.float64]:
    text = (resources.files("surrogate.spectra.film") / "silicon.json").read_text(encoding="utf-8")
    return np.array(json.loads(text)["rows"]).T


def silicon_index(wavelength_nm: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return N of silicon at 300 K (M. A. Green 2008, doi:10.1016/j.solmat.2008.06.009), 250 to 1050 nm.

    Raises:
        ValueError: A wavelength lies outside the table.
    """
    from scipy.interpolate import CubicSpline  # slow to import

    table = _silicon_table()
    wavelength = np.asarray(wavelength_nm, dtype=float)
    if wavelength.min() < table[0, 0] or wavelength.max() > table[0, -1]:
        raise ValueError(
            f"silicon is tabulated from {table[0, 0]:g} to {table[0, -1]:g} nm; the spectrum reaches from "
            f"{wavelength.min():g} to {wavelength.max():g} nm: cut it, or give a substrate of your own"
        )
    return CubicSpline(table[0], table[1])(wavelength) + 1j * CubicSpline(table[0], table[2])(wavelength)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A substrate seen at ``n`` wavelengths, ready for batches of films on it."""

    wavelength_nm: Tensor
    """``n``."""
    substrate: Tensor
    """``n`` complex."""
    substrate_nm: float | None

    @classmethod
    def of(cls, substrate: Substrate, wavelength_nm: NDArray[np.float64], dtype: torch.dtype = torch.float64) -> Bench:
        """Look up the substrate at the wavelengths; `dtype` is that of the real numbers."""
        complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
        return cls(
            wavelength_nm=torch.tensor(np.asarray(wavelength_nm, dtype=float), dtype=dtype),
            substrate=torch.as_tensor(substrate.index(np.asarray(wavelength_nm, dtype=float))).to(complex_dtype),
            substrate_nm=None if substrate.thickness_mm is None else substrate.thickness_mm * 1e6,
        )

    def to(self, device: torch.device) -> Bench:
        """Return the bench on another device."""
        return Bench(
            wavelength_nm=self.wavelength_nm.to(device),
            substrate=self.substrate.to(device),
            substrate_nm=self.substrate_nm,
        )

    def film(self, index: Tensor, thickness_nm: Tensor) -> Intensities:
        """Return R and T, ``b x n``, of single films in air.

        Args:
            index: ``b x n`` complex.
            thickness_nm: ``b``.
        """
        return self.stack([index], [thickness_nm.unsqueeze(-1)])

    def stack(self, layers: list[Tensor], thicknesses_nm: list[Tensor]) -> Intensities:
        """Return R and T of layers, the topmost first; shapes as in `coherent`. T is 0 on an opaque substrate."""
        air = torch.ones_like(self.substrate)
        scattering = coherent([air, *layers, self.substrate], thicknesses_nm, self.wavelength_nm)
        return self._intensities(scattering, air)

    def _intensities(self, scattering: Scattering, air: Tensor) -> Intensities:
        if self.substrate_nm is None:
            reflectance = on_half_space(scattering, air, self.substrate).reflectance
            return Intensities(reflectance, torch.zeros_like(reflectance))
        return on_thick_substrate(
            scattering,
            ambient=air,
            substrate=self.substrate,
            substrate_nm=self.substrate_nm,
            wavelength_nm=self.wavelength_nm,
        )
