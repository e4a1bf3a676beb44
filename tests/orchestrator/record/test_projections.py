"""Tables folded live, over restarts and lost connections, equal those folded again from the journal."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from drivers.clock import RealClock
from orchestrator.history import read_standing
from orchestrator.journal import Journal, damaged_rows, read_events, storable
from orchestrator.projections import rebuild
from orchestrator.states import IllegalTransition
from orchestrator.store import PROJECTIONS

CREATED = {
    "name": "test",
    "mode": "virtual",
    "seed": 0,
    "planner": "random",
    "config": {"lab": "lab.yaml"},
    "lab": {},
    "provenance": {},
    "versions": {},
}
STEP = {"label": "heat", "device": "oven", "command": "run", "effect": "verifiable", "arguments": {"target_c": 900.0}}
BODIES = {
    "trial_started": {"sample": "s", "place": {"x_mm": 1.0}},
    "plan_finished": {},
    "analysed": {
        "values": {"y": 1.5},
        "details": {"curve": [1, 2]},
        "analysis": "reading 1",
        "findings": [{"parameters": {"x": 1}, "values": {"y": 1.5}, "sd": {}, "failure": None}],
    },
    "trial_failed": {"reason": "no film"},
    "trial_lost": {"reason": "misfire", "is_fault": True},
    "step_intended": STEP,
    "step_done": {"result": {"temperature_c": 899.7, "ok": True, "left": None}},
    "step_rejected": {"error": "too hot"},
    "step_failed": {"error": "broken", "settled_by": "operator"},
    "step_in_doubt": {"error": "timed out \0 \udcff \N{SNOWMAN} \N{GRINNING FACE}"},
    "measured": {"kind": "xrd", "role": "sample", "path": "m/1.npz", "sha256": "0", "size_bytes": 3, "facts": {}},
    "incident": {"kind": "fault", "device": "oven", "text": "garbage: \0\x7f"},
    "note": {"text": "history only"},
}
EVENTS = st.lists(
    st.tuples(
        st.sampled_from([*BODIES, "told", "asked", "restart", "repeat"]),
        st.integers(1, 3),
        st.integers(0, 1),
        st.booleans(),
    ),
    max_size=40,
)


def asked(journal, index, numbers):
    trials = [
        {"number": n, "parameters": {"x": n}, "is_control": n % 2 == 0, "proposal_id": None, "predictions": {}}
        for n in numbers
    ]
    body = {"index": index, "n": len(trials), "asked_s": 0.5, "charged_s": 1.0, "wall_s": 0.5, "policy": "random"}
    journal.append("asked", {**body, "fallback_reason": "", "diagnostics": {"a": [1]}, "trials": trials}, durable=True)


def tables(connection):
    return {
        model.__tablename__: [
            dict(row)
            for row in connection.execute(select(model.__table__).order_by(*model.__table__.primary_key)).mappings()
        ]
        for model in PROJECTIONS
    }


def play(engine, events):
    """Append what the states admit, and start anew where it is asked for."""
    journal, index = Journal(engine, RealClock(), epoch=1), 0
    journal.append("campaign_created", CREATED)
    asked(journal, index, [1, 2, 3])
    for kind, trial, step, durable in events:
        command_id = f"{trial:06d}.{step}"
        try:
            if kind == "restart":
                if durable:
                    journal.flush()
                journal.connection.close()  # what a kill does
                journal = Journal(engine, RealClock(), epoch=2)
                journal.append("controller_started", {"epoch": 2}, durable=True)
            elif kind == "asked":
                index += 1
                asked(journal, index, [3 * index + 1])
            elif kind == "told":
                journal.append("told", {"trials": [trial]}, durable=durable)
            else:
                body = {**STEP, "is_repeat": True} if kind == "repeat" else BODIES[kind]
                body = {**body, "path": f"{step}"} if body.keys() >= STEP.keys() else body
                name = "step_intended" if kind == "repeat" else kind
                journal.append(name, body, trial=trial, step=f"{step}", command_id=command_id, durable=durable)
        except (IllegalTransition, KeyError):
            continue  # the states do not admit it, or there is no such row yet
    journal.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(EVENTS)
def test_tables_rebuilt_equal_live_ones_over_restarts(make, events):
    engine = make().database(fsync=False, migrate=True)
    play(engine, events)
    with engine.connect() as connection:
        live, standing = tables(connection), read_standing(connection)
        rebuild(connection, list(read_events(connection)))
        assert tables(connection) == live
        assert read_standing(connection) == standing
        assert damaged_rows(connection) == []
    engine.dispose()


def test_both_stores_hold_the_same(postgres, tmp_path):
    from orchestrator.directory import CampaignDirectory

    events = [(kind, 1, 0, True) for kind in BODIES]
    found = []
    for name, store in (("a", None), ("b", postgres.store())):
        engine = CampaignDirectory.create(tmp_path / name, {}, store=store).database(migrate=True)
        play(engine, events)
        with engine.connect() as connection:
            hashes = connection.exec_driver_sql("SELECT seq, body_hash FROM journal ORDER BY seq").all()
            rows = tables(connection)
            times = ("created_utc", "at_s", "accepted_s", "started_s", "finished_s", "taken_s")
            timeless = {
                table: [{key: value for key, value in row.items() if key not in times} for row in rows[table]]
                for table in rows
            }
            found.append((list(map(tuple, hashes)), timeless))
        engine.dispose()
    assert found[0] == found[1]
    assert len(found[0][1]["step"]) == 1


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE journal SET body = '{}' WHERE seq = 2", [2]),
        ("UPDATE journal SET body = body || ' ' WHERE seq >= 3", [3, 4]),
        ("UPDATE journal SET body_hash = '0' WHERE seq = 1", [1]),
        ("UPDATE journal SET utc = '2026-01-01T00:00:00+00:00' WHERE seq = 1", []),
    ],
    ids=["body", "several", "hash", "utc"],
)
def test_damage_to_what_an_event_says_is_found_by_row(engine, damage, found):
    journal = Journal(engine, RealClock(), epoch=1)
    for number in range(4):
        journal.append("note", {"number": number})
    journal.close()
    with engine.begin() as connection:
        connection.execute(text(damage))
    with engine.connect() as connection:
        assert damaged_rows(connection) == found


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("plain", "plain"),
        ("\N{GRINNING FACE}", "\N{GRINNING FACE}"),
        ("a\0b", "a\\x00b"),
        ("\udcff", "\\udcff"),
        ("\\u0000 is text", "\\u0000 is text"),
    ],
)
def test_strings_that_no_database_takes_are_written_out(engine, value, kept):
    journal = Journal(engine, RealClock(), epoch=1)
    event = journal.append("incident", {"kind": "fault", "text": value, "more": [{value: value}]}, durable=True)
    assert event.body == {"kind": "fault", "text": kept, "more": [{kept: kept}]}
    assert journal.connection.exec_driver_sql("SELECT text FROM incident").scalar() == kept
    journal.close()


@given(st.text())
def test_what_can_be_stored_is_left_as_it_is(value):
    import json

    text = json.dumps([value])
    if "\0" not in value:
        assert json.loads(storable(text)) == [value]
    assert "\0" not in json.loads(storable(text))[0]
