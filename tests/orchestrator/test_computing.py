"""Analyses in workers: real processes, killed, stopped and starved."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import numpy as np
import pytest

from drivers.clock import RealClock, VirtualClock, VirtualLoop
from orchestrator.analysis import Analysis
from orchestrator.computing import AtHand, Elsewhere, NoAnalysis, analyst_for, as_it_took, queue_for, why
from orchestrator.measurements import MeasurementFile
from surrogate import ANALYSES
from surrogate.analysis_job import AnalysisRaised
from surrogate.compute import ComputeQueue, ProcessPool
from surrogate.compute.events import What
from surrogate.spectra.line_shapes import line

X = np.linspace(400.0, 800.0, 401)
OPTIONS = {"peaks": {"where": {"near": 500.0, "within": 8.0, "take": "position"}}, "fwhm": 8.0}


def spectrum():
    counts = 300.0 + line(X, np.array([[500.0, 300.0, 8.0, 0.4]])).sum(axis=1)
    counts = counts + np.random.default_rng(0).normal(0.0, 3.0, len(X))
    return MeasurementFile(kind="spectrum", arrays={"wavelength_nm": X, "counts": counts}, metadata={"role": "film"})


def analysis(kind="peaks", **options):
    found = ANALYSES[kind]
    return Analysis(name=kind, version=found.version, options=options or OPTIONS, function=found, targets=("where",))


@asynccontextmanager
async def elsewhere(within_s=60.0, one=None):
    told = []
    pool = ProcessPool(workers=1, gpu=False, preload=("surrogate.spectra.peak_analysis",))
    async with ComputeQueue(pool) as queue:
        async with asyncio.timeout(60.0):
            while not pool.pids:
                await asyncio.sleep(0.02)
        yield Elsewhere(one or analysis(), queue, within_s=within_s, told=told.append), pool, queue, told


async def started(queue):
    async with asyncio.timeout(30.0):
        while not any(one.what is What.STARTED for one in queue.records):
            await asyncio.sleep(0.02)


def test_a_worker_finds_what_this_process_finds():
    async def both():
        async with elsewhere() as (analyst, _, _, told):
            there = await analyst([spectrum()], {"dose": 2.0})
        here = await AtHand(analysis(), RealClock(), as_it_took)([spectrum()], {"dose": 2.0})
        return here, there, told

    here, there, told = asyncio.run(both())
    assert here.values == there.values and here.findings == there.findings and here.cannot_tell is None
    assert here.details.keys() == there.details.keys() and not told
    assert np.array_equal(here.details["baseline"], there.details["baseline"])


def test_an_analysis_whose_worker_is_killed_is_made_again_and_people_hear_of_it():
    async def killed():
        async with elsewhere() as (analyst, pool, queue, told):
            (pid,) = pool.pids.values()
            os.kill(pid, signal.SIGSTOP)  # so that it cannot be done before it is killed
            at_work = asyncio.ensure_future(analyst([spectrum()], {}))
            await started(queue)
            os.kill(pid, signal.SIGKILL)
            return await at_work, told

    result, told = asyncio.run(killed())
    assert result.values["where"] == pytest.approx(500.0, abs=0.5)
    assert len(told) == 1 and "peaks 1 was tried 2 times" in told[0]


def test_an_analysis_that_hangs_is_ended_and_the_controller_goes_on_meanwhile():
    async def hung():
        async with elsewhere(within_s=1.0) as (analyst, pool, queue, _):
            (pid,) = pool.pids.values()
            os.kill(pid, signal.SIGSTOP)
            at_work = asyncio.ensure_future(analyst([spectrum()], {}))
            turns = 0
            async with asyncio.timeout(60.0):
                while not any(one.what is What.RETRIED for one in queue.records):
                    await asyncio.sleep(0.01)
                    turns += 1
            at_work.cancel()
            return turns, [one.reason for one in queue.records if one.what is What.FAILED]

    turns, reasons = asyncio.run(hung())
    assert turns > 10 and "longer than 1 s" in reasons[0]


def test_one_that_never_ends_gives_up_with_words():
    async def never():
        async with elsewhere(within_s=0.001) as (analyst, *_):
            await analyst([spectrum()], {})

    with pytest.raises(NoAnalysis, match="gave up after 3 tries") as caught:
        asyncio.run(never())
    assert why(caught.value).startswith("gave up after 3 tries")


def test_what_it_raises_is_told_at_once_and_not_tried_again():
    async def raised():
        async with elsewhere(one=analysis(peaks={"where": {"nearby": 500.0}})) as (analyst, _, queue, told):
            with pytest.raises(AnalysisRaised) as caught:
                await analyst([spectrum()], {})
            return caught.value, [one.what for one in queue.records], told

    error, records, told = asyncio.run(raised())
    assert why(error).startswith("raised ValueError: ") and "nearby" in why(error)
    assert records.count(What.STARTED) == 1 and not told


def test_errors_of_this_process_are_told_alike():
    assert why(ZeroDivisionError("division by zero")) == "raised ZeroDivisionError: division by zero"


@pytest.mark.parametrize(("kind", "is_heavy"), [("peaks", True), ("reading", False)])
def test_only_heavy_analyses_have_a_process_of_their_own(kind, is_heavy):
    async def chosen():
        one, clock, told = analysis(kind), RealClock(), []
        async with queue_for(one, clock, planners=0) as queue:
            analyst = analyst_for(one, clock, queue, costs_s=as_it_took, deadline_s=None, told=told.append)
            return isinstance(analyst, Elsewhere) and queue is not None

    assert asyncio.run(chosen()) is is_heavy
    assert analysis(kind).is_heavy is is_heavy


def test_virtual_time_makes_the_trial_pay_for_its_analysis():
    loop = VirtualLoop(0.0)
    clock = VirtualClock(loop)

    async def paid():
        told = []
        async with queue_for(analysis(), clock, planners=1) as queue:
            how = {"costs_s": lambda _took_s, _parameters: 12.0, "deadline_s": None, "told": told.append}
            analyst = analyst_for(analysis(), clock, queue, **how)
            assert isinstance(analyst, AtHand)
            await analyst([spectrum()], {})
        return clock.now_s()

    assert loop.run_until_complete(paid()) == pytest.approx(12.0)
    loop.close()
