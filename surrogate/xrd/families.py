"""Which phases of a library are one structure with several cells: other temperatures, papers, calculations.

A folder of CIF files often holds a phase more than once, with edges that differ by up to a few per cent. Left to
compete, such phases share the evidence among them until none is probable, or stand side by side in one set. They are
one hypothesis: a set holds at most one of them, and the one that fits best speaks for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from surrogate.xrd.phase import Phase
from surrogate.xrd.twins import are_twins

if TYPE_CHECKING:
    from surrogate.xrd.hypothesis import Hypothesis

EDGE_TOLERANCE = 0.03
ANGLE_TOLERANCE_DEG = 1.5


def families(phases: Sequence[Phase]) -> NDArray[np.int64]:
    """Return the index of the first phase of each one's family, ``p``: its own where it has none."""
    heads: dict[tuple[Any, ...], list[int]] = {}
    found = np.arange(len(phases))
    for number, phase in enumerate(phases):
        kind = (phase.space_group_number, len(phase.sites), frozenset(site.element for site in phase.sites))
        known = heads.setdefault(kind, [])
        head = next((one for one in known if are_one_phase(phases[one], phase)), None)
        if head is None:
            known.append(number)
        else:
            found[number] = head
    return found


def are_one_phase(first: Phase, second: Phase) -> bool:
    """Say whether two phases have the same atoms at the same places of cells that differ by a few per cent.

    Axes have to be named alike. Distances are compared in one cell, so that the other's size does not count.
    """
    one, other = np.array(first.cell), np.array(second.cell)
    if np.abs(one[:3] / other[:3] - 1.0).max() > EDGE_TOLERANCE or np.abs(one - other)[3:].max() > ANGLE_TOLERANCE_DEG:
        return False
    return first.space_group_number == second.space_group_number and are_twins(first, replace(second, cell=first.cell))


def one_of_each_family(hypotheses: Sequence[Hypothesis], family: NDArray[np.int64]) -> list[Hypothesis]:
    """Return the sets without those that differ from a better one in the cells of phases only.

    Args:
        hypotheses: The most probable first.
        family: Of each phase, as `families` gives it.
    """
    found: dict[tuple[int, ...], Hypothesis] = {}
    for hypothesis in hypotheses:
        found.setdefault(tuple(sorted(int(family[phase]) for phase in hypothesis.phases)), hypothesis)
    return list(found.values())


def family_reason(phase: int, phases: Sequence[Phase], family: NDArray[np.int64]) -> str:
    """Say which other cells of a phase the library holds; empty where it holds none."""
    others = [one.name for number, one in enumerate(phases) if family[number] == family[phase] and number != phase]
    if not others:
        return ""
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return (
        f"{phases[phase].name} is in the library with other cells too ({', '.join(others[:5])}{more}): they count as "
        "one phase, and the cell that fits best is named"
    )
