import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from drivers.clock import RealClock
from orchestrator.errors import Fenced, StorageError
from orchestrator.history import read_standing
from orchestrator.journal import Journal, damaged_rows, read_events
from orchestrator.projections import rebuild
from orchestrator.states import IllegalTransition
from orchestrator.store import PROJECTIONS


def created(journal, **changes):
    body = {
        "name": "test",
        "mode": "virtual",
        "seed": 0,
        "planner": "random",
        "config": {},
        "lab": {},
        "provenance": {},
        "versions": {},
        **changes,
    }
    journal.append("campaign_created", body)


def asked(journal, numbers, index=0):
    trials = [
        {"number": n, "parameters": {"x": n}, "is_control": False, "proposal_id": f"{index}-{n}", "predictions": {}}
        for n in numbers
    ]
    body = {"index": index, "n": len(trials), "asked_s": 0.0, "charged_s": 1.0, "wall_s": 0.5, "policy": "random"}
    journal.append("asked", {**body, "fallback_reason": "", "diagnostics": {}, "trials": trials}, durable=True)


def tables(connection):
    return {
        model.__tablename__: [
            dict(row)
            for row in connection.execute(select(model.__table__).order_by(*model.__table__.primary_key)).mappings()
        ]
        for model in PROJECTIONS
    }


EVENTS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["trial_started", "plan_finished", "analysed", "trial_failed", "trial_lost", "told"]),
    ),
    max_size=25,
)
BODIES = {
    "trial_started": {"sample": "s1", "place": {"x_mm": 1.0}},
    "plan_finished": {},
    "analysed": {
        "values": {"y": 1.5},
        "details": {"curve": [1, 2]},
        "analysis": "reading 1",
        "findings": [{"parameters": {"x": 1}, "values": {"y": 1.5}, "sd": {}, "failure": None}],
    },
    "trial_failed": {"reason": "no film"},
    "trial_lost": {"reason": "misfire"},
}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(EVENTS, st.lists(st.booleans(), min_size=25, max_size=25))
def test_tables_rebuilt_from_the_journal_equal_the_live_ones(make, events, durables):
    engine = make().database(fsync=False, migrate=True)
    journal = Journal(engine, RealClock(), epoch=1)
    created(journal)
    asked(journal, [1, 2, 3, 4])
    for (trial, kind), durable in zip(events, durables, strict=False):
        body = {"trials": [trial]} if kind == "told" else BODIES[kind]
        # an event that the states do not admit must not reach the journal at all
        try:
            journal.append(kind, body, trial=trial, durable=durable)
        except IllegalTransition:
            continue
    journal.close()
    with engine.connect() as connection:
        live = tables(connection)
        rebuild(connection, list(read_events(connection)))
        assert tables(connection) == live
    engine.dispose()


def test_what_is_not_durable_rides_on_the_next_commit(engine):
    journal = Journal(engine, RealClock(), epoch=1)
    created(journal)
    with engine.connect() as other:
        assert list(read_events(other)) == []
    asked(journal, [1])
    with engine.connect() as other:
        assert [event.kind for event in read_events(other)] == ["campaign_created", "asked"]
    assert journal.commits == 1
    journal.close()


def test_a_killed_writer_loses_only_what_was_not_durable(engine):
    journal = Journal(engine, RealClock(), epoch=1)
    created(journal)
    asked(journal, [1])
    journal.append("trial_started", {"sample": None, "place": {}}, trial=1)
    journal.connection.close()  # what a kill does: the buffer is gone
    again = Journal(engine, RealClock(), epoch=2)
    again.append("controller_started", {"epoch": 2}, durable=True)
    again.close()
    with engine.connect() as connection:
        assert [event.seq for event in read_events(connection)] == [1, 2, 3]


