import math
from dataclasses import replace

import pytest

from surrogate.compute.events import (
    AskYield,
    Broke,
    CancelAsked,
    Done,
    Finish,
    GpuFound,
    Kill,
    Overgrown,
    Record,
    ResultCame,
    Sliced,
    Start,
    Submitted,
    Tick,
    What,
    WorkerDown,
    WorkerUp,
    Yielded,
)
from surrogate.compute.jobs import Job, JobClass, plan_ladder
from surrogate.compute.policy import advance, wake_s
from surrogate.compute.state import Rules, State


class Played:
    """A policy that is told events, and what it decided."""

    def __init__(self, *, workers=1, **rules):
        self.state, self.decided, self.now_s, self.n = State(rules=Rules(**rules)), [], 0.0, 0
        for number in range(1, workers + 1):
            self.tell(WorkerUp, worker=number)

    def tell(self, event, **facts):
        self.state, self.decided = advance(self.state, event(at_s=self.now_s, **facts))
        return [one for one in self.decided if not isinstance(one, Record)]

    def submit(self, job):
        self.n += 1
        return self.tell(Submitted, ticket=self.n, job=job)

    def at(self, now_s):
        self.now_s = now_s
        return self.tell(Tick)

    def done(self, worker, ticket, after_s=0.0):
        self.now_s += after_s
        return self.tell(Done, worker=worker, ticket=ticket)

    def reasons(self):
        return [one.reason for one in self.decided if isinstance(one, Record) and one.reason]


def job(kind="plan", **changes):
    return Job(job_class=JobClass(kind), function="a:f", memory_bytes=10, **changes)


def starts(decided):
    return [(one.worker, one.ticket) for one in decided if isinstance(one, Start)]


def finishes(decided):
    return [(one.ticket, one.status, one.rung) for one in decided if isinstance(one, Finish)]


def test_classes_go_first_by_priority_and_the_earliest_deadline_inside_one():
    played = Played()
    played.submit(job("audit"))
    for kind, deadline_s in (("plan", 50), ("retrain", 1), ("plan", 40), ("update", 90), ("analyse", 95)):
        played.submit(job(kind, deadline_s=float(deadline_s)))
    order = []
    ticket = 1
    while ticket is not None:
        found = starts(played.done(1, ticket))
        ticket = found[0][1] if found else None
        order.append(ticket)
    assert order == [5, 6, 4, 2, 3, None]


def test_first_come_first_served_where_that_is_asked_for():
    played = Played(discipline="fifo")
    played.submit(job("retrain", steps=True))
    assert played.submit(job("analyse")) == [] and played.submit(job("plan")) == []
    assert starts(played.done(1, 1)) == [(1, 2)]


def test_a_job_of_steps_makes_way_and_goes_on_from_its_checkpoint():
    played = Played()
    played.submit(job("refit", steps=True))
    played.now_s = 4.0
    assert played.submit(job("analyse")) == [AskYield(worker=1, ticket=1)]
    assert played.submit(job("plan")) == []  # it has made way already
    played.now_s = 5.0
    assert starts(played.tell(Yielded, worker=1, ticket=1, slice_s=5.0)) == [(1, 2)]
    assert starts(played.done(1, 2)) == [(1, 3)]
    assert played.done(1, 3) [0] == Finish(ticket=3, status="done", rung=0, attempts=1)  # fmt: skip
    assert played.state.entries[1].worker == 1
    played.done(1, 1, after_s=2.0)
    assert played.state.costs.quantile(job("refit"), "cpu", 0.5) == pytest.approx(7.0, rel=0.03)


def test_the_start_after_a_checkpoint_names_it():
    played = Played(workers=1)
    played.submit(job("refit", steps=True))
    played.now_s = 3.0
    played.tell(Sliced, worker=1, ticket=1, slice_s=3.0)
    played.now_s = 4.0
    played.tell(WorkerDown, worker=1, reason="killed")
    assert played.tell(WorkerUp, worker=2) == [Start(worker=2, ticket=1, rung=0, checkpoint=1)]
    played.done(2, 1, after_s=2.0)
    assert played.state.costs.quantile(job("refit"), "cpu", 0.5) == pytest.approx(5.0, rel=0.03)  # not the second lost


def test_one_that_can_only_be_killed_is_killed_only_if_waiting_would_be_too_late():
    played = Played()
    played.submit(job("audit", killable=True, expected_s=10.0))
    assert played.submit(job("plan", deadline_s=30.0, expected_s=5.0)) == []
    decided = played.submit(job("plan", deadline_s=12.0, expected_s=5.0))
    assert decided == [Kill(worker=1, reason="makes way for a:f")]
    assert starts(played.tell(WorkerDown, worker=1)) == []
    assert starts(played.tell(WorkerUp, worker=2)) == [(2, 3)]


