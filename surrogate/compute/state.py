"""What the queue knows: jobs that have not ended, workers, and the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from surrogate.compute.costs import CostModel
from surrogate.compute.jobs import Device, Job, Rung

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a queue decides.

    Args:
        discipline: ``edf``: by class, then by the earliest deadline, with preemption. ``fifo``: as they came, which is
            there to compare with.
        memory_bytes: Of all leases on the CPU side together.
        s_max: How many results a plan may not know; 1 for one instrument, K - 1 for K. None: never idle, take any.
        speculate_below: Speculation waits while other work is more than this part of what the CPU workers can do.
        load_window_s: Over so long that load is taken.
        restart_s: What a new process costs; kept free before a plan's deadline where an alternative would run.
    """

    discipline: Literal["edf", "fifo"] = "edf"
    memory_bytes: int = 4 * GIB
    s_max: int | None = 1
    speculate_below: float = 0.7
    load_window_s: float = 1800.0
    restart_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A job that has not ended."""

    ticket: int
    root: Job
    """As it was submitted."""
    device: Device
    deadline_s: float
    """By which it is ordered; later than that of the schedule where a fallback cannot meet that one."""
    lease: int
    rung: int = 0
    worker: int | None = None
    failures: int = 0
    """On this rung and device."""
    attempts: int = 0
    busy_s: float = 0.0
    useful_s: float = 0.0
    """Of the time busy, what led to the state at hand: a job's duration, once it is done."""
    checkpoint: int | None = None
    is_whole: bool = True
    """Whether all of it is done on one device, from its beginning: only then its duration is learnt."""

    @property
    def alternative(self) -> Rung | None:
        """Return the alternative that it stands on; None: the job itself."""
        return self.root.alternatives[self.rung - 1] if self.rung else None

    @property
    def job(self) -> Job:
        """Return what is to be run."""
        alternative = self.alternative
        return self.root if alternative is None or alternative.job is None else alternative.job

    @property
    def label(self) -> str:
        """Return its name for people."""
        alternative = self.alternative
        return self.root.label if alternative is None else alternative.name

    @property
    def next_rung(self) -> Rung | None:
        """Return what would be done instead."""
        return self.root.alternatives[self.rung] if self.rung < len(self.root.alternatives) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process, or what stands for one in virtual time."""

    number: int
    device: Device
    ticket: int | None = None
    """Its job; one that has ended already (cancelled) where there is no such entry."""
    lease: int = 0
    started_s: float = 0.0
    kept_s: float = 0.0
    """When it started, or its latest checkpoint since."""
    until_s: float = 0.0
    """Then it is ended."""
    silent_until_s: float = 0.0
    """Then it is ended, too, unless there is a checkpoint before."""
    asked_s: float | None = None
    """When its job was asked to yield."""
    is_ending: bool = False

    @property
    def is_leaving(self) -> bool:
        """Return whether it will soon be free."""
        return self.is_ending or self.asked_s is not None

    @property
    def is_idle(self) -> bool:
        """Return whether it takes a job now."""
        return self.ticket is None and not self.is_ending


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that decisions depend on."""

    rules: Rules = field(default_factory=Rules)
    costs: CostModel = field(default_factory=CostModel)
    now_s: float = 0.0
    entries: Mapping[int, Entry] = field(default_factory=lambda: MappingProxyType({}))
    workers: Mapping[int, Worker] = field(default_factory=lambda: MappingProxyType({}))
    n_results: int = 0
    n_checkpoints: int = 0
    gpu_bytes: int | None = None
    """None: not known yet; 0: there is none."""
    demand: tuple[tuple[float, float], ...] = ()
    """When other work than speculation came within the load window, and how long it is expected to take."""

    def memory_bytes(self, device: Device) -> int:
        """Return the bound of all leases on a device."""
        return self.rules.memory_bytes if device == "cpu" else self.gpu_bytes or 0

    def leased_bytes(self, device: Device) -> int:
        """Return what is leased now, with what processes hold that are being ended."""
        return sum(worker.lease for worker in self.workers.values() if worker.device == device)

    def load(self) -> float:
        """Return how much of the CPU workers' time the work that came lately takes."""
        n_workers = sum(1 for worker in self.workers.values() if worker.device == "cpu")
        if not self.demand or not n_workers:
            return 0.0
        passed_s = min(self.rules.load_window_s, max(self.now_s - self.demand[0][0], 0.1 * self.rules.load_window_s))
        since_s = self.now_s - self.rules.load_window_s
        return sum(seconds for at_s, seconds in self.demand if at_s > since_s) / (n_workers * passed_s)
