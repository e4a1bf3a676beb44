"""Where a campaign's models stand, as values for status, report and the command line, and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from orchestrator.history import read_book
from orchestrator.models.book import Book
from orchestrator.models.telling import LEAST
from orchestrator.people.reading import read_state
from orchestrator.words import plural
from surrogate.registry.rule import COLD, Change

NOTHING = (
    "no model has foretold anything: nothing was asked for yet, or the policy has none that can be held against what "
    "comes (it classifies, weighs fidelities, is a guest such as ax or baybe, or chooses without a model)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """One model."""

    model: str
    newest: str
    """Its newest version."""
    scored: int
    """Results that it foretold and that came."""
    calibration: Mapping[str, Any] | None
    """Of the last 40 of them; None below 8."""
    told: Mapping[str, float]
    """By target, what its standard deviations are multiplied by before people are told them; 1 below 8 results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsStatus:
    """All models of a campaign."""

    champion: str
    version: str
    """The newest of the champion."""
    planned_with: str | None
    """The version that people pinned; None where the policy decides."""
    pinned_by: str
    against: str
    """The model that the gain is over."""
    gain_nats: float
    over: int
    """Results that both foretold."""
    models: Sequence[ModelStatus]
    challengers: Sequence[Mapping[str, Any]]
    """How each stands against the champion by the rule, since the last change."""
    changes: Sequence[Mapping[str, Any]]
    alarms: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return asdict(self)

    def __str__(self) -> str:
        """Return it as a sentence."""
        if self.against == self.champion:
            first = f"one, {self.champion}"
        else:
            first = (
                f"{self.champion} leads, {self.gain_nats:+.1f} nats against {self.against} over "
                f"{plural(self.over, 'result')}"
            )
        pinned = f"; planned with {self.planned_with}, {self.pinned_by}" if self.planned_with else ""
        return f"{first}{pinned}; {self._calibration()}"

    def _calibration(self) -> str:
        own = next(one for one in self.models if one.model == self.champion).calibration
        if own is None:
            return "too few results to judge its intervals"
        return f"90 % intervals held {own['coverage_90']:.0%} of the last {own['n']}"


def read_standing_of_models(connection: Connection) -> ModelsStatus | None:
    """Return where the models stand; None where none has foretold anything."""
    return models_status(read_book(connection), read_state(connection).planned_with)


def models_status(book: Book, pinned: Any) -> ModelsStatus | None:
    """Return where the models of a book stand; None where none has foretold anything.

    pinned: the order that names the version to plan with, if any.
    """
    champion = book.champion
    newest = None if champion is None else book.newest(champion)
    if champion is None or newest is None:
        return None
    gain, over = book.gain()
    models = [_model_status(book, name) for name in book.models]
    return ModelsStatus(
        champion=champion,
        version=newest.name,
        planned_with=None if pinned is None else pinned.arguments["version"],
        pinned_by="" if pinned is None else str(pinned),
        against=COLD if champion != COLD else book.first or COLD,
        gain_nats=gain,
        over=over,
        models=models,
        challengers=[asdict(one) for one in book.verdicts()],
        changes=[_told(one) for one in book.standing.changes],
        alarms=[text for one in models for text in _alarms(one)],
    )


def _model_status(book: Book, name: str) -> ModelStatus:
    newest, calibration = book.newest(name), book.calibration(name)
    return ModelStatus(
        model=name,
        newest="" if newest is None else newest.name,
        scored=sum(name in one.scores for one in book.ledger.results if not one.is_replayed),
        calibration=None if calibration is None else calibration.data(),
        told={target: round(times, 3) for target, times in book.corrections(name).items()},
    )


def _told(change: Change) -> dict[str, Any]:
    return {"trial": change.trial, "model": change.model, "before": change.before, "why": change.why}


def said_of(told: Mapping[str, float]) -> str:
    """Say by what standard deviations are multiplied before people are told them."""
    if all(abs(times - 1.0) < LEAST for times in told.values()):
        return "its standard deviations are told as they are"
    each = [f"{times:.2g}" + (f" ({target})" if len(told) > 1 else "") for target, times in told.items()]
    return f"its standard deviations are told {' and '.join(each)} times as large"


def _alarms(status: ModelStatus) -> list[str]:
    found = status.calibration
    if found is None or not found["alarms"]:
        return []
    cure = f"; {said_of(status.told)}" if status.told else ""
    return [f"{status.model}: {' and '.join(found['alarms'])}{cure}"]
