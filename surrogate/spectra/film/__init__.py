"""Thin films: thickness and optical constants from reflectance and transmittance at normal incidence."""

from surrogate.spectra.film.fit import FilmFit, fit_film
from surrogate.spectra.film.result import FilmResult, FilmSolution, NotDetermined, OpticalConstants
from surrogate.spectra.film.substrate import Substrate, glass, silicon

__all__ = [
    "FilmFit",
    "FilmResult",
    "FilmSolution",
    "NotDetermined",
    "OpticalConstants",
    "Substrate",
    "fit_film",
    "glass",
    "silicon",
]
