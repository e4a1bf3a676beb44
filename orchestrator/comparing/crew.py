"""Making runs in processes, each of its own: one that fails, hangs up or is killed costs its run and no other."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any

from orchestrator.comparing.runs import Task, make

PRELOADED = (
    "orchestrator.comparing.runs",
    "orchestrator.record.migrating",
    "planner.models",
    "planner.acquisition",
    "planner.policies.bayes",
    "planner.policies.space_filling",
)
"""What most runs need, imported once for all processes."""

OnEnd = Callable[[Task, str], None]
"""Hears of every run that ended, and why it failed (empty where it did not)."""


def make_all(tasks: Sequence[Task], *, workers: int, on_end: OnEnd) -> None:
    """Make runs, so many at once.

    Raises:
        KeyboardInterrupt: Ctrl-C; runs at work are dropped, those that ended are kept.
    """
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    waiting = iter(tasks)
    at_work: dict[int, tuple[Any, Connection, Task]] = {}
    try:
        for task in islice(waiting, workers):
            _begin(context, at_work, task)
        while at_work:
            for sentinel in wait(list(at_work)):
                process, pipe, task = at_work.pop(sentinel)  # type: ignore[call-overload]
                on_end(task, _ending(process, pipe, task))
                for following in islice(waiting, 1):
                    _begin(context, at_work, following)
    finally:
        for process, pipe, task in at_work.values():
            process.kill()
            process.join()
            pipe.close()
            task.log.unlink(missing_ok=True)


def _begin(context: Any, at_work: dict[int, tuple[Any, Connection, Task]], task: Task) -> None:
    task.file.parent.mkdir(parents=True, exist_ok=True)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(task, theirs), name=f"{task.label}, seed {task.seed}", daemon=True)
    process.start()
    theirs.close()
    at_work[process.sentinel] = (process, ours, task)


def _ending(process: Any, pipe: Connection, task: Task) -> str:
    """Return why a run failed; empty where it did not."""
    process.join()
    try:
        told = pipe.recv() if pipe.poll() else None
    except (EOFError, OSError):
        told = None
    pipe.close()
    if told is None:
        return f"its process died (exit code {process.exitcode}); what it said is in {task.log}"
    return str(told)


def _work(task: Task, pipe: Connection) -> None:
    """Make one run; what is pressed at the terminal is for the process that is in charge."""
    os.setpgrp()
    with task.log.open("wb") as log:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(log.fileno(), stream.fileno())
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    try:
        make(task)
    except (Exception, KeyboardInterrupt) as error:  # the supervisor of runs: the others go on
        traceback.print_exc()
        sys.stderr.flush()
        pipe.send(f"{type(error).__name__}: {error}; more in {task.log}")
    else:
        task.log.unlink(missing_ok=True)
        pipe.send("")
