"""The book: what the journal says of a campaign's models, folded from its events, live and after a restart alike.

An ``asked`` event holds what each live model foretells of the trials that it accepts, durable before any of them runs;
a ``told`` event closes those of its trials with what was found. Everything else, who leads above all, follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.events import Event
from orchestrator.records import TrialRecord
from surrogate.registry.calibration import WINDOW, Calibration, calibration_of
from surrogate.registry.ledger import Forecast, Ledger, Line, Result
from surrogate.registry.manifest import key_of
from surrogate.registry.recalibration import correction
from surrogate.registry.rule import COLD, Standing, Verdict, after, judged

if TYPE_CHECKING:
    from planner.live import LiveModel

REPLAYED = "models_replayed"
KINDS = ("asked", "told", REPLAYED)
"""Kinds of events that the book follows from."""
_GROWN = 20
"""A version is kept when its model knows more by one part in so many than the one before."""
_TOLD = ("kind", "data_sha256", "rows", "told", "ranges", "sources", "hyperparameters", "code", "device")
"""What the journal keeps of a version, beside why it was kept; its arrays are in a file."""

Findings = Mapping[int, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version as the journal has it."""

    name: str
    model: str
    key: str
    ask: int
    """The ask that it foretold first."""
    created_utc: str
    said: Mapping[str, Any]
    """``_TOLD``, and ``parent``, ``why``, ``seed`` and ``calibration``."""

    @property
    def told(self) -> int:
        """Return how many observations it knew."""
        return self.said["told"]


