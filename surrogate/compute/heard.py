"""What a worker's process says, and what is seen of it, as pools understand it."""

from __future__ import annotations

from typing import Any

from surrogate.compute.events import Broke, Done, Sliced, Told, Yielded
from surrogate.compute.jobs import MIB
from surrogate.compute.memory import resident_bytes
from surrogate.compute.process import WorkerProcess


def told_event(head: dict[str, Any], *, at_s: float, worker: int, ticket: int, worn: str) -> Told:
    """Return what a worker's message means to the policy.

    Args:
        head: The message, as `surrogate.compute.worker` says it.
        at_s: When it came.
        worker: Who speaks.
        ticket: The job that it was at.
        worn: Why its process is to be replaced once that job is done; empty: it goes on.
    """
    told: dict[str, Any] = {"at_s": at_s, "worker": worker, "ticket": ticket}
    match head["kind"]:
        case "slice":
            return Sliced(**told, slice_s=head["slice_s"])
        case "done":
            return Done(**told, worn=worn)
        case "left":
            return Yielded(**told, worn=worn, slice_s=head["slice_s"])
        case _:
            return Broke(**told, worn=worn, why=head["why"], reason=head["reason"])


def worn_words(n_jobs: int, rss: int, *, max_jobs: int, worn_bytes: int) -> str:
    """Return why a process is to be replaced between jobs; empty: it goes on."""
    if n_jobs >= max_jobs:
        return f"worn: it has done {n_jobs} jobs"
    return f"worn: it still holds {rss / MIB:.0f} MiB" if rss > worn_bytes else ""


def overgrown_words(process: WorkerProcess) -> str:
    """Return how much more a process holds than was leased to its job; empty: it does not."""
    rss = resident_bytes(process.pid)
    line = process.rss_before + process.lease + process.slack_bytes
    if process.ticket is None or process.is_gpu or rss is None or rss <= line:
        return ""
    return f"holds {rss / MIB:.0f} MiB, leased are {process.lease / MIB:.0f} MiB"
