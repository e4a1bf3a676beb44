import sys
from types import SimpleNamespace

import pytest
from hypothesis import given, settings

from orchestrator.scheduling import optimising
from orchestrator.scheduling.batching import Batch
from orchestrator.scheduling.optimising import NoAnswer, NotInstalled, Optimiser, is_better
from orchestrator.scheduling.sharing import Cost, cost, faults, timed
from tests.orchestrator.scheduling.test_sharing import HOUR_S, former_of, job, problem, problems


def planned(given_problem, *, limit_s=0.5, is_timed=False, **more):
    optimiser = Optimiser(limit_s=limit_s, is_timed=is_timed)
    return optimiser.course(given_problem, former_of(given_problem), **more)


def test_a_furnace_is_kept_for_those_who_come_later_than_the_rule_waits():
    # the rule begins with the first two of four, and again with the others
    given_problem = problem(*(job(f"s{i}", in_s=in_s) for i, in_s in enumerate((0.0, 0.0, 9000.0, 9000.0))), capacity=4)
    course = planned(given_problem)
    assert course.is_better
    assert [(run.batch.members, run.start_s - given_problem.now_s) for run in course.runs] == [
        (("s0", "s1", "s2", "s3"), 9000.0)
    ]
    assert course.cost.first_s == pytest.approx(9000.0 + 9 * HOUR_S)
    assert course.by_rule.first_s > 16 * HOUR_S


def test_who_is_ready_first_may_be_the_last_where_more_will_come():
    jobs = (job("a", key="1100", in_s=121.0), job("b"), job("c", key="1100"))
    course = planned(problem(*jobs, is_open=True))
    assert [set(run.batch.members) for run in course.runs] == [{"a", "c"}, {"b"}]


def test_a_program_with_little_work_after_it_may_end_later_than_any_run_of_the_rule():
    jobs = (job("b", key="1100"), job("a", in_s=60.0))
    course = planned(problem(*jobs))
    assert [run.batch.members for run in course.runs] == [("a",), ("b",)]
    assert course.is_better


def test_the_rule_is_followed_where_nothing_beats_it():
    course = planned(problem(job("a"), job("b")))
    assert not course.is_better
    assert course.cost == course.by_rule


@settings(max_examples=60, deadline=None)
@given(given_problem=problems())
def test_every_plan_can_be_carried_out_and_is_no_worse_than_the_rule(given_problem):
    course = planned(given_problem)
    batches = [run.batch for run in course.runs]
    assert faults(given_problem, batches) == []
    assert timed(given_problem, batches) == course.runs
    assert cost(given_problem, course.runs) == course.cost <= course.by_rule
    assert not course.is_better or course.cost < course.by_rule


@settings(max_examples=20, deadline=None)
@given(given_problem=problems(most=30))
def test_the_same_problem_has_the_same_plan(given_problem):
    assert planned(given_problem, limit_s=0.1).runs == planned(given_problem, limit_s=0.1).runs


@settings(max_examples=20, deadline=None)
@given(given_problem=problems(most=6))
def test_small_problems_are_solved_to_the_best_of_all_plans(given_problem):
    costs = [cost(given_problem, timed(given_problem, plan)) for plan in every_plan(given_problem)]
    best = min(costs)
    rounding_s = 2.0 * optimising.STEP_S * len(given_problem.jobs)
    # a little of the makespan is given for a much better mean
    given_away_s = (best.mean_s - min(one.mean_s for one in costs)) / optimising.MAKESPAN_WEIGHT
    assert planned(given_problem, limit_s=5.0).cost.first_s <= best.first_s + given_away_s + rounding_s


def every_plan(given_problem):
    """Yield all ways to share and order runs, members in the order in which they are ready."""
    lanes = {}
    for one in sorted(given_problem.jobs, key=lambda one: one.ready_s):
        lanes.setdefault(one.key, []).append(one.owner)
    yield from _orders({key: tuple(owners) for key, owners in lanes.items()}, given_problem.capacity)


def _orders(lanes, capacity):
    if not any(lanes.values()):
        yield []
        return
    for key, owners in lanes.items():
        for size in range(1, min(capacity, len(owners)) + 1):
            for others in _orders({**lanes, key: owners[size:]}, capacity):
                yield [Batch(key=key, members=owners[:size]), *others]


def test_a_search_goes_on_from_the_plan_before():
    jobs = [job(f"s{i}", key=("900", "1100")[i % 2], in_s=700.0 * i) for i in range(40)]
    given_problem = problem(*jobs, capacity=8, free_in_s=(0.0, 9000.0, 20000.0))
    first = planned(given_problem, limit_s=0.5)
    again = planned(given_problem, limit_s=0.01, before=[run.batch for run in first.runs])
    assert again.cost <= first.cost


def test_too_many_samples_are_planned_for_in_the_order_in_which_they_are_ready(monkeypatch):
    monkeypatch.setattr(optimising, "MOST_JOBS", 3)
    course = planned(problem(*(job(f"s{i}", in_s=-100.0 * i) for i in range(5))))
    assert {owner for run in course.runs for owner in run.batch.members} == {"s2", "s3", "s4"}


def test_the_wall_clock_ends_a_search_too():
    jobs = [job(f"s{i}", key=("900", "1100")[i % 2], in_s=700.0 * i) for i in range(60)]
    given_problem = problem(*jobs, capacity=8, free_in_s=(0.0, 9000.0, 20000.0))
    assert planned(given_problem, limit_s=0.3, is_timed=True).took_s < 2.0


@pytest.mark.parametrize(
    ("found", "by_rule", "better"),
    [
        (Cost(98.0, 60.0), Cost(100.0, 50.0), True),
        (Cost(99.5, 50.0), Cost(100.0, 50.0), False),
        (Cost(100.0, 40.0), Cost(100.0, 50.0), True),
        (Cost(100.1, 10.0), Cost(100.0, 50.0), False),
    ],
)
def test_a_plan_is_followed_only_where_it_is_clearly_better(found, by_rule, better):
    assert is_better(found, by_rule) is better


def test_what_is_not_installed_is_said_with_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, optimising.MODULE, None)
    with pytest.raises(NotInstalled, match=r"OR-tools is not installed .*labpilot\[optimiser\]"):
        Optimiser(limit_s=0.2, is_timed=False)


class _Stubborn:
    """A CP-SAT that ends every search as it is told to, whatever the model."""

    OPTIMAL, FEASIBLE, PORTFOLIO_WITH_QUICK_RESTART_SEARCH = 4, 2, 6

    def __init__(self, cp, status):
        self.CpModel = cp.CpModel
        self.CpSolver = lambda: SimpleNamespace(
            parameters=SimpleNamespace(),
            solve=lambda model: status,
            status_name=lambda status: {0: "UNKNOWN", 4: "OPTIMAL"}[status],
            value=lambda variable: 0,
        )


@pytest.mark.parametrize(("status", "says"), [(0, "within 0.2 s .unknown."), (4, "the plan is wrong: s0 is in 0 runs")])
def test_a_search_without_a_plan_or_with_a_wrong_one_is_no_answer(monkeypatch, status, says):
    cp = optimising.load()
    monkeypatch.setattr(optimising, "load", lambda: _Stubborn(cp, status))
    given_problem = problem(job("s0"))
    with pytest.raises(NoAnswer, match=says):
        Optimiser(limit_s=0.2, is_timed=False).course(given_problem, former_of(given_problem))
