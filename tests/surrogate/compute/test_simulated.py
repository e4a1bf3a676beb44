"""The pool in virtual time."""

from dataclasses import replace

import pytest

from surrogate.compute import CostModel, JobClass, Rules, Rung
from tests.surrogate.compute.lives import DOUBLE, PLAN, TOTAL, live


def test_durations_are_drawn_by_the_ticket_so_that_policies_are_compared_on_the_same():
    costs = CostModel()
    for seconds in (1.0, 2.0, 4.0, 8.0):
        costs = costs.learned(DOUBLE, "cpu", seconds)

    async def life(queue, clock):
        tickets = [queue.submit(replace(DOUBLE, deadline_s=100.0 - n)) for n in range(6)]
        return [(await one.outcome(within_s=100.0)).busy_s for one in tickets]

    edf = live(life, costs=costs, rules=Rules(discipline="edf"))
    assert edf == pytest.approx(live(life, costs=costs, rules=Rules(discipline="fifo"), workers=3))
    assert edf != pytest.approx(live(life, costs=costs, seed=1))


def test_a_preempted_job_is_charged_once_and_gives_its_result():
    async def life(queue, clock):
        long = queue.submit(TOTAL)
        await clock.sleep(7.03)
        await queue.submit(DOUBLE).value(within_s=10.0)
        between_s = clock.now_s()
        outcome = await long.outcome(within_s=100.0)
        return between_s, clock.now_s(), outcome.value["sum"].tolist(), outcome.attempts, queue.metrics.preemptions

    between_s, ended_s, total, attempts, preemptions = live(life, step_s=0.1)
    assert between_s == pytest.approx(7.1 + 2.0) and ended_s == pytest.approx(62.0)
    assert (total, attempts, preemptions) == ([45.0], 2, 1)


def test_a_simulated_gpu_does_gpu_jobs_and_one_that_is_too_small_does_not():
    async def life(queue, clock):
        on_gpu = queue.submit(replace(DOUBLE, device="gpu", memory_bytes=100))
        beside = queue.submit(DOUBLE)
        large = queue.submit(replace(DOUBLE, device="gpu", memory_bytes=2**40))
        for one in (on_gpu, beside, large):
            await one.value(within_s=100.0)
        return clock.now_s(), queue.metrics.fallbacks

    assert live(life, gpu_bytes=1000) == (4.0, {"gpu -> cpu": 1})


def test_a_killed_worker_is_replaced_in_virtual_time_too():
    async def life(queue, clock):
        guess = queue.submit(replace(DOUBLE, job_class=JobClass.SPECULATE, killable=True, expected_s=50.0))
        await clock.sleep(1.0)
        await queue.submit(replace(PLAN, deadline_s=10.0)).value(within_s=10.0)
        planned_s = clock.now_s()
        await guess.value(within_s=100.0)
        return planned_s, clock.now_s()

    assert live(life, restart_s=0.5) == (3.5, 53.5)


def test_an_alternative_with_the_same_function_is_a_job_of_its_own():
    job = replace(DOUBLE, function="json:loads", arguments={"s": "no JSON"}, retries=0, expected_s=50.0)
    other = Rung(name="other", job=replace(job, arguments={"s": "7"}, expected_s=1.0))

    async def life(queue, clock):
        outcome = await queue.submit(replace(job, alternatives=(other,))).outcome(within_s=100.0)
        return outcome.value, outcome.rung, clock.now_s()

    assert live(life) == (7, "other", 51.0)


def test_what_is_done_is_not_kept_for_ever():
    pools = []

    async def life(queue, clock):
        pools.append(queue._pool)
        for _ in range(5):
            await queue.submit(DOUBLE).value(within_s=100.0)

    live(life)
    assert not pools[0]._runs


def test_a_dry_pool_charges_without_doing():
    async def life(queue, clock):
        return await queue.submit(replace(DOUBLE, function="no.such:thing")).value(within_s=10.0), clock.now_s()

    assert live(life, is_dry=True) == (None, 2.0)
