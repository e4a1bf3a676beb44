"""labpilot's own planner, by its public face."""

from __future__ import annotations

from collections.abc import Sequence

from planner_space import Axis, Space, Value

from planner import Categorical, Continuous, Integer, Objective, Observation, Parameter, Planner, SearchSpace
from planner_peers import TARGET, Trial


class Ours:
    """`planner.Planner` with its default policy."""

    def __init__(self, space: Space, seed: int) -> None:
        self._planner = Planner(searched(space), [Objective(TARGET, "minimize")], seed=seed, policy="auto")
        self._asked: list[str] = []

    def tell(self, trials: Sequence[Trial]) -> None:
        """Tell; those after an ask finish its proposals."""
        for point, value in trials:
            self._planner.tell(
                [
                    Observation(
                        parameters=point,
                        values={} if value is None else {TARGET: value},
                        failure="no result" if value is None else None,
                        proposal_id=self._asked.pop(0) if self._asked else None,
                    )
                ]
            )

    def ask(self, n: int) -> list[dict[str, Value]]:
        """Ask for points."""
        proposals = self._planner.ask(n)
        self._asked = [proposal.id for proposal in proposals]
        return [dict(proposal.parameters) for proposal in proposals]


def open_peer(space: Space, seed: int) -> Ours:
    """Return the planner."""
    return Ours(space, seed)


def searched(space: Space) -> SearchSpace:
    """Return a benchmark's space as labpilot's."""
    return SearchSpace([_parameter(axis) for axis in space.axes], [bound.text for bound in space.bounds])


def _parameter(axis: Axis) -> Parameter:
    if axis.kind == "categorical":
        return Categorical(axis.name, [str(level) for level in axis.levels])
    if axis.kind == "integer":
        return Integer(axis.name, round(axis.low), round(axis.high))
    levels = [float(level) for level in axis.levels] or None
    return Continuous(axis.name, axis.low, axis.high, levels=levels)
