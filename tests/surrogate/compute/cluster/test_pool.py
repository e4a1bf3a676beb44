"""Jobs on the workers of a Dask scheduler: real processes that are killed, hang and take too much."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surrogate.compute import Job, JobClass
from tests.surrogate.compute.cluster.machines import (
    DOUBLE,
    MIB,
    WITHIN_S,
    call,
    is_gone,
    live,
    local_cluster,
    until,
    wait_until,
    worker_by_hand,
)


def test_jobs_and_arrays_go_there_and_back_and_every_worker_has_its_part(scheduler):
    async def life(queue, pool):
        await until(lambda: pool.n_places == 2)
        matrix = np.diag([3.0, 1.0, 2.0])
        values = queue.submit(
            Job(job_class=JobClass.ANALYSE, function="numpy.linalg:eigvalsh", arguments={"a": matrix}, timeout_s=60.0)
        )
        jobs = [queue.submit(replace(DOUBLE, arguments={"x": n})) for n in range(6)]
        doubled = [await one.value(within_s=WITHIN_S) for one in jobs]
        return await values.value(within_s=WITHIN_S), doubled

    values, doubled = live(scheduler, life, threads=3)
    assert values.tolist() == [1.0, 2.0, 3.0]
    assert [one["twice"] for one in doubled] == [0, 2, 4, 6, 8, 10]
    assert len({one["pid"] for one in doubled}) == 2 and {one["threads"] for one in doubled} == {"3"}
    wait_until(lambda: all(is_gone(one["pid"]) for one in doubled))


def test_the_snippet_of_the_page_runs(scheduler, capsys):
    page = (Path(__file__).parents[4] / "docs/cluster.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    given = {}
    exec(code, given)  # noqa: S102  as a reader would paste it
    asyncio.run(given["main"](scheduler))
    assert capsys.readouterr().out.strip() == "[1. 3.]"


def test_large_arguments_and_results_pass(scheduler):
    async def life(queue, pool):
        large = np.arange(2_000_000, dtype=float)
        job = replace(DOUBLE, function="numpy:flip", arguments={"m": large}, memory_bytes=512 * MIB)
        return await queue.submit(job).value(within_s=WITHIN_S)

    assert live(scheduler, life)[:3].tolist() == [1_999_999.0, 1_999_998.0, 1_999_997.0]


def test_a_preempted_job_of_steps_goes_on_and_the_urgent_one_need_not_wait(scheduler):
    async def life(queue, pool):
        await until(lambda: pool.n_places == 2)
        steps = replace(call("total", n=300, pause_s=0.01), steps=True, job_class=JobClass.RETRAIN)
        long = [queue.submit(steps) for _ in range(2)]
        await until(lambda: all(queue.state.entries[one.number].worker for one in long))
        await queue.submit(DOUBLE).value(within_s=WITHIN_S)
        assert not any(one.ended.done() for one in long)
        return [await one.outcome(within_s=WITHIN_S) for one in long], queue.metrics

    outcomes, metrics = live(scheduler, life)
    assert [one.value["sum"].tolist() for one in outcomes] == [[299 * 150.0]] * 2
    assert metrics.preemptions == 1 and metrics.retries == 0


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (call("hoard", n_bytes=1024 * MIB), "memory: MemoryError"),
        pytest.param(
            replace(call("creep", n_bytes=1024 * MIB), memory_bytes=MIB), "memory: holds .* MiB, leased are",
            marks=pytest.mark.slow,
        ),
        (replace(call("hang", seconds=1000), timeout_s=0.5), "timeout: took longer"),
        pytest.param(
            replace(call("silent"), steps=True, slice_s=0.1, silence_s=0.5), "timeout: no checkpoint in 0.5 s",
            marks=pytest.mark.slow,
        ),
        pytest.param(call("leave"), "SystemExit: 3", marks=pytest.mark.slow),
        (call("leave_child"), r"lost: .*exit code 5.*on [01] \(tcp"),
    ],
    ids=["hoards", "creeps", "hangs", "silent", "raises", "exits"],
)  # fmt: skip
def test_what_cannot_work_fails_with_the_reason_and_the_next_job_runs(scheduler, job, words):
    async def life(queue, pool):
        bad, good = queue.submit(replace(job, retries=0)), queue.submit(DOUBLE)
        return await bad.outcome(within_s=WITHIN_S), await good.value(within_s=WITHIN_S)

    outcome, value = live(scheduler, life, slack_bytes=128 * MIB)
    assert outcome.status == "failed" and value["twice"] == 6
    assert re.search(words, outcome.reason), outcome.reason


def test_a_cancelled_killable_job_frees_its_place_at_once(scheduler):
    async def life(queue, pool):
        await until(lambda: pool.n_places == 2)
        guess = replace(call("hang", seconds=1000), killable=True, job_class=JobClass.SPECULATE)
        guesses = [queue.submit(guess) for _ in range(2)]
        await until(lambda: all(queue.state.entries[one.number].worker for one in guesses))
        for one in guesses:
            one.cancel()
        return await queue.submit(DOUBLE).value(within_s=WITHIN_S)

    assert live(scheduler, life)["twice"] == 6


def test_a_lost_workers_job_goes_on_from_its_checkpoint_on_another_one(cluster):
    async def life(queue, pool):
        steps = replace(call("total", n=300, pause_s=0.01), steps=True, slice_s=0.05, job_class=JobClass.REFIT)
        ticket = queue.submit(steps)
        await until(lambda: (queue.checkpoint_of(ticket) or {"i": 0})["i"] > 20)
        working = queue.state.entries[ticket.number].worker
        address = pool.place_of(working).member.address
        os.kill({one.worker_address: one.process.pid for one in cluster.workers.values()}[address], signal.SIGKILL)
        return await ticket.outcome(within_s=WITHIN_S), [one.reason for one in queue.records if one.what == "failed"]

    outcome, reasons = live(cluster.scheduler_address, life)
    assert outcome.value["sum"].tolist() == [300 * 299 / 2] and outcome.attempts == 2
    first, second = outcome.value["pids"]
    wait_until(lambda: is_gone(first) and is_gone(second))
    assert len(reasons) == 1 and reasons[0].startswith("lost: the worker has left the cluster, on ")


def test_a_worker_that_comes_later_is_used_and_one_that_declares_a_gpu_alone_is_asked_for_it(scheduler):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")

    async def life(queue, pool):
        with worker_by_hand(scheduler, "--nthreads", "2", "--name", "late", "--resources", "GPU=1", "--no-nanny"):
            await until(lambda: pool.n_places == 3)  # one thread of it is the GPU's
            where = await queue.submit(replace(call("where"), device="gpu")).value(within_s=WITHIN_S)
        return where, [one.reason for one in queue.records if one.reason]

    where, reasons = live(scheduler, life, gpu_patience_s=0.5)
    assert where == "cpu"
    assert any(one.startswith("late (tcp://127.0.0.1:") and "torch.cuda sees no GPU" in one for one in reasons), reasons


@pytest.mark.slow
def test_where_no_worker_declares_a_gpu_its_jobs_run_on_the_cpu_and_the_reason_is_on_record(scheduler):
    async def life(queue, pool):
        where = await queue.submit(replace(call("where"), device="gpu")).value(within_s=WITHIN_S)
        return where, [one.reason for one in queue.records if one.reason]

    where, reasons = live(scheduler, life, gpu_patience_s=0.2)
    assert where == "cpu" and "no worker declares the resource GPU" in reasons


CONTROLLER = """
    import asyncio, sys
    from surrogate.compute import ComputeQueue
    from surrogate.compute.cluster import ClusterAddress, connected
    from tests.surrogate.compute.cluster.machines import DOUBLE, call

    async def main():
        address = ClusterAddress(scheduler=sys.argv[1])
        async with connected(address, forgotten_s=2.0) as pool, ComputeQueue(pool) as queue:
            print((await queue.submit(DOUBLE).value(within_s=60.0))["pid"], flush=True)
            [queue.submit(call("hang", seconds=1000.0)) for _ in range(2)]
            await asyncio.sleep(1000)

    asyncio.run(main())
"""


def test_processes_on_workers_end_when_their_controller_is_no_more(scheduler):
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CONTROLLER), scheduler], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as controller:  # fmt: skip
        pid = int(controller.stdout.readline())
        controller.kill()
    wait_until(lambda: is_gone(pid))


@pytest.mark.slow
def test_a_scheduler_that_has_gone_ends_the_queue_with_words():
    from surrogate.compute.cluster import NoCluster

    async def life(queue, pool, cluster):
        await queue.submit(DOUBLE).value(within_s=WITHIN_S)
        await asyncio.to_thread(cluster.close)
        await queue.submit(DOUBLE).value(within_s=WITHIN_S)

    with local_cluster(workers=1) as cluster, pytest.raises(BaseExceptionGroup) as caught:
        live(cluster.scheduler_address, lambda queue, pool: life(queue, pool, cluster), silent_s=1.0)
    found = caught.value.subgroup(NoCluster)
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert re.fullmatch(r"the scheduler has not answered for \d+ s", str(found))
