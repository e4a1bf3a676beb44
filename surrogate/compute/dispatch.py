"""Who runs next, and who makes way."""

from __future__ import annotations

from surrogate.compute.jobs import DEVICES, Device, JobClass
from surrogate.compute.state import Entry, Worker
from surrogate.compute.turn import Turn

EPSILON_S = 1e-6
"""Instants nearer than this are one."""


def dispatch(turn: Turn) -> None:
    """End what is overdue, refuse what is late or stale, and fill the workers.

    What makes way for others may be late thereby; `next_wake_s` is then in the past, and the next turn comes at once.
    """
    _end_overdue(turn)
    _refuse(turn)
    for device in DEVICES:
        _fill(turn, device)


def next_wake_s(turn: Turn) -> float:
    """Return when something is to be decided even if nothing happens."""
    running = [
        min(worker.until_s, worker.silent_until_s)
        for worker in turn.workers.values()
        if worker.ticket is not None and not worker.is_ending
    ]
    waiting = [
        turn.latest_start_s(entry) + 2 * EPSILON_S
        for entry in turn.entries.values()
        if entry.worker is None and entry.next_rung is not None
    ]
    return min([*running, *waiting, *_when_load_falls(turn)], default=float("inf"))


def _when_load_falls(turn: Turn) -> list[float]:
    """Return when speculation that waits for less load is to be looked at again."""
    held = [one for one in turn.entries.values() if one.worker is None and one.root.job_class is JobClass.SPECULATE]
    falls_s = [at_s + turn.rules.load_window_s + EPSILON_S for at_s, seconds in turn.demand if seconds > 0]
    return [one for one in falls_s if one > turn.now_s][:1] if held else []


def _end_overdue(turn: Turn) -> None:
    for worker in list(turn.workers.values()):
        if worker.ticket is None or worker.is_ending:
            continue
        if turn.now_s >= worker.silent_until_s - EPSILON_S:
            _timed_out(turn, worker, f"no checkpoint in {worker.silent_until_s - worker.kept_s:g} s")
        elif turn.now_s >= worker.until_s - EPSILON_S:
            _timed_out(turn, worker, f"took longer than {turn.now_s - worker.started_s:.3g} s")


def _timed_out(turn: Turn, worker: Worker, reason: str) -> None:
    entry = turn.kill(worker, reason)
    if entry is not None:
        turn.failed(entry, "timeout", reason)


def _refuse(turn: Turn) -> None:
    """Let plans that would be stale or late give way to their alternatives."""
    for ticket in sorted(turn.entries):
        while (entry := turn.entries.get(ticket)) is not None and (reason := _unfit(turn, entry)):
            turn.descend(entry, reason)


def _unfit(turn: Turn, entry: Entry) -> str:
    """Return why a job that waits is not worth starting; empty: it is."""
    if entry.worker is not None:
        return ""
    if turn.is_stale(entry.job.seen):
        return turn.stale_words(entry)
    if entry.next_rung is not None and turn.now_s > turn.latest_start_s(entry) + EPSILON_S:
        return f"late: it takes {turn.q95_s(entry):.3g} s (q95), and its result is due at {entry.deadline_s:.3f} s"
    return ""


def in_order(turn: Turn, device: Device) -> list[Entry]:
    """Return what waits for a device, the first first."""
    waiting = [one for one in turn.entries.values() if one.worker is None and one.device == device]
    if turn.rules.discipline == "fifo":
        return sorted(waiting, key=lambda one: one.ticket)
    if any(one.root.job_class is JobClass.SPECULATE for one in waiting) and _is_loaded(turn):
        waiting = [one for one in waiting if one.root.job_class is not JobClass.SPECULATE]
    return sorted(waiting, key=lambda one: (one.root.priority, one.deadline_s, one.ticket))


def _is_loaded(turn: Turn) -> bool:
    return turn.closed().load() >= turn.rules.speculate_below


def _fill(turn: Turn, device: Device) -> None:
    """Start jobs in order; the first one that cannot start lets none pass, so that memory gathers for it."""
    idle = sorted(one.number for one in turn.workers.values() if one.device == device and one.is_idle)
    state = turn.closed()
    room = state.memory_bytes(device) - state.leased_bytes(device)
    waiting = in_order(turn, device)
    while waiting and idle and waiting[0].lease <= room:
        entry = waiting.pop(0)
        turn.start(entry, turn.workers[idle.pop(0)])
        room -= entry.lease
    if waiting and turn.rules.discipline == "edf":
        _make_room(turn, device, waiting, len(idle), room)


def _make_room(turn: Turn, device: Device, waiting: list[Entry], n_idle: int, room: int) -> None:
    """Ask jobs of lower classes to make way for those that wait, counting those that do so already."""
    leaving = [one for one in turn.workers.values() if one.device == device and one.is_leaving]
    slots, room = n_idle + len(leaving), room + sum(one.lease for one in leaving)
    for entry in waiting:
        while slots < 1 or room < entry.lease:
            victim = _victim(turn, device, entry)
            if victim is None:
                return
            _make_way(turn, victim, entry)
            slots, room = slots + 1, room + victim.lease
        slots, room = slots - 1, room - entry.lease


def _victim(turn: Turn, device: Device, entry: Entry) -> Worker | None:
    """Return the worker with the least urgent job that may be stopped for another one; None: there is none."""
    if entry.root.job_class is JobClass.SPECULATE:
        return None
    found: list[tuple[tuple[int, float, int], Worker]] = []
    for worker in turn.workers.values():
        running = turn.entries.get(worker.ticket) if worker.ticket is not None else None
        if running is None or worker.device != device or worker.is_leaving:
            continue
        if running.root.priority > entry.root.priority and _may_stop(turn, worker, running, entry):
            found.append(((running.root.priority, running.deadline_s, running.ticket), worker))
    return max(found, key=lambda one: one[0])[1] if found else None


def _may_stop(turn: Turn, worker: Worker, running: Entry, entry: Entry) -> bool:
    """Return whether a job yields; one that can only be killed is stopped only if waiting for it would be too late."""
    if running.job.steps:
        return True
    ends_s = worker.started_s + turn.costs.estimate(running.job, running.device, 0.5)
    return running.job.killable and max(ends_s, turn.now_s) > turn.latest_start_s(entry) - turn.rules.restart_s


def _make_way(turn: Turn, worker: Worker, entry: Entry) -> None:
    reason = f"makes way for {entry.label}"
    running = turn.entries.get(worker.ticket) if worker.ticket is not None else None
    if running is not None and not running.job.steps:
        turn.kill(worker, reason)
    else:
        turn.ask_yield(worker, reason)
