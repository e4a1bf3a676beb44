"""Why a trial was proposed: its planner stands again where it stood at that ask, and explains itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from orchestrator.campaign_knowledge import knowledge_of
from orchestrator.check import Ready
from orchestrator.errors import InputError
from orchestrator.history import History, read_standing
from orchestrator.knowledge import Knowledge
from orchestrator.people.reading import events_of
from orchestrator.people.state import KINDS, DeskState
from orchestrator.points import pool_for
from orchestrator.reading import open_reading
from orchestrator.records import TrialRecord
from orchestrator.store import AskRow
from planner.proposal import Prediction


def explained(path: Path, number: int) -> str:
    """Return why a trial was proposed, as sentences, by what was known and said then.

    The policy is asked to choose again with other results, which takes as long as some asks. Numbers are in the units
    of the campaign file.

    Args:
        path: The campaign directory.
        number: The trial's.

    Raises:
        InputError: There is no such trial, the planner did not propose it, or a table of candidates was changed.
    """
    with open_reading(path) as reading:
        row = reading.campaign()
        task = Ready.from_data(row.config, row.lab)
        history = read_standing(reading.connection).history
        trial = _proposed(history, number)
        fallbacks = {ask.index: ask.fallback_reason for ask in reading.rows(AskRow, AskRow.index)}
        said = _said_before(reading.connection, trial.ask)
        led = _led_at(reading.connection, trial.ask)
    knowledge = _standing_at(task, history, said, trial)
    knowledge.follow(led)
    found = knowledge.planner.explain(trial.proposal())
    told = trial.predictions  # as sure as results had shown them to be by then (`orchestrator.models.telling`)
    found = replace(found, predictions={name: Prediction(**one) for name, one in told.items()} or found.predictions)
    if not fallbacks.get(trial.ask):
        return str(found)
    note = f"the policy failed at this ask, and a random point was taken: {fallbacks[trial.ask]}"
    return f"{replace(found, turn=None)}\n{note}"


def _proposed(history: History, number: int) -> TrialRecord:
    trial = next((one for one in history.trials if one.number == number), None)
    if trial is None:
        raise InputError(f"there is no trial {number}: the campaign has {len(history.trials)}")
    if trial.proposal_id is None:
        why = "it is a control" if trial.is_control else trial.proposal_reason
        raise InputError(f"the planner did not propose trial {number}: {why}")
    return trial


def _said_before(connection: Connection, ask: int) -> DeskState:
    """Return what people had said when an ask was made."""
    before = []
    for event in events_of(connection, [*KINDS, "asked"]):
        if event.kind != "asked":
            before.append(event)
        elif event.body["index"] == ask:
            break
    return DeskState.of(before)


def _led_at(connection: Connection, ask: int) -> str | None:
    """Return which model led when an ask was made, where there was more than one."""
    body = next((event.body for event in events_of(connection, ["asked"]) if event.body["index"] == ask), {})
    told = body.get("models") or {}
    return told.get("champion") if len(told.get("live", ())) > 1 else None


def _standing_at(task: Ready, history: History, said: DeskState, last: TrialRecord) -> Knowledge:
    """Return the planner as it was when it had proposed a trial, and nothing after it."""
    knowledge = knowledge_of(
        task.campaign,
        pool=pool_for(task.campaign, task.worlds),
        known=history.known or (),
        sources=history.sources or (),
    )
    trials = [trial for trial in history.trials if trial.number <= last.number]
    knowledge.restore(trials, history.findings, told=[told for told in history.told if told.after_asks <= last.ask])
    for order in said.advice:
        if order.id in said.advised:
            knowledge.advise(order.id, order.kind, order.arguments, since=said.advised[order.id])
    return knowledge
