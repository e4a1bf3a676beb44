"""The tables of an export: columns with type, unit and meaning, built from a snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.reading import Snapshot


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    meaning: str
    unit: str = ""
    type: str = ""
    """``text``, ``integer``, ``number``, ``yes/no``, or empty where the data decide."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, and rows of as many cells."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]

    def block(self) -> dict[str, list[Any]]:
        """Return the cells by column."""
        return {column.name: [row[i] for row in self.rows] for i, column in enumerate(self.columns)}


OF_SOME_CAMPAIGNS = ("known", "sources")
"""Tables that are left out where they have no row."""


def table_builders() -> Mapping[str, Callable[[Snapshot], Table]]:
    """Return how each table is built, by name."""
    return {
        "trials": _trials,
        "observations": _observations,
        "known": _known,
        "sources": _sources,
        "steps": _steps,
        "measurements": _measurements,
        "asks": _asks,
        "incidents": _incidents,
        "trial_costs": _trial_costs,
        "device_hours": _device_hours,
    }


def _trials(snapshot: Snapshot) -> Table:
    fixed = [
        Column("number", "number of the trial, from 1", type="integer"),
        Column(
            "outcome", "measured, failed (the recipe's fault), lost (the lab's fault); empty: not over", type="text"
        ),
        Column("reason", "why it failed or was lost", type="text"),
        Column("state", "where it stands", type="text"),
        Column("ask", "index of the question to the planner that it came from", type="integer"),
        Column("is_control", "whether it is a control, which no planner proposed", type="yes/no"),
        Column("sample", "id of the sample", type="text"),
        Column("proposal_reason", "why the planner proposed it", type="text"),
        Column("accepted_s", "when it was accepted", "s", "number"),
        Column("started_s", "when it started", "s", "number"),
        Column("finished_s", "when its outcome was known", "s", "number"),
    ]
    parameters = _parameter_columns(snapshot, [trial.parameters for trial in snapshot.trials])
    targets, context = _names(trial.values for trial in snapshot.trials), _names(t.context for t in snapshot.trials)
    foreseen = _names(trial.predictions for trial in snapshot.trials)
    units = _objective_units(snapshot)
    columns = [
        *fixed,
        *parameters,
        *(Column(f"value_{name}", f"measured {name}", units.get(name, ""), "number") for name in targets),
        *(
            Column(
                f"predicted_{part}_{name}",
                f"{word} that the planner predicted of {name}",
                units.get(name, ""),
                "number",
            )
            for name in foreseen
            for part, word in (("mean", "mean"), ("sd", "standard deviation"))
        ),
        *(Column(f"context_{name}", f"{name}, observed beside the trial but not chosen") for name in context),
    ]
    rows = [
        [
            *(getattr(trial, column.name) for column in fixed),
            *(trial.parameters.get(_bare(column)) for column in parameters),
            *(trial.values.get(name) for name in targets),
            *((trial.predictions.get(name) or {}).get(part) for name in foreseen for part in ("mean", "sd")),
            *(trial.context.get(name) for name in context),
        ]
        for trial in snapshot.trials
    ]
    return Table(columns, rows)


def _observations(snapshot: Snapshot) -> Table:
    parameters = _parameter_columns(snapshot, [row.parameters for row in snapshot.observations])
    targets = _names(row.values for row in snapshot.observations)
    patterns = _names(row.fingerprints for row in snapshot.observations)
    units = _objective_units(snapshot)
    columns = [
        Column("id", "id of the observation", type="text"),
        Column("trial", "number of the trial", type="integer"),
        Column("analysis", "name and version of the analysis that derived it", type="text"),
        Column("failure", "why there is no value", type="text"),
        *parameters,
        *(
            Column(f"value_{name}", f"{name} as the planner was told", units.get(name, ""), "number")
            for name in targets
        ),
        *(Column(f"sd_{name}", f"standard deviation of {name}", units.get(name, ""), "number") for name in targets),
        *(Column(f"fingerprint_{name}", f"JSON: channels of {name}", "", "text") for name in patterns),
    ]
    rows = [
        [
            row.id,
            row.trial,
            row.analysis,
            row.failure,
            *(row.parameters.get(_bare(column)) for column in parameters),
            *(row.values.get(name) for name in targets),
            *(row.sd.get(name) for name in targets),
            *(json.dumps(row.fingerprints[name]) if name in row.fingerprints else None for name in patterns),
        ]
        for row in snapshot.observations
    ]
    return Table(columns, rows)


