"""What people are told of a series that is spread: each result as it comes, how far it is, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from orchestrator.check import Ready
from orchestrator.cli.simulating import Series, brief, line
from orchestrator.series.keeping import Shelf
from orchestrator.words import plural

_AGAIN = "the same command goes on"


@dataclass(slots=True, kw_only=True)
class Teller:
    """Keeps results, and tells of them."""

    console: Console
    ready: Ready
    shelf: Shelf
    seeds: Sequence[int]
    is_joined: bool = False
    """Whether there was something to run on."""
    _results: dict[int, dict[str, Any]] = field(default_factory=dict)
    _troubles: dict[int, str] = field(default_factory=dict)
    _is_interrupted: bool = False
    _broken: str = ""
    _progress: Progress | None = None
    _places: int = 0

    def begun(self) -> list[int]:
        """Take what was made before; return the seeds that are missing."""
        self._results = {seed: found for seed in self.seeds if (found := self.shelf.kept(seed)) is not None}
        if others := self.shelf.others():
            self.say(f"not used, as made under other terms: {others}")
        missing = [seed for seed in self.seeds if seed not in self._results]
        if self._results:
            self.say(f"made before: {len(self._results)} of {plural(len(self.seeds), 'seed')}, in {self.shelf.folder}")
        return missing

    def joined(self, where: str) -> None:
        """Say what it runs on."""
        self.is_joined = True
        self.say(f"spread over {where}; results are kept in {self.shelf.folder}")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show how far it is, where there is a terminal."""
        if not self.console.is_terminal or self.console.quiet:
            yield
            return
        columns = (
            BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[doing]}"), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=self.console, transient=True) as self._progress:
            self._progress.add_task("", total=len(self.seeds), completed=len(self._results), doing="starting")
            yield
        self._progress = None

    def result(self, seed: int, result: dict[str, Any]) -> None:
        """Keep and tell a result."""
        self.shelf.keep(seed, result)
        told = brief if self._results else line
        self._results[seed] = result
        self.say(f"{self._count()} {told(result, self.ready)}")

    def trouble(self, seed: int, why: str) -> None:
        """Tell why a seed has no result."""
        self._troubles[seed] = why
        self.say(f"{self._count()} seed {seed} failed: {why}")

    def again(self, seed: int, why: str) -> None:
        """Tell that a seed was begun more than once."""
        self.say(f"seed {seed} was begun again ({why})")

    def standing(self, at_work: int, places: int) -> None:
        """Show how many seeds are at work; say it where no worker is left."""
        if self._places and not places:
            self.say("no worker is left; waiting for one")
        self._places = places
        if self._progress is not None:
            done = len(self._results) + len(self._troubles)
            doing = f"{at_work} at work in {plural(places, 'place')}" if places else "no place yet"
            self._progress.update(self._progress.task_ids[0], completed=done, doing=doing)

    def interrupted(self) -> None:
        """Take note of Ctrl-C.

        Raises:
            KeyboardInterrupt: There is no result at all.
        """
        if not self._results:
            raise KeyboardInterrupt
        self._is_interrupted = True

    def broken(self, why: str) -> None:
        """Take note that there is nothing to run on any more."""
        self._broken = why

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(escape(text), highlight=False, soft_wrap=True)

    def series(self) -> Series:
        """Return what there is, in order of the seeds, and say what is missing."""
        results = [self._results[seed] for seed in self.seeds if seed in self._results]
        troubles = [f"seed {seed} failed: {why}" for seed, why in sorted(self._troubles.items())]
        missing = len(self.seeds) - len(results)
        if self._broken:
            self.say(f"ended early: {self._broken}")
            troubles.append(self._broken)
        if missing:
            early = "interrupted: " if self._is_interrupted else ""
            self.say(f"{early}{len(results)} of {plural(len(self.seeds), 'seed')} in {self.shelf.folder}; {_AGAIN}")
        else:
            self.say(f"{self._all()} in {self.shelf.folder}")
        return Series(results=results, is_interrupted=self._is_interrupted, troubles=troubles)

    def _all(self) -> str:
        states = [result["status"] for result in self._results.values()]
        counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
        return f"{plural(len(self.seeds), 'seed')}: {', '.join(counts)}; kept"

    def _count(self) -> str:
        return f"[{len(self._results) + len(self._troubles)}/{len(self.seeds)}]"
