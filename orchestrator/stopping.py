"""Stopping rules: pure functions from what was measured to a reason to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.bill import Bill
from orchestrator.records import TrialRecord


def best_trial(trials: Sequence[TrialRecord], target: str, direction: str) -> TrialRecord | None:
    """Return the best measured trial by the measured value, the first among equals."""
    measured = [trial for trial in trials if trial.outcome == "measured" and target in trial.values]
    if not measured:
        return None
    sign = -1.0 if direction == "minimize" else 1.0
    return max(measured, key=lambda trial: (sign * float(trial.values[target]), -trial.number))


def reason_to_stop(
    rules: Sequence[Any],
    trials: Sequence[TrialRecord],
    objectives: Sequence[Any],
    diagnostics: Mapping[str, Any],
    bill: Callable[[], Bill] | None = None,
) -> str | None:
    """Return why to stop by the first rule that says so, or None.

    bill: says what was spent so far; asked for rules about cost only.
    """
    for rule in rules:
        if rule.kind == "cost":
            reason = None if bill is None else _too_dear(rule, bill())
        else:
            reason = _BY_KIND[rule.kind](rule, trials, objectives, diagnostics)
        if reason is not None:
            return reason
    return None


def _target_reached(
    rule: Any, trials: Sequence[TrialRecord], objectives: Sequence[Any], _diagnostics: Mapping[str, Any]
) -> str | None:
    direction = "minimize" if rule.at_most is not None else "maximize"
    best = best_trial(trials, rule.objective, direction)
    if best is None:
        return None
    value = float(best.values[rule.objective])
    if rule.at_least is not None and value >= rule.at_least:
        return f"{rule.objective} = {value:g} reached at least {rule.at_least:g} in trial {best.number}"
    if rule.at_most is not None and value <= rule.at_most:
        return f"{rule.objective} = {value:g} reached at most {rule.at_most:g} in trial {best.number}"
    return None


def _no_improvement(
    rule: Any, trials: Sequence[TrialRecord], objectives: Sequence[Any], _diagnostics: Mapping[str, Any]
) -> str | None:
    objective = objectives[0]
    best = best_trial(trials, objective.name, objective.direction)
    if best is None or len(trials) - best.number < rule.trials:
        return None
    return f"{objective.name} did not improve in {len(trials) - best.number} trials, since trial {best.number}"


def _map_is_known(
    rule: Any, _trials: Sequence[TrialRecord], _objectives: Sequence[Any], diagnostics: Mapping[str, Any]
) -> str | None:
    uncertainty = diagnostics.get("map_uncertainty")
    if uncertainty is None or uncertainty >= rule.below:
        return None
    return f"the map's uncertainty {uncertainty:g} is below {rule.below:g}"


def _too_dear(rule: Any, bill: Bill) -> str | None:
    if bill.total < rule.most:
        return None
    return f"the campaign has cost {bill.total:.2f} {bill.currency}, and may cost {rule.most:g} {bill.currency}"


_BY_KIND = {"target": _target_reached, "no_improvement": _no_improvement, "map_uncertainty": _map_is_known}