@dataclass(slots=True)
class Book:
    """All that is known of a campaign's models."""

    ledger: Ledger = field(default_factory=Ledger)
    versions: dict[str, Version] = field(default_factory=dict)
    """By name, in the order in which they were kept."""
    first: str | None = None
    """Who led before any result; None before anything was foretold."""
    standing: Standing = field(default_factory=lambda: Standing(champion=COLD))
    _n_kept_changes: int = 0

    @classmethod
    def of(cls, events: Iterable[Event], trials: Sequence[TrialRecord], findings: Findings) -> Book:
        """Fold the journal's events of `KINDS`."""
        found = cls()
        by_number = {trial.number: trial for trial in trials}
        for event in events:
            if event.kind == "told":
                found.told([by_number[number] for number in event.body["trials"]], findings)
            elif event.kind == REPLAYED:
                found.replayed(event.body)
            else:
                found.asked(event.body, event.utc)
        return found

    @property
    def models(self) -> list[str]:
        """Return all models that have foretold something, the cold one last."""
        return sorted({version.model for version in self.versions.values()}, key=lambda name: (name == COLD, name))

    @property
    def champion(self) -> str | None:
        """Return who leads; None before anything was foretold."""
        return None if self.first is None else self.standing.champion

    def newest(self, model: str) -> Version | None:
        """Return the newest version of a model."""
        return next((one for one in reversed(self.versions.values()) if one.model == model), None)

    def part_of_ask(
        self,
        live: Mapping[str, LiveModel],
        forecasts: Mapping[int, Mapping[str, Mapping[str, Sequence[float]]]],
        seed: int,
    ) -> dict[str, Any]:
        """Return what an ``asked`` event is to say of models, as JSON values.

        Args:
            live: The models by name.
            forecasts: Mean and standard deviation by trial, model and target.
            seed: The campaign's.
        """
        told = {name: self._told_of(name, model, seed) for name, model in live.items()}
        foretold = {str(number): of for number, of in forecasts.items()}
        return {"champion": self.champion, "live": told, "forecasts": foretold}

    def _told_of(self, name: str, model: LiveModel, seed: int) -> dict[str, Any]:
        key = key_of_model(model, seed)
        last = self.newest(name)
        why = self._why_kept(last, model, key)
        if last is not None and not why:
            return {"version": last.name, "key": key, "told": model.told}
        number = 1 + sum(one.model == name for one in self.versions.values())
        calibration = self.calibration(name)
        said = {
            **{part: getattr(model, part) for part in _TOLD},
            "seed": seed,
            "parent": None if last is None else last.name,
            "why": why,
            "calibration": None if calibration is None else {**calibration.data(), "told": self.corrections(name)},
        }
        return {"version": f"{name}-{number}", "key": key, "told": model.told, "said": said}

    def _why_kept(self, last: Version | None, model: LiveModel, key: str) -> str:
        if last is None:
            return "the first"
        if last.key == key:
            return ""
        if last.said["code"] != model.code:
            return f"made by {model.code}, the one before by {last.said['code']}"
        if len(self.standing.changes) > self._n_kept_changes:
            return f"{self.standing.champion} leads since trial {self.standing.changes[-1].trial}"
        if model.told >= last.told + max(1, last.told // _GROWN):
            return f"it knows {model.told} observations, the one before {last.told}"
        return ""

    def asked(self, body: Mapping[str, Any], utc: str) -> list[Line]:
        """Take what an ``asked`` event says, and return what was foretold; an older journal's says nothing."""
        part = body.get("models")
        if not part:
            return []
        for name, told in part["live"].items():
            if "said" in told:
                self.versions[told["version"]] = Version(
                    name=told["version"],
                    model=name,
                    key=told["key"],
                    ask=body["index"],
                    created_utc=utc,
                    said=told["said"],
                )
                self._n_kept_changes = len(self.standing.changes)
        self._begin_with(part["live"])
        lines: list[Line] = [
            Forecast(
                trial=int(number), target=target, model=name, version=part["live"][name]["version"], mean=mean, sd=sd
            )
            for number, models in part["forecasts"].items()
            for name, targets in models.items()
            for target, (mean, sd) in targets.items()
        ]
        for line in lines:
            self.ledger.add(line)
        return lines

    def _begin_with(self, live: Iterable[str]) -> None:
        """The first to lead is the one with sources, where there is one: that is what the policy was chosen for."""
        if self.first is None and (names := sorted(live, key=lambda name: (name == COLD, name))):
            self.first = names[0]
            self.standing = Standing(champion=self.first)

    def told(self, trials: Sequence[TrialRecord], findings: Findings) -> list[Line]:
        """Close what was foretold of trials with what came of them, and return that."""
        lines: list[Line] = []
        for trial in trials:
            for target in self.ledger.open_targets(trial.number):
                value = value_of(trial, findings.get(trial.number, ()), target)
                lines.append(Result(trial=trial.number, target=target, value=value))
        for line in lines:
            self._add(line)
        return lines

    def replayed(self, body: Mapping[str, Any]) -> list[Line]:
        """Take what models would have foretold of results from before they did, and return that.

        The results have no trials: they count up from 1.
        """
        lines: list[Line] = []
        for number, one in enumerate(body["results"], start=1):
            for name, targets in one["forecasts"].items():
                for target, (mean, sd) in targets.items():
                    told: dict[str, Any] = {"trial": number, "target": target, "is_replayed": True}
                    lines.append(Forecast(**told, model=name, version=f"{name}-0", mean=mean, sd=sd))
            for target, value in one["values"].items():
                lines.append(Result(trial=number, target=target, value=value, is_replayed=True))
        if lines:
            self._begin_with(body["models"])
        for line in lines:
            self._add(line)
        return lines

    def _add(self, line: Line) -> None:
        scored = self.ledger.add(line)
        if scored is not None:
            self.standing = after(self.standing, scored)

    def calibration(self, model: str) -> Calibration | None:
        """Judge a model's forecasts by the last results; None where there are fewer than 8."""
        pits = [one.pits[model] for one in self.ledger.results if model in one.pits and not one.is_replayed]
        return calibration_of(pits[-WINDOW:])

    def corrections(self, model: str) -> dict[str, float]:
        """Return by what a model's standard deviations are multiplied before people are told them, by target."""
        judged = [one for one in self.ledger.results if model in one.pits and not one.is_replayed]
        by_target: dict[str, list[float]] = {}
        for one in judged:
            by_target.setdefault(one.target, []).append(one.pits[model])
        return {target: correction(pits) for target, pits in by_target.items()}

    def verdicts(self) -> list[Verdict]:
        """Hold every challenger against the champion; those with fewer than 8 common results are left out."""
        leads, since = self.standing.champion, self.standing.since
        found = [judged(self.ledger.results, name, leads, since=since) for name in self.models if name != leads]
        return [one for one in found if one is not None]

    def gain(self) -> tuple[float, int]:
        """Return the nats by which the model that leads is ahead of the cold one over all results, and their number.

        Replayed results are left out. Where the cold one leads, it is held against the first.
        """
        leads = self.standing.champion
        other = COLD if leads != COLD else self.first or COLD
        both = [one.scores for one in self.ledger.results if not one.is_replayed]
        both = [one for one in both if leads in one and other in one]
        return sum(one[leads] - one[other] for one in both), len(both)


def key_of_model(model: LiveModel, seed: int) -> str:
    """Return the key of a fitted model in a campaign of this seed."""
    return key_of(
        data_sha256=model.data_sha256,
        sources=model.sources,
        code=model.code,
        hyperparameters=model.hyperparameters,
        seed=seed,
        device=model.device,
    )


def value_of(trial: TrialRecord, findings: Sequence[Mapping[str, Any]], target: str) -> float | None:
    """Return what was first measured of a target at the trial's own point; None where nothing was.

    A stripe is measured elsewhere too; replicates at the point are not independent of the first.
    """
    if trial.outcome != "measured":
        return None
    for finding in findings:
        value = finding["values"].get(target)
        if value is not None and math.isfinite(value) and _is_there(finding["parameters"], trial.parameters):
            return float(value)
    return None


def _is_there(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    return left.keys() == right.keys() and all(_is_equal(left[name], right[name]) for name in left)


def _is_equal(left: Any, right: Any) -> bool:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    return left == right
