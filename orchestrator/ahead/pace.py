"""How much time there is for a plan, and what plans take: by what was seen in this campaign."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.charges import ask_job, choice_job
from orchestrator.records import TrialRecord
from surrogate.compute.costs import CostModel

LATE = 0.95
"""Quantile of durations that a plan is expected to keep to."""
LISTED, WHOLE = "short lists", "full"
"""How a plan was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What a plan took."""

    how: str
    known: int
    """Observations that the planner had."""
    seconds: float


@dataclass(slots=True, kw_only=True)
class Pace:
    """Learns what asks and choices take; both are of one policy."""

    policy: str
    costs: CostModel = field(default_factory=CostModel)

    def learn(self, took: Iterable[Took]) -> None:
        """Learn what plans took."""
        for one in took:
            job = (choice_job if one.how == LISTED else ask_job)(self.policy, one.known)
            self.costs = self.costs.learned(job, "cpu", one.seconds)

    def ask_s(self, known: int, part: float = LATE) -> float | None:
        """Return what a full plan takes; None where none was made yet."""
        return self.costs.quantile(ask_job(self.policy, known), "cpu", part)

    def choice_s(self, known: int) -> float:
        """Return what a choice from short lists takes; 0 where nobody knows."""
        return self.costs.quantile(choice_job(self.policy, known), "cpu", LATE) or 0.0


def trial_s(trials: Sequence[TrialRecord]) -> float | None:
    """Return what a trial takes, the median; None where none has ended."""
    took_s = [
        trial.finished_s - trial.started_s
        for trial in trials
        if trial.outcome == "measured" and trial.started_s is not None and trial.finished_s is not None
    ]
    return statistics.median(took_s) if took_s else None


def slack_s(
    trials: Sequence[TrialRecord], began_s: Mapping[int, float], *, lanes: int, now_s: float, lasts_s: float | None
) -> float:
    """Return how long it is until the laboratory has nothing more to do than it could; 0: so it is now.

    Args:
        trials: All of them.
        began_s: When those under way were begun.
        lanes: How many the laboratory carries side by side.
        now_s: The time.
        lasts_s: What a trial takes; None: nobody knows, and nothing is counted on.
    """
    left_s = sorted(
        max(0.0, began_s.get(trial.number, now_s) + (lasts_s or 0.0) - now_s) for trial in trials if trial.is_open
    )
    n_spare = len(left_s) - lanes
    return left_s[n_spare] if n_spare >= 0 else 0.0
