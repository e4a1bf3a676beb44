"""Two models of a campaign held against each other by results that neither had seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.campaign import Campaign
from orchestrator.errors import InputError
from orchestrator.fields import did_you_mean
from orchestrator.history import History, read_standing
from orchestrator.models.book import Book
from orchestrator.models.files import FOLDER
from orchestrator.models.standing import NOTHING
from orchestrator.reading import open_reading
from orchestrator.words import plural
from surrogate.registry.calibration import Calibration, calibration_of
from surrogate.registry.errors import RegistryError
from surrogate.registry.folder import Registry
from surrogate.registry.rule import Scored, interval_of_sum
from surrogate.registry.scores import log_score, pit

MOST_NAMED = 3
FORETOLD = "what each foretold before the result was seen"
MADE_AGAIN = "both made again from their files, on results that neither had seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisive:
    """A result, and what it is worth to the first model."""

    trial: int | None
    """None: a result from before the campaign."""
    target: str
    nats: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The first model against the second."""

    first: str
    second: str
    basis: str
    n: int
    nats: float
    """Sum of the differences of log scores, first less second."""
    low: float
    high: float
    """Its 80 % interval by the stationary bootstrap."""
    calibrations: Mapping[str, Calibration | None]
    decisive: Sequence[Decisive]
    """All results, the weightiest first."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        calibrations = {name: one and one.data() for name, one in self.calibrations.items()}
        return {**asdict(self), "calibrations": calibrations}

    def __str__(self) -> str:
        """Return it as sentences."""
        if not self.n:
            return f"{self.first} and {self.second} have no result in common yet ({self.basis})"
        ahead, behind = (self.first, self.second) if self.nats >= 0 else (self.second, self.first)
        size, ends = abs(self.nats), sorted((abs(self.low), abs(self.high)))
        is_clear = self.low > 0 or self.high < 0
        sure = f"80 % interval {ends[0]:.1f} to {ends[1]:.1f}" if is_clear else "the 80 % interval holds 0: undecided"
        lines = [
            f"{ahead} is {size:.1f} nats ahead of {behind} over {plural(self.n, 'result')} ({sure})",
            f"so what came was {_times(size)} times as probable by {ahead}; by {self.basis}",
        ]
        for name, one in self.calibrations.items():
            held = f"90 % intervals held {one.coverage_90:.0%}" if one else "too few results to judge its intervals"
            lines.append(f"{name}: {held}{''.join(f'; ALARM: {text}' for text in one.alarms) if one else ''}")
        return "\n".join([*lines, self._decided()])

    def _decided(self) -> str:
        named = [
            f"{'a result from before' if one.trial is None else f'trial {one.trial}'} ({one.nats:+.1f})"
            for one in self.decisive[:MOST_NAMED]
        ]
        return f"decided by {', '.join(named)}; nats in favour of {self.first}"


def _times(nats: float) -> str:
    return f"{np.exp(nats):.3g}" if nats < 20.0 else f"10^{nats / np.log(10.0):.0f}"


def compared(path: Path, first: str, second: str) -> Comparison:
    """Hold two models, or two versions, against each other.

    Models by what they foretold; versions, whose arrays are kept, by all results that came after both were made.

    Args:
        path: The campaign directory.
        first, second: Names of models (``transfer``) or of versions (``transfer-3``); both of one sort.

    Raises:
        InputError: There is no such model, or a version cannot be used.
    """
    with open_reading(path) as reading:
        history = read_standing(reading.connection).history
        config = reading.campaign().config
    book = history.book
    known = [*book.models, *book.versions]
    if not known:
        raise InputError(f"there is nothing to compare: {NOTHING}")
    for name in (first, second):
        if name not in known:
            raise InputError(f"there is no model or version {name!r}{did_you_mean(name, known)}")
    if first == second:
        raise InputError(f"{first} against itself is a draw; name two")
    is_version = [name in book.versions for name in (first, second)]
    if all(is_version):
        return _of_versions(path, Campaign.from_data(config), history, first, second)
    if any(is_version):
        raise InputError("compare two models, or two versions: one of each have no results in common")
    return _of_models(book, first, second)


def _of_models(book: Book, first: str, second: str) -> Comparison:
    both = [one for one in book.ledger.results if {first, second} <= one.scores.keys() and not one.is_replayed]
    return _comparison(first, second, FORETOLD, both, [one.trial for one in both])


def _of_versions(path: Path, campaign: Campaign, history: History, first: str, second: str) -> Comparison:
    from orchestrator.campaign_knowledge import knowledge_of
    from planner.errors import PlannerError
    from planner.live import made_again

    registry, versions = Registry(path / FOLDER), history.book.versions
    knowledge = knowledge_of(campaign, pool=None, known=history.known or (), sources=history.sources or ())
    knowledge.restore(history.trials, history.findings, told=history.told)
    models = {}
    for name in (first, second):
        try:
            manifest, arrays = registry.read(name)
            if manifest.key != versions[name].key:
                raise InputError(f"{path / FOLDER}/{name}.json is not the model that the journal tells of")
            models[name] = made_again(manifest.kind, manifest.layout, arrays)
        except (FileNotFoundError, RegistryError, PlannerError) as error:
            raise InputError(f"{name} cannot be used: {error}") from error
    since = max(versions[first].told, versions[second].told)
    by_proposal = {trial.proposal_id: trial.number for trial in history.trials}
    results, trials = list[Scored](), list[int | None]()
    for observation in knowledge.planner.observations[since:]:
        codes = knowledge.space.encode([observation.parameters])
        for target, value in observation.values.items():
            told = {name: [float(one[0]) for one in model[target].forecast(codes)] for name, model in models.items()}
            number = by_proposal.get(observation.proposal_id) if observation.proposal_id else None
            results.append(
                Scored(
                    trial=number or 0,
                    target=target,
                    scores={name: log_score(mean, sd, value) for name, (mean, sd) in told.items()},
                    pits={name: pit(mean, sd, value) for name, (mean, sd) in told.items()},
                )
            )
            trials.append(number)
    return _comparison(first, second, MADE_AGAIN, results, trials)


def _comparison(
    first: str, second: str, basis: str, results: Sequence[Scored], trials: Sequence[int | None]
) -> Comparison:
    differences = np.array([one.scores[first] - one.scores[second] for one in results])
    low, high = interval_of_sum(differences) if len(differences) else (0.0, 0.0)
    decisive = [
        Decisive(trial=trial, target=one.target, nats=float(nats))
        for trial, one, nats in zip(trials, results, differences, strict=True)
    ]
    return Comparison(
        first=first,
        second=second,
        basis=basis,
        n=len(results),
        nats=float(differences.sum()),
        low=low,
        high=high,
        calibrations={name: calibration_of([one.pits[name] for one in results]) for name in (first, second)},
        decisive=sorted(decisive, key=lambda one: -abs(one.nats)),
    )
