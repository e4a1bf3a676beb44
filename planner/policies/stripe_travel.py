"""Places on the wafer: which are used, and how long the stage is under way to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.errors import BadOption, did_you_mean
from planner.parameters import Continuous
from planner.policies.base import PlannerData
from planner.proposal import Value
from planner.space import SearchSpace

_SAME_MM = 1e-3
"""Places nearer than this are one."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where candidates lie.

    Args:
        space: has two continuous parameters in mm.
        names: of these parameters.
        stage_mm_s: speed of the stage; None: travel costs nothing.
        stripe_s: how long a stripe takes besides.

    Raises:
        BadOption: The space has no such parameters.
    """

    space: SearchSpace
    names: tuple[str, str]
    stage_mm_s: float | None
    stripe_s: float

    def __post_init__(self) -> None:
        found = {parameter.name: parameter for parameter in self.space.parameters}
        for name in self.names:
            if name not in found:
                raise BadOption(f"position {name!r} is no parameter{did_you_mean(name, found)}")
            axis = found[name]
            if not isinstance(axis, Continuous) or axis.unit != "mm":
                raise BadOption(f"position {name!r} must be a continuous parameter in mm")

    def of(self, points: Sequence[Mapping[str, Value]]) -> np.ndarray:
        """Return places in mm, `n x 2`."""
        return np.array([[float(point[name]) for name in self.names] for point in points]).reshape(-1, 2)

    def are_free(self, points: Sequence[Mapping[str, Value]], used: np.ndarray) -> np.ndarray:
        """Return whether no stripe lies at the place of each point yet (`n`, bool); used is `m x 2`."""
        keys = {tuple(place) for place in np.round(used / _SAME_MM)}
        return np.array([tuple(place) not in keys for place in np.round(self.of(points) / _SAME_MM)], dtype=bool)

    def used(self, data: PlannerData) -> np.ndarray:
        """Return the places of all stripes made or being made, in the order of proposing, `m x 2`."""
        return self.of([item.parameters for item in (*data.finished, *data.pending)])

    def seconds(self, points: Sequence[Mapping[str, Value]], reached: np.ndarray) -> np.ndarray:
        """Return how long each stripe takes, `n`: travel from the nearest of the places reached, and the stripe.

        Args:
            points: candidates.
            reached: `m x 2`: where the stage is, and the places of the batch so far, which it visits in any order.
        """
        if self.stage_mm_s is None or not len(reached):
            return np.full(len(points), self.stripe_s)
        away = np.linalg.norm(self.of(points)[:, None, :] - reached[None], axis=2).min(axis=1)
        return self.stripe_s + away / self.stage_mm_s

    def tour(self, points: Sequence[Mapping[str, Value]], start: np.ndarray) -> list[int]:
        """Return the order in which to visit a batch: always on to the nearest; start is `2`, or empty."""
        places, left, order, here = self.of(points), list(range(len(points))), [], start
        while left:
            distances = [float(np.linalg.norm(places[i] - here)) if len(here) else 0.0 for i in left]
            order.append(left.pop(int(np.argmin(distances))))
            here = places[order[-1]]
        return order
