"""Sharing furnaces, as a problem on paper: who is or will be ready when, which furnace is free when, what a plan costs.

A plan is a sequence of runs. Each takes the furnace that is free first, at the earliest once its last member is ready;
so a plan that says who shares a run and in which order says everything, and any such plan can be carried out. The rule
of `orchestrator.scheduling.batching` is played on the same problem, so that it and any other plan are compared alike.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.scheduling.batching import Batch, Former, Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A sample that waits for a run, or is on its way to one."""

    owner: str
    key: str
    """What all members of a run agree on."""
    ready_s: float
    """When it can be put into a furnace; that of a sample on its way is an estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a run with some key takes."""

    run_s: float
    """How long the furnace is taken, loading and emptying included."""
    tail_s: float = 0.0
    """How long a sample is still worked on after its run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is to be decided: which samples share which run, and in which order runs begin."""

    now_s: float
    capacity: int
    jobs: tuple[Job, ...]
    programs: Mapping[str, Program]
    free_s: tuple[float, ...]
    """When each furnace becomes free."""
    is_open: bool = False
    """Whether more samples will come that nothing is known of yet."""

    @property
    def scarcity(self) -> float:
        """Return how scarce furnaces are, from 0 to 1: the time that full runs of these samples would take on all of
        them, of the time until the last one is ready."""
        needed_s = sum(self.programs[job.key].run_s for job in self.jobs) / (self.capacity * len(self.free_s))
        span_s = max(job.ready_s for job in self.jobs) - self.now_s
        return min(1.0, needed_s / span_s) if span_s > 0.0 else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One run of a plan."""

    batch: Batch
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, order=True)
class Cost:
    """What a plan costs: the first counts first."""

    first_s: float
    """From now until the last sample is done with. Where more will come no sample is the last one; then what counts is
    the mean, and what the runs keep from those who come later: the time that they take, over all furnaces, the more
    the scarcer furnaces are."""
    mean_s: float
    """From now until a sample is done with, on average."""


def timed(problem: Problem, batches: Iterable[Batch]) -> tuple[PlannedRun, ...]:
    """Return when runs begin and end that are begun in this order, each as early as can be."""
    ready_s = {job.owner: job.ready_s for job in problem.jobs}
    free_s = sorted(problem.free_s)
    runs = []
    for batch in batches:
        start_s = max(problem.now_s, free_s[0], *(ready_s[owner] for owner in batch.members))
        end_s = start_s + problem.programs[batch.key].run_s
        free_s = sorted([end_s, *free_s[1:]])
        runs.append(PlannedRun(batch=batch, start_s=start_s, end_s=end_s))
    return tuple(runs)


def cost(problem: Problem, runs: Sequence[PlannedRun]) -> Cost:
    """Return what a plan costs."""
    over = [
        (run.end_s + problem.programs[run.batch.key].tail_s - problem.now_s, len(run.batch.members)) for run in runs
    ]
    mean_s = sum(over_s * n for over_s, n in over) / sum(n for _, n in over)
    if problem.is_open:
        taken_s = sum(problem.programs[run.batch.key].run_s for run in runs)
        return Cost(mean_s + problem.scarcity * taken_s / len(problem.free_s), mean_s)
    return Cost(max(over_s for over_s, _ in over), mean_s)


def carried_on(problem: Problem, batches: Iterable[Batch]) -> list[Batch]:
    """Return an earlier plan as it stands by now: without those who are gone, those who came since at the end."""
    left = {job.owner: job.key for job in sorted(problem.jobs, key=lambda job: job.ready_s)}
    kept = []
    for batch in batches:
        members = tuple(owner for owner in batch.members if left.get(owner) == batch.key)
        if members:
            kept.append(Batch(key=batch.key, members=members))
        for owner in members:
            del left[owner]
    for key in dict.fromkeys(left.values()):
        others = [owner for owner in left if left[owner] == key]
        kept += [
            Batch(key=key, members=tuple(others[first : first + problem.capacity]))
            for first in range(0, len(others), problem.capacity)
        ]
    return kept


def faults(problem: Problem, batches: Sequence[Batch]) -> list[str]:
    """Return what is wrong with a plan: samples left out or served twice, too many in a run, or who do not agree."""
    keys = {job.owner: job.key for job in problem.jobs}
    served = Counter(owner for batch in batches for owner in batch.members)
    found = [f"{owner} is in {served[owner]} runs" for owner in keys if served[owner] != 1]
    found += [f"{owner} is nobody who waits" for owner in served if owner not in keys]
    for batch in batches:
        if not 1 <= len(batch.members) <= problem.capacity:
            found.append(f"a run of {len(batch.members)} samples, in a furnace of {problem.capacity} places")
        if {keys.get(owner) for owner in batch.members} - {batch.key}:
            found.append(f"{', '.join(batch.members)} do not agree on one program")
    return found


def by_the_rule(problem: Problem, former: Former) -> tuple[PlannedRun, ...]:
    """Return what the rule would do if all became ready as is expected.

    former: As it stands: with those who wait, and what it knows of arrivals. Whoever is not in the problem is left out.
    """
    twin = former.copy()
    owners = {job.owner for job in problem.jobs}
    for member in tuple(twin.waiting):
        if member.owner not in owners:
            twin.leave(member.owner)
    known = {member.owner for member in twin.waiting}
    coming = deque(sorted((job for job in problem.jobs if job.owner not in known), key=lambda job: job.ready_s))
    expected = Counter(job.key for job in coming)
    free_s = sorted(problem.free_s)
    runs: list[PlannedRun] = []
    now_s = problem.now_s
    while True:
        while coming and coming[0].ready_s <= now_s:
            job = coming.popleft()
            expected[job.key] -= 1
            run_s = problem.programs[job.key].run_s
            twin.join(Member(owner=job.owner, key=job.key, run_s=run_s, since_s=job.ready_s))
        while free_s[0] <= now_s and (batch := twin.form(now_s, coming=expected)) is not None:
            end_s = now_s + problem.programs[batch.key].run_s
            runs.append(PlannedRun(batch=batch, start_s=now_s, end_s=end_s))
            free_s = sorted([end_s, *free_s[1:]])
        if not coming and not twin.waiting:
            return tuple(runs)
        due_s = twin.next_s(coming=expected) if free_s[0] <= now_s else None
        events = [*free_s, *(job.ready_s for job in coming), *([] if due_s is None else [due_s])]
        now_s = min(at_s for at_s in events if at_s > now_s)
