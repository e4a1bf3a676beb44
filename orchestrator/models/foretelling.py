"""What a planner's models foretell, as values that the journal takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.proposal import Forecast, Proposal

if TYPE_CHECKING:
    from planner.live import LiveModel

Forecasts = Mapping[str, Mapping[str, Sequence[float]]]
"""Mean and standard deviation of a value at one point, by model and target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """What live models expect of some proposals."""

    forecasts: Sequence[Forecasts] = ()
    """Of each proposal, noise included; empty where there is no model."""
    live: Mapping[str, LiveModel] = field(default_factory=dict)
    """These models, by name."""


NOTHING_FORETOLD = Foretold()


def foretold(planner: Any, proposals: Sequence[Proposal]) -> Foretold:
    """Ask a planner, or what stands for one, what its models expect of proposals."""
    if not proposals:
        return NOTHING_FORETOLD
    found = planner.forecasts([proposal.parameters for proposal in proposals])
    live = planner.live_models()
    each = [_at(found, index) for index in range(len(proposals))]
    return Foretold(forecasts=each, live={name: one for name, one in live.items() if any(name in of for of in each)})


def replayed(planner: Any, most: int) -> dict[str, Any]:
    """Return what models would have foretold of the last results that are known, as an event says it.

    Nothing where there is only one model, which nobody is held against.
    """
    results = [{"values": dict(one.values), "forecasts": _at(one.forecasts, 0)} for one in planner.replayed(most)]
    models = sorted({name for one in results for name in one["forecasts"]})
    return {"models": models, "results": results} if len(models) > 1 else {}


def _at(forecasts: Mapping[str, Mapping[str, Forecast]], index: int) -> Forecasts:
    """Return the forecasts at one of the points, less what is no number."""
    found = {
        name: {target: [float(one.mean[index]), float(one.sd[index])] for target, one in targets.items()}
        for name, targets in forecasts.items()
    }
    finite = {
        name: {target: one for target, one in targets.items() if np.isfinite(one).all() and one[1] > 0.0}
        for name, targets in found.items()
    }
    return {name: targets for name, targets in finite.items() if targets}