def test_one_that_can_neither_yield_nor_be_killed_is_waited_for():
    played = Played()
    played.submit(job("retrain", expected_s=1e6))
    assert played.submit(job("analyse", deadline_s=1.0)) == []


def test_memory_gathers_for_the_first_job():
    played = Played(workers=3, memory_bytes=25)
    played.submit(job("audit"))
    assert starts(played.submit(replace(job("retrain"), memory_bytes=20))) == []
    assert starts(played.submit(job("audit"))) == []  # it would fit, but the other one would wait for ever
    assert starts(played.done(1, 1)) == [(1, 2)]


def test_memory_of_a_process_that_is_being_ended_is_not_free_yet():
    played = Played(workers=2, memory_bytes=15)
    played.submit(job("audit", killable=True, retries=0))
    assert played.tell(Overgrown, worker=1, ticket=1, reason="fat")[0] == Kill(worker=1, reason="fat")
    assert starts(played.submit(job())) == []
    assert starts(played.tell(WorkerDown, worker=1)) == [(2, 2)]


@pytest.mark.parametrize("retries", [0, 2])
def test_what_fails_runs_again_and_then_fails(retries):
    played = Played()
    played.submit(job(retries=retries))
    for _ in range(retries):
        assert starts(played.tell(Broke, worker=1, ticket=1, why="raised", reason="so")) == [(1, 1)]
    assert finishes(played.tell(Broke, worker=1, ticket=1, why="raised", reason="so")) == [(1, "failed", 0)]


def test_the_last_attempt_after_an_error_begins_anew_as_the_checkpoint_may_be_wrong():
    played = Played()
    played.submit(job("refit", steps=True, retries=2))
    played.tell(Sliced, worker=1, ticket=1, slice_s=1.0)
    checkpoints = [played.tell(Broke, worker=1, ticket=1, why="raised", reason="nan")[0].checkpoint for _ in range(2)]
    assert checkpoints == [1, None]


def test_lack_of_memory_doubles_the_lease():
    played = Played(memory_bytes=35)
    played.submit(job())
    leases = []
    for _ in range(2):
        played.tell(Broke, worker=1, ticket=1, why="memory", reason="none")
        leases.append(played.state.workers[1].lease)
    assert leases == [20, 35]


def test_a_job_that_takes_too_long_is_ended_with_its_process():
    played = Played()
    played.submit(job(timeout_s=7.0, retries=0))
    assert wake_s(played.state) == 7.0 and played.at(6.9) == []
    assert played.at(7.0)[0] == Kill(worker=1, reason="took longer than 7 s")
    assert played.tell(Done, worker=1, ticket=1) == []  # too late


def test_a_job_of_steps_without_checkpoints_hangs():
    played = Played()
    played.submit(job("refit", steps=True, timeout_s=1e6, silence_s=20.0))
    played.now_s = 15.0
    played.tell(Sliced, worker=1, ticket=1, slice_s=15.0)
    assert wake_s(played.state) == 35.0
    assert played.at(35.0)[0] == Kill(worker=1, reason="no checkpoint in 20 s")


LADDER = plan_ladder(
    job(deadline_s=30.0, expected_s=10.0, seen=0),
    rescore=job(expected_s=2.0, seen=0), stale=("old", 0), space_filling="anywhere",
)  # fmt: skip


def test_a_plan_whose_latest_start_has_passed_gives_way_to_a_short_list():
    played = Played()
    played.submit(job("analyse"))
    played.submit(LADDER)
    assert wake_s(played.state) == pytest.approx(20.0, abs=1e-5)
    assert played.at(19.9) == []
    assert played.at(20.1) == []
    assert "fresh full plan -> short list rescored: late: it takes 10 s (q95)" in played.reasons()[0]
    assert finishes(played.at(28.1)) == [(2, "done", 2)]


def test_a_plan_that_takes_too_long_is_stopped_while_there_is_time_for_a_short_list():
    played = Played(workers=2)
    played.submit(LADDER)
    assert wake_s(played.state) == 30.0 - 2.0 - 1.0
    kill, start = played.at(27.0)
    assert isinstance(kill, Kill) and start == Start(worker=2, ticket=1, rung=1, checkpoint=None)
    assert finishes(played.done(2, 1, after_s=1.0)) == [(1, "done", 1)]


def test_stale_plans_are_refused_down_to_the_one_that_knows_nothing():
    played = Played(s_max=1)
    played.submit(LADDER)
    played.tell(ResultCame)
    played.tell(ResultCame)
    played.now_s = 10.0
    assert finishes(played.tell(Done, worker=1, ticket=1)) == [(1, "done", 3)]
    reasons = " ".join(played.reasons())
    assert reasons.count("2 results unseen, at most 1 may be") == 3


