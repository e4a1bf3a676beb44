"""What happens to the queue, and what it decides: the two ends of `surrogate.compute.policy.advance`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from surrogate.compute.jobs import Device, Job, JobClass, Status

Why = Literal["raised", "memory", "lost", "timeout"]
"""It raised; it had no memory; its process died; it took too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted(Event):
    """A job came."""

    ticket: int
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked(Event):
    """Nobody wants a job's result any more."""

    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerUp(Event):
    """A worker is ready; its number was never used before."""

    worker: int
    device: Device = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDown(Event):
    """A worker's process has ended and its memory is free."""

    worker: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFound(Event):
    """There is a GPU, or there is none, or its owner does not start any more."""

    memory_bytes: int
    """0: there is none."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Event):
    """Something that a worker says of its job."""

    worker: int
    ticket: int
    worn: str = ""
    """Why its process is to be replaced by a new one now; empty: it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliced(Told):
    """A checkpoint is kept and the job goes on."""

    slice_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Yielded(Told):
    """The job has left its worker, as it was asked to, with a checkpoint."""

    slice_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Told):
    """The job has a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broke(Told):
    """The job has no result; its worker goes on."""

    why: Why
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overgrown(Told):
    """The worker holds more memory than was leased to it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultCame(Event):
    """An experiment's result is known; plans that were begun before do not know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Event):
    """Time has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Run a job on a worker, from its latest checkpoint where there is one."""

    worker: int
    ticket: int
    rung: int
    checkpoint: int | None
    """The number of the checkpoint, as they were kept; None: from the job's own beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskYield:
    """Tell a job to leave its worker at its next step."""

    worker: int
    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """End a worker's process."""

    worker: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """A job has ended."""

    ticket: int
    status: Status
    rung: int
    """0: the job itself; from 1 on, its alternatives."""
    reason: str = ""
    attempts: int = 0
    busy_s: float = 0.0
    staleness: int | None = None
    is_in_time: bool = True


class What(StrEnum):
    """What a record is of."""

    STARTED = "started"
    RESUMED = "resumed"
    SLICED = "sliced"
    YIELDED = "yielded"
    LEFT = "left"
    """A worker is free again, or gone; carries the time for which it was busy."""
    PREEMPTED = "preempted"
    FAILED = "failed"
    RETRIED = "retried"
    FELL_BACK = "fell back"
    ENDED = "ended"
    GPU = "gpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something for the record, with its reason in words."""

    at_s: float
    what: What
    ticket: int | None = None
    job_class: JobClass | None = None
    job: str = ""
    reason: str = ""
    seconds: float = 0.0
    """Of `LEFT` the time busy, of `SLICED` the slice's, of `YIELDED` from the wish that it leaves until it did."""
    over_s: float = 0.0
    """Of a slice: what it took beyond what it was given."""
    finish: Finish | None = None
    has_deadline: bool = False


Decision = Start | AskYield | Kill | Finish | Record
