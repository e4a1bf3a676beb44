"""What the page's script needs, gathered from the tables: plain values, in the order of the trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.fidelities import counts
from orchestrator.goals import leading, rank, worded
from orchestrator.reading import Snapshot
from orchestrator.report.posterior import Posterior
from orchestrator.report.spectra import pack_spectra
from orchestrator.report.timeline import pack_timeline
from orchestrator.words import label, unit_sign

NINETY_PERCENT = 1.645
"""Standard deviations on either side of the mean that hold 90% of a normal distribution."""

_PLAIN = ("maximize", "minimize", "learn", "classify")
"""Directions that a word says; of others the numbers belong to the goal."""
MOST_OBSERVATIONS = 20_000
MOST_DETAIL_NUMBERS = 150_000
MOST_DETAIL_LENGTH = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The page's data, and what a reader must know of them."""

    payload: Mapping[str, Any]
    notices: Sequence[str]


def gather(snapshot: Snapshot, posterior: Posterior) -> Gathered:
    """Collect the data of every chart."""
    parameters, objectives = parameter_facts(snapshot), snapshot.campaign.config.get("objectives", [])
    declared = snapshot.campaign.config.get("parameters", [])
    spectra = pack_spectra(snapshot)
    observations, notices = _observations(snapshot, parameters)
    details, more = _details(snapshot)
    payload = {
        "mode": snapshot.campaign.mode,
        "end_s": snapshot.journal.last_s,
        "parameters": parameters,
        "objectives": objective_facts(snapshot),
        "objective": leading_fact(snapshot),
        "trials": [
            _trial(one, parameters, objectives, is_ranked=counts(declared, one.parameters)) for one in snapshot.trials
        ],
        "asks": _asks(snapshot),
        "observations": observations,
        "details": details,
        "honesty": _honesty(snapshot),
        "posterior": posterior.payload,
        "posterior_why_not": posterior.why_not,
        "spectra": spectra.payload(),
        "timeline": pack_timeline(snapshot),
        "steps": _steps(snapshot),
    }
    return Gathered(payload=payload, notices=[*spectra.notices, *notices, *more])


