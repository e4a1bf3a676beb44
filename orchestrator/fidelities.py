"""Trials at a fidelity that counts, and at cheaper ones that only tell about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from orchestrator.parameters import Fidelity

_Trial = TypeVar("_Trial")


def fidelity_in(parameters: Sequence[Any]) -> Fidelity | None:
    """Return the parameter that says the fidelity, of a campaign's or of what a record keeps of them."""
    for item in parameters:
        if isinstance(item, Fidelity):
            return item
        if isinstance(item, Mapping) and item.get("kind") == "fidelity":
            return Fidelity.model_validate(item)
    return None


def counts(parameters: Sequence[Any], point: Mapping[str, Any]) -> bool:
    """Say whether a result at a point counts: at the target, where there are several fidelities."""
    fidelity = fidelity_in(parameters)
    return fidelity is None or point.get(fidelity.name) == fidelity.counted


def counting(parameters: Sequence[Any], trials: Sequence[_Trial]) -> Sequence[_Trial]:
    """Return the trials whose results count."""
    fidelity = fidelity_in(parameters)
    if fidelity is None:
        return trials
    return [trial for trial in trials if getattr(trial, "parameters", {}).get(fidelity.name) == fidelity.counted]


def spent(parameters: Sequence[Any], trials: Sequence[Any]) -> float:
    """Return what trials cost together, by their fidelities; each begun trial was paid for."""
    fidelity = fidelity_in(parameters)
    if fidelity is None:
        return 0.0
    return sum(fidelity.costs.get(str(trial.parameters.get(fidelity.name)), 0.0) for trial in trials)
