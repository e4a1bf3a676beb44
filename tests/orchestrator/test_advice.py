import asyncio
import threading
import time

import pytest

from orchestrator.advice import AGAIN_S, LONG_RUNS, Advice, Advisor
from orchestrator.scheduling.batching import Batch, Former, Member
from orchestrator.scheduling.optimising import Course, NoAnswer, Optimiser
from orchestrator.scheduling.sharing import Cost, PlannedRun
from tests.orchestrator.scheduling import test_sharing as paper

RUN_S = 8 * 3600.0


class FixedPlan:
    """An optimiser that has its answers beforehand."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    def course(self, problem, former, *, before=()):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def course(*runs, is_better=True):
    planned = tuple(
        PlannedRun(batch=Batch(key="900", members=tuple(members)), start_s=start_s, end_s=start_s + RUN_S)
        for members, start_s in runs
    )
    return Course(runs=planned, cost=Cost(1.0, 1.0), by_rule=Cost(2.0, 2.0), is_better=is_better, took_s=0.0)


def former_of(*owners, since_s=0.0, **more):
    former = Former(capacity=4, **more)
    for owner in owners:
        former.join(Member(owner=owner, key="900", run_s=RUN_S, since_s=since_s))
    return former


@pytest.fixture
def told():
    return []


def advised(advisor, former, now_s=0.0, signature="same"):
    return advisor.advise(former, lambda: None, signature, now_s)


def test_a_run_of_the_plan_begins_when_its_time_has_come_and_all_are_there(told):
    advisor = Advisor(optimiser=FixedPlan(course((["a", "b"], 0.0), (["c"], 500.0))), report=told.append)
    advice = advised(advisor, former_of("a", "b"))
    assert advice.batch == Batch(key="900", members=("a", "b"), is_planned=True)


def test_a_run_whose_members_are_not_all_there_is_waited_for(told):
    advisor = Advisor(optimiser=FixedPlan(course((["a", "b"], 300.0))), report=told.append)
    advice = advised(advisor, former_of("a"))
    assert (advice.batch, advice.again_s) == (None, 300.0)


def test_the_rule_is_left_alone_where_the_plan_is_no_better(told):
    advisor = Advisor(optimiser=FixedPlan(course((["a"], 300.0), is_better=False)), report=told.append)
    assert advised(advisor, former_of("a")) is None


def test_nobody_is_asked_where_nobody_waits(told):
    optimiser = FixedPlan(course((["a"], 0.0)))
    assert advised(Advisor(optimiser=optimiser, report=told.append), former_of()) is None
    assert optimiser.asked == 0


def test_the_same_question_is_not_asked_twice_until_the_answer_has_aged(told):
    optimiser = FixedPlan(course((["a", "b"], 5000.0)))
    advisor = Advisor(optimiser=optimiser, report=told.append)
    for now_s in (0.0, 1.0, AGAIN_S - 1.0):
        advised(advisor, former_of("a"), now_s)
    assert optimiser.asked == 1
    advised(advisor, former_of("a"), AGAIN_S)
    advised(advisor, former_of("a"), AGAIN_S, signature="another")
    assert optimiser.asked == 3


def test_a_furnace_is_not_kept_free_for_longer_than_a_run(told):
    optimiser = FixedPlan(course((["a", "late"], 1e9)))
    advisor = Advisor(optimiser=optimiser, report=told.append)
    assert advised(advisor, former_of("a"), 0.0).batch is None
    assert advised(advisor, former_of("a"), RUN_S - 1.0).batch is None
    assert advised(advisor, former_of("a"), RUN_S) is None
    advisor.begun()
    assert advised(advisor, former_of("a", since_s=RUN_S), RUN_S).batch is None


def test_the_longest_wait_of_a_recipe_is_obeyed(told):
    advisor = Advisor(optimiser=FixedPlan(course((["a", "late"], 1e9))), report=told.append)
    former = former_of("a", longest_wait=0.01, is_strict=True)
    assert advised(advisor, former, 0.0).again_s == pytest.approx(0.01 * RUN_S)
    assert advised(advisor, former, 0.01 * RUN_S) is None


def test_who_has_waited_for_very_long_is_begun_with(told):
    former = former_of("a", "b")
    former.join(Member(owner="c", key="1100", run_s=RUN_S, since_s=-LONG_RUNS * RUN_S))
    advisor = Advisor(optimiser=FixedPlan(course((["a", "b"], 0.0))), report=told.append)
    assert advised(advisor, former).batch == Batch(key="1100", members=("c",))


def test_an_optimiser_without_an_answer_is_said_once_and_asked_again(told):
    optimiser = FixedPlan(NoAnswer("no plan"), NoAnswer("no plan"), course((["a"], 0.0)))
    advisor = Advisor(optimiser=optimiser, report=told.append)
    former = former_of("a")
    assert [advised(advisor, former, signature=number) for number in (1, 2)] == [None, None]
    assert told == ["the rule forms batches where the optimiser cannot: no plan"]
    assert advised(advisor, former, signature=3).batch is not None


def test_an_optimiser_that_breaks_is_said_and_not_asked_again(told):
    optimiser = FixedPlan(RuntimeError("out of memory"))
    advisor = Advisor(optimiser=optimiser, report=told.append)
    assert [advised(advisor, former_of("a"), signature=number) for number in (1, 2)] == [None, None]
    assert optimiser.asked == 1
    assert len(told) == 1 and "the optimiser broke: RuntimeError: out of memory" in told[0]


class Slow(FixedPlan):
    """An optimiser that answers once it may."""

    def __init__(self, *answers):
        super().__init__(*answers)
        self.may_answer = threading.Event()

    def course(self, problem, former, *, before=()):
        assert self.may_answer.wait(10.0)
        return super().course(problem, former, before=before)


def aside(optimiser, told):
    """Return an advisor that asks in a thread, and what is set once there is an answer."""
    answered = asyncio.Event()
    return Advisor(optimiser=optimiser, report=told.append, is_aside=True, on_answer=answered.set), answered


def test_a_furnace_is_kept_free_while_the_optimiser_searches_and_everything_else_goes_on(told):
    async def asked():
        optimiser = Slow(course((["a", "b"], 0.0)))
        advisor, answered = aside(optimiser, told)
        first = advised(advisor, former_of("a", "b"), 5.0)
        await asyncio.sleep(0.01)
        assert advised(advisor, former_of("a", "b"), 6.0).batch is None
        optimiser.may_answer.set()
        await asyncio.wait_for(answered.wait(), 10.0)
        return first, advised(advisor, former_of("a", "b"), 7.0), optimiser.asked

    first, then, n_asked = asyncio.run(asked())
    assert first == Advice(batch=None, again_s=5.0 + AGAIN_S)
    assert then.batch == Batch(key="900", members=("a", "b"), is_planned=True)
    assert n_asked == 1


def test_an_answer_to_what_is_no_longer_the_question_is_not_followed(told):
    async def asked():
        optimiser = Slow(course((["a"], 0.0)), course((["a", "b"], 0.0)))
        advisor, answered = aside(optimiser, told)
        advised(advisor, former_of("a"), signature="a")
        optimiser.may_answer.set()
        await asyncio.wait_for(answered.wait(), 10.0)
        answered.clear()
        assert advised(advisor, former_of("a", "b"), signature="a and b").batch is None
        await asyncio.wait_for(answered.wait(), 10.0)
        return advised(advisor, former_of("a", "b"), signature="a and b")

    assert asyncio.run(asked()).batch.members == ("a", "b")


def test_an_optimiser_that_breaks_aside_is_said_and_the_rule_goes_on(told):
    async def asked():
        optimiser = Slow(RuntimeError("out of memory"))
        optimiser.may_answer.set()
        advisor, answered = aside(optimiser, told)
        advised(advisor, former_of("a"))
        await asyncio.wait_for(answered.wait(), 10.0)
        return advised(advisor, former_of("a"))

    assert asyncio.run(asked()) is None
    assert len(told) == 1 and "out of memory" in told[0]


def test_nobody_is_told_of_an_answer_that_comes_after_the_end(told):
    async def asked():
        optimiser = Slow(course((["a"], 0.0)))
        advisor, answered = aside(optimiser, told)
        advised(advisor, former_of("a"))
        await asyncio.sleep(0.01)
        await advisor.close()
        optimiser.may_answer.set()
        await asyncio.sleep(0.05)
        return answered.is_set()

    assert asyncio.run(asked()) is False


def test_no_more_than_its_limit_of_wall_time_passes_and_the_event_loop_is_not_held_up(told):
    limit_s = 0.5
    jobs = [paper.job(f"s{i}", key=("900", "1100")[i % 2], in_s=450.0 * (i - 20)) for i in range(96)]
    given_problem = paper.problem(*jobs, capacity=8, free_in_s=(0.0, 9000.0, 20000.0))
    former = paper.former_of(given_problem)
    optimiser = Optimiser(limit_s=limit_s, is_timed=True)

    async def asked():
        advisor, answered = aside(optimiser, told)
        longest_s, began_s = 0.0, time.perf_counter()
        advisor.advise(former, lambda: given_problem, "same", paper.NOW_S)
        while not answered.is_set():
            at_s = time.perf_counter()
            await asyncio.sleep(0.001)
            longest_s = max(longest_s, time.perf_counter() - at_s)
        return time.perf_counter() - began_s, longest_s

    took_s, longest_s = asyncio.run(asked())
    assert told == []
    assert took_s < limit_s + 0.5  # what the computer does besides is not ours
    assert longest_s < 0.6 * limit_s