def _known(snapshot: Snapshot) -> Table:
    parameters = _parameter_columns(snapshot, [row["parameters"] for row in snapshot.known])
    targets, context = _names(row["values"] for row in snapshot.known), _names(row["context"] for row in snapshot.known)
    units = _objective_units(snapshot)
    columns = [
        Column("number", "number of the result from before the campaign, from 1", type="integer"),
        Column("failure", "why there is no value", type="text"),
        *parameters,
        *(Column(f"value_{name}", f"{name} as it was known", units.get(name, ""), "number") for name in targets),
        *(Column(f"sd_{name}", f"standard deviation of {name}", units.get(name, ""), "number") for name in targets),
        *(Column(f"context_{name}", f"{name}, observed beside the result") for name in context),
    ]
    rows = [
        [
            index,
            row["failure"],
            *(row["parameters"].get(_bare(column)) for column in parameters),
            *(row["values"].get(name) for name in targets),
            *(row["sd"].get(name) for name in targets),
            *(row["context"].get(name) for name in context),
        ]
        for index, row in enumerate(snapshot.known, 1)
    ]
    return Table(columns, rows)


def _sources(snapshot: Snapshot) -> Table:
    points = [
        (source, row, dict(zip(source["points"], point, strict=True)))
        for source in snapshot.sources
        for row, point in enumerate(zip(*source["points"].values(), strict=True))
    ]
    parameters = _parameter_columns(snapshot, [point for _, _, point in points])
    unit = next(iter(_objective_units(snapshot).values()), "")
    columns = [
        Column("source", "name of the source", type="text"),
        *parameters,
        Column("value", "value of the first objective there", unit, "number"),
        Column("sd", "its standard deviation, where it is known", unit, "number"),
    ]
    rows = [
        [
            source["name"],
            *(point.get(_bare(column)) for column in parameters),
            source["values"][row],
            None if source["noise"] is None else source["noise"][row],
        ]
        for source, row, point in points
    ]
    return Table(columns, rows)


def _steps(snapshot: Snapshot) -> Table:
    columns = [
        Column("command_id", "id of the command, for ever", type="text"),
        Column("trial", "number of the trial", type="integer"),
        Column("path", "place in the plan", type="text"),
        Column("label", "what it does", type="text"),
        Column("device", "device that did it", type="text"),
        Column("command", "command of the device", type="text"),
        Column("effect", "read, idempotent, verifiable or operator", type="text"),
        Column("state", "intended, ambiguous, done, rejected or failed", type="text"),
        Column("started_s", "when its intent was written", "s", "number"),
        Column("finished_s", "when its outcome was known", "s", "number"),
        Column("attempts", "how often it was sent", type="integer"),
        Column("error", "what went wrong", type="text"),
        Column("settled_by", "how it was closed after a crash: read back, repeated, operator or file", type="text"),
        Column("arguments", "JSON; units are in the names", type="text"),
        Column("result", "JSON; units are in the names", type="text"),
    ]
    return _plain(columns, snapshot.steps)


def _measurements(snapshot: Snapshot) -> Table:
    columns = [
        Column("id", "id of the measurement, that of the command which took it", type="text"),
        Column("trial", "number of the trial that it was taken for", type="integer"),
        Column("kind", "spectrum, image, result or reading", type="text"),
        Column("role", "what it was taken of", type="text"),
        Column("taken_s", "when it was taken", "s", "number"),
        Column("path", "file, relative to the campaign directory", type="text"),
        Column("sha256", "SHA-256 of the file", type="text"),
        Column("size_bytes", "size of the file", "byte", "integer"),
        Column("facts", "JSON; units are in the names", type="text"),
    ]
    return _plain(columns, snapshot.measurements)


