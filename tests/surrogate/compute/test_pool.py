"""Real processes: those that are killed, hang, hoard and leak."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest

from surrogate.compute import ComputeQueue, Job, JobClass, ProcessPool

WORK = "tests.surrogate.compute.work:"
MIB = 2**20
WITHIN_S = 90.0
DOUBLE = Job(job_class=JobClass.UPDATE, function=WORK + "double", arguments={"x": 3}, memory_bytes=64 * MIB)


def call(name, **arguments):
    return replace(DOUBLE, function=WORK + name, arguments=arguments)


def live(life, **pool):
    async def main():
        made = ProcessPool(gpu=False, **pool) if "gpu" not in pool else ProcessPool(**pool)
        async with ComputeQueue(made) as queue:
            return await life(queue, made)

    return asyncio.run(main())


async def until(condition):
    """Poll, with a deadline."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.005)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_jobs_run_elsewhere_with_pinned_threads_and_what_they_print_harms_nothing():
    async def life(queue, pool):
        assert (await queue.submit(call("talk", words="\x00" * 1000)).value(within_s=WITHIN_S)) == "\x00" * 1000
        return await queue.submit(DOUBLE).value(within_s=WITHIN_S)

    value = live(life, threads=3)
    assert value["twice"] == 6 and value["pid"] != os.getpid() and value["threads"] == "3"
    assert gone(value["pid"])


@pytest.mark.parametrize(
    ("accident", "answer", "changes"),
    [
        ("die_once", "alive", {}),
        ("hang_once", "awake", {"timeout_s": 4.0}),
        ("stop_once", "going", {"timeout_s": 4.0}),
        ("raise_once", "fine", {}),
    ],
)
def test_a_job_survives_what_happens_to_its_worker(tmp_path, accident, answer, changes):
    async def life(queue, pool):
        return await queue.submit(replace(call(accident, mark=str(tmp_path / "mark")), **changes)).outcome(
            within_s=WITHIN_S
        )

    outcome = live(life)
    assert (outcome.value, outcome.attempts) == (answer, 2)


def test_a_child_that_outlives_its_worker_holds_up_nobody(tmp_path):
    pid_file = tmp_path / "pid"

    async def life(queue, pool):
        n_files = len(os.listdir("/proc/self/fd"))
        job = call("die_once_leaving_a_child", mark=str(tmp_path / "mark"), pid_file=str(pid_file))
        outcome = await queue.submit(job).outcome(within_s=WITHIN_S)
        return outcome, len(os.listdir("/proc/self/fd")) - n_files

    began_s = time.monotonic()
    try:
        outcome, n_more = live(life)
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
    assert (outcome.value, outcome.attempts) == ("alive", 2)
    # the first worker was not up when files were counted first
    assert n_more <= 4 and time.monotonic() - began_s < 25.0


def test_the_last_words_of_a_process_are_the_reason(tmp_path):
    async def life(queue, pool):
        job = replace(call("die_once", mark=str(tmp_path / "mark")), retries=0)
        return await queue.submit(job).outcome(within_s=WITHIN_S)

    outcome = live(life)
    assert outcome.status == "failed" and "exit code -9" in outcome.reason and "a last word" in outcome.reason


def test_a_killed_job_of_steps_goes_on_from_its_checkpoint_in_another_process():
    async def life(queue, pool):
        ticket = queue.submit(
            replace(call("total", n=300, pause_s=0.005), steps=True, slice_s=0.05, job_class=JobClass.REFIT)
        )
        await until(lambda: (queue.checkpoint_of(ticket) or {"i": 0})["i"] > 20)
        os.kill(next(iter(pool.pids.values())), signal.SIGKILL)
        return await ticket.outcome(within_s=WITHIN_S)

    outcome = live(life)
    assert outcome.value["sum"].tolist() == [300 * 299 / 2] and len(outcome.value["pids"]) == 2


def test_a_preempted_job_of_steps_goes_on_and_the_urgent_one_need_not_wait():
    async def life(queue, pool):
        long = queue.submit(replace(call("total", n=200, pause_s=0.01), steps=True, job_class=JobClass.RETRAIN))
        await until(lambda: queue.state.entries[long.number].worker)
        await queue.submit(DOUBLE).value(within_s=WITHIN_S)
        assert not long.ended.done()
        return await long.outcome(within_s=WITHIN_S), queue.metrics

    outcome, metrics = live(life)
    assert outcome.value["sum"].tolist() == [199 * 100.0] and outcome.attempts == 2
    assert metrics.preemptions == 1 and metrics.retries == 0


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (call("hoard", n_bytes=1024 * MIB), "memory: MemoryError"),
        (replace(call("creep", n_bytes=1024 * MIB), memory_bytes=MIB), "memory: holds .* MiB, leased are"),
        (call("leave"), "SystemExit: 3"),
        (call("not_plain"), "NotPlain: value is a set"),
        (call("stuck_generator"), "submit it with steps=True"),
        (replace(call("double", x=1), steps=True), "checkpoint"),
        (call("nowhere"), "AttributeError"),
        (replace(DOUBLE, function="no.such.module:f"), "ModuleNotFoundError"),
        (replace(call("silent"), steps=True, slice_s=0.1, silence_s=0.5), "timeout: no checkpoint in 0.5 s"),
        (replace(call("hang", seconds=1000), timeout_s=0.5), "timeout: took longer"),
        (replace(call("babble"), timeout_s=3.0), "lost|timeout"),
    ],
    ids=["hoards", "creeps", "exits", "no plain data", "generator", "no generator", "no function", "no module",
         "silent", "hangs", "babbles"],
)  # fmt: skip
def test_what_cannot_work_fails_with_the_reason_and_the_next_job_runs(job, words):
    async def life(queue, pool):
        bad, good = queue.submit(replace(job, retries=0)), queue.submit(DOUBLE)
        return await bad.outcome(within_s=WITHIN_S), await good.value(within_s=WITHIN_S)

    outcome, value = live(life, slack_bytes=128 * MIB)
    assert outcome.status == "failed" and value["twice"] == 6
    assert re.search(words, outcome.reason), outcome.reason


