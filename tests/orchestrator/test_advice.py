import pytest

from orchestrator.advice import AGAIN_S, LONG_RUNS, Advisor
from orchestrator.scheduling.batching import Batch, Former, Member
from orchestrator.scheduling.optimising import Course, NoAnswer
from orchestrator.scheduling.sharing import Cost, PlannedRun

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