def test_not_a_number_never_enters_the_journal(engine):
    journal = Journal(engine, RealClock(), epoch=1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append("note", {"value": float("nan")})
    journal.close()


def test_a_later_controller_fences_an_earlier_one(engine):
    earlier = Journal(engine, RealClock(), epoch=1)
    created(earlier)
    earlier.flush()
    later = Journal(engine, RealClock(), epoch=2)
    later.append("controller_started", {"epoch": 2}, durable=True)
    with pytest.raises(StorageError, match="another controller has gone on with this campaign"):
        earlier.append("note", {"text": "about to act"}, durable=True)
    with pytest.raises(Fenced, match="another controller has gone on"):
        earlier.append("note", {})
    earlier.close()
    later.close()
    with engine.connect() as connection:
        assert [event.kind for event in read_events(connection)] == ["campaign_created", "controller_started"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_ctrl_c_in_the_middle_of_a_commit_records_nothing_twice(engine, monkeypatch, moment):
    journal = Journal(engine, RealClock(), epoch=1)
    created(journal)
    commit = journal.connection.commit

    def interrupted():
        if moment == "after":
            commit()
        raise KeyboardInterrupt

    monkeypatch.setattr(journal.connection, "commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.flush()
    journal.close()
    with engine.connect() as connection:
        assert len(list(read_events(connection))) == (1 if moment == "after" else 0)


@pytest.mark.parametrize(
    ("events", "faults"),
    [
        ([], []),
        ([("trial_lost", 1, True), ("trial_lost", 3, True)], ["r1", "r3"]),
        ([("trial_lost", 2, True), ("trial_lost", 1, True), ("analysed", 3, None)], []),
        ([("trial_failed", 1, None), ("trial_lost", 3, True), ("trial_lost", 2, True)], ["r3", "r2"]),
        ([("trial_lost", 1, True), ("trial_lost", 2, False), ("trial_lost", 3, True)], ["r3"]),
        ([("trial_lost", 1, True), ("campaign_ended", None, None), ("trial_lost", 2, True)], ["r2"]),
        ([("trial_lost", 1, None)], ["r1"]),
    ],
    ids=["none", "in a row", "success", "failure", "no fault", "ending", "before it was said"],
)
def test_faults_in_a_row_are_counted_in_the_order_in_which_trials_ended(engine, events, faults):
    journal = Journal(engine, RealClock(), epoch=1)
    created(journal)
    asked(journal, [1, 2, 3])
    for kind, trial, is_fault in events:
        if trial is not None:
            journal.append("trial_started", {"sample": None, "place": {}}, trial=trial)
        if kind == "analysed":
            journal.append("plan_finished", {}, trial=trial)
        body = {"trial_lost": {"reason": f"r{trial}"}, "campaign_ended": {"status": "stopped", "reason": ""}}
        said = {} if is_fault is None else {"is_fault": is_fault}
        journal.append(kind, {**(body | BODIES).get(kind, {}), **body.get(kind, {}), **said}, trial=trial)
    journal.close()
    with engine.connect() as connection:
        assert read_standing(connection).history.faults == faults


def test_a_step_that_is_sent_again_is_not_over(engine):
    journal = Journal(engine, RealClock(), epoch=1)
    created(journal)
    asked(journal, [1])
    keys: dict = {"trial": 1, "step": "0", "command_id": "000001.0"}
    body = {"path": "0", "label": "", "device": "oven", "command": "set", "effect": "verifiable", "arguments": {}}
    over = []
    for kind, said in [
        ("step_intended", {**body, "is_repeat": False}),
        ("step_in_doubt", {"error": "timed out"}),
        ("step_intended", {**body, "is_repeat": True}),
        ("step_done", {"result": {}}),
    ]:
        journal.append(kind, said, durable=True, **keys)
        row = journal.connection.exec_driver_sql("SELECT finished_s IS NOT NULL, error FROM step").one()
        over.append(tuple(row))
    journal.close()
    assert over == [(0, ""), (0, "timed out"), (0, ""), (1, "")]


def test_damage_is_found_by_row(engine):
    journal = Journal(engine, RealClock(), epoch=1)
    for number in range(3):
        journal.append("note", {"number": number})
    journal.close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE journal SET body = :body WHERE seq = 2"), {"body": json.dumps({"number": 7})})
    with engine.connect() as connection:
        assert damaged_rows(connection) == [2]
