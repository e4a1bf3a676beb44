"""One turn of the policy: a working copy of the state, and what is decided on the way."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from surrogate.compute.events import AskYield, Decision, Finish, Kill, Record, Start, What, Why
from surrogate.compute.jobs import JobClass, Rung, Status
from surrogate.compute.state import Entry, State, Worker


class Turn:
    """A copy that may be changed; `closed` makes the next state of it."""

    def __init__(self, state: State, now_s: float) -> None:
        self._before = state
        self.now_s = max(now_s, state.now_s)
        self.rules = state.rules
        self.costs, self.n_results, self.n_checkpoints = state.costs, state.n_results, state.n_checkpoints
        self.gpu_bytes, self.demand = state.gpu_bytes, state.demand
        self.entries, self.workers = dict(state.entries), dict(state.workers)
        self.decisions: list[Decision] = []

    def closed(self) -> State:
        """Return the state as it is now."""
        return replace(
            self._before,
            now_s=self.now_s,
            costs=self.costs,
            entries=MappingProxyType(dict(self.entries)),
            workers=MappingProxyType(dict(self.workers)),
            n_results=self.n_results,
            n_checkpoints=self.n_checkpoints,
            gpu_bytes=self.gpu_bytes,
            demand=self.demand,
        )

    def change(self, entry: Entry, **changes: Any) -> Entry:
        """Put a changed entry in the place of another."""
        self.entries[entry.ticket] = changed = replace(entry, **changes)
        return changed

    def note(self, what: What, entry: Entry | None = None, **told: Any) -> None:
        """Keep a record."""
        if entry is not None:
            told |= {"ticket": entry.ticket, "job_class": entry.root.job_class, "job": entry.label}
        self.decisions.append(Record(at_s=self.now_s, what=what, **told))

    def q95_s(self, entry: Entry) -> float:
        """Return how long it takes in all but one of twenty cases, less what is done."""
        return max(0.0, self.costs.estimate(entry.job, entry.device, 0.95) - entry.useful_s)

    def latest_start_s(self, entry: Entry) -> float:
        """Return when it must start to meet its deadline."""
        return entry.deadline_s - self.q95_s(entry)

    def staleness(self, seen: int | None) -> int | None:
        """Return how many results are unknown to what has seen so many."""
        return None if seen is None else max(0, self.n_results - seen)

    def is_stale(self, seen: int | None) -> bool:
        """Return whether these are more than may be."""
        unseen = self.staleness(seen)
        return unseen is not None and self.rules.s_max is not None and unseen > self.rules.s_max

    def start(self, entry: Entry, worker: Worker) -> None:
        """Give a worker its job."""
        job = entry.job
        until_s = min(self.now_s + job.timeout_s, self._leaves_time_until_s(entry))
        silent_s = self.now_s + job.silence_s if job.steps else math.inf
        self.workers[worker.number] = replace(
            worker, ticket=entry.ticket, lease=entry.lease, started_s=self.now_s, until_s=until_s,
            silent_until_s=silent_s, asked_s=None, kept_s=self.now_s,
        )  # fmt: skip
        self.change(entry, worker=worker.number, attempts=entry.attempts + 1)
        self.decisions.append(
            Start(worker=worker.number, ticket=entry.ticket, rung=entry.rung, checkpoint=entry.checkpoint)
        )
        self.note(What.STARTED if entry.checkpoint is None else What.RESUMED, entry)

    def _leaves_time_until_s(self, entry: Entry) -> float:
        """Return until when it may run before too little time is left for its alternative; never less than it needs."""
        following = entry.next_rung
        if following is None:
            return math.inf
        needs_s = 0.0
        if following.job is not None:
            needs_s = self.rules.restart_s + self.costs.estimate(following.job, following.job.device, 0.95)
        return max(entry.deadline_s - needs_s, self.now_s + self.q95_s(entry))

    def ask_yield(self, worker: Worker, reason: str) -> None:
        """Tell a job of steps to leave."""
        self.workers[worker.number] = replace(worker, asked_s=self.now_s)
        assert worker.ticket is not None  # noqa: S101 - only workers with a job are asked
        self.decisions.append(AskYield(worker=worker.number, ticket=worker.ticket))
        self.note(What.PREEMPTED, self.entries.get(worker.ticket), reason=reason)

    def kill(self, worker: Worker, reason: str) -> Entry | None:
        """End a worker's process; return its job, which waits again."""
        entry = self.released(worker)
        self.workers[worker.number] = replace(self.workers[worker.number], lease=worker.lease, is_ending=True)
        self.decisions.append(Kill(worker=worker.number, reason=reason))
        return entry

    def released(self, worker: Worker, *, is_useful: bool = False) -> Entry | None:
        """Take a job off its worker; return it where it has not ended.

        Args:
            worker: The worker.
            is_useful: Whether the time since its latest checkpoint led to the state at hand.
        """
        busy_s = self.now_s - worker.started_s
        entry = self.entries.get(worker.ticket) if worker.ticket is not None else None
        self.note(What.LEFT, entry, seconds=busy_s)
        self.workers[worker.number] = replace(worker, ticket=None, lease=0, asked_s=None)
        if entry is None or entry.worker != worker.number:
            return None
        useful_s = entry.useful_s + (self.now_s - worker.kept_s if is_useful else 0.0)
        return self.change(entry, worker=None, busy_s=entry.busy_s + busy_s, useful_s=useful_s)

    def failed(self, entry: Entry, why: Why, reason: str) -> None:
        """Let a job run again, elsewhere, or give way to an alternative; or end it."""
        self.note(What.FAILED, entry, reason=f"{why}: {reason}")
        failures = entry.failures + 1
        if entry.device == "gpu" and (why == "memory" or failures > entry.job.retries or self.gpu_bytes == 0):
            self.to_cpu(entry, f"{why} on the GPU: {reason}")
        elif failures <= entry.job.retries:
            self._again(entry, why, failures)
        elif entry.next_rung is not None:
            self.descend(entry, f"{why}: {reason}")
        else:
            self.finish(entry, "failed", reason=f"{why}: {reason}")

    def _again(self, entry: Entry, why: Why, failures: int) -> None:
        """Let it run again: with twice the memory if that was short, from its beginning if a checkpoint may err."""
        changes: dict[str, Any] = {"failures": failures}
        if why == "memory":
            changes["lease"] = min(2 * entry.lease, max(entry.lease, self.rules.memory_bytes))
        if why == "raised" and failures == entry.job.retries and entry.checkpoint is not None:
            changes |= {"checkpoint": None, "useful_s": 0.0}
        self.note(What.RETRIED, self.change(entry, **changes), reason=f"after failure {failures}: {why}")

    def to_cpu(self, entry: Entry, reason: str) -> None:
        """Move a job from the GPU to the CPU, with the deadline that it can meet there."""
        moved = self.change(
            entry, device="cpu", failures=0, lease=min(entry.lease, self.rules.memory_bytes), useful_s=0.0,
            is_whole=entry.checkpoint is None,
        )  # fmt: skip
        needs_s = self.costs.estimate(moved.job, "cpu", 0.95)
        self.change(moved, deadline_s=max(moved.deadline_s, self.now_s + needs_s))
        self.note(What.FELL_BACK, moved, reason=f"gpu -> cpu: {reason}")

    def descend(self, entry: Entry, reason: str) -> None:
        """Put the next alternative in the place of a job; end it where that is a value."""
        rung = entry.next_rung
        if rung is None:
            self.finish(entry, "refused", reason=reason)
            return
        self.note(What.FELL_BACK, entry, reason=f"{entry.label} -> {rung.name}: {reason}")
        lower = self.change(
            entry, rung=entry.rung + 1, failures=0, checkpoint=None, useful_s=0.0, deadline_s=entry.root.deadline_s,
            is_whole=True,
        )  # fmt: skip
        if rung.job is not None:
            self.place(self.change(lower, device=rung.job.device, lease=rung.job.memory_bytes))
        elif self.is_stale(rung.seen):
            self.descend(lower, self.stale_words(rung))
        else:
            self.finish(lower, "done", staleness=self.staleness(rung.seen))

    def place(self, entry: Entry) -> None:
        """Move a job for the GPU to the CPU where there is none, or one with too little memory."""
        if (
            entry.device == "gpu"
            and self.gpu_bytes is not None
            and (not self.gpu_bytes or self.gpu_bytes < entry.lease)
        ):
            has = f"the GPU has {self.gpu_bytes} bytes, the job asks for {entry.lease}"
            self.to_cpu(entry, has if self.gpu_bytes else "there is no GPU")

    def stale_words(self, rung: Rung | Entry) -> str:
        """Return why something is too old."""
        seen = rung.seen if isinstance(rung, Rung) else rung.job.seen
        return f"stale: {self.staleness(seen)} results unseen, at most {self.rules.s_max} may be"

    def finish(self, entry: Entry, status: Status, *, reason: str = "", staleness: int | None = None) -> None:
        """End a job."""
        del self.entries[entry.ticket]
        has_deadline = entry.root.deadline_s < math.inf
        finish = Finish(
            ticket=entry.ticket, status=status, rung=entry.rung, reason=reason, attempts=entry.attempts,
            busy_s=entry.busy_s, staleness=staleness, is_in_time=self.now_s <= entry.root.deadline_s,
        )  # fmt: skip
        self.decisions.append(finish)
        self.note(What.ENDED, entry, reason=reason, finish=finish, has_deadline=has_deadline)

    def demanded(self, entry: Entry) -> None:
        """Count the work that came, apart from speculation."""
        if entry.root.job_class is not JobClass.SPECULATE:
            self.demand = (*self.demand, (self.now_s, self.costs.estimate(entry.job, entry.device, 0.5)))
        self.demand = tuple(one for one in self.demand if one[0] >= self.now_s - self.rules.load_window_s)
