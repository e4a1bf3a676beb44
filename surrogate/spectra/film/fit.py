"""Thickness and optical constants of one film from its reflectance and transmittance at normal incidence.

The first guess is a network's distribution over thickness, or, where no network was trained for what is measured, a
library of candidate films; Levenberg-Marquardt goes on from many starts at once, and what it finds is weighed by its
evidence. The film is one homogeneous layer with smooth surfaces, in air, of one to three Tauc-Lorentz oscillators.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.film.dispersion import Oscillator, TaucLorentz
from surrogate.spectra.film.levenberg import Minima
from surrogate.spectra.film.library import Library, LibraryKey, best_starts, shelved_library
from surrogate.spectra.film.model import FilmModel, Measured
from surrogate.spectra.film.network import Guess, GuessNetwork, shipped_network
from surrogate.spectra.film.parameters import Belief, broad_belief, values
from surrogate.spectra.film.posterior import NORMAL_95, Mixture, mixture_of
from surrogate.spectra.film.result import FilmResult, FilmSolution, NotDetermined, OpticalConstants
from surrogate.spectra.film.search import best_of, descended, hops, shaken
from surrogate.spectra.film.substrate import Bench, Substrate, glass

Array = NDArray[np.float64]

LEAST_POINTS = 30
LARGEST_MISFIT = 8.0
"""Mean square of the residuals beyond which the model does not describe the film."""
DOUBTFUL_MISFIT = 1.4
"""Mean square beyond which a thickness that the network rules out is not believed."""
LEAST_SUPPORT = 0.1
"""Probability within 10 % below which the network rules a thickness out."""
WIDEST = 0.2
"""Half the width of the 90 % interval, relative to thickness, beyond which thickness is not determined."""
_GOOD_MISFIT = 1.15
_ROUNDS = 3
_WINDOW = (-0.2, 1.3)
"""Where R and T, as shares of 1, must lie: beyond it they are percent, or not calibrated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmFit:
    """How films are fitted."""

    offset: float = 0.01
    """Standard deviation of an unknown constant in R, and of another in T."""
    tilt: float = 0.02
    """Standard deviation of the rise of an unknown line over the spectrum, in R and in T."""
    range_nm: tuple[float, float] = (5.0, 3000.0)
    """Where thickness is looked for."""
    network: GuessNetwork | None = None
    """First guess; it must have been trained for this substrate, and for R and T."""
    belief: Belief = field(default_factory=broad_belief)

    def fit(
        self, wavelength_nm: Array, spectra: Array, *, substrate: Substrate, sigma: ArrayLike, rng: np.random.Generator
    ) -> FilmResult:
        """Fit ``c x n`` spectra: R, or R and T; the rest as in `fit_film`."""
        deviation = np.broadcast_to(np.asarray(sigma, dtype=float), spectra.shape)
        _check(wavelength_nm, spectra, deviation, substrate)
        bench = Bench.of(substrate, wavelength_nm)
        measured = Measured.of(bench, spectra, deviation.copy(), offset=self.offset, tilt=self.tilt)
        model = FilmModel(measured)
        guess = None if self.network is None else self.network.guess(wavelength_nm, spectra[None])[0]
        minima = self._search(model, spectra, guess, rng)
        return _judged(_result(mixture_of(minima, model, self.belief, guess), model, guess), guess)

    def _search(self, model: FilmModel, spectra: Array, guess: Guess | None, rng: np.random.Generator) -> Minima:
        """Descend from more and more starts until one explains the spectra."""
        key = self._key(model, len(spectra))
        library = shelved_library(key)
        misfit = library.misfit(spectra)
        found: Minima | None = None
        for round_ in range(_ROUNDS):
            start = self._starts(library, misfit, guess, round_)
            if found is not None:
                start = torch.cat([start, hops(found.places[:3]), shaken(found.places[:4], rng)])
            found = best_of(found, descended(start, model, self.belief))
            if float(found.misfit.min()) < _GOOD_MISFIT * model.measured.points:
                break
        if found is None:
            raise CannotTell("no candidate film lies in the range of thickness; widen range_nm")
        # a film found at once may still have a twin in the next order of the fringes
        return best_of(found, descended(hops(found.places[:1]), model, self.belief))

    def _key(self, model: FilmModel, channels: int) -> LibraryKey:
        return LibraryKey.of(
            model.measured.bench,
            self.belief,
            channels=channels,
            range_nm=self.range_nm,
            offset=self.offset,
            tilt=self.tilt,
        )

    def _starts(self, library: Library, misfit: Tensor, guess: Guess | None, round_: int) -> Tensor:
        clusters = 6 * (round_ + 1) if guess is None else 2 + 2 * round_
        starts = [best_starts(library, misfit, clusters=clusters, per_cluster=4)]
        if guess is not None:
            likely = guess.modes(most=4)
            near = [*likely, 0.89 * likely[0], 1.12 * likely[0]]
            starts.append(best_starts(library, misfit, clusters=0, per_cluster=6 + 9 * round_, near_nm=near))
        return torch.cat(starts)