def parameter_facts(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return name, label, unit and range of each parameter, in the order of the campaign file."""
    declared = {str(item["name"]): item for item in snapshot.campaign.config.get("parameters", [])}
    used = dict.fromkeys(name for trial in snapshot.trials for name in trial.parameters)
    found = []
    for name in dict.fromkeys([*declared, *used]):
        item = declared.get(name, {})
        values = [trial.parameters.get(name) for trial in snapshot.trials]
        is_text = item.get("kind") == "categorical" or any(isinstance(value, str) for value in values)
        numbers = [value for value in values if isinstance(value, int | float)]
        levels = item.get("levels") or item.get("values") or []
        if item.get("kind") == "fidelity":
            levels = sorted(levels, key=levels.__getitem__)  # the cheapest first
        found.append(
            {
                "name": name,
                "label": label(name),
                "unit": unit_sign(item.get("unit")),
                "log": item.get("scale") == "log",
                "low": item.get("low", min([*numbers, *_numbers(levels)], default=None)),
                "high": item.get("high", max([*numbers, *_numbers(levels)], default=None)),
                "words": list(dict.fromkeys([*map(str, levels), *map(str, values)])) if is_text else None,
            }
        )
    return found


def objective_facts(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return name, label, unit and direction of each objective."""
    return [
        {
            "name": item["name"],
            "label": label(item["name"]),
            "unit": unit_sign(item.get("unit")),
            "direction": item.get("direction", "learn"),
            "goal": "" if item.get("direction", "learn") in _PLAIN else worded(item),
        }
        for item in snapshot.campaign.config.get("objectives", [])
    ]


def leading_fact(snapshot: Snapshot) -> dict[str, Any] | None:
    """Return the facts of the objective that the campaign is judged by first."""
    facts = objective_facts(snapshot)
    return leading(facts) if facts else None


def _numbers(values: Sequence[Any]) -> list[float]:
    return [value for value in values if isinstance(value, int | float)]


def _trial(
    trial: Any, parameters: Sequence[Mapping[str, Any]], objectives: Sequence[Any], *, is_ranked: bool
) -> dict[str, Any]:
    is_ranked = is_ranked and trial.outcome == "measured"
    merit = (rank(objectives, trial.values) or (None,))[0] if is_ranked else None
    return {
        "n": trial.number,
        "o": trial.outcome or "open",
        "why": trial.reason,
        "c": trial.is_control,
        "a": trial.ask,
        "p": [trial.parameters.get(item["name"]) for item in parameters],
        "v": trial.values,
        "m": merit,
        "e": {name: [found.get("mean"), found.get("sd")] for name, found in trial.predictions.items()},
        "r": trial.proposal_reason,
        "s": trial.sample,
        "t": [trial.accepted_s, trial.started_s, trial.finished_s],
    }


def _honesty(snapshot: Snapshot) -> tuple[int, int]:
    """Return how many measured values lay in the 90% interval predicted for them, and out of how many.

    The interval is that of a measurement: the prediction's spread and the observation's own together.
    """
    noise = {row.trial: row.sd for row in snapshot.observations}
    objective = leading_fact(snapshot)
    if objective is None or objective["direction"] in ("learn", "classify"):
        return 0, 0
    name = objective["name"]
    found = []
    for trial in snapshot.trials:
        foreseen, value = trial.predictions.get(name) or {}, trial.values.get(name)
        if trial.outcome == "measured" and value is not None and foreseen.get("sd") is not None:
            spread = math.hypot(foreseen["sd"], noise.get(trial.number, {}).get(name) or 0.0)
            found.append(abs(value - foreseen["mean"]) <= NINETY_PERCENT * spread)
    return sum(found), len(found)


def _asks(snapshot: Snapshot) -> dict[str, Any]:
    """Return one list per fact, and one per diagnostic that is a number at least once."""
    names = dict.fromkeys(
        name for ask in snapshot.asks for name, value in ask.diagnostics.items() if isinstance(value, int | float)
    )
    first = {}
    for trial in snapshot.trials:
        first.setdefault(trial.ask, trial.number)
    return {
        "index": [ask.index for ask in snapshot.asks],
        "before": [first.get(ask.index, 1) - 1 for ask in snapshot.asks],
        "at": [ask.asked_s for ask in snapshot.asks],
        "wall": [ask.wall_s for ask in snapshot.asks],
        "diagnostics": {name: [_number(ask.diagnostics.get(name)) for ask in snapshot.asks] for name in names},
    }


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _observations(
    snapshot: Snapshot, parameters: Sequence[Mapping[str, Any]]
) -> tuple[dict[int, dict[str, Any]], list[str]]:
    """Return by trial: points, and a list of values and one of standard deviations for each objective."""
    targets = [item["name"] for item in objective_facts(snapshot)]
    rows = [row for row in snapshot.observations if row.failure is None][:MOST_OBSERVATIONS]
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        one = found.setdefault(row.trial, {"p": [], **{part: {name: [] for name in targets} for part in ("v", "sd")}})
        one["p"].append([row.parameters.get(item["name"]) for item in parameters])
        for name in targets:
            one["v"][name].append(row.values.get(name))
            one["sd"][name].append(row.sd.get(name))
    total = len(snapshot.observations)
    left_out = f"The page holds {MOST_OBSERVATIONS} of {total} observations; `labpilot export` has them all."
    return found, [left_out] if total > MOST_OBSERVATIONS else []


def _details(snapshot: Snapshot) -> tuple[dict[int, dict[str, Any]], list[str]]:
    """Return what the analyses left for the report: numbers, words and curves by trial."""
    found: dict[int, dict[str, Any]] = {}
    room = MOST_DETAIL_NUMBERS
    left_out = 0
    for trial in snapshot.trials:
        details = {name: _shortened(value) for name, value in trial.details.items()}
        cost = sum(_count(value) for value in details.values())
        if cost > room:
            left_out += 1
            continue
        room -= cost
        if details:
            found[trial.number] = details
    text = f"The page leaves out the analysis curves of {left_out} trials, for want of space."
    return found, [text] if left_out else []


def _shortened(value: Any) -> Any:
    """Keep every so manieth entry of a long list; a curve stays one."""
    if not isinstance(value, list):
        return value
    stride = -(-len(value) // MOST_DETAIL_LENGTH)
    return [_shortened(item) for item in value[:: max(1, stride)]]


def _count(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(_count(item) for item in value.values())
    return sum(_count(item) for item in value) if isinstance(value, list) else 1


def _steps(snapshot: Snapshot) -> dict[int, list[list[Any]]]:
    """Return, by trial, the steps that did not simply succeed; the chart of instruments holds all of them."""
    found: dict[int, list[list[Any]]] = {}
    for step in snapshot.steps:
        if step.state != "done" or step.settled_by or step.attempts > 1:
            row = [step.device, step.command, step.label, step.state, step.attempts, step.settled_by, step.error]
            found.setdefault(step.trial, []).append(row)
    return found