@pytest.mark.parametrize("limit", [{"worn_bytes": 150 * MIB}, {"max_jobs": 2}], ids=["leaks", "many jobs"])
def test_a_worn_process_is_replaced(limit):
    async def life(queue, pool):
        jobs = [queue.submit(replace(call("leak", n_bytes=50 * MIB), memory_bytes=100 * MIB)) for _ in range(6)]
        return [await one.value(within_s=WITHIN_S) for one in jobs], queue.metrics

    pids, metrics = live(life, **limit)
    assert len(set(pids)) >= 2 and metrics.retries == 0 and metrics.ended == {"done": 6}


def test_a_cancelled_killable_job_frees_its_worker_at_once():
    async def life(queue, pool):
        guess = queue.submit(replace(call("hang", seconds=1000), killable=True, job_class=JobClass.SPECULATE))
        await until(lambda: queue.state.entries[guess.number].worker)
        pid = pool.pids[queue.state.entries[guess.number].worker]
        guess.cancel()
        await queue.submit(DOUBLE).value(within_s=WITHIN_S)
        return pid

    assert gone(live(life))


def test_where_there_is_no_gpu_its_jobs_run_on_the_cpu_and_the_reason_is_on_record():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")

    async def life(queue, pool):
        where = await queue.submit(replace(call("where"), device="gpu")).value(within_s=WITHIN_S)
        return where, [one.reason for one in queue.records if one.reason]

    where, reasons = live(life, gpu=True)
    assert where == "cpu" and any("torch.cuda" in one for one in reasons)


def test_an_idle_worker_that_dies_is_replaced():
    async def life(queue, pool):
        first = (await queue.submit(DOUBLE).value(within_s=WITHIN_S))["pid"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: pool.pids and first not in pool.pids.values())
        return first, (await queue.submit(DOUBLE).value(within_s=WITHIN_S))["pid"]

    first, second = live(life)
    assert first != second


def test_workers_that_cannot_start_are_tried_again_and_jobs_wait():
    async def life(queue, pool):
        ticket = queue.submit(DOUBLE)
        await asyncio.wait([ticket.ended], timeout=1.0)
        return queue.state.entries[ticket.number].attempts

    assert live(life, preload=("no.such.module",)) == 0


CONTROLLER = """
    import asyncio, sys
    from surrogate.compute import ComputeQueue, Job, JobClass, ProcessPool

    async def main():
        pool = ProcessPool(workers=2, gpu=False)
        async with ComputeQueue(pool) as queue:
            hang = Job(job_class=JobClass.UPDATE, function="tests.surrogate.compute.work:hang",
                       arguments={"seconds": 1000.0})
            queue.submit(hang)
            while len(pool.pids) < 2 or not queue.state.entries[1].worker:
                await asyncio.sleep(0.01)
            heavy = [name for name in ("torch", "scipy", "pandas") if name in sys.modules]
            print(*pool.pids.values(), heavy, flush=True)
            await asyncio.sleep(1000)

    asyncio.run(main())
"""


def test_workers_end_with_their_controller_which_imports_nothing_heavy():
    controller = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CONTROLLER)], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    try:
        first, second, heavy = controller.stdout.readline().split(maxsplit=2)
        assert heavy.strip() == "[]"
    finally:
        controller.kill()
        controller.wait()
        controller.stdout.close()
    until_s = time.monotonic() + WITHIN_S
    while not (gone(int(first)) and gone(int(second))):
        assert time.monotonic() < until_s
        time.sleep(0.01)


class Failing(ProcessPool):
    """A pool with a defect: its watch of memory breaks while a job runs."""

    async def _watched(self):
        await until(lambda: any(process.ticket is not None for process in self._processes.values()))
        raise ZeroDivisionError("a defect")


@pytest.mark.parametrize("changes", [{"killable": True}, {"steps": True}, {}], ids=["killable", "steps", "neither"])
def test_what_breaks_a_pool_is_what_its_queue_tells(changes):
    job = call("total", n=1000, pause_s=0.1) if "steps" in changes else call("hang", seconds=1000)

    async def main():
        async with ComputeQueue(Failing(gpu=False)) as queue:
            ticket = queue.submit(replace(job, **changes))
            await ticket.outcome(within_s=WITHIN_S)

    with pytest.raises(BaseExceptionGroup) as caught:
        asyncio.run(main())
    assert caught.value.subgroup(ZeroDivisionError) is not None
