"""Ax by its Client, with its default generation strategy."""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from planner_space import Axis, Bound, Space, Value

from planner_peers import TARGET, Trial, Unsupported


class Ax:
    """Ax refuses equalities: the last part of a mixture is left out, and is what the others leave.

    Args:
        space: What is admissible.
        seed: Of its candidates.
        abandon: Whether a failed trial is marked as abandoned, and not as failed.
    """

    def __init__(self, space: Space, seed: int, abandon: bool) -> None:
        self._mixture = next((bound for bound in space.bounds if bound.relation == "=="), None)
        self._last = None if self._mixture is None else list(self._mixture.weights)[-1]
        self._abandon = abandon
        self._levels = {axis.name for axis in space.axes if axis.kind == "levels"}
        self._asked: list[int] = []
        self._client = Client(random_seed=seed)
        self._client.configure_experiment(
            parameters=[_parameter(axis) for axis in space.axes if axis.name != self._last],
            parameter_constraints=[
                text for bound in space.bounds for text in self._texts(bound, {axis.name: axis for axis in space.axes})
            ],
        )
        self._client.configure_optimization(objective=f"-{TARGET}")

    def _texts(self, bound: Bound, axes: dict[str, Axis]) -> list[str]:
        if bound.relation == "<=":
            if self._last in bound.weights:
                raise Unsupported("a constraint on the part of a mixture that is left out")
            return [_sum(bound.weights) + f" <= {bound.bound!r}"]
        if self._last is None or set(bound.weights.values()) != {1.0}:
            raise Unsupported("an equality that is no plain sum")
        others, last = {n: w for n, w in bound.weights.items() if n != self._last}, axes[self._last]
        texts = [_sum(others) + f" <= {bound.bound - last.low!r}"]
        if bound.bound - last.high > sum(axes[name].low for name in others):
            texts.append(_sum(others) + f" >= {bound.bound - last.high!r}")
        return texts

    def tell(self, trials: Sequence[Trial]) -> None:
        """Attach points that it did not choose, and complete, fail or abandon the trials."""
        for point, value in trials:
            if self._asked:
                index = self._asked.pop(0)
            else:
                index = self._client.attach_trial(
                    {n: float(v) if n in self._levels else v for n, v in point.items() if n != self._last}
                )
            if value is not None:
                self._client.complete_trial(index, raw_data={TARGET: value})
            elif self._abandon:
                self._client.mark_trial_abandoned(index)
            else:
                self._client.mark_trial_failed(index)

    def ask(self, n: int) -> list[dict[str, Value]]:
        """Get the next trials."""
        trials = self._client.get_next_trials(max_trials=n)
        self._asked = list(trials)
        return [self._whole(dict(parameters)) for parameters in trials.values()]

    def _whole(self, point: dict[str, Value]) -> dict[str, Value]:
        if self._mixture is not None and self._last is not None:
            point[self._last] = self._mixture.bound - sum(float(point[n]) for n in self._mixture.weights if n in point)
        return point


def open_peer(space: Space, seed: int, abandon: bool = False) -> Ax:
    """Return the planner."""
    logging.disable(logging.WARNING)
    return Ax(space, seed, abandon)


def _parameter(axis: Axis) -> RangeParameterConfig | ChoiceParameterConfig:
    if axis.kind == "categorical":
        words = [str(level) for level in axis.levels]
        return ChoiceParameterConfig(name=axis.name, values=words, parameter_type="str", is_ordered=False)
    if axis.kind == "levels":
        numbers = [float(level) for level in axis.levels]
        return ChoiceParameterConfig(name=axis.name, values=numbers, parameter_type="float", is_ordered=True)
    if axis.kind == "integer":
        return RangeParameterConfig(name=axis.name, bounds=(round(axis.low), round(axis.high)), parameter_type="int")
    return RangeParameterConfig(name=axis.name, bounds=(axis.low, axis.high), parameter_type="float")


def _sum(weights: Mapping[str, float]) -> str:
    return " + ".join(f"{weight!r}*{name}" for name, weight in weights.items())
