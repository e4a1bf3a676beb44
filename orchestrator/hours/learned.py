"""How much longer trials took than was expected of them: what the next ones are expected to take is widened by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.records import TrialRecord

ENOUGH = 5
"""Trials, before anything is learnt from how long they took."""
NEWEST = 50
QUANTILE = 0.9
_STEPS = 100
"""A factor counts in hundredths, rounded up: what a clock says to the microsecond is not to change a proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What trials took so far."""

    factor: float = 1.0
    """By what an expected duration is multiplied; at least 1."""
    took_s: float | None = None
    """What nine of ten took at most; None before enough of them ended."""
    n: int = 0
    """Of how many trials."""

    @classmethod
    def of(cls, trials: Sequence[TrialRecord], expected_s: Callable[[TrialRecord], float | None]) -> Learned:
        """Learn from the newest trials that were measured."""
        ended = [one for one in trials if one.outcome == "measured" and _took_s(one) is not None][-NEWEST:]
        if len(ended) < ENOUGH:
            return cls(n=len(ended))
        took_s = [_took_s(one) or 0.0 for one in ended]
        expected = [expected_s(one) for one in ended]
        ratios = [took / one for took, one in zip(took_s, expected, strict=True) if one]
        factor = float(np.quantile(ratios, QUANTILE)) if ratios else 1.0
        return cls(
            factor=max(1.0, math.ceil(factor * _STEPS - 1e-6) / _STEPS),
            took_s=float(math.ceil(np.quantile(took_s, QUANTILE) - 1e-3)),
            n=len(ended),
        )


def beside(trial: TrialRecord, trials: Sequence[TrialRecord]) -> int:
    """Return how many other trials were under way at some time of one that ended."""
    start_s, end_s = trial.started_s or 0.0, trial.finished_s or 0.0
    return sum(
        other.number != trial.number
        and other.started_s is not None
        and other.started_s < end_s
        and (other.finished_s is None or other.finished_s > start_s)
        for other in trials
    )


def _took_s(trial: TrialRecord) -> float | None:
    if trial.started_s is None or trial.finished_s is None:
        return None
    return trial.finished_s - trial.started_s
