"""Results of `planners.py` on disk: one line of JSON for each run, one file for each planner and problem.

A run is written when it has ended. A line that was cut off by a kill is dropped when the file is next read, and its run
is made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from planner_space import Value

RESULTS = Path(__file__).parent / "results" / "planners"
_DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class Run:
    """One planner on one problem with one seed."""

    planner: str
    version: str
    problem: str
    revision: int
    seed: int
    n_initial: int
    observed: list[float | None]
    """Of every trial, the first ones included; None where it failed."""
    true: list[float | None]
    points: list[list[Value]]
    """What was asked for after the first ones, in the order of the space's parameters; rounded."""
    cpu_s: list[float]
    """Of tell and ask, one for each point."""
    duplicates: int = 0
    """Trials after the first ones whose point had been tried before."""
    violations: int = 0
    """Trials after the first ones that break the space's own definition."""
    stopped: str = ""
    """Why the run ended before its budget: ``time``, ``unsupported: ...`` or ``error: ...``; empty where it did not."""

    @property
    def failures(self) -> int:
        """Trials after the first ones that gave no result."""
        return sum(value is None for value in self.true[self.n_initial :])

    @property
    def is_unsupported(self) -> bool:
        """Whether the planner cannot express the problem."""
        return self.stopped.startswith("unsupported")


class Store:
    """The runs below a folder."""

    def __init__(self, folder: Path = RESULTS) -> None:
        self._folder = folder

    def file(self, planner: str, problem: str) -> Path:
        """Return where runs are kept."""
        return self._folder / planner / f"{problem}.jsonl"

    def runs(self, planner: str, problem: str) -> dict[int, Run]:
        """Return the runs of a planner on a problem by seed."""
        file = self.file(planner, problem)
        if not file.exists():
            return {}
        whole = [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
        runs = [Run(**json.loads(line)) for line in whole]
        return {run.seed: run for run in runs}

    def put(self, run: Run) -> None:
        """Keep a run, in place of an older one of its seed."""
        kept = self.runs(run.planner, run.problem) | {run.seed: run}
        file = self.file(run.planner, run.problem)
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        with fresh.open("w") as stream:
            stream.writelines(_lines(kept.values()))
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(file)

    def has(self, run: tuple[str, str, int], version: str, revision: int) -> bool:
        """Say whether a run (planner, problem, seed) of this version and revision is kept."""
        planner, problem, seed = run
        kept = self.runs(planner, problem).get(seed)
        return kept is not None and (kept.version, kept.revision) == (version, revision)


def rounded(value: float, digits: int = _DIGITS) -> float:
    """Return a number with few digits."""
    return float(f"{value:.{digits}g}")


def _lines(runs: Iterable[Run]) -> list[str]:
    ordered = sorted(runs, key=lambda run: run.seed)
    return [json.dumps(asdict(run), separators=(",", ":")) + "\n" for run in ordered]