def _asks(snapshot: Snapshot) -> Table:
    columns = [
        Column("index", "how many asks came before", type="integer"),
        Column("n", "how many trials it gave, controls included", type="integer"),
        Column("asked_s", "when it was asked", "s", "number"),
        Column("charged_s", "time that planning was charged", "s", "number"),
        Column("wall_s", "time that planning took", "s", "number"),
        Column("policy", "policy that answered", type="text"),
        Column("fallback_reason", "why another policy than the chosen one answered", type="text"),
        Column("diagnostics", "JSON: what the planner says of itself", type="text"),
    ]
    return _plain(columns, snapshot.asks)


def _incidents(snapshot: Snapshot) -> Table:
    columns = [
        Column("id", "journal row of the incident", type="text"),
        Column("at_s", "when it happened", "s", "number"),
        Column("kind", "recovery, intervention, fault or fallback", type="text"),
        Column("trial", "number of the trial", type="integer"),
        Column("device", "device", type="text"),
        Column("text", "what happened", type="text"),
    ]
    return _plain(columns, snapshot.incidents)


def _trial_costs(snapshot: Snapshot) -> Table:
    bill = snapshot.bill
    money = bill.currency
    columns = [
        Column("trial", "number of the trial; 0 is what belongs to none", type="integer"),
        Column("instrument_h", "hours of instruments, shared hours divided", "h", "number"),
        Column("energy_kwh", "energy of the devices whose power is known", "kW.h", "number"),
        *(
            Column(f"cost_{part}", f"cost of {meaning}; empty where the lab file names no prices", money, "number")
            for part, meaning in _PARTS.items()
        ),
    ]
    rows = [
        [
            line.trial,
            sum(line.hours.values()),
            line.energy_kwh,
            *(getattr(line, part) if bill.prices is not None else None for part in _PARTS),
        ]
        for line in bill.lines
    ]
    return Table(columns, rows)


_PARTS = {
    "instruments": "instrument hours",
    "energy": "energy",
    "materials": "materials",
    "sample": "the sample",
    "total": "all together",
}


def _device_hours(snapshot: Snapshot) -> Table:
    columns = [
        Column("trial", "number of the trial; 0 is what belongs to none", type="integer"),
        Column("device", "device that worked for it", type="text"),
        Column("hours", "for how long, shared hours divided", "h", "number"),
    ]
    return Table(
        columns, [[line.trial, device, hours] for line in snapshot.bill.lines for device, hours in line.hours.items()]
    )


def _plain(columns: Sequence[Column], rows: Sequence[Any]) -> Table:
    return Table(columns, [[_plain_cell(getattr(row, column.name)) for column in columns] for row in rows])


def _plain_cell(value: Any) -> Any:
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if isinstance(value, dict) else value


def _parameter_columns(snapshot: Snapshot, points: Sequence[Mapping[str, Any]]) -> list[Column]:
    units = {
        str(item.get("name")): str(item.get("unit") or "") for item in snapshot.campaign.config.get("parameters", [])
    }
    names = list(units) + [name for name in _names(points) if name not in units]
    return [
        Column(
            f"parameter_{name}",
            f"parameter {name}",
            units.get(name, ""),
            "text" if any(isinstance(point.get(name), str) for point in points) else "number",
        )
        for name in names
    ]


def _bare(column: Column) -> str:
    return column.name.removeprefix("parameter_")


def _objective_units(snapshot: Snapshot) -> dict[str, str]:
    objectives = snapshot.campaign.config.get("objectives", [])
    return {str(item.get("name")): str(item.get("unit") or "1") for item in objectives}


def _names(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return every key once, in order of appearance."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))
