"""Who analyses measurements: this process in virtual time, a worker of the compute queue on real ports.

An analysis may be a fit of minutes, it may hang, and a library under it may take all memory or crash. On real ports it
is a job of `surrogate.compute`: the controller goes on with everything else meanwhile, a worker that dies is replaced
and the analysis made again, and one that finds no end costs its trial, whose measurements are kept.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from drivers.clock import Clock
from orchestrator.analysis import Analysis
from orchestrator.measurements import MeasurementFile

if TYPE_CHECKING:
    from surrogate import AnalysisResult
    from surrogate.compute import ComputeQueue

log = logging.getLogger(__name__)

ANALYSIS_S = 600.0
"""What one analysis may take on real ports, where a campaign does not say."""
_LEASE_BYTES = 2 * 2**30
_TRIES = 3
_MARGIN_S = 300.0
"""For starting workers, beside the time of all tries: after that the queue itself is at fault."""

Costs = Callable[[float, Mapping[str, Any]], float]
Told = Callable[[str], None]
"""Takes what people are to know of."""


class NoAnalysis(RuntimeError):
    """An analysis came to no end, however often it was tried."""


def why(error: Exception) -> str:
    """Say what came of an analysis in words that follow its name."""
    from surrogate.analysis_job import AnalysisRaised

    if isinstance(error, NoAnalysis):
        return str(error)
    return f"raised {error}" if isinstance(error, AnalysisRaised) else f"raised {type(error).__name__}: {error}"


class Analyst(Protocol):
    """Analyses what was measured in a trial."""

    analysis: Analysis

    async def __call__(self, measurements: Sequence[MeasurementFile], parameters: Mapping[str, Any]) -> AnalysisResult:
        """Return what the analysis found; raise whatever it raised."""
        ...


class AtHand:
    """Analyses in this process, and lets the trial pay for it in virtual time.

    Args:
        analysis: What is made.
        clock: Of the campaign.
        costs_s: Says what an analysis costs that took so long, of a trial with some parameters.
    """

    def __init__(self, analysis: Analysis, clock: Clock, costs_s: Costs) -> None:
        self.analysis, self._clock, self._costs_s = analysis, clock, costs_s

    async def __call__(self, measurements: Sequence[MeasurementFile], parameters: Mapping[str, Any]) -> AnalysisResult:
        """Analyse, and wait as long as that costs."""
        began_s = time.perf_counter()
        result = self.analysis.of_trial(measurements, parameters)
        if self._clock.is_virtual:
            cost_s = self._costs_s(time.perf_counter() - began_s, parameters)
            if cost_s > 0.0:
                await self._clock.sleep(cost_s)
        return result


class Elsewhere:
    """Analyses in a worker's process.

    Args:
        analysis: What is made.
        queue: Where jobs go.
        within_s: What one try may take.
        told: Hears of analyses that had to be made again.
    """

    def __init__(self, analysis: Analysis, queue: ComputeQueue, *, within_s: float, told: Told) -> None:
        self.analysis, self._queue, self._within_s, self._told = analysis, queue, within_s, told

    async def __call__(self, measurements: Sequence[MeasurementFile], parameters: Mapping[str, Any]) -> AnalysisResult:
        """Analyse in a worker.

        Raises:
            AnalysisRaised: It raised.
            NoAnalysis: It took too long or too much memory, or its worker was lost, each time.
        """
        from surrogate.analysis_job import FUNCTION, arguments, result_of
        from surrogate.compute import Job, JobClass

        analysis = self.analysis
        told = arguments(analysis.name, analysis.data_of(measurements), analysis.options_of(parameters))
        job = Job(
            job_class=JobClass.ANALYSE,
            function=FUNCTION,
            arguments=told,
            memory_bytes=_LEASE_BYTES,
            retries=_TRIES - 1,
            timeout_s=self._within_s,
            name=analysis.label,
        )
        ticket = self._queue.submit(job)
        try:
            outcome = await ticket.outcome(within_s=_TRIES * self._within_s + _MARGIN_S)
        finally:
            ticket.cancel()
        if outcome.attempts > 1:
            self._told(f"the analysis {analysis.label} was tried {outcome.attempts} times: {self._why(outcome.ticket)}")
        if outcome.status != "done":
            raise NoAnalysis(f"gave up after {outcome.attempts} tries ({outcome.reason})")
        return result_of(outcome.value)

    def _why(self, ticket: int) -> str:
        reasons = [one.reason for one in self._queue.records if one.ticket == ticket and one.reason]
        return "; ".join(dict.fromkeys(reasons)) or "its worker was lost"


def as_it_took(took_s: float, parameters: Mapping[str, Any]) -> float:
    """Charge what an analysis took."""
    del parameters
    return took_s


@asynccontextmanager
async def queue_for(analysis: Analysis, clock: Clock, *, planners: int) -> AsyncIterator[ComputeQueue | None]:
    """Hold open the queue of what a campaign computes beside its controller; None where it computes nothing so.

    Args:
        analysis: Heavy ones have a worker of their own on real ports, so that none waits for a plan.
        clock: Of the campaign; in virtual time workers are simulated.
        planners: How many processes plan ahead.
    """
    workers = planners if clock.is_virtual else planners + analysis.is_heavy
    if not workers:
        yield None
        return
    from surrogate.compute import ComputeQueue, CostModel, ProcessPool, Rules, SimulatedPool

    if clock.is_virtual:
        pool: Any = SimulatedPool(workers=workers, costs=CostModel(), seed=0)
    else:
        preload = ("surrogate.analysis_job",) * analysis.is_heavy + ("planner.speculation",) * bool(planners)
        pool = ProcessPool(workers=workers, gpu=False, preload=preload)
    rules = Rules(memory_bytes=_LEASE_BYTES * (1 + workers))
    async with ComputeQueue(pool, clock=clock, rules=rules) as queue:
        yield queue
        log.info("computed %s", queue.metrics.as_json())


def analyst_for(
    analysis: Analysis,
    clock: Clock,
    queue: ComputeQueue | None,
    *,
    costs_s: Costs,
    deadline_s: float | None,
    told: Told,
) -> Analyst:
    """Return who makes a campaign's analyses; in a process of its own where that is worth while."""
    if clock.is_virtual or queue is None or not analysis.is_heavy:
        return AtHand(analysis, clock, costs_s)
    within_s = ANALYSIS_S if deadline_s is None or math.isinf(deadline_s) else deadline_s
    return Elsewhere(analysis, queue, within_s=within_s, told=told)
