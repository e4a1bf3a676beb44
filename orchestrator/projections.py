"""Projections: tables folded from the journal's events, one pure step per event kind.

A handler gets the event and `Rows`, and changes whole rows there; `Projector.write` then writes every changed row. The
same code runs live and in `rebuild`, so the two cannot drift apart (a test holds them equal).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import JSON, Connection, Table, delete, select

from orchestrator import states
from orchestrator.events import Event
from orchestrator.people.tables import HANDLERS as PEOPLE
from orchestrator.store import (
    PROJECTIONS,
    AskRow,
    CampaignRow,
    IncidentRow,
    MeasurementRow,
    ObservationRow,
    SampleRow,
    StepRow,
    TrialRow,
    insert_sql,
)

Row = dict[str, Any]
Run = Callable[[str, list[tuple[Any, ...]]], object]


class Rows:
    """Rows by table and key: those changed since the last write, others read from the database on demand."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cache: dict[tuple[str, Any], Row] = {}
        self.dirty: dict[tuple[str, Any], Row] = {}
        self._keys = {model: _key_column(_table(model)) for model in PROJECTIONS}

    def get(self, model: Any, key: Any) -> Row:
        """Return a row that exists."""
        place = (_table(model).name, key)
        if place in self.dirty:
            return self.dirty[place]
        if place not in self._cache:
            table = _table(model)
            found = self._connection.execute(select(table).where(table.c[self._keys[model]] == key)).mappings().first()
            if found is None:
                raise KeyError(f"no row {key!r} in {table.name}: the journal is damaged or out of order")
            self._cache[place] = dict(found)
        return self._cache[place]

    def put(self, model: Any, row: Row) -> None:
        """Set a whole row."""
        defaults = _defaults(model)
        given = {name: value for name, value in row.items() if name in defaults}
        self.dirty[(_table(model).name, row[self._keys[model]])] = {**defaults, **given}

    def change(self, model: Any, key: Any, **values: Any) -> None:
        """Change some columns of a row that exists."""
        self.dirty[(_table(model).name, key)] = {**self.get(model, key), **values}

    def written(self, *, keep: Collection[str], forget: Collection[tuple[str, Any]]) -> None:
        """Keep what was written in memory only for rows still being worked on."""
        for place in (*forget, *self.dirty):  # what was read before it was changed would be stale
            self._cache.pop(place, None)
        self._cache |= {place: row for place, row in self.dirty.items() if place[0] in keep and place not in forget}
        self.dirty.clear()


