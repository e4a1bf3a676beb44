"""The policy of the queue: state and event give the next state and decisions, and nothing else has a part in it.

Classes go first by their priority, inside a class the earliest deadline does (Liu and Layland, J. ACM 20, 46 (1973),
doi:10.1145/321738.321743, show that this order is optimal on one worker with preemption). Real processes and virtual
time share this module; it waits for nothing, reads no clock and draws no chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from surrogate.compute.dispatch import dispatch, next_wake_s
from surrogate.compute.events import (
    Broke,
    CancelAsked,
    Decision,
    Done,
    Event,
    GpuFound,
    Kill,
    Overgrown,
    ResultCame,
    Sliced,
    Submitted,
    Tick,
    Told,
    What,
    WorkerDown,
    WorkerUp,
    Yielded,
)
from surrogate.compute.state import Entry, State, Worker
from surrogate.compute.turn import Turn


def advance(state: State, event: Event) -> tuple[State, tuple[Decision, ...]]:
    """Return what the queue knows after an event, and what is to be done."""
    turn = Turn(state, event.at_s)
    _HANDLERS[type(event)](turn, event)
    if isinstance(event, Told) and event.worn:
        _replace(turn, event)
    dispatch(turn)
    return turn.closed(), tuple(turn.decisions)


def wake_s(state: State) -> float:
    """Return when the next `Tick` is due at the latest; infinity: none is."""
    return next_wake_s(Turn(state, state.now_s))


def _submitted(turn: Turn, event: Submitted) -> None:
    job = event.job
    turn.entries[event.ticket] = entry = Entry(
        ticket=event.ticket, root=job, device=job.device, deadline_s=job.deadline_s, lease=job.memory_bytes,
        is_whole=job.checkpoint is None,
    )  # fmt: skip
    turn.place(entry)
    turn.demanded(turn.entries[event.ticket])


def _cancel_asked(turn: Turn, event: CancelAsked) -> None:
    """End a job at once; what runs for it leaves at its next step, is killed, or ends by itself and is not heard."""
    entry = turn.entries.get(event.ticket)
    if entry is None:
        return
    worker = turn.workers.get(entry.worker) if entry.worker is not None else None
    turn.finish(entry, "cancelled", reason="cancelled")
    if worker is None or worker.is_leaving:
        return
    if entry.job.steps:
        turn.ask_yield(worker, "cancelled")
    elif entry.job.killable:
        turn.kill(worker, "cancelled")


def _worker_up(turn: Turn, event: WorkerUp) -> None:
    turn.workers[event.worker] = Worker(number=event.worker, device=event.device)


def _worker_down(turn: Turn, event: WorkerDown) -> None:
    worker = turn.workers.get(event.worker)
    if worker is None:
        return
    if worker.ticket is not None:
        entry = turn.released(worker)
        if entry is not None:
            turn.failed(entry, "lost", event.reason)
    del turn.workers[event.worker]


def _gpu_found(turn: Turn, event: GpuFound) -> None:
    turn.gpu_bytes = event.memory_bytes
    turn.note(What.GPU, reason=event.reason)
    for entry in [one for one in turn.entries.values() if one.worker is None]:
        turn.place(entry)


def _told(turn: Turn, event: Told) -> Worker | None:
    """Return the worker that speaks; None where it speaks of a job that is no longer its own."""
    worker = turn.workers.get(event.worker)
    return worker if worker is not None and worker.ticket == event.ticket and not worker.is_ending else None


def _sliced(turn: Turn, event: Sliced) -> None:
    worker = _told(turn, event)
    entry = turn.entries.get(event.ticket)
    if worker is None or entry is None:
        return
    turn.note(What.SLICED, entry, seconds=event.slice_s, over_s=max(0.0, event.slice_s - entry.job.slice_s))
    kept = turn.change(entry, useful_s=entry.useful_s + turn.now_s - worker.kept_s)
    turn.workers[worker.number] = replace(
        worker, kept_s=turn.now_s, silent_until_s=turn.now_s + entry.job.silence_s
    )  # fmt: skip
    _keep_checkpoint(turn, kept)


def _keep_checkpoint(turn: Turn, entry: Entry) -> Entry:
    turn.n_checkpoints += 1
    return turn.change(entry, checkpoint=turn.n_checkpoints)


def _yielded(turn: Turn, event: Yielded) -> None:
    worker = _told(turn, event)
    if worker is None:
        return
    waited_s = turn.now_s - worker.asked_s if worker.asked_s is not None else 0.0
    entry = turn.released(worker, is_useful=True)
    if entry is not None:
        entry = _keep_checkpoint(turn, entry)
        over_s = max(0.0, event.slice_s - entry.job.slice_s)
        turn.note(What.YIELDED, entry, seconds=waited_s, over_s=over_s)


def _done(turn: Turn, event: Done) -> None:
    worker = _told(turn, event)
    entry = turn.released(worker, is_useful=True) if worker is not None else None
    if entry is None:
        return
    if entry.is_whole:
        turn.costs = turn.costs.learned(entry.job, entry.device, entry.useful_s)
    if turn.is_stale(entry.job.seen):
        turn.descend(entry, turn.stale_words(entry))
    else:
        turn.finish(entry, "done", staleness=turn.staleness(entry.job.seen))


def _broke(turn: Turn, event: Broke) -> None:
    worker = _told(turn, event)
    entry = turn.released(worker) if worker is not None else None
    if entry is not None:
        turn.failed(entry, event.why, event.reason)


def _overgrown(turn: Turn, event: Overgrown) -> None:
    worker = _told(turn, event)
    entry = turn.kill(worker, event.reason) if worker is not None else None
    if entry is not None:
        turn.failed(entry, "memory", event.reason)


def _replace(turn: Turn, event: Told) -> None:
    """End a process that is worn, as long as it has no job."""
    worker = turn.workers.get(event.worker)
    if worker is not None and worker.is_idle:
        turn.workers[worker.number] = replace(worker, is_ending=True)
        turn.decisions.append(Kill(worker=worker.number, reason=event.worn))


def _result_came(turn: Turn, event: ResultCame) -> None:
    turn.n_results += 1


def _tick(turn: Turn, event: Tick) -> None:
    """Do nothing: what time brings is decided after every event."""


_HANDLERS: dict[type[Event], Callable[[Turn, Any], None]] = {
    Submitted: _submitted,
    CancelAsked: _cancel_asked,
    WorkerUp: _worker_up,
    WorkerDown: _worker_down,
    GpuFound: _gpu_found,
    Sliced: _sliced,
    Yielded: _yielded,
    Done: _done,
    Broke: _broke,
    Overgrown: _overgrown,
    ResultCame: _result_came,
    Tick: _tick,
}
