"""What a point is worth to a phase map, and to the search for the best property inside one region of it.

While regions are mapped, worth is the risk of telling a point's region wrongly, `1 - max_r P(r | x)`. While a property
is optimised, it is its upper confidence bound, and a bonus near the boundary of the region (Kusne et al., Nat. Commun.
11, 5966 (2020)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from planner.region_gp import RegionGP
    from surrogate.phase_map.regions import PhaseMap, Region

_LEAST_CHANCE = 0.02
"""Regions less probable than that do not count in a prediction."""


def region_chances(known: PhaseMap | None, places: np.ndarray) -> np.ndarray:
    """Return the probability (`n x r`) of each region at places (`n x d`); without a map all is one region."""
    return np.ones((len(places), 1)) if known is None else known.probabilities(places)


def risk_of(chances: np.ndarray) -> np.ndarray:
    """Return the expected misclassification (`n`) of points with these probabilities of regions (`n x r`)."""
    return 1.0 - chances.max(axis=1)


def over_regions(process: RegionGP, places: np.ndarray, chances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (`n` each) of a property where the region is not certain.

    Args:
        process: What is known of it, region by region.
        places: `n x d`
        chances: Of the regions at these places, `n x r`.
    """
    first, second = np.zeros(len(places)), np.zeros(len(places))
    kept = np.where(chances >= np.minimum(_LEAST_CHANCE, chances.max(axis=1, keepdims=True)), chances, 0.0)
    kept /= kept.sum(axis=1, keepdims=True)
    for region in np.flatnonzero(kept.any(axis=0)):
        some = np.flatnonzero(kept[:, region])
        mean, sd = process.predict(places[some], np.full(len(some), region))
        first[some] += kept[some, region] * mean
        second[some] += kept[some, region] * (sd**2 + mean**2)
    return first, np.sqrt(np.maximum(second - first**2, 1e-300))


def boundary_nearness(places: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return 1 for points beside the boundary of a region, less the farther inside they are, and 0 outside (`n`).

    Args:
        places: `n x d`
        inside: Which points are in the region, `n`, bool.
    """
    from scipy.spatial import KDTree

    found = np.zeros(len(places))
    if inside.any() and not inside.all():
        away, _ = KDTree(places[~inside]).query(places[inside])
        found[inside] = np.min(away) / np.maximum(away, 1e-12)
    return found


@dataclass(frozen=True, slots=True)
class Promise:
    """The region that promises most of a property, and what its points are worth."""

    region: int
    is_inside: np.ndarray
    """`n`, bool: free points of the region."""
    worth: np.ndarray
    """`n`"""
    bound: np.ndarray
    """Upper confidence bound, greater is better, `n`."""
    mean: np.ndarray
    """In the property's unit, `n`."""
    sd: np.ndarray


def most_promising(
    process: RegionGP,
    places: np.ndarray,
    chances: np.ndarray,
    free: np.ndarray,
    *,
    sign: float,
    beta: float,
    boundary: float,
) -> Promise:
    """Find the region whose best free point has the greatest upper bound.

    Args:
        process: The property.
        places: The pool, `n x d`.
        chances: Of the regions, `n x r`.
        free: What may be measured, `n`, bool; at least one.
        sign: 1 where greater values are better, -1 where smaller ones are.
        beta: Square of the standard deviations that are added to the mean.
        boundary: Bonus beside the boundary, in standard deviations of the property over the pool.
    """
    mean, sd = over_regions(process, places, chances)
    bound = sign * mean + beta**0.5 * sd
    labels = chances.argmax(axis=1)
    region = int(labels[np.argmax(np.where(free, bound, -np.inf))])
    bonus = boundary * float(np.std(mean)) * boundary_nearness(places, labels == region)
    return Promise(region, free & (labels == region), bound + bonus, bound, mean, sd)


def named(region: Region) -> str:
    """Return a region in words; phases count from 1."""
    if not region:
        return "no phase"
    return f"phase{'s' if len(region) > 1 else ''} {' + '.join(str(phase + 1) for phase in region)}"


def told(known: PhaseMap, chances: np.ndarray) -> str:
    """Return the most probable regions of one point, with their probabilities (`r`), in words."""
    likely = [r for r in np.argsort(-chances, kind="stable")[:3] if chances[r] >= 0.05]
    return " or ".join(f"{named(known.regions[r])} ({chances[r]:.2f})" for r in likely)
