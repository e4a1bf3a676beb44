"""An optimiser of who shares which furnace run, and when: a problem of constraints for OR-tools' CP-SAT.

Samples with the same key are alike but for when they are ready, so those that are ready first may as well be in the
run that begins first: the samples of a key are put in that order, and what is left to find is how many of them each
run takes and when it begins. Furnaces are alike too: at no time are more of them taken than there are.

The plan is followed only where it beats the rule's by more than `TOLERANCE`. OR-tools is an extra
(``pip install 'labpilot[optimiser]'``), and imported only where it is asked for.
"""

from __future__ import annotations

import importlib
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Any

from orchestrator.scheduling.batching import Batch, Former
from orchestrator.scheduling.sharing import Cost, Job, PlannedRun, Problem, by_the_rule, carried_on, cost, faults, timed

MODULE = "ortools.sat.python.cp_model"
INSTALL = "pip install 'labpilot[optimiser]'"
TOLERANCE = 0.01
"""Of the rule's cost: by how much a plan must be better."""
WORK_PER_S = 0.4
"""CP-SAT's own count of work (which is the same on every computer) that is allowed for each second of the limit."""
MOST_JOBS = 96
"""Samples that are planned for at once: those that are ready last are left for later."""
STEP_S = 30.0
"""What times are rounded up to in the search; what it finds is timed and compared to the second."""
MAKESPAN_WEIGHT = 10
"""What a second of the makespan counts, in seconds of every sample's."""
SPARE_RUNS = 2
"""Runs of a key that a plan may have beyond the fewest that its samples fit in."""


class NotInstalled(ImportError):
    """OR-tools is not installed."""


class NoAnswer(Exception):
    """The optimiser has no plan: it found none in time, or what it found is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What came of one decision."""

    runs: tuple[PlannedRun, ...]
    """The plan, in the order in which its runs begin."""
    cost: Cost
    by_rule: Cost
    is_better: bool
    """Whether it is to be followed rather than the rule."""
    took_s: float


@dataclass(slots=True)
class Optimiser:
    """Plans the runs of furnaces.

    Args:
        limit_s: How long one decision may take.
        is_timed: Whether the wall clock ends it too; where only the count of work does, the same problem always has the
            same answer.

    Raises:
        NotInstalled: OR-tools is missing.
    """

    limit_s: float
    is_timed: bool
    _cp: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._cp = load()

    def course(self, problem: Problem, former: Former, *, before: Sequence[Batch] = ()) -> Course:
        """Return the best plan that was found in time, and whether it beats the rule's.

        former: What the rule would go by.
        before: The plan of the last decision: the search begins with it, or with the rule's.

        Raises:
            NoAnswer: None was found, or it is wrong.
        """
        began_s = time.perf_counter()
        problem = _nearest(problem)
        rule = by_the_rule(problem, former)
        by_rule = cost(problem, rule)
        known = [[run.batch for run in rule], carried_on(problem, before)]
        plans = [timed(problem, batches) for batches in known]
        hint = min(plans, key=lambda runs: cost(problem, runs))
        plans.append(timed(problem, self._found(problem, hint, began_s)))
        best = min(plans, key=lambda runs: cost(problem, runs))
        found = cost(problem, best)
        return Course(
            runs=best,
            cost=found,
            by_rule=by_rule,
            is_better=is_better(found, by_rule),
            took_s=time.perf_counter() - began_s,
        )

    def _found(self, problem: Problem, hint: Sequence[PlannedRun], began_s: float) -> list[Batch]:
        model = _Model(self._cp, problem, hint)
        solver = self._cp.CpSolver()
        self._set(solver.parameters, left_s=began_s + self.limit_s - time.perf_counter())
        status = solver.solve(model.model)
        if status not in (self._cp.OPTIMAL, self._cp.FEASIBLE):
            raise NoAnswer(f"no plan was found within {self.limit_s:g} s ({solver.status_name(status).lower()})")
        batches = model.batches(solver.value)
        wrong = faults(problem, batches)
        if wrong:
            raise NoAnswer(f"the plan is wrong: {'; '.join(wrong[:3])}")
        return batches

    def _set(self, parameters: Any, *, left_s: float) -> None:
        parameters.num_workers = 1
        parameters.random_seed = 0
        parameters.catch_sigint_signal = False  # the operator's Ctrl-C is the campaign's to see
        # by trial on problems of 16 to 64 samples: neither presolving nor linear programs pay in a fifth of a second
        parameters.cp_model_presolve = False
        parameters.linearization_level = 0
        parameters.search_branching = self._cp.PORTFOLIO_WITH_QUICK_RESTART_SEARCH
        parameters.max_deterministic_time = WORK_PER_S * self.limit_s
        if self.is_timed:
            parameters.max_time_in_seconds = max(0.001, left_s)


