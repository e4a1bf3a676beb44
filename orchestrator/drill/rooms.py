"""Drills: samples, furnaces, doors and stock, as simulated worlds let them go wrong.

A world offers its accidents by an entry point of the group ``labpilot.accidents``: a function from the name of an
accident to the options of the world with which it is bound to happen in a short campaign, or None where it cannot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from orchestrator.drill.catalogue import Drill, all_of
from orchestrator.drill.ground import NotOffered, Outcome, Play

ACCIDENTS = "labpilot.accidents"
SEEDS = 12
"""Seeds that are tried until an accident that is left to chance has happened."""


def _accident(name: str, *more: str, happened: Callable[[Outcome], bool]) -> Callable[[Play], None]:
    def act(play: Play) -> None:
        options = _options(play, name)
        for seed in range(SEEDS):
            trial = play.ground.play(f"{play.path.name}-{seed}")
            trial.start(*options, *more, f"seed={seed}")
            trial.finish()
            outcome = trial.outcome()
            if happened(outcome):
                play.path, play.said = trial.path, trial.said
                return
        raise NotOffered(f"it did not happen in {SEEDS} short campaigns")

    return act


def _options(play: Play, name: str) -> list[str]:
    """Return the settings of the laboratory with which an accident happens.

    Raises:
        NotOffered: None of its worlds knows it.
    """
    offered = {entry.name: entry for entry in entry_points(group=ACCIDENTS)}
    for world in play.ground.worlds:
        found: Mapping[str, Any] | None = offered[world].load()(name) if world in offered else None
        if found is not None:
            return [f"lab.simulation.{world}.{key}={json.dumps(value)}" for key, value in found.items()]
    raise NotOffered("no simulated world of this laboratory knows it")


def _doubted(kind: str, code: str = "") -> Callable[[Outcome], bool]:
    def happened(outcome: Outcome) -> bool:
        doubts = [event.body for event in outcome.of("doubted")]
        return any(doubt["kind"] == kind and doubt["facts"].get("code", "") in ("", code) for doubt in doubts)

    return happened


def _told(*words: str) -> Callable[[Outcome], bool]:
    def happened(outcome: Outcome) -> bool:
        texts = [str(event.body.get("text") or event.body.get("error") or "") for event in outcome.events]
        return any(word in text for text in texts for word in words)

    return happened


def _always(_outcome: Outcome) -> bool:
    return True


def _seen_to(outcome: Outcome) -> str:
    asked, answered = len(outcome.of("doubted")), len(outcome.of("seen_to"))
    return "" if asked <= answered + 1 else f"{asked - answered} doubts were never seen to"


_ROWS: tuple[tuple[str, str, str, tuple[str, ...], Callable[[Outcome], bool]], ...] = (
    (
        "dropped",
        "a sample is dropped",
        "its trial is lost; where it may lie is closed until a person has looked; the others go on",
        (),
        _doubted("lost", "dropped"),
    ),
    (
        "not-gripped",
        "a robot does not get hold of a sample",
        "it tries again, and its trial goes on",
        (),
        lambda outcome: bool(outcome.of("sample_not_moved")),
    ),
    (
        "askew",
        "a sample stands askew and cannot be gripped",
        "three tries, then a person straightens it, and its trial goes on",
        (),
        _doubted("askew"),
    ),
    (
        "clogged",
        "a doser is clogged",
        "it is out of service until a person has seen to it; samples that do not need it go on",
        (),
        _doubted("device", "clogged"),
    ),
    (
        "powder-empty",
        "a powder runs out",
        "the doser is out of service until it is filled, then its samples go on",
        (),
        _doubted("device", "empty"),
    ),
    (
        "magazine-empty",
        "the magazine holds no container any more",
        "a restock is asked for, samples wait, no trial is lost",
        (),
        _doubted("restock"),
    ),
    (
        "power-loss",
        "a furnace loses power for ten minutes",
        "its program is not restarted: its samples are lost with the reason, and somebody looks before it runs again",
        (),
        _doubted("furnace"),
    ),
    (
        "too-hot",
        "a furnace is hotter than it says",
        "what the pattern shows is told as it is; nothing is unsafe",
        (),
        _always,
    ),
    (
        "wrong-hold",
        "a furnace holds for longer or shorter than it was told",
        "the program's own end is waited for, not a clock",
        (),
        _always,
    ),
    (
        "jammed-door",
        "a furnace's door jams",
        "no arm reaches in; a person frees it, and its samples go on",
        (),
        _doubted("furnace"),
    ),
    (
        "open-door",
        "somebody opens the enclosure while robots move",
        "they stand still at once; what was moved is read back, and goes on once it is closed",
        (),
        _always,
    ),
    (
        "full-racks",
        "racks are full and everybody wants another's place",
        "every sample has a home of its own; nobody waits for ever",
        ("in_flight=8", "batch=4", "budget.trials=8"),
        _always,
    ),
    (
        "bad-wires",
        "one exchange in a hundred goes wrong on every wire",
        "every command is settled by its effect",
        (),
        _told("trying again", "read back"),
    ),
)

DRILLS = tuple(
    Drill(name=name, fault=fault, right=right, act=_accident(name, *more, happened=happened), wrong=all_of(_seen_to))
    for name, fault, right, more, happened in _ROWS
)
