"""What is measured of one film, and how far a batch of candidate films is from it, in standard deviations.

Offset and tilt of R and T are not fitted: they are Gaussian, so they are part of the noise. The residuals are those of
white noise after multiplication with the inverse root of the whole covariance, which is a unit matrix but for two
directions in each channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.spectra.film.dispersion import energy_ev, index_of, tauc_lorentz
from surrogate.spectra.film.parameters import COUNT, EPS, FILM, FIRST, OSCILLATORS, THICKNESS_NM, oscillators, values
from surrogate.spectra.film.substrate import Bench

_DELTA = 1e-6
"""Step of the forward differences: in double precision their error is far below what a step of the fit notices, and
they cost one evaluation for a parameter, half of what a dual number does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One film's spectra on a bench, ``c`` channels (R, or R and T) of ``n`` wavelengths."""

    bench: Bench
    spectra: Tensor
    """``c x n``."""
    sigma: Tensor
    """``c x n`` standard deviations of the noise of a point."""
    directions: Tensor
    """``c x n x 2`` orthonormal directions, in units of sigma, along which offset and tilt move the spectra."""
    shrink: Tensor
    """``c x 2``: what is taken off a residual along them."""

    @classmethod
    def of(
        cls, bench: Bench, spectra: NDArray[np.float64], sigma: NDArray[np.float64], *, offset: float, tilt: float
    ) -> Measured:
        """Prepare ``c x n`` spectra; `offset` and `tilt` are standard deviations, see `Disturbance`."""
        wavelength = bench.wavelength_nm.numpy()
        line = (wavelength - wavelength.mean()) / np.ptp(wavelength)
        basis = np.stack([np.full_like(line, offset), tilt * line], axis=-1) / sigma[:, :, None]
        directions, stretch, _ = np.linalg.svd(basis, full_matrices=False)
        return cls(
            bench=bench,
            spectra=torch.tensor(spectra),
            sigma=torch.tensor(sigma),
            directions=torch.tensor(directions),
            shrink=torch.tensor(1.0 - 1.0 / np.sqrt(1.0 + stretch**2)),
        )

    @property
    def points(self) -> int:
        """Return the number of measured values."""
        return self.spectra.numel()

    def whitened(self, calculated: Tensor) -> Tensor:
        """Return ``... x (c n)`` residuals of ``... x c x n`` calculated spectra, in standard deviations."""
        return self._decorrelated((calculated - self.spectra) / self.sigma).flatten(-2)

    def whitened_slopes(self, slopes: Tensor) -> Tensor:
        """Return ``b x (c n) x p`` derivatives of the residuals from ``p x b x c x n`` ones of the spectra."""
        return self._decorrelated(slopes / self.sigma).flatten(-2).permute(1, 2, 0)

    def _decorrelated(self, scaled: Tensor) -> Tensor:
        along = torch.einsum("...cn,cnk->...ck", scaled, self.directions)
        return scaled - torch.einsum("...ck,cnk->...cn", along * self.shrink, self.directions)


class FilmModel:
    """Residuals of candidate films, and their derivatives by the chain rule over thickness, n, k and oscillators."""

    def __init__(self, measured: Measured) -> None:
        self.measured = measured
        self._energy = energy_ev(measured.bench.wavelength_nm)
        self._channels = len(measured.spectra)

    def index(self, places: Tensor) -> Tensor:
        """Return ``b x n`` complex indices."""
        _, eps_inf, rows = values(places)
        return index_of(tauc_lorentz(self._energy, rows).sum(-2) + eps_inf.unsqueeze(-1))

    def spectra(self, places: Tensor) -> Tensor:
        """Return ``b x c x n``."""
        return self._film(self.index(places), values(places)[0])

    def residuals(self, places: Tensor) -> Tensor:
        """Return ``b x (c n)`` in standard deviations."""
        return self.measured.whitened(self.spectra(places))

    def slopes(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``b x (c n)`` residuals and ``b x (c n) x 14`` derivatives."""
        index, index_slopes = self.index_slopes(places)
        thickness = values(places)[0]
        moved = torch.stack([index, index + _DELTA, index + 1j * _DELTA, index])
        thicknesses = torch.stack([thickness, thickness, thickness, THICKNESS_NM.value(places[:, FILM] + _DELTA)])
        spectra = self._film(moved.flatten(0, 1), thicknesses.flatten()).unflatten(0, moved.shape[:2])
        by_n, by_k, by_thickness = (spectra[1:] - spectra[0]) / _DELTA
        along = by_n * index_slopes.real.unsqueeze(-2) + by_k * index_slopes.imag.unsqueeze(-2)
        jacobian = self.measured.whitened_slopes(torch.cat([by_thickness.unsqueeze(0), along]))
        return self.measured.whitened(spectra[0]), jacobian

    def index_slopes(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``b x n`` indices and ``13 x b x n`` derivatives of them by all places but thickness."""
        each = places[:, FIRST:].reshape(-1, OSCILLATORS, 4)
        moved = each + _DELTA * torch.cat([torch.zeros(1, 4), torch.eye(4)]).to(each).reshape(5, 1, 1, 4)
        parts = tauc_lorentz(self._energy, oscillators(moved))
        eps_inf = EPS.value(places[:, 1])
        index = index_of(parts[0].sum(-2) + eps_inf.unsqueeze(-1))
        by_place = ((parts[1:] - parts[0]) / _DELTA).permute(2, 0, 1, 3).reshape(COUNT - FIRST, *index.shape)
        by_eps_inf = ((EPS.value(places[:, 1] + _DELTA) - eps_inf) / _DELTA).unsqueeze(-1).expand(index.shape)
        return index, torch.cat([by_eps_inf.unsqueeze(0), by_place]) / (2.0 * index)

    def _film(self, index: Tensor, thickness_nm: Tensor) -> Tensor:
        out = self.measured.bench.film(index, thickness_nm)
        return torch.stack([out.reflectance, out.transmittance], dim=-2)[..., : self._channels, :]
