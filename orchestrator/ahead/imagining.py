"""Which results come next, and what they may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

from orchestrator.records import TrialRecord

Expected = Mapping[str, tuple[float, float]]
"""Mean and standard deviation of a value, by target."""


def awaited(trials: Sequence[TrialRecord], began_s: Mapping[int, float], *, at_once: int, batch: int) -> list[int]:
    """Return the trials that are expected to end before there is room for the next batch, by number.

    Args:
        trials: All of them.
        began_s: When those that were begun were.
        at_once: How many may be under way.
        batch: How many are asked for together.
    """
    under_way = [trial.number for trial in trials if trial.is_open]
    n = len(under_way) - (at_once - batch)
    first = sorted(under_way, key=lambda number: (began_s.get(number, float("inf")), number))
    return sorted(first[: max(0, n)])


def quantiles(n: int) -> list[float]:
    """Return the middles of n equal parts of a distribution, the median's neighbourhood first."""
    return sorted(((index + 0.5) / n for index in range(n)), key=lambda part: (abs(part - 0.5), -part))


def ranges(trials: Sequence[TrialRecord], targets: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return what may be imagined of targets: as far beyond what was measured as that reaches, and no further.

    A surrogate that knows little may expect almost anything of a skewed target, and nothing is learnt from plans for
    what never comes. Targets of which no two different values were measured are left out.
    """
    found = {}
    for target in targets:
        values = [trial.values[target] for trial in trials if trial.outcome == "measured" and target in trial.values]
        low, high = min(values, default=0.0), max(values, default=0.0)
        if high > low:
            found[target] = (2.0 * low - high, 2.0 * high - low)
    return found


def imagined(
    expected: Mapping[int, Expected],
    directions: Mapping[str, str],
    quantile: float,
    within: Mapping[str, tuple[float, float]],
) -> dict[int, dict[str, float]]:
    """Return values of trials at a quantile of how good they may be, by number and target.

    All are imagined alike good or bad: single trials, for which this matters most, have one result, and of several the
    surrogate is wrong about all in the same way more often than not.

    Args:
        expected: By trial, of those of which something is expected.
        directions: Of the targets; of those to be minimised the least value is the best.
        quantile: From 0, worst, to 1.
        within: The least and the greatest value of targets; see `ranges`.
    """
    z = NormalDist().inv_cdf(quantile)
    signs = {target: -1.0 if direction == "minimize" else 1.0 for target, direction in directions.items()}
    return {
        number: {
            target: _clipped(mean + signs.get(target, 1.0) * z * sd, within.get(target))
            for target, (mean, sd) in targets.items()
        }
        for number, targets in expected.items()
    }


def _clipped(value: float, within: tuple[float, float] | None) -> float:
    return value if within is None else min(max(value, within[0]), within[1])


def as_observations(trials: Sequence[TrialRecord], values: Mapping[int, Mapping[str, float]]) -> list[dict[str, Any]]:
    """Return imagined values as a planner is told of them."""
    by_number = {trial.number: trial for trial in trials}
    return [
        {
            "parameters": dict(by_number[number].parameters),
            "values": dict(of),
            "proposal_id": by_number[number].proposal_id,
        }
        for number, of in values.items()
        if of
    ]
