"""What people are told of predictions: as sure as the results that came have shown them to be.

Forecasts are kept and judged as models make them, and points are chosen by them; only what is said is corrected, so
that no correction chases another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.models.book import Book
from orchestrator.people.state import Given
from planner.proposal import Proposal
from surrogate.registry.manifest import model_of
from surrogate.registry.rule import COLD

LEAST = 0.02
"""A correction nearer to 1 is not worth telling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How the predictions of a model are told."""

    model: str = COLD
    times: Mapping[str, float] = field(default_factory=dict)
    """By target, what standard deviations are told as multiples of; a target that is missing is told as it is."""

    def of(self, target: str) -> float:
        """Return the multiple of a target."""
        return self.times.get(target, 1.0)

    def proposal(self, proposal: Proposal) -> Proposal:
        """Return a proposal with its predictions as they are told."""
        predictions = {
            target: replace(one, sd=self.of(target) * one.sd) for target, one in proposal.predictions.items()
        }
        return replace(proposal, predictions=predictions)

    def data(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"model": self.model, "times": dict(self.times)}


def told_by(book: Book, diagnostics: Mapping[str, Any], pinned: Given | None) -> Told:
    """Return how predictions are told.

    Args:
        book: What models foretold, and what came.
        diagnostics: What the planner says of itself, which is where it says whether it takes from sources.
        pinned: The order that names the version to plan with, if any.
    """
    sources = diagnostics.get("sources")
    model = COLD if sources is None or sources["standing"] == "left alone" else "transfer"
    model = model if pinned is None else model_of(pinned.arguments["version"])
    times = {target: round(one, 3) for target, one in book.corrections(model).items() if abs(one - 1.0) >= LEAST}
    return Told(model=model, times=times)
