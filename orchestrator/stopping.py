"""Stopping rules: pure functions from what was measured to a reason to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.bill import Bill
from orchestrator.goals import best, leading, planned, rank
from orchestrator.records import TrialRecord

_LIMITS, _AIMED = ("at_most", "at_least"), ("target", "window")


def best_trial(trials: Sequence[TrialRecord], objectives: Sequence[Any]) -> TrialRecord | None:
    """Return the best measured trial by the measured values, the first among equals; see `orchestrator.goals`.

    Where nothing is optimised, that with the greatest value of what is learnt stands out.
    """
    goals = [planned(objective) for objective in objectives]
    first = leading(goals)
    if first.direction == "learn":
        return best(({"name": first.name, "direction": "maximize"},), trials)
    return best(goals, trials)


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
    goal = {"name": rule.objective, "direction": "minimize" if rule.at_most is not None else "maximize"}
    found = best((goal, *(one for one in objectives if one.direction in _LIMITS)), trials)
    if found is None:
        return None
    value = float(found.values[rule.objective])
    if rule.at_least is not None and value >= rule.at_least:
        return f"{rule.objective} = {value:g} reached at least {rule.at_least:g} in trial {found.number}"
    if rule.at_most is not None and value <= rule.at_most:
        return f"{rule.objective} = {value:g} reached at most {rule.at_most:g} in trial {found.number}"
    return None


def _no_improvement(
    rule: Any, trials: Sequence[TrialRecord], objectives: Sequence[Any], _diagnostics: Mapping[str, Any]
) -> str | None:
    found = best_trial(trials, objectives)
    since = 0 if found is None else sum(trial.number > found.number for trial in trials)
    if found is None or since < rule.trials:
        return None
    return f"{leading(objectives).name} did not improve in {since} trials, since trial {found.number}"


def _hit(
    _rule: Any, trials: Sequence[TrialRecord], objectives: Sequence[Any], _diagnostics: Mapping[str, Any]
) -> str | None:
    aimed = [planned(one) for one in objectives if one.direction in _AIMED]
    limits = [one for one in objectives if one.direction in _LIMITS]
    for trial in trials:
        if trial.outcome != "measured" or any(rank((one, *limits), trial.values) is None for one in aimed):
            continue
        if all(one.rank(float(trial.values[one.name]))[0] >= 0.0 for one in aimed):
            said = " and ".join(f"{one.name} = {float(trial.values[one.name]):g}" for one in aimed)
            return f"{said} hit what is aimed at ({' and '.join(map(str, aimed))}) in trial {trial.number}"
    return None


def _nothing_better_in_sight(
    rule: Any, trials: Sequence[TrialRecord], objectives: Sequence[Any], diagnostics: Mapping[str, Any]
) -> str | None:
    risk = diagnostics.get("prospects", {}).get(repr(rule.better_by))
    found = best_trial(trials, objectives)
    if risk is None or found is None or risk > rule.risk:
        return None
    first = leading(objectives)
    what = "the overall desirability" if first.desirability else first.name
    unit = "" if first.desirability or first.unit == "1" else f" {first.unit}"
    told = (diagnostics.get("best") or {}).get(first.name, found.values[first.name])
    best_is = f"trial {found.number}" if told == found.values[first.name] else "the best that was known beforehand"
    return (
        f"by the surrogate, the chance that an untried recipe is better than {best_is} by more than "
        f"{rule.better_by:g}{unit} of {what} was {_percent(risk)} when it was last judged; "
        f"a risk of {_percent(rule.risk)} was accepted"
    )


def _percent(share: float) -> str:
    return "below 0.1 %" if share < 0.001 else f"{100.0 * share:.2g} %"


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


_BY_KIND = {
    "target": _target_reached,
    "hit": _hit,
    "no_improvement": _no_improvement,
    "no_prospect": _nothing_better_in_sight,
    "map_uncertainty": _map_is_known,
}
