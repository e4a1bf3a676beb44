"""Billing: what a bill is made of, read from the tables of a campaign."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from drivers.clock import Clock
from orchestrator.bill import Bill, Work, make_bill
from orchestrator.consumables import doses
from orchestrator.journal import Journal
from orchestrator.prices import Prices
from orchestrator.store import JournalRow, StepRow, TrialRow

_JOURNAL: Any = JournalRow.__table__  # type: ignore[attr-defined]
_STEP: Any = StepRow.__table__  # type: ignore[attr-defined]
_TRIAL: Any = TrialRow.__table__  # type: ignore[attr-defined]

RUNS = ("batch_formed", "batch_loaded", "batch_fired", "batch_failed", "batch_ended")
"""Events of a furnace run, whose step is over as soon as the program has begun."""


def read_bill(connection: Connection, prices: Prices | None, *, now_s: float) -> Bill:
    """Add up what a campaign took until now; what is under way counts so far."""
    begun = connection.execute(select(_TRIAL.c.number).where(_TRIAL.c.started_s.is_not(None))).scalars().all()
    dispensed = select(_STEP).where(_STEP.c.command == "dispense").order_by(_STEP.c.started_s, _STEP.c.command_id)
    rows: Sequence[Any] = connection.execute(dispensed).all()
    return make_bill([*_steps(connection, now_s), *_runs(connection, now_s)], doses(rows), begun, prices)


def prices_of(lab: Mapping[str, Any]) -> Prices | None:
    """Return the prices that a journalled lab names."""
    told = lab.get("costs")
    return None if told is None else Prices.model_validate(told)


def running_bill(journal: Journal, clock: Clock, prices: Prices | None) -> Callable[[], Bill]:
    """Return what says how much a running campaign has cost by now."""

    def bill() -> Bill:
        journal.flush()  # what is only buffered would be missed, or not, by chance
        try:
            return read_bill(journal.connection, prices, now_s=clock.now_s())
        finally:
            if journal.connection.in_transaction():
                journal.connection.rollback()  # a reading must not stay open until the next commit

    return bill


def _steps(connection: Connection, now_s: float) -> Iterator[Work]:
    query = select(_STEP.c.device, _STEP.c.trial, _STEP.c.started_s, _STEP.c.finished_s)
    for device, trial, started_s, finished_s in connection.execute(query):
        end_s = now_s if finished_s is None else finished_s
        yield Work(device=device, trials=(trial,), start_s=started_s, end_s=max(started_s, end_s))


def _runs(connection: Connection, now_s: float) -> Iterator[Work]:
    heaters = _heaters(connection)
    trials: dict[str, tuple[int, ...]] = {}
    began: dict[str, float] = {}
    query = select(_JOURNAL.c.kind, _JOURNAL.c.mono_s, _JOURNAL.c.body).where(_JOURNAL.c.kind.in_(RUNS))
    for kind, at_s, text in connection.execute(query.order_by(_JOURNAL.c.seq)):
        body = json.loads(text)
        batch = str(body.get("batch"))
        if kind == "batch_formed":
            trials[batch] = tuple(sorted(int(trial) for trial in body.get("places", ())))
        elif kind == "batch_loaded":
            began.setdefault(batch, at_s)
        elif batch in began:
            yield from _run(heaters, batch, trials, began.pop(batch), at_s)
    for batch, start_s in began.items():
        yield from _run(heaters, batch, trials, start_s, now_s)


def _run(
    heaters: Mapping[str, str], batch: str, trials: Mapping[str, tuple[int, ...]], start_s: float, end_s: float
) -> Iterator[Work]:
    if batch in heaters and trials.get(batch):
        yield Work(device=heaters[batch], trials=trials[batch], start_s=start_s, end_s=max(start_s, end_s))


def _heaters(connection: Connection) -> dict[str, str]:
    """Return the device that ran each batch's program; its tag begins with the batch's name."""
    query = select(_STEP.c.device, _STEP.c.arguments).where(_STEP.c.command == "run_profile")
    return {str(arguments.get("tag", "")).partition(".")[0]: device for device, arguments in connection.execute(query)}
