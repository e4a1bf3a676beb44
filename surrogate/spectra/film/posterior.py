"""From minima to probabilities: Laplace's approximation about each, and a mixture of them.

Where the best film leaves more than noise, the material is not exactly of Tauc-Lorentz oscillators (or the film not of
one layer); then residuals count for less, so that errors grow and alternatives gain weight. A network's distribution
multiplies the evidence: it holds what the fit does not know, which materials there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogate.spectra.film.levenberg import Minima, curvature
from surrogate.spectra.film.model import FilmModel
from surrogate.spectra.film.network import Guess
from surrogate.spectra.film.parameters import FILM, THICKNESS_NM, Belief

Array = NDArray[np.float64]

LEAST_RELATIVE_SD = 0.001
"""Of thickness: no fit is believed to be better than this."""
CORRELATED_POINTS = 20.0
"""Neighbouring points over which a residual that is not noise keeps its sign: they count as one."""
NETWORK_FAILS = 0.02
"""Share of films for which a network's distribution is not to be believed."""
NORMAL_95 = 1.6448536269514722
"""The 95 % point of a standard normal distribution: both sides leave out 10 %."""
_LEAST_PROBABILITY = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """``s`` solutions, the likeliest first."""

    places: Tensor
    """``s x 14``."""
    thickness_nm: Array
    relative_sd: Array
    """``s``: of thickness."""
    probability: Array
    misfit: Array
    """``s``: mean squares."""
    covariance: Tensor
    """``14 x 14`` of the first solution's places."""

    def quantile(self, p: float) -> float:
        """Return a quantile of thickness in nm, each solution being log-normal."""
        from scipy.special import ndtr  # slow to import

        centre = np.log(self.thickness_nm)
        grid = np.unique(centre[:, None] + self.relative_sd[:, None] * np.linspace(-6.0, 6.0, 121))
        below = (self.probability * ndtr((grid[:, None] - centre) / self.relative_sd)).sum(axis=1)
        return float(np.clip(np.exp(np.interp(p, below, grid)), THICKNESS_NM.low, THICKNESS_NM.high))

    def sd_nm(self) -> float:
        """Return the standard deviation of thickness over all solutions."""
        mean = float(self.probability @ self.thickness_nm)
        own = np.square(self.relative_sd * self.thickness_nm)
        return float(np.sqrt(self.probability @ (own + np.square(self.thickness_nm - mean))))


def mixture_of(minima: Minima, model: FilmModel, belief: Belief, guess: Guess | None = None) -> Mixture:
    """Weigh the minima, by what a network says too, and join those that are the same film."""
    points = model.measured.points
    misfit = minima.misfit / points
    inflation = _inflation(float(misfit[minima.cost.argmin()]), points)
    covariance, log_weight = _laplace(minima, model, belief, inflation)
    thickness = THICKNESS_NM.value(minima.places[:, FILM])
    if guess is not None:
        support = [math.log(guess.support(nm) + NETWORK_FAILS) for nm in thickness.tolist()]
        log_weight = log_weight + torch.tensor(support)
    sd = _relative_sd(minima.places[:, FILM], covariance[:, FILM, FILM])
    order = log_weight.argsort(descending=True)
    kept = _distinct(thickness[order].log().tolist(), sd[order].tolist())
    rows = order[kept]
    probability = torch.softmax(log_weight[rows], dim=0)
    likely = probability >= min(_LEAST_PROBABILITY, float(probability[0]))
    rows, probability = rows[likely], probability[likely] / probability[likely].sum()
    return Mixture(
        places=minima.places[rows],
        thickness_nm=thickness[rows].numpy(),
        relative_sd=sd[rows].numpy(),
        probability=probability.numpy(),
        misfit=misfit[rows].numpy(),
        covariance=covariance[rows[0]],
    )


def _inflation(misfit: float, points: int) -> float:
    """Return the factor on the noise's variance that stands for what the model leaves besides noise.

    That rest is smooth over wavelength, so `CORRELATED_POINTS` of it count as one; noise alone gives a misfit of one
    with a standard deviation of sqrt(2 / points).
    """
    return 1.0 + CORRELATED_POINTS * max(0.0, misfit - 1.0 - 2.0 * math.sqrt(2.0 / points))


def _laplace(minima: Minima, model: FilmModel, belief: Belief, inflation: float) -> tuple[Tensor, Tensor]:
    """Return ``b x 14 x 14`` covariances and ``b`` logarithms of the evidence, up to a constant."""
    _, jacobian = model.slopes(minima.places)
    softened = jacobian / math.sqrt(inflation)
    hessian = curvature(softened, belief)
    prior = minima.cost - 0.5 * minima.misfit
    log_weight = -0.5 * minima.misfit / inflation - prior - 0.5 * torch.linalg.slogdet(hessian).logabsdet
    return torch.linalg.inv(hessian), log_weight


def _relative_sd(place: Tensor, variance: Tensor) -> Tensor:
    step = 1e-4
    slope = (THICKNESS_NM.value(place + step).log() - THICKNESS_NM.value(place - step).log()) / (2.0 * step)
    own = slope.abs() * variance.clamp(min=0.0).sqrt()
    return torch.sqrt(own.square() + LEAST_RELATIVE_SD**2)


def _distinct(log_thickness: list[float], sd: list[float]) -> list[int]:
    """Return the rows, best first, that are further than their own errors from every better one."""
    kept: list[int] = []
    for i, (place, width) in enumerate(zip(log_thickness, sd, strict=True)):
        if all(abs(place - log_thickness[j]) > max(2.0 * min(width, sd[j]), 0.01) for j in kept):
            kept.append(i)
    return kept
