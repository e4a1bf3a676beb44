"""Descend from many candidate films at once, and make new candidates from those found."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from surrogate.spectra.film.levenberg import Minima, minimise
from surrogate.spectra.film.model import FilmModel
from surrogate.spectra.film.parameters import Belief, places, values


def descended(start: Tensor, model: FilmModel, belief: Belief) -> Minima:
    """Take a few steps from every start, then more from the best."""
    short = minimise(start, model.residuals, model.slopes, belief, steps=10)
    best = spread(short, most=10, per_thickness=3)
    return minimise(short.places[best], model.residuals, model.slopes, belief, steps=40)


def spread(minima: Minima, *, most: int, per_thickness: int) -> list[int]:
    """Return rows by cost, of each thickness (to 4 %) a few only."""
    nm = values(minima.places)[0].log().tolist()
    rows: list[int] = []
    for i in minima.cost.argsort().tolist():
        if len(rows) < most and sum(abs(nm[i] - nm[j]) < 0.04 for j in rows) < per_thickness:
            rows.append(i)
    return rows


def hops(found: Tensor) -> Tensor:
    """Return films as thick optically as those found, but of other thickness and index.

    Fringes fix n d better than d: the way from one order of the fringes to the next leads over a ridge.

    Args:
        found: ``b x 14`` places.

    Returns:
        ``6 b x 14``.
    """
    thickness, eps_inf, rows = values(found)
    hopped = []
    for factor in (0.8, 0.9, 0.95, 1.05, 1.1, 1.25):
        scaled = rows.clone()
        scaled[..., 0] = rows[..., 0] / factor**2
        hopped.append(places(thickness * factor, eps_inf / factor**2, scaled))
    return torch.cat(hopped)


def best_of(found: Minima | None, new: Minima, most: int = 12) -> Minima:
    """Return the best minima of two lots, of each thickness a few only."""
    if found is None:
        joined = new
    else:
        joined = Minima(
            places=torch.cat([found.places, new.places]),
            misfit=torch.cat([found.misfit, new.misfit]),
            cost=torch.cat([found.cost, new.cost]),
        )
    return joined.take(torch.tensor(spread(joined, most=most, per_thickness=3)))


def shaken(places: Tensor, rng: np.random.Generator, copies: int = 3) -> Tensor:
    """Return copies of places moved at random, by half a unit for dispersion and a tenth for thickness."""
    many = places.repeat(copies, 1)
    noise = torch.tensor(rng.normal(size=many.shape)) * 0.5
    noise[:, 0] *= 0.2
    return many + noise
