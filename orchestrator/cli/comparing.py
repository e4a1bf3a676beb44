"""What `labpilot compare` does: check, make the runs that are missing, summarise, print, draw."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.check import Ready
from orchestrator.cli.main import EXIT_INTERRUPTED
from orchestrator.cli.results_file import STDOUT, write_json
from orchestrator.cli.running import EXIT_FAULTED
from orchestrator.cli.simulating import told
from orchestrator.comparing.contenders import Contender, checked, read_contenders
from orchestrator.comparing.crew import make_all
from orchestrator.comparing.measure import refuse_unscored
from orchestrator.comparing.runs import Run, Task, kept, tasks_of
from orchestrator.comparing.summary import Comparison, compare
from orchestrator.comparing.telling import cells, data, head, legend, pair_sentence
from orchestrator.errors import CampaignFaulted, InputError, StorageError
from orchestrator.fault_profile import read_profile
from orchestrator.words import duration, plural

_PIPED_WIDTH = 160
"""Of tables that go to a file or another program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The command line."""

    campaign: Path
    lab: Path | None
    planners: str | None
    repeat: int
    seed: int | None
    trials: int | None
    overrides: Sequence[str]
    faults: Path | None
    workers: int | None
    out: Path | None
    png_file: Path | None
    html_file: Path | None
    json_file: Path | None


def carry_out(order: Order) -> int:
    """Compare, and return the exit code.

    Raises:
        InputError: A file or an option is wrong; nothing was run.
        CampaignFaulted: A planner has no run at all, so that nothing can be compared.
        StorageError: Something could not be written.
    """
    console = _console(is_quiet=order.json_file == STDOUT)
    tasks, ready = _planned(order)
    bench = _Bench(tasks=tasks, console=console)
    is_interrupted = bench.make(order.workers or len(os.sched_getaffinity(0)))
    comparison = compare(ready.campaign, _with_runs(bench, is_interrupted), bench.remarks())
    _print(console, comparison)
    _write(order, comparison, console)
    if is_interrupted:
        return EXIT_INTERRUPTED
    return EXIT_FAULTED if bench.troubles else 0


def _console(*, is_quiet: bool) -> Console:
    """Return a console that does not fold a table which goes to a file or another program."""
    console = Console(quiet=is_quiet, highlight=False)
    return console if console.is_terminal else Console(quiet=is_quiet, highlight=False, width=_PIPED_WIDTH)


def _planned(order: Order) -> tuple[dict[str, list[Task]], Ready]:
    """Return the runs that are wanted, by planner, and the campaign with the first planner."""
    profile = None if order.faults is None else read_profile(order.faults)
    changes = [*(() if profile is None else profile.overrides), *order.overrides]
    changes += told(seed=order.seed, trials=order.trials)
    contenders = _contenders(order, changes)
    ready = checked(order.campaign, order.lab, changes, contenders)
    first = ready[contenders[0].label]
    refuse_unscored(first)
    seeds = range(first.campaign.seed, first.campaign.seed + order.repeat)
    out = order.out or Path("comparisons") / (re.sub(r"[^\w.-]+", "-", first.campaign.name) or "campaign")
    _refuse_file(out)
    provenance = {} if profile is None else profile.provenance
    return {one.label: tasks_of(one, ready[one.label], seeds, out, provenance) for one in contenders}, first


def _contenders(order: Order, changes: Sequence[str]) -> list[Contender]:
    if order.planners is not None:
        return read_contenders(order.planners)
    from orchestrator.check import check_campaign

    own = check_campaign(order.campaign, order.lab, changes).require().campaign.planner.policy
    return [Contender(label=name, policy=name) for name in dict.fromkeys([own, "random"])]


def _refuse_file(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a directory, in which runs are kept")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"--out {out} cannot be made ({error.strerror}); name another directory") from error


@dataclass(slots=True)
class _Bench:
    """The runs: which are wanted, which are there, and what went wrong."""

    tasks: Mapping[str, Sequence[Task]]
    console: Console
    runs: dict[tuple[str, int], Run] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def make(self, workers: int) -> bool:
        """Make what is missing; return whether Ctrl-C ended that."""
        # seed by seed: whoever interrupts has a fair comparison on fewer seeds
        every = [task for together in zip(*self.tasks.values(), strict=True) for task in together]
        missing = [task for task in every if not self._take(task)]
        if len(missing) < len(every):
            self._say(f"{plural(len(every) - len(missing), 'run')} of {len(every)} made before")
        try:
            make_all(missing, workers=min(workers, len(missing)), on_end=self._ended)
        except KeyboardInterrupt:
            self._say("interrupted: what is finished is kept and shown; the same command goes on")
            return True
        return False

    def _take(self, task: Task) -> bool:
        run = kept(task)
        if run is not None:
            self.runs[task.label, task.seed] = run
        return run is not None

    def _ended(self, task: Task, trouble: str) -> None:
        count = f"[{len(self.runs) + len(self.troubles) + 1}/{sum(map(len, self.tasks.values()))}]"
        if not trouble and not self._take(task):
            trouble = f"it left nothing in {task.file}"
        if trouble:
            self.troubles.append(f"{task.label}, seed {task.seed} failed: {trouble}")
            self._say(f"{count} {self.troubles[-1]}")
            return
        result = self.runs[task.label, task.seed].result
        trials, took = plural(len(result["trials"]), "trial"), duration(round(result["wall_s"], 2))
        self._say(f"{count} {task.label}, seed {task.seed}: {result['status']} after {trials}, {took}")

    def _say(self, text: str) -> None:
        self.console.print(escape(text), soft_wrap=True)

    def by_planner(self) -> dict[str, list[Run]]:
        """Return the runs of each planner in order of the seeds."""
        return {
            label: [run for task in tasks if (run := self.runs.get((label, task.seed))) is not None]
            for label, tasks in self.tasks.items()
        }

    def remarks(self) -> list[str]:
        """Return what is missing, in words."""
        wanted = sum(map(len, self.tasks.values()))
        absent = wanted - len(self.runs) - len(self.troubles)
        unmade = [f"{plural(absent, 'run')} of {wanted} not made yet; the same command goes on"] if absent else []
        return [*self.troubles, *unmade]


def _with_runs(bench: _Bench, is_interrupted: bool) -> dict[str, list[Run]]:
    """Return the runs of every planner.

    Raises:
        KeyboardInterrupt: It was interrupted before each had one.
        CampaignFaulted: One has none, for all of its runs failed.
    """
    runs = bench.by_planner()
    without = [label for label, its in runs.items() if not its]
    if without and is_interrupted:
        raise KeyboardInterrupt
    if without:
        raise CampaignFaulted(
            f"no run of {' and of '.join(without)} came to an end, so nothing can be compared:\n"
            + "\n".join(bench.troubles)
        )
    return runs


def _print(console: Console, comparison: Comparison) -> None:
    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(head(comparison)):
        table.add_column(escape(name), justify="left" if index == 0 else "right", overflow="fold")
    for row in comparison.rows:
        table.add_row(*map(escape, cells(row, comparison)))
    console.print()
    console.print(table)
    console.print()
    for pair in comparison.pairs:
        console.print(escape(pair_sentence(pair, comparison)), soft_wrap=True)
    console.print(escape(legend(comparison)), soft_wrap=True, style="dim")
    for remark in comparison.remarks:
        console.print(f"note: {escape(remark)}", soft_wrap=True)


def _write(order: Order, comparison: Comparison, console: Console) -> None:
    if order.png_file is not None:
        from orchestrator.comparing.picture import draw, png

        _put(order.png_file, png(draw(comparison)))
    if order.html_file is not None:
        from orchestrator.comparing.page import render

        _put(order.html_file, render(comparison, _again(order)).encode())
    for file in (order.png_file, order.html_file):
        if file is not None:
            console.print(escape(str(file)), soft_wrap=True)
    if order.json_file is not None:
        write_json(order.json_file, data(comparison))


def _put(file: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = file.with_name(file.name + ".partial")
    try:
        partial.write_bytes(content)
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(
            f"cannot write {file}: {error.strerror}; the runs are kept, run the command again"
        ) from error


def _again(order: Order) -> str:
    """Return the command that gives the same comparison."""
    options = {
        "--planners": order.planners,
        "--repeat": order.repeat,
        "--seed": order.seed,
        "--trials": order.trials,
        "--lab": order.lab,
        "--faults": order.faults,
        "--out": order.out,
    }
    words = ["labpilot", "compare", str(order.campaign)]
    words += [word for name, value in options.items() if value is not None for word in (name, str(value))]
    words += [word for text in order.overrides for word in ("--set", text)]
    return shlex.join(words)
