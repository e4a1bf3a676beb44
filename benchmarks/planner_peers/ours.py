"""labpilot's own planner, by its public face."""

from __future__ import annotations

from collections.abc import Sequence

from planner_space import Axis, Space, Value

from planner import Categorical, Continuous, Integer, Objective, Observation, Parameter, Planner, SearchSpace
from planner_peers import TARGET, Trial


class Ours:
    """`planner.Planner` with its default policy."""

    def __init__(self, space: Space, seed: int) -> None:
        searched = SearchSpace([_parameter(axis) for axis in space.axes], [bound.text for bound in space.bounds])
        self._planner = Planner(searched, [Objective(TARGET, "minimize")], seed=seed, policy="auto")
        self._asked: str | None = None

    def tell(self, trials: Sequence[Trial]) -> None:
        """Tell; the one after an ask finishes its proposal."""
        for point, value in trials:
            self._planner.tell(
                [
                    Observation(
                        parameters=point,
                        values={} if value is None else {TARGET: value},
                        failure="no result" if value is None else None,
                        proposal_id=self._asked,
                    )
                ]
            )
            self._asked = None

    def ask(self) -> dict[str, Value]:
        """Ask for one point."""
        proposal = self._planner.ask(1)[0]
        self._asked = proposal.id
        return dict(proposal.parameters)


def open_peer(space: Space, seed: int) -> Ours:
    """Return the planner."""
    return Ours(space, seed)


def _parameter(axis: Axis) -> Parameter:
    if axis.kind == "categorical":
        return Categorical(axis.name, [str(level) for level in axis.levels])
    if axis.kind == "integer":
        return Integer(axis.name, round(axis.low), round(axis.high))
    levels = [float(level) for level in axis.levels] or None
    return Continuous(axis.name, axis.low, axis.high, levels=levels)
