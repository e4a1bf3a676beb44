"""Simulating: one campaign or several seeds of it, in virtual time, each in a directory of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.check import Ready
from orchestrator.execution import Settings, start
from orchestrator.results import read_result


def simulate(ready: Ready, out: Path, settings: Settings, *, score: bool = True) -> dict[str, Any]:
    """Run one campaign in virtual time and return its result (docs/simulate.md).

    Raises:
        As `orchestrator.execution.start`.
    """
    began = time.perf_counter()
    start(ready, out, settings)
    return read_result(out, wall_s=time.perf_counter() - began, score=score)


@contextmanager
def directories(out: Path | None, repeat: int) -> Iterator[list[Path]]:
    """Yield a directory for each repeat: below `out`, or `out` itself for one, or temporary ones."""
    if out is not None:
        yield [out] if repeat == 1 else [out / f"{index:03d}" for index in range(repeat)]
        return
    with TemporaryDirectory(prefix="labpilot-") as made:
        yield [Path(made) / f"{index:03d}" for index in range(repeat)]
