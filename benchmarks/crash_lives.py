"""Lives of one sample under a controller that is killed, each in a folder and in processes of its own."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from crash_judges import Story, Verdict, compare, story
from crash_watch import Moment, Watch, install

from drivers import registry
from drivers.clock import VirtualLoop
from orchestrator import execution, worlds
from orchestrator.check import Ready
from orchestrator.errors import InputError
from orchestrator.execution import Settings, resume, start
from surrogate import ANALYSES, AnalysisResult

LIMIT_S = 120
"""Wall time that a life may take; one that takes more hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One life to end, and perhaps its recovery as well."""

    moment: Moment
    again: int = 0
    """The moment of the recovery's journal at which it is killed too; 0: it is not."""

    @property
    def name(self) -> str:
        """Return what `--only` takes."""
        return f"{self.moment.number}.{self.again}" if self.again else str(self.moment.number)


class _Computed:
    """An analysis that is pure, so that equal patterns of killed lives need be analysed once only."""

    def __init__(self, real: Any) -> None:
        self.name, self.version, self.problems = real.name, real.version, real.problems
        self._real = real
        self._known: dict[str, AnalysisResult] = {}

    def __call__(self, measurements: Any, *, options: Any) -> AnalysisResult:
        arrays = [value.tobytes() for one in measurements for value in one.arrays.values()]
        asked = json.dumps(options, sort_keys=True, default=str).encode()
        key = hashlib.sha256(b"".join([asked, *arrays])).hexdigest()
        if key not in self._known:
            self._known[key] = self._real(measurements, options=options)
        return self._known[key]


class Lives:
    """Lives of one sample, each in a folder and in processes of its own."""

    def __init__(self, folder: Path, task: Ready, *, down_s: float) -> None:
        self._folder, self._task, self._down_s = folder, task, down_s
        self._whole: Story | None = None

    def live_once(self) -> list[Moment]:
        """Live one whole life, and return its moments; what it loads and computes, later lives have."""
        ANALYSES["phase_yield"] = _Computed(ANALYSES["phase_yield"])  # type: ignore[index]
        registry.entry_points = worlds.entry_points = cache(entry_points)  # a third of what a restart costs here
        path = self._folder / "whole"
        self._go_on(path)
        self._whole = story(path)
        if self._whole.problems or self._whole.interventions:
            raise SystemExit(f"the unkilled life is none to compare with: {self._whole}")
        watch = Watch()
        said = in_child(partial(self._watched, self._folder / "again", watch), watch)
        if story(self._folder / "again") != self._whole:
            raise SystemExit("two unkilled lives differ: nothing can be compared")
        gc.freeze()  # what children share with this process is not copied for them
        gc.disable()
        return [Moment(**one) for one in said["passed"]]

    def killed(self, point: Moment, agains: Sequence[int]) -> Iterator[tuple[Case, Verdict]]:
        """Live a life that is killed, resume it as often as told, and say how each differs from the whole one."""
        if self._whole is None:
            raise RuntimeError("live_once() comes first")
        dead = self._folder / f"{point.number}.dead"
        try:
            died_s = self._died(point, dead)
        except NotLived as error:
            yield from ((Case(moment=point, again=again), Verdict(problems=[str(error)])) for again in agains)
            return
        for again in agains:
            case = Case(moment=point, again=again)
            verdict = self._verdict(shutil.copytree(dead, self._folder / case.name), again, died_s, self._whole)
            yield case, verdict
            if not verdict.is_failed:
                shutil.rmtree(self._folder / case.name)
        shutil.rmtree(dead)

    def _died(self, point: Moment, path: Path) -> float:
        """Live until the moment, and return when that was."""
        watch = Watch(kill=point.number)
        said = in_child(partial(self._watched, path, watch), watch)
        if said.get("died") != str(point):
            raise NotLived(f"it was to die at {point}, and did not: {said}")
        return said["at_s"]

    def _verdict(self, path: Path, again: int, died_s: float, whole: Story) -> Verdict:
        try:
            self._resumed(path, again, died_s)
        except NotLived as error:
            return Verdict(problems=[str(error)])
        return compare(story(path), whole)

    def _resumed(self, path: Path, again: int, died_s: float) -> None:
        if again:
            watch = Watch(kill=again, of_journal=True)
            said = in_child(partial(self._watched, path, watch, died_s + self._down_s), watch)
            died_s = said.get("at_s", died_s)
        in_child(partial(self._go_on, path, died_s + self._down_s))

    def _watched(self, path: Path, watch: Watch, at_s: float = 0.0) -> None:
        install(watch)
        self._go_on(path, at_s)

    def _go_on(self, path: Path, at_s: float = 0.0) -> None:
        """Start or resume; at_s: the world's time, which goes on without a controller."""
        execution.VirtualLoop = lambda since_s: VirtualLoop(max(since_s, at_s))  # type: ignore[assignment, misc]
        if not (path / "campaign.json").exists():
            ending = start(self._task, path, Settings(is_virtual=True, fsync=False))
        else:
            try:
                ending = resume(path)
            except InputError as error:
                if "has finished" not in str(error):
                    raise
                return
        if ending.status != "finished":
            raise NotLived(f"the campaign ended as {ending.status}: {ending.reason}")


class NotLived(Exception):
    """A life did not come to its end."""


def in_child(work: Callable[[], object], watch: Watch | None = None) -> dict[str, Any]:
    """Do something in a process of its own, and return what it said: what it passed, or where it was killed.

    Raises:
        NotLived: It ended in any other way.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _as_child(work, watch, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    said = json.loads(text or b"{}")
    is_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and "died" in said
    if not is_killed and (status or "error" in said):
        hangs = f"it hung for {LIMIT_S} s" if os.WIFSIGNALED(status) else f"it ended with status {status}"
        raise NotLived(said.get("error", hangs))
    return said


def _as_child(work: Callable[[], object], watch: Watch | None, writer: int) -> None:
    """Work, say what came of it, and end this process."""
    code = 0
    signal.alarm(LIMIT_S)
    try:
        if watch is not None:
            watch.last_words = partial(os.write, writer)
        work()
        said: dict[str, Any] = {"passed": [] if watch is None or watch.kill else [_plain(m) for m in watch.passed]}
    except BaseException as error:  # noqa: BLE001 - the supervisor of a child, which must not return
        said, code = {"error": f"{type(error).__name__}: {error}"}, 1
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(json.dumps(said).encode())
    os._exit(code)


def _plain(moment: Moment) -> dict[str, Any]:
    return {name: getattr(moment, name) for name in moment.__slots__}
