import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.scheduling.batching import Batch, Former, Member
from orchestrator.scheduling.sharing import Cost, Job, Problem, Program, by_the_rule, carried_on, cost, faults, timed

HOUR_S = 3600.0
NOW_S = 1000.0
PROGRAMS = {"900": Program(run_s=8 * HOUR_S, tail_s=HOUR_S), "1100": Program(run_s=10 * HOUR_S)}


def job(owner, *, key="900", in_s=0.0):
    return Job(owner=owner, key=key, ready_s=NOW_S + in_s)


def problem(*jobs, capacity=2, free_in_s=(0.0,), is_open=False):
    free_s = tuple(NOW_S + at_s for at_s in free_in_s)
    return Problem(now_s=NOW_S, capacity=capacity, jobs=jobs, programs=PROGRAMS, free_s=free_s, is_open=is_open)


def former_of(given_problem, **more):
    """Return a former that stands as the problem says: those who are ready wait."""
    former = Former(capacity=given_problem.capacity, **more)
    for one in sorted(given_problem.jobs, key=lambda one: one.ready_s):
        if one.ready_s <= given_problem.now_s:
            run_s = given_problem.programs[one.key].run_s
            former.join(Member(owner=one.owner, key=one.key, run_s=run_s, since_s=one.ready_s))
    return former


@st.composite
def problems(draw, most=10):
    seconds = st.integers(-20_000, 40_000).map(float)
    n_jobs = draw(st.integers(1, most))
    jobs = [job(f"s{i}", key=draw(st.sampled_from(sorted(PROGRAMS))), in_s=draw(seconds)) for i in range(n_jobs)]
    busy = draw(st.lists(st.integers(0, 40_000).map(float), max_size=2))
    return problem(*jobs, capacity=draw(st.integers(1, 4)), free_in_s=(0.0, *busy), is_open=draw(st.booleans()))


def starts(runs):
    return [(run.batch.members, run.start_s - NOW_S) for run in runs]


def test_a_run_begins_once_its_last_member_is_ready_and_a_furnace_is_free():
    given_problem = problem(job("a"), job("b", in_s=600.0), job("c"), free_in_s=(0.0, HOUR_S))
    runs = timed(given_problem, [Batch(key="900", members=("a", "b")), Batch(key="900", members=("c",))])
    assert starts(runs) == [(("a", "b"), 600.0), (("c",), HOUR_S)]


def test_a_plan_costs_the_time_until_the_last_sample_is_done_with_and_then_the_mean():
    given_problem = problem(job("a"), job("b"), job("c"), free_in_s=(0.0,))
    runs = timed(given_problem, [Batch(key="900", members=("a", "b")), Batch(key="900", members=("c",))])
    assert cost(given_problem, runs) == Cost(17 * HOUR_S, (9 + 9 + 17) / 3 * HOUR_S)


def test_where_more_will_come_the_time_that_runs_take_is_counted():
    given_problem = problem(job("a"), job("b"), free_in_s=(0.0, 0.0), is_open=True)
    together = cost(given_problem, timed(given_problem, [Batch(key="900", members=("a", "b"))]))
    alone = [Batch(key="900", members=("a",)), Batch(key="900", members=("b",))]
    apart = cost(given_problem, timed(given_problem, alone))
    assert together.mean_s == apart.mean_s == 9 * HOUR_S
    assert apart.first_s - together.first_s == pytest.approx(8 * HOUR_S / 2)


def test_furnaces_are_scarce_where_samples_come_faster_than_full_runs_can_be_made():
    assert problem(job("a"), job("b"), job("c")).scarcity == 1.0
    assert problem(job("a"), job("b", in_s=16 * HOUR_S)).scarcity == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("batches", "says"),
    [
        ([Batch(key="900", members=("a",))], "b is in 0 runs"),
        ([Batch(key="900", members=("a", "b", "c", "a"))], "a run of 4 samples, in a furnace of 2 places"),
        ([Batch(key="900", members=("a", "b"))], "a, b do not agree"),
        ([Batch(key="900", members=("ghost",))], "ghost is nobody who waits"),
    ],
)
def test_a_plan_that_cannot_be_is_found_out(batches, says):
    found = faults(problem(job("a"), job("b", key="1100"), job("c")), batches)
    assert any(says in one for one in found)


def test_the_rule_on_paper_waits_as_the_rule_does():
    given_problem = problem(job("a"), job("b", in_s=1200.0), job("c", key="1100", in_s=600.0))
    runs = by_the_rule(given_problem, former_of(given_problem))
    assert starts(runs) == [(("c",), 600.0), (("a", "b"), 600.0 + 10 * HOUR_S)]


@given(given_problem=problems())
def test_what_the_rule_would_do_can_be_done_and_leaves_it_as_it_was(given_problem):
    former = former_of(given_problem)
    before = list(former.waiting)
    runs = by_the_rule(given_problem, former)
    batches = [run.batch for run in runs]
    assert faults(given_problem, batches) == []
    assert list(former.waiting) == before
    assert cost(given_problem, timed(given_problem, batches)) <= cost(given_problem, runs)


@given(given_problem=problems(), earlier=problems())
def test_an_earlier_plan_that_is_carried_on_serves_whoever_there_is_by_now(given_problem, earlier):
    before = [run.batch for run in by_the_rule(earlier, former_of(earlier))]
    kept = carried_on(given_problem, before)
    wrong = [one for one in faults(given_problem, kept) if "in a furnace of" not in one]
    assert wrong == []
