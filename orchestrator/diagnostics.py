"""What a campaign keeps of what its planner says of itself: nothing that is no number, and nothing that ends it."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from planner.errors import NotEnoughData
from planner.objective import Objective
from planner.proposal import Proposal

log = logging.getLogger(__name__)


def diagnosed(
    planner: Any, objectives: Sequence[Objective], *, looks_at_map: bool, margins: Sequence[float]
) -> dict[str, Any]:
    """Return what a planner says of itself; what it cannot say, because a fit failed say, is left out.

    Args:
        planner: A `planner.Planner`, or what stands for one.
        objectives: What is wanted.
        looks_at_map: Whether to ask how uncertain the map is, where one is to be learnt.
        margins: How much better is worth going on for: what untried recipes may bring is asked for each.
    """
    learnt = next((one.name for one in objectives if one.direction == "learn"), None)
    try:
        found = planner.diagnostics(with_model=looks_at_map and learnt is not None)
    except Exception:  # the supervisor of diagnostics: a campaign does not end because a map cannot be drawn
        log.exception("diagnostics_failed")
        found = planner.diagnostics(with_model=False)
    uncertainty = (found.pop("map_uncertainty", None) or {}).get(learnt)
    found = {**found, "map_uncertainty": uncertainty} if _is_finite(uncertainty) else found
    prospects = {repr(by): risk for by in margins if (risk := _risk(planner, by)) is not None}
    return {**found, "prospects": prospects} if prospects else found


def _risk(planner: Any, by: float) -> float | None:
    """Return the probability that an untried point is better by more than a margin; None where nobody can say."""
    try:
        return planner.prospect(by).probability
    except NotEnoughData:
        return None
    except Exception:  # the supervisor of prospects: a campaign goes on where nobody can say what it may bring
        log.exception("prospect_failed by=%g", by)
        return None


def with_finite_predictions(proposal: Proposal) -> Proposal:
    """Leave out what a policy predicts without a number: the journal holds none, and nobody could use it."""
    finite = {
        name: prediction
        for name, prediction in proposal.predictions.items()
        if all(_is_finite(value) for value in asdict(prediction).values())
    }
    return replace(proposal, predictions=finite)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
