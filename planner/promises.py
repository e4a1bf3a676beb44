"""What a proposal promises, in words: how likely it is to hit what is aimed at, and to keep to limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from planner.objective import Objective
from planner.proposal import Prediction


def promises(objectives: Sequence[Objective], predictions: Mapping[str, Prediction]) -> str:
    """Return a clause for each objective that is aimed at or a limit, and one of the desirability; each begins "; "."""
    clauses = [_clause(objective, predictions[objective.name]) for objective in objectives if not _is_plain(objective)]
    wanted = [objective for objective in objectives if objective.desirability is not None]
    if wanted:
        from planner.desirability import overall

        whole = overall(wanted, {objective.name: predictions[objective.name].mean for objective in wanted})
        clauses.append(f"what is expected has desirability {whole:.2f}")
    return "".join(f"; {clause}" for clause in clauses)


def chance_within(prediction: Prediction, low: float, high: float) -> float:
    """Return the probability that a normal value lies within an interval, whose ends may be infinite."""
    sd = max(prediction.sd, 1e-300)
    return _below((high - prediction.mean) / sd) - _below((low - prediction.mean) / sd)


def _is_plain(objective: Objective) -> bool:
    return not (objective.is_aimed or objective.is_limit)


def _clause(objective: Objective, prediction: Prediction) -> str:
    expected = f"{prediction.mean:.4g} +- {prediction.sd:.2g}"
    if objective.limit is not None:
        ends = (-math.inf, objective.limit) if objective.direction == "at_most" else (objective.limit, math.inf)
        chance = chance_within(prediction, *ends)
        return f"{objective.name} expected {expected}, {_worded(objective)} with probability {chance:.2f}"
    low, high = objective.interval
    tail = f", hit with probability {chance_within(prediction, low, high):.2f}" if low < high else ""
    return f"{objective.name} expected {expected} for {_worded(objective)}{tail}"


def _worded(objective: Objective) -> str:
    if objective.target is not None:
        return f"the target {objective.target:g}" + (f" +- {objective.tolerance:g}" if objective.tolerance else "")
    if objective.limit is not None:
        return f"{objective.direction.replace('_', ' ')} {objective.limit:g}"
    low, high = objective.interval
    return f"the window {low:g} to {high:g}"


def _below(u: float) -> float:
    return 0.5 * math.erfc(-u / math.sqrt(2.0))
