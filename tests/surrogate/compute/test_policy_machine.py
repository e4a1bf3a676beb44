"""Random lives of the policy: whatever happens, and in which order, some things always hold."""

import math
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from surrogate.compute.events import (
    AskYield,
    Broke,
    CancelAsked,
    Done,
    Finish,
    GpuFound,
    Kill,
    Overgrown,
    ResultCame,
    Sliced,
    Start,
    Submitted,
    Tick,
    WorkerDown,
    WorkerUp,
    Yielded,
)
from surrogate.compute.jobs import PRIORITY, Job, JobClass, Rung
from surrogate.compute.policy import advance, wake_s
from surrogate.compute.state import Rules, State

MEMORY, GPU_MEMORY = 100, 50

jobs = st.builds(
    Job,
    job_class=st.sampled_from(JobClass),
    function=st.sampled_from(["a:f", "a:g"]),
    deadline_s=st.one_of(st.just(math.inf), st.floats(0.0, 200.0)),
    memory_bytes=st.integers(0, MEMORY),
    device=st.sampled_from(["cpu", "cpu", "gpu"]),
    steps=st.booleans(),
    killable=st.booleans(),
    retries=st.integers(0, 2),
    timeout_s=st.floats(5.0, 500.0),
    expected_s=st.one_of(st.none(), st.floats(0.0, 20.0)),
    seen=st.one_of(st.none(), st.integers(0, 3)),
)
rungs = st.builds(lambda job, is_job, seen: Rung(name="r", job=job if is_job else None, seen=seen), jobs,
                  st.booleans(), st.one_of(st.none(), st.integers(0, 3)))  # fmt: skip


