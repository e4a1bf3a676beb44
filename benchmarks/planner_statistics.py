"""The arithmetic of `planners.py`: regret, experiments to the top 1 %, ratios and their bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from planner_store import Run

from planner.comparison import BOOTSTRAPS, LEVEL, Estimate, geometric_mean

Counts = Mapping[str, Mapping[str, Mapping[int, int]]]
"""Experiments to the top 1 % by problem, planner and seed; the budget where it was not reached."""

Statistic = Callable[[Mapping[str, Sequence[int]]], float]
"""Of the drawn seeds of each problem."""

_SEED = 30_000


def regrets(run: Run, optimum: float, budget: int) -> np.ndarray:
    """Return the regret after each trial up to the budget: `budget`; infinite before anything was measured.

    It is that of the point with the least observed value so far. Where a run was stopped, what it had stays.
    """
    found, least, current = np.full(budget, np.inf), np.inf, np.inf
    for i in range(budget):
        observed, true = (run.observed[i], run.true[i]) if i < len(run.true) else (None, None)
        if observed is not None and true is not None and observed < least:
            least, current = observed, true - optimum
        found[i] = current
    return found


def reached(run: Run, top: float, budget: int) -> int | None:
    """Return the number, from 1, of the first trial whose true value is below the threshold; None where none is."""
    return next((i + 1 for i, true in enumerate(run.true[:budget]) if true is not None and true < top), None)


def experiments(run: Run, top: float, budget: int) -> int:
    """Return the number of experiments to the top 1 %, censored at the budget."""
    return reached(run, top, budget) or budget


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Our planner's experiments to the top 1 % against the peers'.

    A ratio is a peer's median over ours, over the seeds that both have; above 1, we need fewer.
    """

    counts: Counts
    ours: str = "ours"

    @property
    def problems(self) -> list[str]:
        """The problems that we and at least one peer have."""
        return [name for name, found in self.counts.items() if self.ours in found and len(found) > 1]

    def peers(self, problem: str) -> list[str]:
        """Return who else has a problem."""
        return [name for name in self.counts[problem] if name != self.ours]

    def ratio(self, problem: str, peer: str, seeds: Sequence[int] | None = None) -> float | None:
        """Return the ratio on one problem; None without a seed in common.

        Args:
            problem: Its name.
            peer: The peer's name.
            seeds: Drawn seeds, with repetition; each once by default.
        """
        mine, theirs = self.counts[problem][self.ours], self.counts[problem][peer]
        common = [seed for seed in (mine if seeds is None else seeds) if seed in theirs]
        if not common:
            return None
        return float(np.median([theirs[seed] for seed in common]) / np.median([mine[seed] for seed in common]))

    def best_of_each(self, problems: Sequence[str]) -> Estimate:
        """Return the geometric mean over problems of the ratio to the peer that is best on each."""

        def statistic(draw: Mapping[str, Sequence[int]]) -> float:
            found = [self._ratios(problem, draw[problem]) for problem in problems]
            return geometric_mean([min(ratios) for ratios in found if ratios])

        return self._estimate(problems, statistic)

    def peer_overall(self, problems: Sequence[str], peer: str) -> Estimate:
        """Return the geometric mean over problems of the ratio to one peer."""

        def statistic(draw: Mapping[str, Sequence[int]]) -> float:
            found = [self.ratio(problem, peer, draw[problem]) for problem in problems]
            return geometric_mean([ratio for ratio in found if ratio is not None])

        return self._estimate(problems, statistic)

    def _ratios(self, problem: str, seeds: Sequence[int]) -> list[float]:
        found = [self.ratio(problem, peer, seeds) for peer in self.peers(problem)]
        return [ratio for ratio in found if ratio is not None]

    def _estimate(self, problems: Sequence[str], statistic: Statistic) -> Estimate:
        drawn = [statistic(draw) for draw in self._draws(problems)]
        low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        whole = {problem: list(self.counts[problem][self.ours]) for problem in problems}
        return Estimate(value=statistic(whole), low=float(low), high=float(high))

    def _draws(self, problems: Sequence[str]) -> Iterator[dict[str, list[int]]]:
        """Draw seeds with repetition, for each problem alone and for all planners alike."""
        rng = np.random.default_rng(_SEED)
        seeds = {problem: list(self.counts[problem][self.ours]) for problem in problems}
        for _ in range(BOOTSTRAPS):
            yield {name: [own[i] for i in rng.integers(len(own), size=len(own))] for name, own in seeds.items()}
