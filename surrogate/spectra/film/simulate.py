"""Spectra as an instrument would give them: films of random thickness, noise, an offset and a tilted baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.spectra.film.dispersion import energy_ev, index_of
from surrogate.spectra.film.families import Materials
from surrogate.spectra.film.substrate import Bench

WAVELENGTH_NM: NDArray[np.float64] = np.linspace(350.0, 1000.0, 261)
"""``261`` wavelengths, 2.5 nm apart."""
WAVELENGTH_NM.flags.writeable = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What is wrong with a spectrophotometer; absolute, in units of R and T (0.01 is 1 %)."""

    noise_low: float = 0.005
    noise_high: float = 0.01
    """The standard deviation of the noise of a point is uniform between the two, one for each spectrum."""
    offset: float = 0.01
    """Standard deviation of a constant added to R, and of another added to T."""
    tilt: float = 0.02
    """Standard deviation of a line's rise from the shortest to the longest wavelength, for R and for T."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Films:
    """``b`` simulated films."""

    thickness_nm: Tensor
    """``b``."""
    sigma: Tensor
    """``b`` standard deviations of the noise of a point."""
    spectra: Tensor
    """``b x 2 x n``: R and T as measured; T is noise on an opaque substrate."""
    clean: Tensor
    """``b x 2 x n`` before the disturbance."""
    index: Tensor
    """``b x n`` complex."""


def random_thickness_nm(
    count: int, generator: torch.Generator, *, low: float = 10.0, high: float = 2000.0, thin_share: float = 0.0
) -> Tensor:
    """Draw thicknesses: uniform, and a share of them uniform in the logarithm, which favours thin films."""
    unit = torch.rand(count, generator=generator, dtype=torch.float64)
    uniform, logarithmic = low + (high - low) * unit, low * torch.pow(torch.tensor(high / low), unit)
    is_thin = torch.rand(count, generator=generator, dtype=torch.float64) < thin_share
    return torch.where(is_thin, logarithmic, uniform)


def disturbed(clean: Tensor, disturbance: Disturbance, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return ``b x 2 x n`` spectra with noise, offset and tilt, and the ``b`` noise levels; draws on the CPU."""
    b, channels, n = clean.shape
    span = disturbance.noise_high - disturbance.noise_low
    sigma = disturbance.noise_low + span * torch.rand(b, generator=generator)
    noise = torch.randn(b, channels, n, generator=generator) * sigma.reshape(b, 1, 1)
    offset = disturbance.offset * torch.randn(b, channels, 1, generator=generator)
    tilt = disturbance.tilt * torch.randn(b, channels, 1, generator=generator) * torch.linspace(-0.5, 0.5, n)
    return clean + (noise + offset + tilt).to(clean), sigma.to(clean)


def films_of(
    materials: Materials | Tensor,
    thickness_nm: Tensor,
    bench: Bench,
    disturbance: Disturbance,
    generator: torch.Generator,
) -> Films:
    """Simulate one film of each material (or of each row of a ``b x n`` permittivity) on a bench."""
    device, complex_dtype = bench.wavelength_nm.device, bench.substrate.dtype
    eps = materials if isinstance(materials, Tensor) else materials.permittivity(energy_ev(_cpu64(bench)))
    index = index_of(eps).to(device, complex_dtype)
    out = bench.film(index, thickness_nm.to(bench.wavelength_nm))
    clean = torch.stack([out.reflectance, out.transmittance], dim=1)
    spectra, sigma = disturbed(clean, disturbance, generator)
    return Films(thickness_nm=thickness_nm, sigma=sigma, spectra=spectra, clean=clean, index=index)


def _cpu64(bench: Bench) -> Tensor:
    return bench.wavelength_nm.to("cpu", torch.float64)