class Lives(RuleBasedStateMachine):
    @initialize(s_max=st.sampled_from([None, 0, 1]), discipline=st.sampled_from(["edf", "edf", "fifo"]))
    def begin(self, s_max, discipline):
        self.house = Rules(memory_bytes=MEMORY, s_max=s_max, discipline=discipline, load_window_s=50.0)
        self.state = State(rules=self.house)
        self.now_s, self.tickets, self.numbers = 0.0, 0, 0
        self.running = {}
        """Worker -> ticket, as the pool would know it."""
        self.asked, self.dying = set(), set()
        self.checkpoints = {}
        """Ticket -> the number of the latest that was kept and not given up."""
        self.finished = {}
        self.held = {}
        """Worker -> the device and memory that its process has, until it is free or gone."""

        self.worker_comes("cpu")

    def post(self, event):
        before = self.state
        self.state, decisions = advance(before, event)
        assert (self.state, decisions) == advance(before, event)  # nothing else has a part in it
        self.note_checkpoint(event, before)
        for decision in decisions:
            self.obey(decision)
        if self.house.discipline == "edf":
            self.check_order(decisions)

    def note_checkpoint(self, event, before):
        if self.state.n_checkpoints > before.n_checkpoints:
            self.checkpoints[event.ticket] = self.state.n_checkpoints
        ticket = getattr(event, "ticket", 0)
        entry, old = self.state.entries.get(ticket), before.entries.get(ticket)
        moved = entry is not None and old is not None and entry.rung != old.rung
        if moved or (isinstance(event, Broke) and event.why == "raised" and entry is not None and not entry.checkpoint):
            self.checkpoints.pop(event.ticket, None)

    def obey(self, decision):
        match decision:
            case Start():
                assert decision.worker not in self.running and decision.worker not in self.dying
                entry = self.state.entries[decision.ticket]
                assert entry.rung == decision.rung
                if decision.rung == 0:
                    assert decision.checkpoint == self.checkpoints.get(decision.ticket)
                self.running[decision.worker] = decision.ticket
                self.held[decision.worker] = (entry.device, entry.lease)
            case AskYield():
                assert self.running[decision.worker] == decision.ticket
                self.asked.add(decision.worker)
            case Kill():
                self.running.pop(decision.worker, None)
                self.asked.discard(decision.worker)
                self.dying.add(decision.worker)
            case Finish():
                assert decision.ticket not in self.finished
                self.finished[decision.ticket] = decision.status

    def check_order(self, decisions):
        """Nothing starts before a job of its own class that is due earlier, nor before one of a higher class."""
        started = [one.ticket for one in decisions if isinstance(one, Start)]
        for first in (self.state.entries[ticket] for ticket in started if ticket in self.state.entries):
            for waiting in self.state.entries.values():
                if waiting.worker is not None or waiting.device != first.device:
                    continue
                if waiting.root.job_class is JobClass.SPECULATE and first.root.job_class is not JobClass.SPECULATE:
                    continue  # held back while there is other work
                assert waiting.root.priority >= first.root.priority
                if waiting.root.job_class is first.root.job_class:
                    assert waiting.deadline_s >= first.deadline_s

    @rule(job=jobs, rungs=st.lists(rungs, max_size=3))
    def submit(self, job, rungs):
        self.tickets += 1
        alternatives = tuple(rungs)
        self.post(Submitted(at_s=self.now_s, ticket=self.tickets, job=replace(job, alternatives=alternatives)))

    @rule(jobs=st.lists(st.builds(lambda job: replace(job, device="cpu", steps=True), jobs), min_size=2, max_size=4))
    def submit_steps(self, jobs):
        for job in jobs:
            self.submit(job, [])

    @precondition(lambda self: len(self.state.workers) < 2)
    @rule(device=st.sampled_from(["cpu", "cpu", "gpu"]))
    def worker_comes(self, device):
        if device == "gpu":
            self.post(GpuFound(at_s=self.now_s, memory_bytes=GPU_MEMORY, reason="here"))
        self.numbers += 1
        self.post(WorkerUp(at_s=self.now_s, worker=self.numbers, device=device))

    @precondition(lambda self: self.state.gpu_bytes != 0)
    @rule()
    def no_gpu(self):
        for number in [one.number for one in self.state.workers.values() if one.device == "gpu"]:
            self.goes(number)
        self.post(GpuFound(at_s=self.now_s, memory_bytes=0, reason="none"))

    def goes(self, worker):
        for known in (self.asked, self.dying):
            known.discard(worker)
        self.running.pop(worker, None)
        self.held.pop(worker, None)
        self.post(WorkerDown(at_s=self.now_s, worker=worker, reason="gone"))

    @precondition(lambda self: self.state.workers)
    @rule(data=st.data())
    def worker_goes(self, data):
        if data.draw(st.integers(0, 2)) == 0:
            self.goes(data.draw(st.sampled_from(sorted(self.state.workers))))

    def told(self, data):
        worker = data.draw(st.sampled_from(sorted(self.running)))
        return {"at_s": self.now_s, "worker": worker, "ticket": self.running[worker]}

    def leaves(self, event):
        del self.running[event.worker]
        del self.held[event.worker]
        self.asked.discard(event.worker)
        self.post(event)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def slices(self, data):
        told = self.told(data)
        entry = self.state.entries.get(told["ticket"])
        if entry is not None and entry.job.steps:
            self.post(Sliced(**told, slice_s=1.0))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def yields_again(self, data):
        self.yields(data)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def yields(self, data):
        worker = data.draw(st.sampled_from(sorted(self.asked)))
        ticket, n_before = self.running[worker], self.state.n_checkpoints
        lives = ticket in self.state.entries
        self.leaves(Yielded(at_s=self.now_s, worker=worker, ticket=ticket, slice_s=1.0))
        assert self.state.n_checkpoints == n_before + lives

    @precondition(lambda self: self.running)
    @rule(data=st.data(), worn=st.sampled_from(["", "", "worn"]))
    def ends(self, data, worn):
        self.leaves(Done(**self.told(data), worn=worn))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), why=st.sampled_from(["raised", "memory"]))
    def breaks(self, data, why):
        self.leaves(Broke(**self.told(data), why=why, reason="so"))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def grows(self, data):
        self.post(Overgrown(**self.told(data), reason="too much"))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def cancel(self, data):
        ticket = data.draw(st.integers(1, self.tickets))
        self.post(CancelAsked(at_s=self.now_s, ticket=ticket))
        assert ticket in self.finished

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), worker=st.integers(1, 5))
    def speaks_too_late(self, data, worker):
        """What a worker says of a job that it no longer has changes nothing of it."""
        ticket = data.draw(st.integers(1, self.tickets))
        if self.running.get(worker) != ticket:
            self.post(Tick(at_s=self.now_s))  # what made way may have become late in the turn before
            before = self.state
            self.post(Done(at_s=self.now_s, worker=worker, ticket=ticket))
            assert (self.state.entries, self.state.workers) == (before.entries, before.workers)

    @rule()
    def result(self):
        self.post(ResultCame(at_s=self.now_s))

    @rule(seconds=st.one_of(st.floats(0.0, 1.0), st.floats(0.0, 50.0)))
    def time_passes(self, seconds):
        """Time passes as the queue lets it: never beyond the instant at which it wants to be woken."""
        until_s = self.now_s + seconds
        for _ in range(100):
            self.now_s = min(until_s, max(self.now_s, wake_s(self.state)))
            self.post(Tick(at_s=self.now_s))
            if self.now_s >= until_s:
                return
        raise AssertionError("the queue wants to be woken again and again without doing anything")

    @invariant()
    def memory_is_within_its_bound(self):
        for device, bound in (("cpu", MEMORY), ("gpu", GPU_MEMORY)):
            assert sum(lease for of, lease in self.held.values() if of == device) <= bound

    @invariant()
    def every_job_is_waiting_running_or_has_ended(self):
        assert set(self.state.entries) | set(self.finished) == set(range(1, self.tickets + 1))
        assert not set(self.state.entries) & set(self.finished)
        for entry in self.state.entries.values():
            if entry.worker is not None:
                assert self.running[entry.worker] == entry.ticket

    @invariant()
    def no_idle_worker_where_the_first_job_fits(self):
        """Work is never left lying without a reason."""
        state = self.state
        for worker in state.workers.values():
            if not worker.is_idle:
                continue
            waiting = [
                one
                for one in state.entries.values()
                if one.worker is None and one.device == worker.device and one.root.job_class is not JobClass.SPECULATE
            ]
            order = (lambda one: one.ticket) if self.house.discipline == "fifo" else _urgency
            if waiting:
                room = state.memory_bytes(worker.device) - state.leased_bytes(worker.device)
                first = min(waiting, key=order)
                assert first.lease > room or any(
                    one.worker is None and one.device == worker.device and one.lease > room
                    for one in state.entries.values()
                )

    def teardown(self):
        if not hasattr(self, "state"):
            return
        self.no_gpu()
        for _ in range(400):
            for worker in sorted(self.dying):
                self.goes(worker)
            if not self.state.workers:
                self.worker_comes("cpu")
            for worker in sorted(self.running):
                if worker in self.running:
                    told = {"at_s": self.now_s, "worker": worker, "ticket": self.running[worker]}
                    self.leaves(Done(**told))
            self.now_s += 0.0 if self.running else 100.0
            self.post(Tick(at_s=self.now_s))
            if not self.state.entries:
                break
        assert set(self.finished) == set(range(1, self.tickets + 1)), self.state


def _urgency(entry):
    return PRIORITY[entry.root.job_class], entry.deadline_s, entry.ticket


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
