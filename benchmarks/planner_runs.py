"""One run of `planners.py`: a planner in a process of its own, a problem in this one."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from types import TracebackType
from typing import Any

from planner_peers import ENTRIES, Entry
from planner_problems import Problem
from planner_space import Point
from planner_store import Run, rounded
from planner_versions import own_version

WORKER = Path(__file__).with_name("planner_worker.py")
ROOT = WORKER.parents[1]
_POINT_DIGITS = 4


class WorkerEnded(Exception):
    """A planner's process ended before it answered; says why."""


class Environments:
    """The interpreters that planners live in.

    Args:
        folder: Where `prepare` made the peers' environments; None where there are none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def python(self, entry: Entry) -> Path | None:
        """Return a planner's interpreter; None where its environment was not prepared."""
        if entry.environment is None:
            return Path(sys.executable)
        if self._folder is None:
            return None
        python = self._folder / entry.environment / "bin" / "python"
        return python.absolute() if python.exists() else None

    def version(self, entry: Entry) -> str | None:
        """Return the version that is installed in a planner's environment."""
        python = self.python(entry)
        if python is None:
            return None
        if entry.distribution is None:
            return own_version()
        sites = [str(site) for site in python.parents[1].glob("lib/python*/site-packages")]
        found = distributions(name=entry.distribution, path=sites if entry.environment else sys.path)
        return next((each.version for each in found), None)


class Worker:
    """A planner's process; see `planner_worker.py` for what passes.

    Args:
        planner: A name in `planner_peers.ENTRIES`.
        python: Its interpreter.
        limit_s: CPU seconds after which the system ends it.
    """

    def __init__(self, planner: str, python: Path, limit_s: int) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        if ENTRIES[planner].environment is not None:
            del environment["PYTHONPATH"]
        self._process = subprocess.Popen(
            [str(python), str(WORKER), planner],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 5)),
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def call(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send one message and return its answer.

        Raises:
            WorkerEnded: It was ended by the limit, cannot express the problem, or failed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerEnded(self._why()) from None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise WorkerEnded(self._why())
        answer = json.loads(line)
        for ending in ("unsupported", "error"):
            if ending in answer:
                raise WorkerEnded(f"{ending}: {answer[ending]}")
        return answer

    def _why(self) -> str:
        code = self._process.wait()
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return "time"
        assert self._process.stderr is not None
        told = self._process.stderr.read().strip().splitlines()
        return f"error: the process ended with {code}: {told[-1] if told else ''}"[:300]


class Trials:
    """What was tried in one run.

    Args:
        problem: What is tried on.
        seed: Of the first points and the noise.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self._seed = seed
        self._tried: set[tuple[int, ...]] = set()
        self.points: list[Point] = []
        self.observed: list[float | None] = []
        self.true: list[float | None] = []
        self.duplicates = 0
        self.violations = 0

    def measure(self, point: Point) -> float | None:
        """Try a point; return what is observed, or None where it fails."""
        true = self._problem.truth(point)
        observed = None if true is None else self._problem.observed(true, self._seed, len(self.points))
        key = self._problem.space.key(point)
        self.duplicates += key in self._tried
        self.violations += bool(self._problem.space.violations(point))
        self._tried.add(key)
        self.points.append(point)
        self.true.append(true)
        self.observed.append(observed)
        return observed


def perform(planner: str, problem: Problem, seed: int, budget: int, python: Path, limit_s: int) -> Run:
    """Let a planner work on a problem until the budget is spent, or something ends it.

    Args:
        planner: A name in `planner_peers.ENTRIES`.
        problem: The problem.
        seed: Of first points, noise and planner.
        budget: Trials in all, the first ones included.
        python: The planner's interpreter.
        limit_s: CPU seconds that the planner may use.
    """
    trials, cpu_s, version, stopped = Trials(problem, seed), [], "", ""
    fresh: list[tuple[Point, float | None]] = [(point, trials.measure(point)) for point in problem.initial(seed)]
    n_initial, duplicates = len(fresh), trials.duplicates
    with Worker(planner, python, limit_s) as worker:
        try:
            version = worker.call({"space": problem.space.to_json(), "seed": seed})["version"]
            while len(trials.points) < budget:
                answer = worker.call({"tell": fresh, "n": 1})
                cpu_s.append(rounded(answer["cpu_s"], 3))
                fresh = [(point, trials.measure(point)) for point in answer["points"]]
        except WorkerEnded as reason:
            stopped = str(reason)
    return Run(
        planner=planner,
        version=version,
        problem=problem.name,
        revision=problem.revision,
        seed=seed,
        n_initial=n_initial,
        observed=_rounded(trials.observed),
        true=_rounded(trials.true),
        points=[_compact(problem, point) for point in trials.points[n_initial:]],
        cpu_s=cpu_s,
        duplicates=trials.duplicates - duplicates,
        violations=trials.violations,
        stopped=stopped,
    )


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else rounded(value) for value in values]


def _compact(problem: Problem, point: Point) -> list[Any]:
    values = [point[name] for name in problem.space.names]
    return [value if isinstance(value, str) else rounded(value, _POINT_DIGITS) for value in values]