def fit_film(
    wavelength_nm: Array,
    reflectance: Array,
    transmittance: Array | None = None,
    *,
    substrate: Substrate,
    sigma: ArrayLike,
    rng: np.random.Generator,
) -> FilmResult:
    """Fit one film with the usual settings; `FilmFit` has the others.

    Args:
        wavelength_nm: ``n`` wavelengths in vacuum, rising, at least 30.
        reflectance: ``n`` shares of 1.
        transmittance: ``n`` shares of 1 through film and substrate; None if it was not measured.
        substrate: what the film lies on.
        sigma: standard deviation of the noise of a point: a number, ``n``, or ``2 x n``.
        rng: for the starts that are tried where the first ones lead nowhere.

    Raises:
        CannotTell: The spectra cannot be used; `NotDetermined`, which carries what was found, if they do not fix the
            thickness or no film explains them.
    """
    rows = [reflectance] if transmittance is None else [reflectance, transmittance]
    spectra = np.stack([np.asarray(row, dtype=float) for row in rows])
    wavelength = np.asarray(wavelength_nm, dtype=float)
    settings = FilmFit(network=_network_for(wavelength, len(spectra), substrate))
    return settings.fit(wavelength, spectra, substrate=substrate, sigma=sigma, rng=rng)


def _network_for(wavelength_nm: Array, channels: int, substrate: Substrate) -> GuessNetwork | None:
    is_known = channels == 2 and substrate.index is glass().index and wavelength_nm.size > 0
    is_covered = is_known and wavelength_nm.min() <= 351.0 and wavelength_nm.max() >= 999.0
    return shipped_network("generic") if is_covered else None


def _check(wavelength_nm: Array, spectra: Array, sigma: Array, substrate: Substrate) -> None:
    if wavelength_nm.ndim != 1 or spectra.shape[1:] != wavelength_nm.shape:
        raise CannotTell(f"{wavelength_nm.shape} wavelengths do not go with spectra of shape {spectra.shape[1:]}")
    if len(wavelength_nm) < LEAST_POINTS:
        raise CannotTell(f"{len(wavelength_nm)} wavelengths are too few for thickness and dispersion: {LEAST_POINTS}")
    if not (np.isfinite(spectra).all() and np.isfinite(wavelength_nm).all()):
        raise CannotTell("the spectra hold values that are not finite; leave those wavelengths out")
    if wavelength_nm[0] <= 0.0 or (np.diff(wavelength_nm) <= 0.0).any():
        raise CannotTell("wavelengths must be positive and rise; sort them, and average those that are there twice")
    if not np.isfinite(sigma).all() or (sigma <= 0.0).any():
        raise CannotTell("sigma must be positive everywhere: the standard deviation of the noise of a point")
    if spectra.min() < _WINDOW[0] or spectra.max() > _WINDOW[1]:
        raise CannotTell(
            f"R and T reach from {spectra.min():g} to {spectra.max():g}; as shares of 1 they lie between 0 and 1: "
            "divide percent by 100, or calibrate against a reference"
        )
    if substrate.is_opaque and len(spectra) == 2:
        raise CannotTell(f"nothing is transmitted through {substrate.name}; give reflectance only")


