"""Points drawn uniformly from what is admissible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from planner_space import Space, Value

from planner_peers import Trial


class Uniform:
    """Learns nothing."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._rng = np.random.default_rng([seed, 77])

    def tell(self, trials: Sequence[Trial]) -> None:
        """Forget."""

    def ask(self, n: int) -> list[dict[str, Value]]:
        """Draw points."""
        return self._space.sample(n, self._rng)


def open_peer(space: Space, seed: int) -> Uniform:
    """Return the planner."""
    return Uniform(space, seed)
