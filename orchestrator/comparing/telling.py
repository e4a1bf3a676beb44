"""A comparison in words and numbers: cells of its tables, and everything as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.comparing.summary import Comparison, Pair, Row, band
from orchestrator.words import number, plural, unit_sign
from planner.comparison import LEVEL, Estimate


def head(comparison: Comparison) -> list[str]:
    """Return the head of the table of planners."""
    measure = comparison.measure
    unit = f" / {unit_sign(measure.unit)}" if unit_sign(measure.unit) else ""
    level = number(comparison.level, 3) if math.isfinite(comparison.level) else "any value"
    return [
        "planner",
        "runs",
        *(f"after {stop}{unit}" for stop in comparison.stops),
        f"{comparison.along.word} to {level}",
        "failed",
        "lost",
        "violations",
        "CPU s",
    ]


def cells(row: Row, comparison: Comparison) -> list[str]:
    """Return the cells of one planner."""
    return [
        row.label,
        str(row.n_runs),
        *(spread(row.at[stop]) for stop in comparison.stops),
        f"{_reach(row.reach, comparison)} ({row.n_reached} of {row.n_runs})",
        number(row.failed, 3),
        number(row.lost, 3),
        str(row.violations),
        number(row.cpu_s, 3),
    ]


def spread(values: Iterable[float]) -> str:
    """Return a median with its quartiles."""
    middle, low, high = (number(value, 3) for value in values)
    return f"{middle} [{low}, {high}]"


def _reach(values: Sequence[float], comparison: Comparison) -> str:
    beyond = f">{comparison.stops[-1]}"
    middle, low, high = (number(value, 3) if math.isfinite(value) else beyond for value in values)
    return f"{middle} [{low}, {high}]"


def pair_sentence(pair: Pair, comparison: Comparison) -> str:
    """Say by how much one planner beats another."""
    if pair.gain is None:
        return f"{pair.second} and {pair.first}: {plural(pair.n_seeds, 'seed')} in common, too few to say"
    unit = _of(unit_sign(comparison.measure.unit))
    size, low, high = (number(value, 3) for value in _turned(pair.gain))
    seeds = plural(pair.n_seeds, "seed")
    if pair.gain.value == 0:
        return f"{pair.second} and {pair.first}: no difference in the median [{low}, {high}]{unit} over {seeds}"
    is_better = pair.gain.value > 0
    wins = pair.wins if is_better else pair.n_seeds - pair.wins - pair.ties
    found = f"{pair.second} is {size}{unit} {'better' if is_better else 'worse'} than {pair.first}"
    if pair.gain.low <= 0 <= pair.gain.high:
        better, worse = number(max(pair.gain.high, 0.0), 3), number(max(-pair.gain.low, 0.0), 3)
        doubt = f"but anything from {better} better to {worse}{unit} worse may be"
        return f"{found} in the median, on {wins} of {seeds}, {doubt}"
    return f"{found} [{low}, {high}], on {wins} of {seeds}"


def _turned(gain: Estimate) -> tuple[float, float, float]:
    """Return a difference with its interval, turned so that the difference is not negative."""
    return (-gain.value, -gain.high, -gain.low) if gain.value < 0 else (gain.value, gain.low, gain.high)


def _of(unit: str) -> str:
    return f" {unit}" if unit else ""


def legend(comparison: Comparison) -> str:
    """Say what the numbers are."""
    measure = comparison.measure
    return (
        f"Compared by: {measure.title}{_in(measure.unit)}, {measure.better} is better. {measure.note} Medians with "
        "quartiles over the runs; differences are medians over the seeds that both have, with "
        f"{LEVEL:.0%} bootstrap intervals, at the end of the budget of {comparison.along.end}."
    )


def _in(unit: str) -> str:
    return f" in {unit_sign(unit)}" if unit_sign(unit) else ""


def data(comparison: Comparison) -> dict[str, Any]:
    """Return everything as JSON values."""
    measure = comparison.measure
    return {
        "campaign": comparison.campaign.name,
        "budget": comparison.budget,
        "along": {"what": comparison.along.word, "places": comparison.along.places.tolist()},
        "measure": {
            "kind": measure.kind,
            "title": measure.title,
            "unit": measure.unit,
            "better": measure.better,
            "note": measure.note,
        },
        "level": _plain(comparison.level),
        "planners": [
            {
                **{name: value for name, value in asdict(row).items() if name not in ("at", "reach")},
                "seeds": [run.seed for run in comparison.runs[row.label]],
                "at": {stop: [_plain(value) for value in row.at[stop]] for stop in comparison.stops},
                f"{comparison.along.word}_to_level": [_plain(value) for value in row.reach],
                **_curves(comparison, row.label),
            }
            for row in comparison.rows
        ],
        "pairs": [asdict(pair) for pair in comparison.pairs],
        "remarks": list(comparison.remarks),
    }


def _curves(comparison: Comparison, label: str) -> dict[str, Any]:
    curves = comparison.measure.curves[label]
    middle, low, high = band(curves, comparison.measure.sign)
    return {
        "median": [_plain(value) for value in middle],
        "lower_quartile": [_plain(value) for value in low],
        "upper_quartile": [_plain(value) for value in high],
        "curves": [[_plain(value) for value in curve] for curve in curves],
    }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