class Projector:
    """Applies events to rows and writes the changed rows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows = Rows(connection)

    def apply(self, event: Event) -> None:
        """Fold one event; kinds without a projection are history only."""
        handler = HANDLERS.get(event.kind)
        if handler is not None:
            handler(self._rows, event)

    def write(self, run: Run | None = None) -> None:
        """Write the changed rows; the caller commits, and then says so with `settle`. Until then it can be repeated.

        run: what carries a statement out for many rows; by default the connection does.
        """
        run = run or self._connection.exec_driver_sql
        by_table: dict[str, list[Row]] = {}
        for (name, _), row in self._rows.dirty.items():
            by_table.setdefault(name, []).append(row)
        models: tuple[Any, ...] = PROJECTIONS
        for model in models:
            rows = by_table.get(_table(model).name)
            if rows:
                statement, take = _upsert(model, self._connection.dialect.name)
                run(statement, [take(row) for row in rows])

    def settle(self) -> None:
        """Take what was written for what the database holds."""
        finished = {place for place, row in self._rows.dirty.items() if _is_closed(place[0], row)}
        self._rows.written(keep=("campaign", "trial", "step"), forget=finished)


def rebuild(connection: Connection, events: Iterable[Event]) -> None:
    """Empty the projected tables and fold the whole journal again; the caller commits."""
    for model in PROJECTIONS:
        connection.execute(delete(_table(model)))
    projector = Projector(connection)
    for count, event in enumerate(events, start=1):
        projector.apply(event)
        if count % 500 == 0:
            projector.write()
            projector.settle()
    projector.write()


def _table(model: Any) -> Table:
    return model.__table__


def _key_column(table: Table) -> str:
    return next(iter(table.primary_key.columns)).name


@functools.cache
def _defaults(model: Any) -> Row:
    """Return what each column of a table holds when nobody says; shared, since rows are replaced and never changed."""
    fields = {column.name: model.model_fields[column.name] for column in _table(model).columns}
    return {
        name: None if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in fields.items()
    }


@functools.cache
def _upsert(model: Any, dialect: str) -> tuple[str, Callable[[Row], tuple[Any, ...]]]:
    """Return the statement that sets a whole row, and what takes its values from one."""
    columns = [(column.name, isinstance(column.type, JSON)) for column in _table(model).columns]

    def take(row: Row) -> tuple[Any, ...]:
        return tuple(json.dumps(row[name]) if is_json else row[name] for name, is_json in columns)

    return insert_sql(model, dialect, or_update=True), take


def _is_closed(table: str, row: Row) -> bool:
    return (table == "step" and row["state"] in ("done", "rejected", "failed")) or (
        table == "trial" and row["state"] in states.FINAL_TRIAL_STATES
    )


def _campaign_created(rows: Rows, event: Event) -> None:
    rows.put(CampaignRow, {"id": 1, "status": "created", "created_utc": event.utc, **event.body})


def _controller_started(rows: Rows, event: Event) -> None:
    starts = rows.get(CampaignRow, 1)["starts"] or 0
    rows.change(CampaignRow, 1, status="running", reason="", epoch=event.body["epoch"], starts=starts + 1)


def _campaign_ended(rows: Rows, event: Event) -> None:
    rows.change(CampaignRow, 1, status=event.body["status"], reason=event.body["reason"])


def _asked(rows: Rows, event: Event) -> None:
    fields = ("index", "n", "asked_s", "charged_s", "wall_s", "policy", "fallback_reason", "diagnostics")
    rows.put(AskRow, {name: event.body[name] for name in fields})
    for trial in event.body["trials"]:
        rows.put(TrialRow, {**trial, "state": "accepted", "ask": event.body["index"], "accepted_s": event.at_s})


def _trial_started(rows: Rows, event: Event) -> None:
    row = rows.get(TrialRow, event.trial)
    first = row["started_s"] if row["started_s"] is not None else event.at_s
    state = states.advance(states.TRIAL, row["state"], "start")
    rows.change(TrialRow, event.trial, state=state, started_s=first, sample=event.body.get("sample"))
    if event.body.get("sample"):
        rows.put(SampleRow, {"id": event.body["sample"], "trial": event.trial, "place": event.body["place"]})


def _advance_trial(rows: Rows, event: Event, name: str, **values: Any) -> None:
    row = rows.get(TrialRow, event.trial)
    rows.change(TrialRow, event.trial, state=states.advance(states.TRIAL, row["state"], name), **values)


def _plan_finished(rows: Rows, event: Event) -> None:
    _advance_trial(rows, event, "finish_plan")


def _analysed(rows: Rows, event: Event) -> None:
    body = event.body
    _advance_trial(
        rows,
        event,
        "analyse",
        outcome="measured",
        values=body["values"],
        details=body["details"],
        context=body.get("context", {}),
        finished_s=event.at_s,
    )
    for index, finding in enumerate(body["findings"]):
        rows.put(
            ObservationRow,
            {"id": f"{event.trial:06d}.{index:04d}", "trial": event.trial, "analysis": body["analysis"], **finding},
        )


def _trial_failed(rows: Rows, event: Event) -> None:
    more = {name: event.body.get(name, {}) for name in ("details", "context")}
    _advance_trial(rows, event, "fail", outcome="failed", reason=event.body["reason"], finished_s=event.at_s, **more)


def _trial_lost(rows: Rows, event: Event) -> None:
    _advance_trial(rows, event, "lose", outcome="lost", reason=event.body["reason"], finished_s=event.at_s)


def _told(rows: Rows, event: Event) -> None:
    after = {
        number: states.advance(states.TRIAL, rows.get(TrialRow, number)["state"], "tell")
        for number in event.body["trials"]
    }
    for number, state in after.items():
        rows.change(TrialRow, number, state=state)


def _step_intended(rows: Rows, event: Event) -> None:
    body = dict(event.body)
    if body.pop("is_repeat", False):
        row = rows.get(StepRow, event.command_id)
        state = states.advance(states.STEP, row["state"], "intend")
        rows.change(StepRow, event.command_id, state=state, attempts=row["attempts"] + 1, finished_s=None, error="")
        return
    rows.put(
        StepRow,
        {
            "command_id": event.command_id,
            "trial": event.trial,
            "state": "intended",
            "started_s": event.at_s,
            **event.body,
        },
    )


def _step_ended(name: str) -> Callable[[Rows, Event], None]:
    def handler(rows: Rows, event: Event) -> None:
        row = rows.get(StepRow, event.command_id)
        state = states.advance(states.STEP, row["state"], name)
        rows.change(
            StepRow,
            event.command_id,
            state=state,
            finished_s=None if state == states.StepState.AMBIGUOUS else event.at_s,
            error=event.body.get("error", ""),
            settled_by=event.body.get("settled_by", ""),
            result=event.body.get("result", {}),
        )

    return handler


def _measured(rows: Rows, event: Event) -> None:
    rows.put(MeasurementRow, {"id": event.command_id, "trial": event.trial, "taken_s": event.at_s, **event.body})


def _incident(rows: Rows, event: Event) -> None:
    rows.put(
        IncidentRow,
        {
            "id": f"{event.seq:09d}",
            "at_s": event.at_s,
            "kind": event.body["kind"],
            "trial": event.trial,
            "device": event.body.get("device", ""),
            "text": event.body["text"],
        },
    )


HANDLERS: Mapping[str, Callable[[Rows, Event], None]] = {
    "campaign_created": _campaign_created,
    "controller_started": _controller_started,
    "campaign_ended": _campaign_ended,
    "asked": _asked,
    "trial_started": _trial_started,
    "plan_finished": _plan_finished,
    "analysed": _analysed,
    "trial_failed": _trial_failed,
    "trial_lost": _trial_lost,
    "told": _told,
    "step_intended": _step_intended,
    "step_done": _step_ended("done"),
    "step_rejected": _step_ended("reject"),
    "step_failed": _step_ended("fail"),
    "step_in_doubt": _step_ended("doubt"),
    "measured": _measured,
    "incident": _incident,
    **PEOPLE,
}
