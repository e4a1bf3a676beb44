"""Where samples are and how far they have come: folded from the journal's events, live and after a restart alike.

A sample is admitted with a home, makes visits to stations, shares runs of furnaces, and leaves. Whatever is not in
these events did not happen as far as the controller knows; an act that was begun is in the journal as an intent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.events import Event


@dataclass(slots=True, kw_only=True)
class Journey:
    """One sample's way through the laboratory."""

    trial: int
    sample: str
    home: str
    at: str | None
    """The place that it stands at; None: nobody knows."""
    moves: int = 0
    """Transfers that were begun and are over, well or not."""
    visit: str | None = None
    """Path of the visit that it is on."""
    place: str | None = None
    """Where that visit's work is done."""
    began_s: float | None = None
    """When that visit was begun."""
    done: dict[str, str] = field(default_factory=dict)
    """Places of visits that are over, by path."""
    done_s: float | None = None
    """When the last of them was."""
    batch: str | None = None
    has_left: bool = False


@dataclass(slots=True, kw_only=True)
class BatchRun:
    """One run of a furnace."""

    name: str
    station: str
    path: str
    places: dict[int, str]
    """Places by trial."""
    stage: str = "loading"
    """``loading``, ``loaded`` (the door is closed), ``fired``, ``failed`` or ``ended``."""
    failure: str = ""
    """Why the program was not carried out."""
    formed_s: float = 0.0
    loaded_s: float | None = None
    """When the door was closed behind the samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Something that a person must see to."""

    name: str
    kind: str
    """``lost``: a sample may lie at some places; ``askew``: a robot cannot grip what stands somewhere; ``furnace`` or
    ``device``: it failed; ``trip``: the guard stopped devices; ``restock``: something has run out."""
    text: str
    closed: tuple[str, ...]
    """What nobody is given until then, by its name on the board."""
    facts: Mapping[str, Any]


@dataclass(slots=True)
class Whereabouts:
    """All journeys and batches of a campaign."""

    journeys: dict[int, Journey] = field(default_factory=dict)
    batches: dict[str, BatchRun] = field(default_factory=dict)
    doubted: dict[str, Doubt] = field(default_factory=dict)
    """What somebody must see to before it is used again, by name."""
    doubted_s: dict[str, float] = field(default_factory=dict)
    """Since when, by name."""
    made_safe_s: dict[str, float] = field(default_factory=dict)
    """When each device was last stopped to make the laboratory safe."""
    n_doubts: int = 0
    """How many there ever were."""

    def apply(self, event: Event) -> None:
        """Fold one event; other kinds than these change nothing."""
        handler = _HANDLERS.get(event.kind)
        if handler is not None:
            handler(self, event.trial, event.body, event.at_s)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Whereabouts:
        """Fold a journal's events."""
        found = cls()
        for event in events:
            found.apply(event)
        return found

    def open_batches(self) -> list[BatchRun]:
        """Return the runs that have not ended."""
        return [batch for batch in self.batches.values() if batch.stage != "ended"]


def _admitted(where: Whereabouts, trial: int | None, body: Mapping[str, Any], _at_s: float) -> None:
    if trial is not None:
        where.journeys[trial] = Journey(trial=trial, sample=body["sample"], home=body["home"], at=body["at"])


def _moved(where: Whereabouts, trial: int | None, body: Mapping[str, Any], _at_s: float) -> None:
    journey = where.journeys[trial or 0]
    journey.at, journey.moves = body["at"], journey.moves + 1


def _not_moved(where: Whereabouts, trial: int | None, _body: Mapping[str, Any], _at_s: float) -> None:
    where.journeys[trial or 0].moves += 1


def _lost(where: Whereabouts, trial: int | None, _body: Mapping[str, Any], _at_s: float) -> None:
    journey = where.journeys[trial or 0]
    journey.at, journey.moves = None, journey.moves + 1


def _visit_began(where: Whereabouts, trial: int | None, body: Mapping[str, Any], at_s: float) -> None:
    journey = where.journeys[trial or 0]
    journey.visit, journey.place, journey.began_s = body["path"], body["place"], at_s