def load() -> Any:
    """Return OR-tools' CP-SAT.

    Raises:
        NotInstalled: It is missing.
    """
    try:
        return importlib.import_module(MODULE)
    except ImportError as error:
        raise NotInstalled(f"OR-tools is not installed ({error}); {INSTALL}") from error


def is_better(found: Cost, by_rule: Cost) -> bool:
    """Say whether a plan is so much better than the rule's that it is followed."""
    if found.first_s > by_rule.first_s:
        return False
    if found.first_s < (1.0 - TOLERANCE) * by_rule.first_s:
        return True
    return found.mean_s < (1.0 - TOLERANCE) * by_rule.mean_s


def _nearest(problem: Problem) -> Problem:
    """Leave out those who are ready last where there are too many."""
    if len(problem.jobs) <= MOST_JOBS:
        return problem
    return replace(problem, jobs=tuple(sorted(problem.jobs, key=lambda job: job.ready_s)[:MOST_JOBS]))


@dataclass(slots=True, kw_only=True)
class _Lane:
    """Variables of one key."""

    key: str
    jobs: list[Job]
    """In the order in which they are ready."""
    starts: list[Any]
    """When each run begins."""
    within: list[list[Any]]
    """By run, then by sample: whether the sample is in this run or in one before it."""


def _steps(seconds: float) -> int:
    return math.ceil(seconds / STEP_S)


