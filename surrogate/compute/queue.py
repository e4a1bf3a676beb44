"""The queue itself: takes jobs, lets the policy decide, lets a pool do it, and hands back outcomes."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import count
from types import TracebackType
from typing import Protocol, Self

from surrogate.compute.costs import CostModel
from surrogate.compute.errors import BadJob, StalePlan
from surrogate.compute.events import (
    AskYield,
    CancelAsked,
    Event,
    Finish,
    Kill,
    Record,
    ResultCame,
    Start,
    Submitted,
    Tick,
)
from surrogate.compute.jobs import Job, Outcome
from surrogate.compute.metrics import Meter, Metrics
from surrogate.compute.plain import Plain, packed, unpacked
from surrogate.compute.policy import advance, wake_s
from surrogate.compute.pool import Pool, Work
from surrogate.compute.state import Rules, State
from surrogate.compute.ticket import Ticket

_RECORDS = 10_000


class Clock(Protocol):
    """What the queue needs of a clock; deadlines are on it."""

    def now_s(self) -> float:
        """Return seconds that pass as those of the event loop do."""
        ...


class _LoopClock:
    def now_s(self) -> float:
        return asyncio.get_running_loop().time()


class ComputeQueue:
    """Computing work between experiments: ``async with ComputeQueue(pool) as queue``.

    Args:
        pool: What runs the jobs.
        rules: How is decided.
        costs: What durations are known from before.
        clock: On which deadlines are; the event loop's own where it is None.
    """

    def __init__(
        self, pool: Pool, *, rules: Rules | None = None, costs: CostModel | None = None, clock: Clock | None = None
    ) -> None:
        self._pool, self._clock = pool, clock or _LoopClock()
        self.state = State(rules=rules or Rules(), costs=costs or CostModel())
        self.records: deque[Record] = deque(maxlen=_RECORDS)
        """What happened lately, with reasons."""
        self.meter = Meter()
        self._numbers = count(1)
        self._tickets: dict[int, Ticket] = {}
        self._packed: dict[int, dict[int, tuple[bytes, bytes]]] = {}
        """Arguments and first checkpoint, by ticket and rung."""
        self._checkpoints: dict[int, tuple[int, bytes]] = {}
        self._values: dict[int, bytes] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = asyncio.Event()
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._is_open = True
        self._tasks = [
            self._group.create_task(self._pool.run(self._post, self._clock.now_s), name="compute pool"),
            self._group.create_task(self._ticked(), name="compute ticks"),
        ]
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        for number in list(self._tickets):
            self._cancelled(number)
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            return await self._group.__aexit__(kind, error, trace)
        await self._group.__aexit__(None, None, None)  # what the caller raised is told as it is, not within a group
        return None

    @property
    def costs(self) -> CostModel:
        """Return what is known of durations by now."""
        return self.state.costs

    @property
    def metrics(self) -> Metrics:
        """Return what was done so far."""
        return self.meter.metrics(self._clock.now_s())

    def submit(self, job: Job) -> Ticket:
        """Take a job.

        Raises:
            BadJob: It can never run here.
            NotPlain: Its arguments are no plain data.
        """
        if not self._is_open:
            raise BadJob("the queue is closed; submit within `async with ComputeQueue(...)`")
        steps = [job, *(rung.job for rung in job.alternatives)]
        for one in steps:
            if one is not None and one.device == "cpu" and one.memory_bytes > self.state.rules.memory_bytes:
                raise BadJob(
                    f"{one.label} asks for {one.memory_bytes} bytes, and all jobs together have"
                    f" {self.state.rules.memory_bytes}; raise memory_bytes of the rules, or do it in parts"
                )
        ticket = Ticket(next(self._numbers), job, self._cancelled)
        self._packed[ticket.number] = {
            rung: (packed(one.arguments), packed(one.checkpoint)) for rung, one in enumerate(steps) if one is not None
        }
        self._tickets[ticket.number] = ticket
        if any(one is not None and one.device == "gpu" for one in steps):
            self._pool.want_gpu()
        self._post(Submitted(at_s=self._clock.now_s(), ticket=ticket.number, job=job), b"")
        return ticket

    def result_came(self) -> None:
        """Say that an experiment's result is known, by which running plans grow older."""
        self._post(ResultCame(at_s=self._clock.now_s()), b"")

    @property
    def n_results(self) -> int:
        """Return how many results came: what a plan begun now has seen."""
        return self.state.n_results

    def use_plan(self, seen: int) -> int:
        """Count a plan that is about to be carried out; return how many results it does not know.

        Raises:
            StalePlan: These are more than may be.
        """
        unseen, s_max = max(0, self.n_results - seen), self.state.rules.s_max
        if s_max is not None and unseen > s_max:
            raise StalePlan(f"{unseen} results are unseen by this plan, at most {s_max} may be; plan again")
        self.meter.used(unseen)
        return unseen

    def speculation(self, *, is_hit: bool) -> None:
        """Count a result on which there was a speculation, and whether that foresaw it."""
        self.meter.speculated(is_hit)

    def instrument_free(self, name: str) -> None:
        """Say that an instrument has all but a plan."""
        self.meter.free(name, self._clock.now_s())

    def instrument_taken(self, name: str) -> None:
        """Say that it has its plan."""
        self.meter.taken(name, self._clock.now_s())

    def checkpoint_of(self, ticket: Ticket) -> Plain:
        """Return the latest checkpoint of a job that has not ended, to be stored."""
        kept = self._checkpoints.get(ticket.number)
        return ticket.job.checkpoint if kept is None else unpacked(kept[1])

    def _cancelled(self, number: int) -> None:
        if number in self._tickets:
            self._post(CancelAsked(at_s=self._clock.now_s(), ticket=number), b"")

    async def _ticked(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            self._post(Tick(at_s=self._clock.now_s()), b"")

    def _post(self, event: Event, payload: bytes) -> None:
        """Let the policy decide, and do what it says."""
        if not self._is_open:
            return
        before = self.state.n_checkpoints
        self.state, decisions = advance(self.state, event)
        self._keep(event, payload, is_checkpoint=self.state.n_checkpoints > before)
        for decision in decisions:
            self._do(decision)
        self._set_timer()

    def _keep(self, event: Event, payload: bytes, *, is_checkpoint: bool) -> None:
        ticket = getattr(event, "ticket", None)
        if ticket not in self._tickets or not payload:
            return
        if is_checkpoint:
            self._checkpoints[ticket] = (self.state.n_checkpoints, payload)
        else:
            self._values[ticket] = payload

    def _do(self, decision: object) -> None:
        match decision:
            case Record():
                self.records.append(decision)
                self.meter.add(decision)
            case Start():
                self._start(decision)
            case AskYield():
                self._pool.ask_yield(decision.worker)
            case Kill():
                self._pool.kill(decision.worker, decision.reason)
            case Finish():
                self._finish(decision)

    def _start(self, decision: Start) -> None:
        entry = self.state.entries[decision.ticket]
        arguments, checkpoint = self._packed[decision.ticket][decision.rung]
        if decision.checkpoint is not None:
            number, checkpoint = self._checkpoints[decision.ticket]
            if number != decision.checkpoint:
                raise RuntimeError(
                    f"checkpoint {decision.checkpoint} of job {decision.ticket} is lost, {number} is here"
                )
        work = Work(
            ticket=decision.ticket, attempt=entry.attempts, job=entry.job, lease=entry.lease, arguments=arguments,
            checkpoint=checkpoint,
        )  # fmt: skip
        self._pool.start(decision.worker, work)

    def _finish(self, finish: Finish) -> None:
        ticket = self._tickets.pop(finish.ticket)
        value = None
        if finish.status == "done":
            rung = ticket.job.alternatives[finish.rung - 1] if finish.rung else None
            value = unpacked(self._values[finish.ticket]) if rung is None or rung.job else rung.value
        for kept in (self._packed, self._checkpoints, self._values):
            kept.pop(finish.ticket, None)
        label = ticket.job.alternatives[finish.rung - 1].name if finish.rung else ticket.job.label
        ticket.ended.set_result(
            Outcome(
                ticket=finish.ticket,
                status=finish.status,
                rung=label,
                reason=finish.reason,
                value=value,
                attempts=finish.attempts,
                busy_s=finish.busy_s,
                ended_s=self._clock.now_s(),
                staleness=finish.staleness,
                is_in_time=finish.is_in_time,
            )  # fmt: skip
        )

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        when_s = wake_s(self.state)
        if when_s < float("inf"):
            delay_s = max(0.0, when_s - self._clock.now_s())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._due.set)