def _result(mixture: Mixture, model: FilmModel, guess: Guess | None) -> FilmResult:
    misfit = float(mixture.misfit[0])
    warnings = []
    if misfit > 2.0:
        warnings.append(
            f"residuals are {np.sqrt(misfit):.1f} times the noise: the film is not quite one homogeneous layer of "
            "three oscillators, or sigma is too small; errors were widened by that"
        )
    if len(mixture.probability) > 1:
        warnings.append(f"{len(mixture.probability)} thicknesses explain the spectra; see `solutions`")
    return FilmResult(
        thickness_nm=float(mixture.thickness_nm[0]),
        thickness_sd_nm=mixture.sd_nm(),
        thickness_interval_nm=(mixture.quantile(0.05), mixture.quantile(0.95)),
        constants=_constants(mixture, model),
        solutions=_solutions(mixture),
        misfit=misfit,
        calculated=model.spectra(mixture.places[:1])[0].numpy(),
        guess_nm=None if guess is None else guess.thickness_nm,
        guess_confidence=None if guess is None else guess.confidence,
        warnings=tuple(warnings),
    )


def _constants(mixture: Mixture, model: FilmModel) -> OpticalConstants:
    index, slopes = model.index_slopes(mixture.places[:1])
    covariance = mixture.covariance[1:, 1:]
    n, k = index[0].real.numpy(), index[0].imag.numpy()
    by = slopes[:, 0].T
    n_sd, k_sd = (
        torch.einsum("np,pq,nq->n", b, covariance, b).clamp(min=0.0).sqrt().numpy() for b in (by.real, by.imag)
    )
    return OpticalConstants(
        wavelength_nm=model.measured.bench.wavelength_nm.numpy(),
        n=n,
        n_interval=np.stack([n - NORMAL_95 * n_sd, n + NORMAL_95 * n_sd]),
        k=k,
        k_interval=np.stack([np.maximum(k - NORMAL_95 * k_sd, 0.0), k + NORMAL_95 * k_sd]),
    )


def _solutions(mixture: Mixture) -> tuple[FilmSolution, ...]:
    _, eps_inf, rows = values(mixture.places)
    return tuple(
        FilmSolution(
            thickness_nm=float(nm),
            thickness_sd_nm=float(nm * sd),
            probability=float(p),
            misfit=float(m),
            material=TaucLorentz(eps_inf=float(e), oscillators=tuple(_oscillator(row) for row in each.tolist())),
        )
        for nm, sd, p, m, e, each in zip(
            mixture.thickness_nm, mixture.relative_sd, mixture.probability, mixture.misfit, eps_inf, rows, strict=True
        )
    )


def _oscillator(row: list[float]) -> Oscillator:
    amplitude, resonance, broadening, gap = row
    return Oscillator(amplitude=amplitude, resonance=resonance, broadening=broadening, gap=gap)


def _judged(result: FilmResult, guess: Guess | None) -> FilmResult:
    """Return the result.

    Raises:
        NotDetermined: It is not one.
    """
    low, high = result.thickness_interval_nm
    if result.misfit > LARGEST_MISFIT:
        raise NotDetermined(
            f"no film explains the spectra: residuals are {np.sqrt(result.misfit):.1f} times the noise; check sigma, "
            f"the substrate and that there is one layer (the best film found is {result.thickness_nm:.0f} nm thick)",
            result,
        )
    if result.relative_half_width > WIDEST:
        raise NotDetermined(
            f"the spectra do not fix the thickness: 90 % lie between {low:.0f} and {high:.0f} nm; measure over a wider "
            "range, measure transmittance too, or tell what the film is made of",
            result,
        )
    if guess is not None and result.misfit > DOUBTFUL_MISFIT and guess.support(result.thickness_nm) < LEAST_SUPPORT:
        raise NotDetermined(
            f"fit and network disagree: the best film found has {result.thickness_nm:.0f} nm and leaves "
            f"{np.sqrt(result.misfit):.1f} times the noise, the network expects {guess.thickness_nm:.0f} nm; "
            "check sigma and whether the network knows such materials",
            result,
        )
    return result
