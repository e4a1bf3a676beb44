"""Whether two phases are one structure that was determined, or stored, twice."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from surrogate.xrd.atoms import Array, distances_between
from surrogate.xrd.phase import Phase, content_of_cell

CELL_EDGE_TOLERANCE = 1e-3
CELL_ANGLE_TOLERANCE_DEG = 0.1
DISTANCE_TOLERANCE_ANGSTROM = 0.15
OCCUPANCY_TOLERANCE = 0.02


def are_twins(first: Phase, second: Phase) -> bool:
    """Say whether two phases have the same atoms at the same distances in the same cell, within what papers differ by.

    Where the origin is and in which order the axes are named does not matter; a primitive cell is not recognised in a
    conventional one.
    """
    if first.key == second.key:
        return True
    if first.space_group_number != second.space_group_number or len(first.sites) != len(second.sites):
        return False
    return _same_content(first, second) and _same_cell(first, second) and _same_distances(first, second)


def _same_content(first: Phase, second: Phase) -> bool:
    one, other = content_of_cell(first.sites), content_of_cell(second.sites)
    return one.keys() == other.keys() and all(abs(one[key] / other[key] - 1) < OCCUPANCY_TOLERANCE for key in one)


def _same_cell(first: Phase, second: Phase) -> bool:
    one, other = np.array(first.cell), np.array(second.cell)
    edges = np.abs(np.sort(one[:3]) / np.sort(other[:3]) - 1) < CELL_EDGE_TOLERANCE
    angles = np.abs(np.sort(one[3:]) - np.sort(other[3:])) < CELL_ANGLE_TOLERANCE_DEG
    return bool(edges.all() and angles.all())


def _same_distances(first: Phase, second: Phase) -> bool:
    for pair in combinations_with_replacement(sorted(content_of_cell(first.sites)), 2):
        ours, theirs = _sorted_distances(first, *pair), _sorted_distances(second, *pair)
        if len(ours) != len(theirs) or (len(ours) and np.abs(ours - theirs).max() > DISTANCE_TOLERANCE_ANGSTROM):
            return False
    return True


def _sorted_distances(phase: Phase, element: str, other: str) -> Array:
    """Return the shortest distance of each atom of one element to each of another, in order."""
    points, others = (
        np.array([site.position for site in phase.sites if site.element == symbol]) for symbol in (element, other)
    )
    return np.sort(distances_between(phase.cell, points, others).ravel())
