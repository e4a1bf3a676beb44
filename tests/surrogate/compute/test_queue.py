"""The queue in virtual time, over the same policy as with processes."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from surrogate.compute import (
    BadJob,
    JobCancelled,
    JobClass,
    JobFailed,
    NotPlain,
    Rules,
    StalePlan,
    StillAtWork,
    plan_ladder,
)
from tests.surrogate.compute.lives import DOUBLE, PLAN, TOTAL, WORK, live


def test_a_result_comes_back_after_its_time():
    async def life(queue, clock):
        value = await queue.submit(DOUBLE).value(within_s=10.0)
        return value["twice"], clock.now_s(), queue.metrics.busy_s

    assert live(life) == (6, 2.0, 2.0)


def test_equal_seeds_give_equal_records():
    async def life(queue, clock):
        long = queue.submit(TOTAL)
        for n in range(5):
            await clock.sleep(3.0)
            await queue.submit(replace(PLAN, deadline_s=clock.now_s() + n)).outcome(within_s=100.0)
        await long.outcome(within_s=1000.0)
        return list(queue.records), queue.costs.sha256

    assert live(life) == live(life)


def test_a_job_that_fails_says_why_and_how_often_it_was_tried():
    async def life(queue, clock):
        await queue.submit(replace(DOUBLE, function=WORK + "always_raise", arguments={})).value(within_s=100.0)

    with pytest.raises(JobFailed, match="failed after 3 attempts: raised: ValueError: never"):
        live(life)


def test_waiting_too_short_ends_nothing():
    async def life(queue, clock):
        ticket = queue.submit(DOUBLE)
        with pytest.raises(StillAtWork, match="has not ended within 1 s"):
            await ticket.value(within_s=1.0)
        return (await ticket.value(within_s=10.0))["twice"]

    assert live(life) == 6


def test_cancelled_jobs_say_so_and_closing_the_queue_cancels_all():
    tickets = []

    async def life(queue, clock):
        tickets.extend(queue.submit(DOUBLE) for _ in range(3))
        tickets[1].cancel()
        with pytest.raises(JobCancelled):
            await tickets[1].value(within_s=1.0)
        await tickets[0].value(within_s=10.0)
        tickets[0].cancel()

    live(life)
    assert [one.ended.result().status for one in tickets] == ["done", "cancelled", "cancelled"]


def test_what_the_caller_raises_is_told_as_it_is():
    async def life(queue, clock):
        queue.submit(TOTAL)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        live(life)


def test_a_closed_queue_takes_nothing():
    async def life(queue, clock):
        return queue

    queue = live(life)
    with pytest.raises(BadJob, match="closed"):
        queue.submit(DOUBLE)


def test_jobs_that_can_never_run_are_refused_at_once():
    async def life(queue, clock):
        with pytest.raises(BadJob, match="all jobs together have 1000"):
            queue.submit(replace(DOUBLE, memory_bytes=1001))
        with pytest.raises(NotPlain, match="is a set"):
            queue.submit(replace(DOUBLE, memory_bytes=1, arguments={"x": {1}}))
        return len(queue.state.entries)

    assert live(life, rules=Rules(memory_bytes=1000)) == 0


def test_arguments_are_those_of_the_time_of_submission():
    async def life(queue, clock):
        given = np.ones(2)
        ticket = queue.submit(replace(DOUBLE, arguments={"x": given}))
        given[:] = 7
        return (await ticket.value(within_s=10.0))["twice"].tolist()

    assert live(life) == [2.0, 2.0]


def test_a_ladder_answers_by_its_deadline_whatever_happens():
    async def life(queue, clock):
        full = replace(PLAN, function=WORK + "total", steps=True, arguments={"n": 3}, deadline_s=30.0, expected_s=20.0)
        quick = replace(DOUBLE, job_class=JobClass.PLAN, expected_s=3.0)
        answers = []
        for deadline_s in (25.0, 30.0, 30.5):
            job = plan_ladder(
                replace(full, deadline_s=deadline_s), rescore=quick, stale=None, space_filling={"twice": "any"}
            )
            outcome = await queue.submit(job).outcome(within_s=100.0)
            assert outcome.ended_s <= deadline_s
            answers.append((outcome.rung, clock.now_s()))
        return answers

    assert live(life) == [("fresh full plan", 20.0), ("short list rescored", 23.0), ("short list rescored", 26.0)]


def test_freshness_is_bounded_and_counted_when_a_plan_is_used():
    async def life(queue, clock):
        seen = queue.n_results
        queue.result_came()
        assert queue.use_plan(seen) == 1 and queue.use_plan(queue.n_results) == 0
        queue.result_came()
        with pytest.raises(StalePlan, match="2 results are unseen by this plan, at most 1 may be"):
            queue.use_plan(seen)
        return queue.metrics.staleness

    assert live(life) == {1: 1, 0: 1}


def test_a_stale_plan_raises():
    async def life(queue, clock):
        ticket = queue.submit(PLAN)
        for _ in range(2):
            queue.result_came()
        await ticket.value(within_s=10.0)

    with pytest.raises(StalePlan, match="2 results unseen"):
        live(life)


def test_idle_instruments_are_counted():
    async def life(queue, clock):
        queue.instrument_free("furnace")
        await queue.submit(PLAN).value(within_s=10.0)
        queue.instrument_taken("furnace")
        await queue.submit(TOTAL).value(within_s=100.0)
        return queue.metrics

    metrics = live(life)
    assert metrics.idle_s == {"furnace": 2.0} and metrics.hidden == pytest.approx(1 - 2.0 / 62.0)


def test_checkpoints_can_be_stored_and_begun_from():
    async def life(queue, clock):
        begun = replace(TOTAL, checkpoint={"i": 9, "sum": np.full(1, 36.0), "pids": []})
        ticket = queue.submit(begun)
        assert queue.checkpoint_of(ticket)["i"] == 9
        value = await ticket.value(within_s=100.0)
        return value["sum"].tolist(), queue.costs.seen

    total, learnt = live(life)
    assert total == [45.0] and not learnt  # half a job's duration teaches nothing


def test_a_wait_for_the_future_is_free_of_drift():
    async def life(queue, clock):
        jobs = [queue.submit(replace(PLAN, timeout_s=5.0, expected_s=50.0, retries=0, seen=None)) for _ in range(3)]
        outcomes = await asyncio.gather(*(one.outcome(within_s=100.0) for one in jobs))
        return [one.reason for one in outcomes], clock.now_s()

    reasons, now_s = live(life, restart_s=0.0)
    assert reasons == ["timeout: took longer than 5 s"] * 3 and now_s == pytest.approx(15.0, abs=1e-3)
