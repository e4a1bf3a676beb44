"""Candidate films to start from: a few hundred materials at all thicknesses, compared with what is measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.spectra.film.dispersion import energy_ev, index_of, permittivity
from surrogate.spectra.film.parameters import FILM, THICKNESS_NM, Belief, values
from surrogate.spectra.film.substrate import Bench

MATERIALS = 240
POINTS = 100
"""Wavelengths at which candidates are compared, at most."""
_RATIO = 1.02
"""Of neighbouring thicknesses, where they are far apart; below that they are 2 nm apart."""
_MODEL_ERROR = 0.02
"""Of R and T: a candidate is of another material than the film, so it is compared with this much tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """``m`` materials by ``k`` thicknesses."""

    places: Tensor
    """``m x 14``; thickness is that of the belief and of no account."""
    thickness_nm: Tensor
    """``k``."""
    columns: Tensor
    """Which of the wavelengths are compared."""
    whitening: Tensor
    """``q x q``: takes differences of a channel to standard deviations."""
    spectra: Tensor
    """``(m k) x (c q)`` whitened, float32."""

    def misfit(self, spectra: NDArray[np.float64]) -> Tensor:
        """Return the ``m x k`` sums of squares by which ``c x n`` spectra differ from the candidates."""
        measured = (torch.tensor(spectra)[:, self.columns] @ self.whitening.T).flatten().to(torch.float32)
        squares = self.spectra.square().sum(-1) - 2.0 * (self.spectra @ measured) + measured.square().sum()
        return squares.reshape(len(self.places), len(self.thickness_nm)).double()

    def starts(self, material: Tensor, thickness: Tensor) -> Tensor:
        """Return ``b x 14`` places of candidates by their indices."""
        places = self.places[material].clone()
        places[:, FILM] = THICKNESS_NM.place(self.thickness_nm[thickness])
        return places


def thickness_grid(low_nm: float, high_nm: float) -> Tensor:
    """Return thicknesses 2 nm apart up to 100 nm, then 2 % apart."""
    fine = np.arange(low_nm, min(100.0, high_nm), 2.0)
    first = max(100.0, low_nm)
    coarse = first * _RATIO ** np.arange(0, max(1, int(np.log(high_nm / first) / np.log(_RATIO)) + 1))
    return torch.tensor(np.concatenate([fine, coarse]))


def build_library(
    bench: Bench, *, channels: int, belief: Belief, thickness_nm: Tensor, offset: float, tilt: float
) -> Library:
    """Simulate the candidates: draws of a belief, the same ones each time."""
    n = len(bench.wavelength_nm)
    columns = torch.tensor(np.unique(np.linspace(0, n - 1, min(n, POINTS)).round().astype(int)))
    places = belief.draws(MATERIALS, torch.Generator().manual_seed(0))
    whitening = _whitening(bench.wavelength_nm[columns], offset, tilt)
    spectra = _simulate(bench, columns, places, thickness_nm)[:, :channels]
    whitened = (spectra.double() @ whitening.T).flatten(1).to(torch.float32)
    return Library(places=places, thickness_nm=thickness_nm, columns=columns, whitening=whitening, spectra=whitened)


def _simulate(bench: Bench, columns: Tensor, places: Tensor, thickness_nm: Tensor) -> Tensor:
    """Return ``(m k) x 2 x q`` in single precision."""
    coarse = Bench(
        wavelength_nm=bench.wavelength_nm[columns].to(torch.float32),
        substrate=bench.substrate[columns].to(torch.complex64),
        substrate_nm=bench.substrate_nm,
    )
    _, eps_inf, rows = values(places)
    index = index_of(permittivity(energy_ev(bench.wavelength_nm[columns]), eps_inf, rows)).to(torch.complex64)
    out = [coarse.film(index, nm.to(torch.float32).expand(len(places))) for nm in thickness_nm]
    pairs = torch.stack([torch.stack([o.reflectance, o.transmittance], dim=1) for o in out], dim=1)
    return pairs.flatten(0, 1)


def _whitening(wavelength_nm: Tensor, offset: float, tilt: float) -> Tensor:
    line = (wavelength_nm - wavelength_nm.mean()) / (wavelength_nm.max() - wavelength_nm.min())
    covariance = _MODEL_ERROR**2 * torch.eye(len(line), dtype=torch.float64) + offset**2
    covariance = covariance + tilt**2 * torch.outer(line, line)
    return torch.linalg.inv(torch.linalg.cholesky(covariance))


def best_starts(
    library: Library, misfit: Tensor, *, clusters: int, per_cluster: int, near_nm: list[float] | None = None
) -> Tensor:
    """Return ``b x 14`` places of the best candidates, spread over thickness.

    Args:
        library: where the candidates are.
        misfit: ``m x k``, see `Library.misfit`.
        clusters: number of thicknesses at least 10 % (and 5 nm) apart.
        per_cluster: number of materials at each of them.
        near_nm: take these thicknesses; None: the best ones.
    """
    grid = library.thickness_nm
    left = misfit.min(dim=0).values.clone()
    chosen: list[Tensor] = []
    for i in range(clusters if near_nm is None else len(near_nm)):
        centre = grid[left.argmin()] if near_nm is None else torch.tensor(near_nm[i], dtype=torch.float64)
        is_near = (torch.log(grid / centre).abs() < 0.1) | ((grid - centre).abs() < 5.0)
        columns = torch.nonzero(is_near).flatten()
        left[is_near] = torch.inf
        if not len(columns):
            continue
        lowest, where = misfit[:, columns].min(dim=1)
        materials = lowest.argsort()[:per_cluster]
        chosen.append(library.starts(materials, columns[where[materials]]))
        if torch.isinf(left).all():
            break
    return torch.cat(chosen) if chosen else library.places[:0]


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryKey:
    """What determines a library; equal keys hold equal numbers."""

    numbers: bytes
    bench: Bench
    belief: Belief
    channels: int
    range_nm: tuple[float, float]
    offset: float
    tilt: float

    @classmethod
    def of(
        cls,
        bench: Bench,
        belief: Belief,
        *,
        channels: int,
        range_nm: tuple[float, float],
        offset: float,
        tilt: float,
    ) -> LibraryKey:
        """Gather the numbers that are compared."""
        tensors = (bench.wavelength_nm, bench.substrate, belief.mean, belief.precision)
        return cls(
            numbers=b"".join(t.numpy().tobytes() for t in tensors) + repr(bench.substrate_nm).encode(),
            bench=bench, belief=belief, channels=channels, range_nm=range_nm, offset=offset, tilt=tilt,
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash(self._identity())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LibraryKey) and self._identity() == other._identity()

    def _identity(self) -> tuple[object, ...]:
        return (self.numbers, self.channels, self.range_nm, self.offset, self.tilt)


@lru_cache(maxsize=4)
def shelved_library(key: LibraryKey) -> Library:
    """Return the library of a key; the last few are kept, since one takes a second to build."""
    return build_library(
        key.bench,
        channels=key.channels,
        belief=key.belief,
        thickness_nm=thickness_grid(*key.range_nm),
        offset=key.offset,
        tilt=key.tilt,
    )
