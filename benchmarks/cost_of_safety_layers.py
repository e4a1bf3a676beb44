"""Where the time of a step goes, for `cost_of_safety.py --profile`: each layer's own time, by its entry functions.

A layer's time is without that of the layers it calls. What the stopwatch itself adds is measured and stated.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy
from cost_of_safety_ours import Body, timed
from sqlalchemy.engine.default import DefaultDialect
from virtual_time import Stopwatch

from orchestrator import journal
from orchestrator.acts import answers, contact
from orchestrator.journal import Journal
from orchestrator.laboratory import Laboratory
from orchestrator.projections import Projector
from orchestrator.record.writing import Writer
from orchestrator.runner import Runner
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.set_points import SetPoints

REST = "the step itself, asyncio"

SYNC: dict[str, list[tuple[Any, str]]] = {
    "claim and release": [(Dispatcher, "release")],
    "limits": [(Laboratory, "check_limits")],
    "set-points": [(SetPoints, "note"), (SetPoints, "take"), (SetPoints, "forget")],
    "lease asked before acting": [(Journal, "confirm")],
    "answer taken apart": [(answers, "taken_apart")],
    "journal: event and row": [(Journal, "append")],
    "journal: JSON": [(journal, "storable"), (journal, "_ENCODE"), (json, "loads"), (json, "dumps")],
    "journal: hash": [(journal, "_hash")],
    "projection: fold": [(Projector, "apply"), (Projector, "settle")],
    "projection: rows": [(Projector, "write")],
    "transaction: bookkeeping": [(Journal, "flush")],
    "transaction: begin, lease held": [(Writer, "_begin")],
    "transaction: inserts": [(Writer, "_run")],
    "transaction: SQLAlchemy's part of commit": [(sqlalchemy.Connection, "commit")],
    "transaction: COMMIT, with the disk's fdatasync": [(DefaultDialect, "do_commit")],
}
ASYNC: dict[str, list[tuple[Any, str]]] = {
    "claim and release": [(Dispatcher, "claim")],
    "driver call, with its deadline": [(contact, "call")],
    "runner": [(Runner, "act")],
}


class StepWatch(Stopwatch):
    """A stopwatch that can be taken off again, and that times coroutines of a single task as well."""

    def __init__(self) -> None:
        super().__init__()
        self._before: list[tuple[Any, str, Any]] = []

    def wrap(self, owner: Any, name: str, layer: str) -> None:
        """Time a synchronous function as part of a layer."""
        self._before.append((owner, name, getattr(owner, name)))
        super().wrap(owner, name, layer)

    def wrap_async(self, owner: Any, name: str, layer: str) -> None:
        """Time a coroutine function; only what awaits nothing that lasts can be timed so."""
        inner: Callable[..., Any] = getattr(owner, name)
        self._before.append((owner, name, inner))

        async def timed_call(*args: Any, **kwargs: Any) -> Any:
            self._charge()
            self._stack.append(layer)
            self.calls[layer] += 1
            try:
                return await inner(*args, **kwargs)
            finally:
                self._charge()
                self._stack.pop()

        setattr(owner, name, timed_call)

    def take_off(self) -> None:
        """Put everything back that was wrapped."""
        for owner, name, inner in reversed(self._before):
            setattr(owner, name, inner)
        self._before.clear()


def profiled(folder: Path, body: Body, n: int) -> None:
    """Print the layers of one step, beside the same step without a stopwatch."""
    plain = timed(folder.with_name("plain"), body, n)
    watch = StepWatch()
    for layer, places in SYNC.items():
        for owner, name in places:
            watch.wrap(owner, name, layer)
    for layer, places in ASYNC.items():
        for owner, name in places:
            watch.wrap_async(owner, name, layer)

    async def watched(bench: Any, count: int) -> None:
        watch.spent.clear()
        watch.calls.clear()
        watch._since = time.perf_counter()  # noqa: SLF001
        await body(bench, count)
        watch.end()

    try:
        whole = timed(folder, watched, n)
    finally:
        watch.take_off()
    spent = dict(watch.spent)
    spent[REST] = spent.pop("orchestration and drivers", 0.0)
    print(f"\nwhere the time of a VERIFIABLE step goes: {whole['wall_ms']:.3f} ms ({whole['cpu_ms']:.3f} ms CPU) with")
    print(f"stopwatch, {plain['wall_ms']:.3f} ms ({plain['cpu_ms']:.3f} ms CPU) without\n")
    print("| layer | us a step | share | calls a step |\n|---|---|---|---|")
    for layer, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        share = 100 * seconds * 1e3 / (whole["wall_ms"] * n)
        calls = f"{watch.calls[layer] / n:.0f}" if layer in watch.calls else "-"
        print(f"| {layer} | {1e6 * seconds / n:.0f} | {share:.0f} % | {calls} |")
