"""What each problem's values mean: its optimum, and the value below which its best 1 % lie. Found once and kept.

The optimum is searched from the best of the uniform sample: the 30 best points move at random, in ever smaller steps,
and keep what is better.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from planner_problems import Problem
from planner_space import Axis, Point, Space, Value

FILE = Path(__file__).parent / "results" / "planners" / "references.json"
N_SAMPLE = 100_000
TOP = 0.01
_SEED = 20_000
_N_STARTS = 30
_N_MOVES = 40
_STEPS = np.geomspace(0.2, 1e-6, 120)
_CHUNK = 4000
"""Points that an emulator is asked for at once, so that their covariances fit the memory."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a problem's values are compared with."""

    optimum: float
    """Least true value that was found."""
    at: Mapping[str, Value]
    top: float
    """1 % of the admissible points that do not fail have a lower true value."""
    fails: float
    """Fraction of the admissible points that fail."""
    noise_sd: float
    """Of a value at the optimum."""
    half: str
    revision: int


def find(problem: Problem) -> Reference:
    """Search a problem; takes some seconds, an emulator a minute."""
    rng = np.random.default_rng(_SEED)
    points = problem.space.sample(N_SAMPLE, rng)
    values = _values(problem, points)
    good = np.isfinite(values)
    top = float(np.quantile(values[good], TOP))
    order = np.argsort(values)[:_N_STARTS]
    value, point = min((_descend(problem, points[i], float(values[i]), rng) for i in order), key=lambda found: found[0])
    return Reference(
        optimum=value,
        at=point,
        top=top,
        fails=float(np.mean(~good)),
        noise_sd=problem.noise_sd(value),
        half=problem.half,
        revision=problem.revision,
    )


def load(file: Path = FILE) -> dict[str, Reference]:
    """Return the references that are kept."""
    return {name: Reference(**told) for name, told in json.loads(file.read_text()).items()}


def save(references: Mapping[str, Reference], file: Path = FILE) -> None:
    """Keep references."""
    file.parent.mkdir(parents=True, exist_ok=True)
    told = {name: asdict(reference) for name, reference in references.items()}
    file.write_text(json.dumps(told, indent=1) + "\n")


def _values(problem: Problem, points: Sequence[Point]) -> np.ndarray:
    return np.concatenate([problem.evaluate(points[i : i + _CHUNK]) for i in range(0, len(points), _CHUNK)])


def _descend(problem: Problem, point: Point, value: float, rng: np.random.Generator) -> tuple[float, dict[str, Value]]:
    best = dict(point)
    for step in _STEPS:
        tried = [_moved(problem.space, best, step, rng) for _ in range(_N_MOVES)]
        tried = [other for other in tried if not _breaks(problem.space, other)]
        if not tried:
            continue
        values = problem.evaluate(tried)
        i = int(np.nanargmin(values)) if np.isfinite(values).any() else 0
        if values[i] < value:
            best, value = tried[i], float(values[i])
    return value, best


def _breaks(space: Space, point: Point) -> bool:
    return bool(space.violations(point)) or any(bound.excess(point) > 1e-12 for bound in space.bounds)


def _moved(space: Space, point: Point, step: float, rng: np.random.Generator) -> dict[str, Value]:
    moves = rng.random(len(space.axes)) < max(0.3, 1.0 / len(space.axes))
    moved = {axis.name: _near(axis, point[axis.name], step * m, rng) for axis, m in zip(space.axes, moves, strict=True)}
    mixture = space.mixture
    if mixture is not None and mixture.relation == "==":
        last = str(rng.choice(list(mixture.weights)))
        others = sum(float(moved[name]) for name in mixture.weights if name != last)
        axis = next(axis for axis in space.axes if axis.name == last)
        moved[last] = float(np.clip(mixture.bound - others, axis.low, axis.high))
    return moved


def _near(axis: Axis, value: Value, step: float, rng: np.random.Generator) -> Value:
    if step == 0:
        return value
    if axis.kind == "categorical":
        return axis.levels[rng.integers(len(axis.levels))]
    moved = float(np.clip(float(value) + axis.span * step * rng.standard_normal(), axis.low, axis.high))
    return min(axis.grid, key=lambda level: abs(float(level) - moved)) if axis.grid else moved
