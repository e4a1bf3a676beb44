"""From the atoms of the asymmetric unit to all atoms of the cell, and the distances between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import cast

import numpy as np
from numpy.typing import NDArray

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.phase import CellParameters, Position, Site
from surrogate.xrd.symmetry import Setting, metric

Array = NDArray[np.float64]

SAME_PLACE_ANGSTROM = 0.01
"""Two atoms this close are one place, or one atom listed twice."""
SPECIAL_POSITION_ANGSTROM = 0.1
"""Images of a full atom this close are one atom whose coordinates were rounded (0.3333 for 1/3)."""
MOST_OCCUPANCY = 1.05
NEIGHBOURS = np.array(list(product((-1.0, 0.0, 1.0), repeat=3)))
MOST_ATOMS = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """All atoms of a cell, and what was decided on the way."""

    sites: tuple[Site, ...]
    notes: tuple[str, ...] = ()


def place(cell: CellParameters, setting: Setting, unique: Sequence[Site]) -> Placed:
    """Apply the symmetry to the atoms of the asymmetric unit, or to any list that covers it.

    Raises:
        NotUnderstood: More than 1.05 atoms on one place, or a cell with more than 1500 atoms.
    """
    tensor, sites, notes = metric(cell), [], []
    for atom in unique:
        if max(len(sites), len(unique)) > MOST_ATOMS:
            raise NotUnderstood(f"there are more than {MOST_ATOMS} atoms in the cell, too many for a powder pattern")
        sites, note = _joined(tensor, sites, _orbit(tensor, setting, atom), atom)
        notes += [note] if note else []
    _check_occupancies(sites)
    return Placed(sites=tuple(sites), notes=tuple(dict.fromkeys(notes)))


def _orbit(tensor: Array, setting: Setting, atom: Site) -> Array:
    """Return the different places, ``k x 3``, that symmetry makes of one atom."""
    images = setting.rotations @ np.array(atom.position) + setting.translations
    stabiliser = int(np.sum(_offsets(tensor, images, images[0]) < SPECIAL_POSITION_ANGSTROM))
    overfull = atom.occupancy * stabiliser > MOST_OCCUPANCY
    limit = SPECIAL_POSITION_ANGSTROM if overfull else SAME_PLACE_ANGSTROM
    return _clustered(tensor, images, limit)


def _clustered(tensor: Array, points: Array, limit: float) -> Array:
    """Average points that are closer than a limit, periodic images counted."""
    places, rest = [], points
    while len(rest):
        near = _offsets(tensor, rest, rest[0]) < limit
        shifts = rest[near] - rest[0]
        places.append(rest[0] + (shifts - np.round(shifts)).mean(axis=0))
        rest = rest[~near]
    return np.array(places)


def _joined(tensor: Array, sites: list[Site], orbit: Array, atom: Site) -> tuple[list[Site], str]:
    """Add an orbit to the sites: onto places that are there already, or as new ones."""
    if not sites:
        return [_at(place, atom) for place in orbit], ""
    there = np.array([site.position for site in sites])
    joined, note = list(sites), ""
    for place in orbit:
        distances = _offsets(tensor, there, place)
        nearest = int(distances.argmin())
        if distances[nearest] > SAME_PLACE_ANGSTROM:
            joined.append(_at(place, atom))
            continue
        twin = _twin(sites, sites[nearest].position, atom.element)
        if twin is None:
            joined.append(replace(atom, position=sites[nearest].position))
        elif sites[twin].occupancy + atom.occupancy <= MOST_OCCUPANCY:
            joined[twin] = replace(sites[twin], occupancy=min(sites[twin].occupancy + atom.occupancy, 1.0))
        else:
            note = f"{atom.element} is listed more than once on one place; it is counted once"
    return joined, note


def _twin(sites: Sequence[Site], position: Position, element: str) -> int | None:
    matches = (i for i, site in enumerate(sites) if site.position == position and site.element == element)
    return next(matches, None)


def _at(place: Array, atom: Site) -> Site:
    rounded = tuple(float(round(value, 7) % 1.0) for value in place)
    return replace(atom, position=cast(Position, rounded))


def _check_occupancies(sites: Sequence[Site]) -> None:
    for position, total in occupancy_of_places(sites).items():
        if total > MOST_OCCUPANCY:
            elements = "+".join(site.element for site in sites if site.position == position)
            where = " ".join(f"{value:.4f}" for value in position)
            raise NotUnderstood(f"the occupancies of {elements} at {where} add up to {total:.2f}, more than one atom")


def occupancy_of_places(sites: Sequence[Site]) -> dict[Position, float]:
    """Return how much of an atom is on each place of the cell."""
    totals: dict[Position, float] = {}
    for site in sites:
        totals[site.position] = totals.get(site.position, 0.0) + site.occupancy
    return totals


def _offsets(tensor: Array, points: Array, point: Array) -> Array:
    """Return how far points, ``n``, are from one point in angstrom: right where they nearly coincide, else too far."""
    difference = points - point
    difference -= np.round(difference)
    return np.sqrt(np.einsum("ni,ij,nj->n", difference, tensor, difference))


def _distances(tensor: Array, points: Array, point: Array) -> Array:
    """Return the distances in angstrom, ``n``, of points to the nearest image of one point."""
    difference = points - point
    difference = (difference - np.round(difference))[:, None, :] + NEIGHBOURS
    squared = np.einsum("nki,ij,nkj->nk", difference, tensor, difference)
    return np.sqrt(squared.min(axis=1))


def shortest_distance(cell: CellParameters, sites: Sequence[Site], *, with_hydrogen: bool = True) -> float:
    """Return the shortest distance in angstrom of two places that can be occupied at the same time.

    Places whose occupancies add up to one atom are alternatives, as in a split site: how close they are says nothing.
    """
    chosen = [site for site in sites if with_hydrogen or site.element not in ("H", "D", "T")]
    totals = occupancy_of_places(chosen)
    places, occupancies, tensor = np.array(list(totals)), np.array(list(totals.values())), metric(cell)
    shortest = min(cell[:3])
    for i in range(len(places) - 1):
        together = occupancies[i + 1 :] + occupancies[i] > MOST_OCCUPANCY
        if together.any():
            shortest = min(shortest, float(_distances(tensor, places[i + 1 :][together], places[i]).min()))
    return shortest


def distances_between(cell: CellParameters, points: Array, others: Array) -> Array:
    """Return the distance in angstrom, ``n x m``, of each point to the nearest image of each other point."""
    tensor = metric(cell)
    return np.array([_distances(tensor, others, point) for point in points])