def test_a_stale_plan_without_alternatives_is_refused():
    played = Played(s_max=0)
    played.submit(job(seen=0))
    played.tell(ResultCame)
    assert finishes(played.done(1, 1)) == [(1, "refused", 0)]
    lenient = Played(s_max=None)
    lenient.submit(job(seen=0))
    lenient.tell(ResultCame)
    assert lenient.done(1, 1)[0].staleness == 1


def test_jobs_for_a_gpu_wait_until_it_is_known_and_go_to_the_cpu_where_there_is_none():
    played = Played()
    assert played.submit(job(device="gpu", deadline_s=5.0, expected_s=8.0)) == []
    assert starts(played.tell(GpuFound, memory_bytes=0, reason="none")) == [(1, 1)]
    assert played.state.entries[1].deadline_s == 8.0 and "gpu -> cpu: there is no GPU" in played.reasons()
    assert not played.done(1, 1, after_s=6.0)[0].is_in_time  # of the schedule's deadline


def gpu_played():
    played = Played()
    played.tell(GpuFound, memory_bytes=50, reason="it")
    played.tell(WorkerUp, worker=9, device="gpu")
    return played


def test_lack_of_memory_on_the_gpu_leads_to_the_cpu_at_once_with_the_checkpoint():
    played = gpu_played()
    assert starts(played.submit(job("refit", device="gpu", steps=True))) == [(9, 1)]
    played.tell(Sliced, worker=9, ticket=1, slice_s=1.0)
    decided = played.tell(Broke, worker=9, ticket=1, why="memory", reason="CUDA out of memory")
    assert decided == [Start(worker=1, ticket=1, rung=0, checkpoint=1)]


def test_other_failures_on_the_gpu_lead_to_the_cpu_after_retries():
    played = gpu_played()
    played.submit(job(device="gpu", retries=1))
    assert starts(played.tell(Broke, worker=9, ticket=1, why="raised", reason="cuSOLVER")) == [(9, 1)]
    assert starts(played.tell(Broke, worker=9, ticket=1, why="raised", reason="cuSOLVER")) == [(1, 1)]


def test_more_than_the_gpu_has_goes_to_the_cpu():
    played = gpu_played()
    assert starts(played.submit(replace(job(device="gpu"), memory_bytes=60))) == [(1, 1)]


def test_speculation_waits_while_other_work_loads_the_workers():
    played = Played(load_window_s=100.0, speculate_below=0.7)
    played.submit(job(expected_s=80.0))
    played.submit(job("speculate"))
    assert starts(played.done(1, 1, after_s=50.0)) == []
    assert wake_s(played.state) == pytest.approx(100.0, abs=1e-3)
    assert starts(played.at(100.1)) == [(1, 2)]


def test_speculation_makes_nobody_yield():
    played = Played()
    played.submit(job("retrain", steps=True))
    assert played.submit(job("speculate")) == []


@pytest.mark.parametrize(
    ("changes", "decision"),
    [({"steps": True}, AskYield), ({"killable": True}, Kill), ({}, None)],
    ids=["steps", "killable", "neither"],
)
def test_a_job_that_is_cancelled_ends_at_once_and_its_worker_is_free_as_soon_as_may_be(changes, decision):
    played = Played()
    played.submit(job("speculate", **changes))
    decided = played.tell(CancelAsked, ticket=1)
    assert finishes(decided) == [(1, "cancelled", 0)]
    assert [type(one) for one in decided[1:]] == ([decision] if decision else [])
    assert starts(played.submit(job())) == []
    if decision is Kill:
        played.tell(WorkerDown, worker=1)
        assert starts(played.tell(WorkerUp, worker=2)) == [(2, 2)]
    else:
        assert starts(played.done(1, 1)) == [(1, 2)]


def test_a_worn_process_gets_no_more_jobs():
    played = Played()
    played.submit(job())
    played.submit(job())
    decided = played.tell(Done, worker=1, ticket=1, worn="leaks")
    assert [type(one) for one in decided] == [Finish, Kill] and decided[1].reason == "leaks"
    played.tell(WorkerDown, worker=1)
    assert starts(played.tell(WorkerUp, worker=2)) == [(2, 2)]


def test_nothing_to_do_needs_no_waking():
    assert wake_s(Played().state) == math.inf


def test_every_fallback_is_on_record_with_its_reason():
    played = Played(workers=0)
    played.submit(LADDER)
    played.at(31.0)
    fallbacks = [one for one in played.decided if isinstance(one, Record) and one.what is What.FELL_BACK]
    assert [one.reason.split(":")[0] for one in fallbacks] == [
        "fresh full plan -> short list rescored",
        "short list rescored -> stale plan",
    ]
