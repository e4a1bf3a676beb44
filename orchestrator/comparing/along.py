"""What runs are compared along: their trials, or what these cost where they are not equally dear."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.campaign import Campaign
from orchestrator.comparing.runs import Run
from orchestrator.fidelities import fidelity_in
from orchestrator.parameters import Fidelity
from orchestrator.words import number, plural

SHARES = (0.25, 0.5, 1.0)
"""Of the budget, at which planners are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Along:
    """The axis of a comparison."""

    word: str
    """What is counted."""
    places: np.ndarray
    """Where curves have values, `n`, rising; the last one is the end of the budget."""
    remark: str
    """What a reader must know of it; empty for trials."""
    fidelity: Fidelity | None
    """The parameter by which trials cost; None where they are counted."""

    @property
    def stops(self) -> list[int]:
        """Return the indices of the places at which planners are compared."""
        return sorted({math.ceil(share * len(self.places)) - 1 for share in SHARES})

    @property
    def edges(self) -> np.ndarray:
        """Return the places, and one more up to which the last value holds, `n + 1`."""
        step = self.places[-1] - self.places[-2] if len(self.places) > 1 else self.places[-1]
        return np.append(self.places, self.places[-1] + (1 if self.fidelity is None else step))

    @property
    def end(self) -> str:
        """Say what the budget is."""
        most = self.said(len(self.places) - 1)
        return plural(len(self.places), "trial") if self.fidelity is None else f"a cost of {most}"

    def is_over(self, run: Run) -> bool:
        """Say whether a run went on to the end."""
        if self.fidelity is None:
            return len(run.result["trials"]) >= len(self.places)
        spent = _spent(run, self.fidelity)
        return len(spent) >= len(self.places) or (len(spent) > 0 and spent[-1] >= self.places[-1] * (1.0 - 1e-9))

    def said(self, index: int) -> str:
        """Return a place as text."""
        return number(float(self.places[index]), 4)

    def resampled(self, curves: np.ndarray, runs: Sequence[Run]) -> np.ndarray:
        """Return curves by trial (`runs x budget`) at the places, `runs x n`; not a number before the first trial."""
        if self.fidelity is None:
            return curves
        found = np.full((len(curves), len(self.places)), np.nan)
        for row, (curve, run) in enumerate(zip(curves, runs, strict=True)):
            done = np.searchsorted(_spent(run, self.fidelity), self.places * (1.0 + 1e-9), side="right")
            found[row, done > 0] = curve[done[done > 0] - 1]
        return found


def along_of(campaign: Campaign, runs: Mapping[str, Sequence[Run]]) -> Along:
    """Return what runs of a campaign are compared along: the cost, where it has fidelities."""
    budget, fidelity = campaign.budget.trials, fidelity_in(campaign.parameters)
    if fidelity is None:
        return Along(word="trials", places=np.arange(1, budget + 1), remark="", fidelity=None)
    limit = campaign.budget.cost
    least = min(
        float(np.median([_spent(run, fidelity)[-1] if run.result["trials"] else 0.0 for run in its]))
        for its in runs.values()
    )
    end = limit or least or max(fidelity.costs.values())
    cheapest = min(fidelity.costs, key=fidelity.costs.__getitem__)
    counted = fidelity.counted
    remark = (
        f"planners are compared along what their trials cost: one at {fidelity.name} {cheapest!r} "
        f"{fidelity.costs[cheapest]:g}, one at {counted!r}, which alone gives the measure, {fidelity.costs[counted]:g}"
    )
    if not limit:
        remark += (
            f"; up to {end:g}, which is what the planner that spent least had spent in the median. Give all the same "
            "to spend by budget: {cost: ...}"
        )
    return Along(word="cost", places=np.linspace(end / budget, end, budget), remark=remark, fidelity=fidelity)


def _spent(run: Run, fidelity: Fidelity) -> np.ndarray:
    """Return what a run had cost after each trial; a control is measured at the target."""
    dear = fidelity.costs[fidelity.counted]
    each = [fidelity.costs.get(str(one["parameters"].get(fidelity.name)), dear) for one in run.result["trials"]]
    return np.cumsum(each)