class _Model:
    """The problem in CP-SAT's terms, in whole steps of time from now."""

    def __init__(self, cp: Any, problem: Problem, runs: Sequence[PlannedRun]) -> None:
        self.model = cp.CpModel()
        self._problem = problem
        n_hinted = Counter(run.batch.key for run in runs)
        n_runs = {key: self._most_runs(key, n_hinted[key]) for key in sorted(n_hinted)}
        self._horizon = self._latest(runs, n_runs)
        self._lanes = [self._lane(key, n_runs[key]) for key in n_runs]
        self._share_furnaces()
        self._minimise()
        self._start_from(runs)

    def batches(self, value: Callable[[Any], int]) -> list[Batch]:
        """Return the runs of a solution in the order in which they begin."""
        found = []
        for lane in self._lanes:
            first = 0
            for start, within in zip(lane.starts, lane.within, strict=True):
                last = sum(value(one) for one in within)
                if last > first:
                    members = tuple(job.owner for job in lane.jobs[first:last])
                    found.append((value(start), Batch(key=lane.key, members=members)))
                first = last
        return [batch for _, batch in sorted(found, key=lambda one: one[0])]

    def _run(self, key: str) -> int:
        return _steps(self._problem.programs[key].run_s)

    def _over(self, key: str) -> int:
        """Return how long after the beginning of its run a sample is done with."""
        program = self._problem.programs[key]
        return _steps(program.run_s + program.tail_s)

    def _most_runs(self, key: str, n_hinted: int) -> int:
        n_jobs = sum(job.key == key for job in self._problem.jobs)
        return min(n_jobs, max(n_hinted, math.ceil(n_jobs / self._problem.capacity) + SPARE_RUNS))

    def _latest(self, hint: Sequence[PlannedRun], n_runs: Mapping[str, int]) -> int:
        """Return when the last run ends at the latest in a plan that can be better than the hint."""
        problem = self._problem
        if not problem.is_open:  # no later than all is over by the hint; rounding up costs a run two steps at most
            return _steps(cost(problem, hint).first_s) + 2 * sum(n_runs.values())
        after_s = max(*problem.free_s, *(job.ready_s for job in problem.jobs)) - problem.now_s
        work = sum(n * self._run(key) for key, n in n_runs.items())
        return _steps(max(0.0, after_s)) + math.ceil(work / len(problem.free_s)) + max(map(self._run, n_runs))

    def _lane(self, key: str, n_runs: int) -> _Lane:
        problem, model = self._problem, self.model
        jobs = sorted((job for job in problem.jobs if job.key == key), key=lambda job: job.ready_s)
        latest = self._horizon - self._run(key)
        lane = _Lane(
            key=key,
            jobs=jobs,
            starts=[model.new_int_var(0, latest, "") for _ in range(n_runs)],
            within=[[model.new_bool_var("") for _ in jobs] for _ in range(n_runs)],
        )
        for run in range(n_runs):
            self._ordered(lane, run)
        model.add(sum(lane.within[-1]) == len(jobs))
        return lane

    def _ordered(self, lane: _Lane, run: int) -> None:
        """Let a run take the next samples, as many as there is room for, once they are ready."""
        model, now_s = self.model, self._problem.now_s
        within, start = lane.within[run], lane.starts[run]
        for job, is_within in zip(lane.jobs, within, strict=True):
            model.add(start >= _steps(max(0.0, job.ready_s - now_s))).only_enforce_if(is_within)
        for earlier, later in pairwise(within):
            model.add_implication(later, earlier)
        before = lane.within[run - 1] if run else [0] * len(lane.jobs)
        model.add(sum(within) - sum(before) <= self._problem.capacity)
        if run:
            model.add(start >= lane.starts[run - 1])
            for was_within, is_within in zip(before, within, strict=True):
                model.add_implication(was_within, is_within)

    def _share_furnaces(self) -> None:
        """Let no more runs go on at once than there are furnaces."""
        model, now_s = self.model, self._problem.now_s
        taken = [_steps(at_s - now_s) for at_s in self._problem.free_s if at_s > now_s]
        intervals = [model.new_fixed_size_interval_var(0, until, "") for until in taken]
        for lane in self._lanes:
            for run, start in enumerate(lane.starts):
                is_made = lane.within[run - 1][-1].negated() if run else True
                intervals.append(model.new_optional_fixed_size_interval_var(start, self._run(lane.key), is_made, ""))
        model.add_cumulative(intervals, [1] * len(intervals), len(self._problem.free_s))

    def _minimise(self) -> None:
        """Make short what `sharing.cost` counts: first the makespan, then the mean."""
        model = self.model
        longest = self._horizon + max(_steps(self._problem.programs[lane.key].tail_s) for lane in self._lanes)
        makespan = model.new_int_var(0, longest, "")
        ends, taken = [], []
        for lane in self._lanes:
            over, run_length = self._over(lane.key), self._run(lane.key)
            for run, start in enumerate(lane.starts):
                is_made = [lane.within[run - 1][-1].negated()] if run else []
                taken.append(run_length * is_made[0] if run else run_length)
                model.add(makespan >= start + over).only_enforce_if(is_made)
            for number in range(len(lane.jobs)):
                end = model.new_int_var(0, longest, "")
                ends.append(end)
                for run, start in enumerate(lane.starts):
                    # who is in none of the runs before begins with this one at the earliest
                    is_later = [lane.within[run - 1][number].negated()] if run else []
                    model.add(end >= start + over).only_enforce_if(is_later)
        if self._problem.is_open:
            per_cent = round(100 * self._problem.scarcity)
            model.minimize(100 * len(self._problem.free_s) * sum(ends) + per_cent * len(ends) * sum(taken))
        else:
            model.minimize(MAKESPAN_WEIGHT * len(ends) * makespan + sum(ends))

    def _start_from(self, runs: Sequence[PlannedRun]) -> None:
        """Let the search begin at a plan that is known."""
        for lane in self._lanes:
            mine = [run for run in runs if run.batch.key == lane.key]
            taken = list(accumulate(len(run.batch.members) for run in mine))
            for number, (start, within) in enumerate(zip(lane.starts, lane.within, strict=True)):
                known = min(number, len(mine) - 1)
                self.model.add_hint(start, _steps(mine[known].start_s - self._problem.now_s))
                for job, is_within in enumerate(within):
                    self.model.add_hint(is_within, job < taken[known])
