"""Jobs: a function named by its import path, what it is given, and what it may take."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from surrogate.compute.errors import BadJob
from surrogate.compute.plain import Plain

Device = Literal["cpu", "gpu"]
DEVICES: tuple[Device, ...] = ("gpu", "cpu")

MIB = 2**20
_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


class JobClass(StrEnum):
    """What a job is for; `PRIORITY` says which goes first."""

    ANALYSE = "analyse"
    UPDATE = "update"
    PLAN = "plan"
    SPECULATE = "speculate"
    REFIT = "refit"
    RETRAIN = "retrain"
    AUDIT = "audit"


PRIORITY: dict[JobClass, int] = {
    JobClass.ANALYSE: 0,
    JobClass.UPDATE: 0,
    JobClass.PLAN: 1,
    JobClass.SPECULATE: 2,
    JobClass.REFIT: 3,
    JobClass.RETRAIN: 4,
    JobClass.AUDIT: 5,
}
"""The least number goes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A piece of computing work.

    With ``steps`` the function is a generator: it yields plain data from which it can go on, and is called again with
    ``checkpoint=`` the last of these (None at first). It returns its result. Only such a job can be preempted and
    resumed. A function that has a parameter ``device`` is told ``"cpu"`` or ``"cuda"``.
    """

    job_class: JobClass
    function: str
    """``module:function``"""
    arguments: Mapping[str, Plain] = field(default_factory=dict)
    deadline_s: float = math.inf
    """When its result is wanted, on the queue's clock."""
    memory_bytes: int = 256 * MIB
    """Lease of its device's memory, beside what the worker holds anyway."""
    device: Device = "cpu"
    size: float = 1.0
    """What its duration grows with (the number of points, say); durations are learnt per class, function and size."""
    expected_s: float | None = None
    """Its duration, as long as none was seen."""
    steps: bool = False
    killable: bool = False
    """Its process may be ended to make way; it is begun anew later."""
    retries: int = 2
    """How often it runs again on the same device, after a first time that failed."""
    timeout_s: float = 3600.0
    """Longest time at a stretch; then its process is ended."""
    slice_s: float = 5.0
    """With ``steps``: how often a checkpoint is kept."""
    silence_s: float = 120.0
    """With ``steps``: after so long without a checkpoint it hangs, and its process is ended."""
    seen: int | None = None
    """Of a plan: how many results it knows. None: its freshness does not matter."""
    checkpoint: Plain = None
    """With ``steps``: where to begin."""
    name: str = ""
    """For people; the function where it is empty."""
    alternatives: tuple[Rung, ...] = ()
    """What is done instead, in this order, where this job fails, is stale, or would be late."""

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.function):
            raise BadJob(f"function {self.function!r} is no import path; write it as package.module:function")
        for what in ("timeout_s", "slice_s", "silence_s", "size"):
            value = getattr(self, what)
            if not (math.isfinite(value) and value > 0):
                raise BadJob(f"{what} of {self.function} is {value}; give a positive number")
        if self.silence_s <= self.slice_s:
            raise BadJob(f"silence_s of {self.function} is not above its slice_s; every slice would look like a hang")
        if math.isnan(self.deadline_s) or self.memory_bytes < 0 or self.retries < 0:
            raise BadJob(f"{self.function}: deadline_s is a number, memory_bytes and retries are at least 0")
        if self.checkpoint is not None and not self.steps:
            raise BadJob(f"{self.function} has a checkpoint, but steps=False; only a generator can go on from one")
        if any(rung.job is not None and rung.job.alternatives for rung in self.alternatives):
            raise BadJob(f"an alternative of {self.function} has alternatives; put all into one tuple")

    @property
    def label(self) -> str:
        """Return its name for people."""
        return self.name or self.function

    @property
    def priority(self) -> int:
        """Return its class's priority; the least goes first."""
        return PRIORITY[self.job_class]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """An alternative: another job, or a value that is there already."""

    name: str
    job: Job | None = None
    value: Plain = None
    """The answer, where there is no job."""
    seen: int | None = None
    """How many results the value knows; None: its freshness does not matter."""


def plan_ladder(full: Job, *, rescore: Job | None, stale: tuple[Plain, int] | None, space_filling: Plain | Job) -> Job:
    """Return a plan that always has an answer by its deadline.

    Args:
        full: The fresh full plan, with its deadline and what it has seen.
        rescore: A quicker job that scores a short list anew.
        stale: An earlier plan and how many results it knew; taken only within the bound on freshness.
        space_filling: A point that needs no model, or a quick job that makes one; never refused.
    """
    rungs = [] if rescore is None else [Rung(name="short list rescored", job=rescore)]
    if stale is not None:
        rungs.append(Rung(name="stale plan", value=stale[0], seen=stale[1]))
    last = "space-filling"
    is_job = isinstance(space_filling, Job)
    rungs.append(Rung(name=last, job=space_filling) if is_job else Rung(name=last, value=space_filling))
    return replace(full, name=full.name or "fresh full plan", alternatives=tuple(rungs))


def plan_deadline(free_at_s: Iterable[float], *, dispatch_s: float) -> float:
    """Return when a plan is wanted: as the first instrument is predicted to be free, less what sending it takes."""
    return min(free_at_s) - dispatch_s


Status = Literal["done", "failed", "cancelled", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended; each ends once."""

    ticket: int
    status: Status
    rung: str
    """Which of the job and its alternatives the value is from, by its label."""
    reason: str = ""
    """Why it is not done."""
    value: Plain = None
    attempts: int = 0
    busy_s: float = 0.0
    """Time of workers that went into it, with what was lost."""
    ended_s: float = 0.0
    staleness: int | None = None
    """Of a plan: how many results it did not know as it ended."""
    is_in_time: bool = True
