"""Whether control samples drift: the same point again and again ought to give the same value.

The test is Mann and Kendall's (Kendall, Biometrika 30, 81, 1938, doi:10.1093/biomet/30.1-2.81), which asks for no
distribution; the slope is the median of all slopes between two points (Sen, J. Am. Stat. Assoc. 63, 1379, 1968,
doi:10.1080/01621459.1968.10480934). Where several series are tested, p is multiplied by their number (Bonferroni).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any, Protocol

from orchestrator.health.finding import Finding, Level
from orchestrator.words import label, number, quantity

LEAST = 6
"""With fewer values no order of them is unlikely enough."""
CERTAIN = 0.01
LIKELY = 0.05
DAY_S = 86_400.0


class TrialLike(Protocol):
    """A trial's row."""

    @property
    def is_control(self) -> bool: ...  # noqa: D102
    @property
    def outcome(self) -> str | None: ...  # noqa: D102
    @property
    def parameters(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def values(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def finished_s(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What a series of values does over time."""

    n: int
    p: float
    """Probability of an order at least as monotonic by chance."""
    per_s: float
    median: float


def trend(points: Sequence[tuple[float, float]]) -> Trend:
    """Test whether values rise or fall with time.

    points: time and value.
    """
    from scipy.stats import kendalltau

    times, values = [at for at, _ in points], [value for _, value in points]
    p = 1.0
    if len(set(times)) > 1 and len(set(values)) > 1:
        tested: Any = kendalltau(times, values)
        p = float(tested.pvalue)
    slopes = [(late - early) / (then - now) for (now, early), (then, late) in combinations(points, 2) if then != now]
    return Trend(n=len(points), p=p, per_s=median(slopes) if slopes else 0.0, median=median(values))


def drift(trials: Iterable[TrialLike], units: Mapping[str, str]) -> Iterator[Finding]:
    """Judge every control point and objective.

    units: of the objectives, by name.
    """
    found = _series(trials)
    tested = sum(len(points) >= LEAST for points in found.values())
    points_of: dict[str, int] = {}
    for (control, objective), points in found.items():
        index = points_of.setdefault(control, len(points_of) + 1)
        yield _judged(f"drift of control {index}, {label(objective)}", points, units.get(objective, "1"), tested)


def _series(trials: Iterable[TrialLike]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for trial in trials:
        if not trial.is_control or trial.outcome != "measured" or trial.finished_s is None:
            continue
        point = json.dumps(trial.parameters, sort_keys=True)
        for name, value in trial.values.items():
            if isinstance(value, int | float):
                found.setdefault((point, name), []).append((trial.finished_s, float(value)))
    return {key: sorted(points) for key, points in found.items()}


def _judged(name: str, points: Sequence[tuple[float, float]], unit: str, tested: int) -> Finding:
    if len(points) < LEAST:
        text = f"{len(points)} measured so far, too few to tell ({LEAST} are needed)"
        return Finding(name=name, level=Level.OK, text=text)
    seen = trend(points)
    p = min(1.0, seen.p * tested)
    way = "rises" if seen.per_s > 0 else "falls"
    by = quantity(abs(seen.per_s) * DAY_S, unit, 2)
    told = f"p = {number(p, 2)} that chance does this{f', {tested} series counted' if tested > 1 else ''}"
    about = f"median {quantity(seen.median, unit)} of {seen.n}; {told}"
    if p >= LIKELY:
        return Finding(name=name, level=Level.OK, text=f"no drift: {about}")
    level = Level.WARNING if p < CERTAIN else Level.NOTE
    do = "calibrate what measures and what prepares it; values before and after do not compare until then"
    return Finding(name=name, level=level, text=f"{way} by {by} a day: {about}", do=do)