def _visit_ended(where: Whereabouts, trial: int | None, body: Mapping[str, Any], at_s: float) -> None:
    journey = where.journeys[trial or 0]
    journey.done[body["path"]] = body["place"]
    journey.visit = journey.place = journey.batch = journey.began_s = None
    journey.done_s = at_s


def _left(where: Whereabouts, trial: int | None, _body: Mapping[str, Any], _at_s: float) -> None:
    journey = where.journeys[trial or 0]
    journey.has_left, journey.batch = True, None


def _batch_formed(where: Whereabouts, _trial: int | None, body: Mapping[str, Any], at_s: float) -> None:
    places = {int(trial): place for trial, place in body["places"].items()}
    batch = BatchRun(name=body["batch"], station=body["station"], path=body["path"], places=places, formed_s=at_s)
    where.batches[batch.name] = batch
    for trial, place in places.items():
        journey = where.journeys[trial]
        journey.batch, journey.visit, journey.place = batch.name, batch.path, place


def _batch_loaded(where: Whereabouts, _trial: int | None, body: Mapping[str, Any], at_s: float) -> None:
    where.batches[body["batch"]].stage = "loaded"
    where.batches[body["batch"]].loaded_s = at_s


def _batch_fired(where: Whereabouts, _trial: int | None, body: Mapping[str, Any], _at_s: float) -> None:
    where.batches[body["batch"]].stage = "fired"


def _batch_failed(where: Whereabouts, _trial: int | None, body: Mapping[str, Any], _at_s: float) -> None:
    where.batches[body["batch"]].stage = "failed"
    where.batches[body["batch"]].failure = body["text"]


def _batch_ended(where: Whereabouts, _trial: int | None, body: Mapping[str, Any], _at_s: float) -> None:
    batch = where.batches[body["batch"]]
    batch.stage = "ended"
    for trial in batch.places:
        if where.journeys[trial].batch == batch.name:  # it was not taken in: it waits for another run
            where.journeys[trial].batch = where.journeys[trial].visit = where.journeys[trial].place = None


def _doubted(where: Whereabouts, _trial: int | None, body: Mapping[str, Any], at_s: float) -> None:
    where.n_doubts += 1
    where.doubted_s[body["name"]] = at_s
    where.doubted[body["name"]] = Doubt(**{**body, "closed": tuple(body["closed"])})


def _seen_to(where: Whereabouts, _trial: int | None, body: Mapping[str, Any], _at_s: float) -> None:
    where.doubted.pop(body["name"], None)
    where.doubted_s.pop(body["name"], None)


def _made_safe(where: Whereabouts, _trial: int | None, body: Mapping[str, Any], at_s: float) -> None:
    where.made_safe_s.update(dict.fromkeys(body["devices"], at_s))


def _guard_told(where: Whereabouts, _trial: int | None, body: Mapping[str, Any], at_s: float) -> None:
    if body["kind"] == "stopping":
        where.made_safe_s[body["facts"]["device"]] = at_s


TOLD = "guard_told"
"""The kind of the events in which the journal keeps what a guard told."""

_HANDLERS: Mapping[str, Callable[[Whereabouts, int | None, Mapping[str, Any], float], None]] = {
    "sample_admitted": _admitted,
    "sample_moved": _moved,
    "sample_not_moved": _not_moved,
    "sample_lost": _lost,
    "sample_left": _left,
    "visit_began": _visit_began,
    "visit_ended": _visit_ended,
    "batch_formed": _batch_formed,
    "batch_loaded": _batch_loaded,
    "batch_fired": _batch_fired,
    "batch_failed": _batch_failed,
    "batch_ended": _batch_ended,
    "doubted": _doubted,
    "seen_to": _seen_to,
    "made_safe": _made_safe,
    TOLD: _guard_told,
}

KINDS = tuple(_HANDLERS)
"""Kinds of events that samples' whereabouts follow from."""
