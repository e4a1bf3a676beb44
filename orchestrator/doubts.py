"""Results that the planner does not believe, as it said at an ask (option `robust` of its policy)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.words import label, number, quantity

if TYPE_CHECKING:
    from orchestrator.store import AskRow, TrialRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One result, and what the others make of it."""

    trial: int | None
    """None: it was known before the campaign, or repeats a trial."""
    parameters: Mapping[str, Any]
    target: str
    value: float
    mean: float
    sd: float
    """What is expected there, once, by the results that are believed."""
    unit: str

    def __str__(self) -> str:
        """Return it as a sentence."""
        which = "a result" if self.trial is None else f"trial {self.trial}"
        at = ", ".join(f"{label(name)} {number(value)}" for name, value in self.parameters.items())
        expected = f"{number(self.mean)} ± {quantity(self.sd, self.unit, 2)}"
        return (
            f"{which} is not believed: {label(self.target)} {quantity(self.value, self.unit)} at {at}, where the other "
            f"results make one expect {expected}"
        )


def doubts_of(ask: AskRow | None, trials: Sequence[TrialRow], config: Mapping[str, Any]) -> list[Doubt]:
    """Return what the planner did not believe at an ask."""
    found = [] if ask is None else ask.diagnostics.get("doubted") or []
    numbers = {trial.proposal_id: trial.number for trial in trials if trial.proposal_id is not None}
    units = {one.get("name"): str(one.get("unit") or "1") for one in config.get("objectives", [])}
    return [
        Doubt(
            trial=numbers.get(one["proposal_id"]),
            parameters=one["parameters"],
            target=one["target"],
            value=one["value"],
            mean=one["mean"],
            sd=one["sd"],
            unit=units.get(one["target"], "1"),
        )
        for one in found
    ]


def without(trials: Sequence[TrialRow], doubts: Sequence[Doubt]) -> list[TrialRow]:
    """Return the trials whose results are all believed."""
    wrong = {one.trial for one in doubts}
    return [trial for trial in trials if trial.number not in wrong]
