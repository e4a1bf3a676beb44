"""Results: what one execution gave, as the JSON that `labpilot simulate --json` writes (docs/simulate.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from orchestrator.ahead.metrics import read_compute
from orchestrator.campaign import Campaign
from orchestrator.check import Ready
from orchestrator.directory import CampaignDirectory
from orchestrator.fidelities import counting
from orchestrator.records import TrialRecord, read_asks, read_campaign, read_trials
from orchestrator.scoring import metrics
from orchestrator.stopping import best_trial
from orchestrator.store import IncidentRow, JournalRow, StepRow


def read_result(path: Path, *, wall_s: float, score: bool = True) -> dict[str, Any]:
    """Read the result of an execution from its campaign directory.

    wall_s: how long the execution took, which only its caller knows.
    score: compare with the simulated world's truth, where there is one.
    """
    directory = CampaignDirectory.open(path)
    engine = directory.database(migrate=False)
    with engine.connect() as connection:
        row = read_campaign(connection) or {}
        trials = read_trials(connection)
        virtual_s = _last_s(connection)
        ready = Ready.from_data(row["config"], row["lab"])
        compute = read_compute(connection, elapsed_s=virtual_s)
        result = {
            "campaign": row["name"],
            "planner": row["planner"],
            "seed": row["seed"],
            "status": row["status"],
            "reason": row["reason"],
            "trials": [_trial(trial) for trial in trials],
            "best": _best(ready.campaign, trials),
            "virtual_s": virtual_s,
            "wall_s": wall_s,
            "planning_wall_s": sum(ask["wall_s"] for ask in read_asks(connection)),
            "planning_cpu_s": _planning_cpu_s(connection),
            "compute": None if compute is None else compute.as_json(),
            "device_idle_s": _idle(connection, ready.lab.devices, virtual_s),
            "interventions": _count(connection, "intervention"),
            "provenance": row["provenance"],
            "metrics": metrics(directory, connection, ready, trials) if score else {},
        }
    engine.dispose()
    return result


def _trial(trial: TrialRecord) -> dict[str, Any]:
    return {
        "number": trial.number,
        "parameters": dict(trial.parameters),
        "outcome": trial.outcome,
        "reason": trial.reason,
        "values": dict(trial.values),
        "started_s": trial.started_s,
        "finished_s": trial.finished_s,
        "batch": trial.ask,
        "is_control": trial.is_control,
    }


def _best(campaign: Campaign, trials: Sequence[TrialRecord]) -> dict[str, Any] | None:
    best = best_trial(counting(campaign.parameters, trials), campaign.objectives)
    if best is None:
        return None
    return {"number": best.number, "parameters": dict(best.parameters), "values": dict(best.values)}


def _last_s(connection: Connection) -> float:
    table: Any = JournalRow.__table__  # type: ignore[attr-defined]
    return connection.execute(select(table.c.mono_s).order_by(table.c.seq.desc()).limit(1)).scalar() or 0.0


def _planning_cpu_s(connection: Connection) -> float:
    """Return the processor time of all asks; journals of earlier versions do not tell it."""
    table: Any = JournalRow.__table__  # type: ignore[attr-defined]
    bodies = connection.execute(select(table.c.body).where(table.c.kind == "asked")).scalars()
    return sum(float(json.loads(body).get("cpu_s", 0.0)) for body in bodies)


def _idle(connection: Connection, devices: Iterable[str], total_s: float) -> dict[str, float]:
    table: Any = StepRow.__table__  # type: ignore[attr-defined]
    spans: dict[str, list[tuple[float, float]]] = {device: [] for device in devices}
    query = select(table.c.device, table.c.started_s, table.c.finished_s).order_by(table.c.started_s)
    for device, started_s, finished_s in connection.execute(query):
        spans.setdefault(device, []).append((started_s, total_s if finished_s is None else finished_s))
    return {device: total_s - busy_s(intervals) for device, intervals in spans.items()}


def busy_s(intervals: Sequence[tuple[float, float]]) -> float:
    """Return the length of the union of intervals that are sorted by their beginning."""
    total, end = 0.0, float("-inf")
    for start, stop in intervals:
        if stop > end:
            total += stop - max(start, end)
            end = stop
    return total


def _count(connection: Connection, kind: str) -> int:
    table: Any = IncidentRow.__table__  # type: ignore[attr-defined]
    return len(connection.execute(select(table.c.id).where(table.c.kind == kind)).all())
