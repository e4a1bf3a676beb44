"""What a replayed laboratory is told: the campaign's `replay` section, its parameters and its objectives.

    {"table": "yields.csv", "mode": "pool", "columns": {"time": {"column": "t (s)", "unit": "s"}},
     "parameters": [{"name": "time", "kind": "continuous", "unit": "min", "low": 1.0, "high": 10.0}],
     "objectives": [{"name": "yield", "unit": "%"}],
     "failure": {"column": "yield", "equals": 0}, "duration_s": 1800.0, "capacity": 4}

A parameter or objective without an entry in `columns` is in the column of its own name, in the campaign's unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

Mode = Literal["pool", "emulator"]
Kind = Literal["continuous", "integer", "categorical"]
Value = float | int | str

KNOWN_KEYS = ("table", "mode", "columns", "parameters", "objectives", "failure", "duration_s", "capacity")
COLUMN_KEYS = ("column", "unit")
FAILURE_KEYS = ("column", "equals")
DEFAULT_DURATION_S = 3600.0
NO_TABLE = (
    "no table is given: this campaign replays results that somebody measured, and labpilot ships none of those; "
    "give the file with --set replay.table=PATH"
)


class TableProblems(ValueError):
    """A table, or what was said about it, cannot be used; `problems` lists every reason as a sentence."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One parameter and the column that it was recorded in."""

    name: str
    kind: Kind
    column: str
    column_unit: str
    unit: str
    """The campaign's unit: proposals, bounds and levels are in it."""
    low: float = -math.inf
    high: float = math.inf
    levels: tuple[Value, ...] | None = None
    words: frozenset[str] = field(init=False, compare=False)
    """The levels as text, for pools of thousands."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", frozenset(map(str, self.levels or ())))

    @property
    def is_categorical(self) -> bool:
        """Whether the values are words."""
        return self.kind == "categorical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One measured quantity and its column."""

    name: str
    column: str
    column_unit: str
    unit: str
    """The campaign's unit: values are told in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How the table marks a run that gave no result."""

    column: str
    equals: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """Everything that a replayed laboratory is told, checked."""

    table: Path
    mode: Mode
    axes: tuple[Axis, ...]
    targets: tuple[Target, ...]
    failure: Failure | None
    duration_s: float
    capacity: int


def read_options(options: Mapping[str, Any]) -> ReplayOptions:
    """Check the options and give them a shape.

    Raises:
        TableProblems: Everything that is wrong with them, at once.
    """
    columns = options.get("columns") or {}
    axes = tuple(_axis(entry, columns) for entry in options.get("parameters") or ())
    targets = tuple(_target(entry, columns) for entry in options.get("objectives") or ())
    problems = [
        *_unknown_keys("replay", options, KNOWN_KEYS),
        *_scalar_problems(options),
        *_column_problems(columns, [entry.name for entry in (*axes, *targets)]),
        *_failure_problems(options.get("failure")),
        *([] if axes else ["no parameter: a replayed laboratory needs at least one, and its column"]),
        *([] if targets else ["no objective: a replayed laboratory needs at least one, and its column"]),
    ]
    if problems:
        raise TableProblems(problems)
    failure = options.get("failure")
    return ReplayOptions(
        table=Path(options["table"]).expanduser(),
        mode=options.get("mode", "pool"),
        axes=axes,
        targets=targets,
        failure=Failure(column=failure["column"], equals=failure["equals"]) if failure else None,
        duration_s=float(options.get("duration_s", DEFAULT_DURATION_S)),
        capacity=int(options.get("capacity", 1)),
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest known name, or nothing where none is near."""
    folded = {item.casefold(): item for item in known}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def _axis(entry: Mapping[str, Any], columns: Mapping[str, Any]) -> Axis:
    said, unit = columns.get(entry["name"]) or {}, entry.get("unit") or "1"
    kind, levels = entry.get("kind", "continuous"), entry.get("levels")
    numbers = levels if levels and kind != "categorical" else ()
    low = entry.get("low") if entry.get("low") is not None else min(numbers, default=None)
    high = entry.get("high") if entry.get("high") is not None else max(numbers, default=None)
    return Axis(
        name=entry["name"],
        kind=kind,
        column=said.get("column") or entry["name"],
        column_unit=said.get("unit") or unit,
        unit=unit,
        low=-math.inf if low is None else float(low),
        high=math.inf if high is None else float(high),
        levels=tuple(levels) if levels else None,
    )


def _target(entry: Mapping[str, Any], columns: Mapping[str, Any]) -> Target:
    said, unit = columns.get(entry["name"]) or {}, entry.get("unit") or "1"
    return Target(
        name=entry["name"],
        column=said.get("column") or entry["name"],
        column_unit=said.get("unit") or unit,
        unit=unit,
    )


def _unknown_keys(where: str, given: Iterable[str], known: Sequence[str]) -> list[str]:
    return [f"{where}.{key}: unknown key{did_you_mean(key, known)}" for key in given if key not in known]


def _scalar_problems(options: Mapping[str, Any]) -> list[str]:
    problems = [] if options.get("table") else [NO_TABLE]
    mode, known = options.get("mode", "pool"), get_args(Mode)
    if mode not in known:
        problems.append(f"replay.mode must be {' or '.join(known)}, not {mode!r}{did_you_mean(str(mode), known)}")
    duration_s = options.get("duration_s", DEFAULT_DURATION_S)
    if not _is_number(duration_s) or not 0 < duration_s < math.inf:
        problems.append(f"replay.duration must be a positive time, not {duration_s!r} s")
    capacity = options.get("capacity", 1)
    if not _is_number(capacity) or capacity != capacity // 1 or capacity < 1:
        problems.append(f"replay.capacity must be a whole number of at least 1, not {capacity!r}")
    return problems


def _column_problems(columns: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    problems = [
        f"replay.columns.{name}: the campaign has no parameter or objective of that name{did_you_mean(name, names)}"
        for name in columns
        if name not in names
    ]
    for name, said in columns.items():
        problems += _unknown_keys(f"replay.columns.{name}", said or {}, COLUMN_KEYS)
    return problems


def _failure_problems(failure: Mapping[str, Any] | None) -> list[str]:
    if not failure:
        return []
    missing = [f"replay.failure needs {key!r}" for key in FAILURE_KEYS if failure.get(key) is None]
    return missing + _unknown_keys("replay.failure", failure, FAILURE_KEYS)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
