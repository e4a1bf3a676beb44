"""A PostgreSQL server that goes away, and comes back or not: nothing is recorded twice or acted upon unrecorded."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from drivers.clock import RealClock
from drivers.registry import class_at
from orchestrator.directory import CampaignDirectory
from orchestrator.errors import StorageError
from orchestrator.journal import Journal, damaged_rows, read_events
from orchestrator.record import postgres as connections
from orchestrator.record.faults import Patience
from orchestrator.record.postgres import BoundedConnection

CutWire = class_at(f"{Path(__file__).with_name('proxy.py')}:CutWire")


def open_journal(tmp_path, store, patience=None):
    engine = CampaignDirectory.create(tmp_path / "c", {}, store=store).database(migrate=True)
    return engine, Journal(engine, RealClock(), epoch=1, patience=patience or Patience(first_pause_s=0.02))


def entries(server, store):
    return server.query(f'SELECT seq, epoch, kind FROM "{store.schema}".journal ORDER BY seq')


def note(journal, number):
    journal.append("note", {"number": number}, durable=True)


@pytest.fixture
def wire(postgres):
    wire = CutWire(postgres.port)
    yield wire
    wire.close()


def test_every_commit_waits_for_the_disk(postgres, tmp_path):
    engine, journal = open_journal(tmp_path, postgres.store())
    assert journal.connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    journal.close()
    engine.dispose()


def test_a_server_that_is_gone_for_seconds_is_waited_for(postgres, tmp_path):
    store = postgres.store()
    engine, journal = open_journal(tmp_path, store)
    note(journal, 1)
    postgres.stop()
    again = threading.Timer(0.7, postgres.start)
    again.start()
    note(journal, 2)
    again.join()
    note(journal, 3)
    journal.close()
    assert [seq for seq, _, _ in entries(postgres, store)] == [1, 2, 3]
    engine.dispose()


def test_a_server_that_crashes_loses_nothing_that_was_said_to_be_durable(postgres, tmp_path):
    store = postgres.store()
    engine, journal = open_journal(tmp_path, store)
    note(journal, 1)
    postgres.stop(signal.SIGQUIT)
    postgres.start()
    note(journal, 2)
    journal.close()
    assert [seq for seq, _, _ in entries(postgres, store)] == [1, 2]
    engine.dispose()


def test_a_server_that_stays_away_ends_the_campaign(postgres, tmp_path, brief):
    store = postgres.store()
    engine, journal = open_journal(tmp_path, store, brief)
    note(journal, 1)
    postgres.stop()
    try:
        with pytest.raises(StorageError, match="could not be written .*check that the database can be reached"):
            note(journal, 2)
        with pytest.raises(StorageError, match="journal is closed"):
            note(journal, 3)
        journal.close()
    finally:
        postgres.start()
    assert [seq for seq, _, _ in entries(postgres, store)] == [1]
    engine.dispose()


@pytest.mark.parametrize("moment", ["between", "in the middle"])
def test_a_session_that_is_ended_by_somebody_is_opened_again(postgres, tmp_path, moment):
    store = postgres.store()
    engine, journal = open_journal(tmp_path, store)
    note(journal, 1)
    ended = []

    def end_all():
        ended.extend(
            postgres.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                "pg_backend_pid() AND application_name = 'labpilot'"
            )
        )

    if moment == "between":
        end_all()
    else:
        commit = journal.connection.commit

        def commit_after_the_end():
            if not ended:
                end_all()
            commit()

        journal.connection.commit = commit_after_the_end
    note(journal, 2)
    assert ended
    journal.close()
    assert [seq for seq, _, _ in entries(postgres, store)] == [1, 2]
    engine.dispose()


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_commit_whose_answer_is_lost_is_looked_up_and_never_made_twice(postgres, tmp_path, wire, lost):
    store = postgres.store(postgres.url(wire.port))
    engine, journal = open_journal(tmp_path, store)
    for number in range(1, 7):
        wire.cut = lost if number % 2 == 0 else None
        note(journal, number)
    journal.close()
    assert wire.cuts == 3
    assert [seq for seq, _, _ in entries(postgres, store)] == [1, 2, 3, 4, 5, 6]
    assert journal.commits == 6
    engine.dispose()


def test_a_commit_whose_answer_was_lost_is_not_taken_for_one_of_a_later_controller(postgres, tmp_path, wire):
    store = postgres.store(postgres.url(wire.port))
    engine, journal = open_journal(tmp_path, store)
    note(journal, 1)
    connect = BoundedConnection.connect.__func__
    later = CampaignDirectory.open(tmp_path / "c").database(migrate=False)

    def connect_after_another(cls, *arguments, **settings):
        with later.begin() as connection:
            connection.execute(text("UPDATE lease SET epoch = 2"))
        return connect(cls, *arguments, **settings)

    with later.connect():
        pass  # its session is open before
    wire.cut = "answer"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BoundedConnection, "connect", classmethod(connect_after_another))
        with pytest.raises(StorageError, match=r"another controller has gone on .*epoch is 2, this one's is 1"):
            note(journal, 2)
    journal.close()
    engine.dispose()
    later.dispose()


def test_a_server_that_says_nothing_is_given_up_in_time(postgres, tmp_path, wire, monkeypatch):
    store = postgres.store(postgres.url(wire.port))
    engine, journal = open_journal(tmp_path, store)
    note(journal, 1)
    monkeypatch.setattr(BoundedConnection, "answer_s", 0.3)
    wire.cut = "silence"
    started = time.monotonic()
    note(journal, 2)
    assert 0.3 <= time.monotonic() - started < 5
    journal.close()
    assert [seq for seq, _, _ in entries(postgres, store)] == [1, 2]
    engine.dispose()


def test_a_server_that_hangs_ends_the_campaign_in_time(postgres, tmp_path, brief, monkeypatch):
    monkeypatch.setitem(connections.NETWORK, "connect_timeout", 2)
    store = postgres.store()
    engine, journal = open_journal(tmp_path, store, brief)
    note(journal, 1)
    monkeypatch.setattr(BoundedConnection, "answer_s", 0.2)
    backends = [*postgres.sessions(), postgres.process.pid]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StorageError, match="could not be written"):
            note(journal, 2)
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    journal.close()
    engine.dispose()


def test_a_read_that_finds_its_connection_lost_is_made_again(postgres, tmp_path):
    store = postgres.store()
    engine, journal = open_journal(tmp_path, store)
    journal.append(
        "campaign_created",
        {
            "name": "t",
            "mode": "virtual",
            "seed": 0,
            "planner": "random",
            "config": {},
            "lab": {},
            "provenance": {},
            "versions": {},
        },
        durable=True,
    )
    journal.close()
    journal = Journal(engine, RealClock(), epoch=2)
    postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'labpilot'")
    journal.append("controller_started", {"epoch": 2}, durable=True)
    assert journal.connection.exec_driver_sql("SELECT status, epoch FROM campaign").one() == ("running", 2)
    journal.close()
    with engine.connect() as connection:
        assert damaged_rows(connection) == []
    engine.dispose()


def test_a_database_restored_from_an_older_copy_is_noticed(postgres, tmp_path):
    store = postgres.store()
    engine, journal = open_journal(tmp_path, store)
    for number in range(4):
        note(journal, number)
    postgres.stop()
    postgres.start()
    postgres.query(f'DELETE FROM "{store.schema}".journal WHERE seq > 2')
    with pytest.raises(StorageError, match=r"ends at entry 2 where this controller had written up to 4.*from a copy"):
        note(journal, 5)
    journal.close()
    with engine.connect() as connection:
        assert len(list(read_events(connection))) == 2
    engine.dispose()


def test_no_transaction_stays_open_between_entries(postgres, tmp_path):
    engine, journal = open_journal(tmp_path, postgres.store())
    journal.append("note", {})
    note(journal, 1)
    journal.confirm()
    states = postgres.query("SELECT DISTINCT state FROM pg_stat_activity WHERE application_name = 'labpilot'")
    assert states == [("idle",)]
    journal.close()
    engine.dispose()
