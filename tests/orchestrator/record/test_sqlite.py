"""SQLite busy, read-only and full: waited for where that helps, and nothing acted upon unrecorded."""

import os
import sqlite3
import subprocess
import tempfile
import threading
import traceback
from pathlib import Path

import pytest
from sqlalchemy import text

from drivers.clock import RealClock
from orchestrator.directory import CampaignDirectory
from orchestrator.errors import StorageError
from orchestrator.journal import Journal, damaged_rows, read_events
from orchestrator.record.faults import Patience
from orchestrator.record.space import Reserve


@pytest.fixture
def store_kind():
    return "sqlite"


def numbers(engine):
    with engine.connect() as connection:
        return [event.body["number"] for event in read_events(connection)]


def note(journal, number, size=0):
    journal.append("note", {"number": number, "text": "x" * size}, durable=True)


def impatient(journal):
    journal.connection.exec_driver_sql("PRAGMA busy_timeout = 20")
    return journal


@pytest.mark.parametrize(("fsync", "level"), [(True, 2), (False, 1)], ids=["full", "normal"])
def test_with_fsync_every_commit_reaches_the_disk(directory, fsync, level):
    engine = directory.database(fsync=fsync, migrate=True)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


def test_a_lock_that_is_released_in_time_is_waited_for(directory, engine):
    journal = impatient(Journal(engine, RealClock(), epoch=1, patience=Patience(first_pause_s=0.02)))
    note(journal, 1)
    browser = sqlite3.connect(directory.journal, isolation_level=None, check_same_thread=False)
    browser.execute("BEGIN IMMEDIATE")
    released = []
    timer = threading.Timer(0.3, lambda: released.append(browser.execute("ROLLBACK")))
    timer.start()
    note(journal, 2)
    assert released
    timer.join()
    browser.close()
    journal.close()
    assert numbers(engine) == [1, 2]


def test_a_lock_that_stays_ends_the_campaign(directory, engine, brief):
    journal = impatient(Journal(engine, RealClock(), epoch=1, patience=brief))
    note(journal, 1)
    browser = sqlite3.connect(directory.journal, isolation_level=None)
    browser.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match=r"locked by somebody else .*close what has .*journal\.sqlite open"):
        note(journal, 2)
    browser.close()
    with pytest.raises(StorageError, match="journal is closed"):
        note(journal, 3)
    journal.close()
    assert numbers(engine) == [1]


def test_waiting_for_a_lock_takes_no_longer_than_said(directory, engine):
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    patience = Patience(total_s=5.0, first_pause_s=0.1, sleep=sleep, monotonic_s=lambda: now[0])
    journal = impatient(Journal(engine, RealClock(), epoch=1, patience=patience))
    browser = sqlite3.connect(directory.journal, isolation_level=None)
    browser.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked"):
        note(journal, 1)
    browser.close()
    journal.close()
    assert slept[:4] == [0.1, 0.2, 0.4, 0.8]
    assert 5.0 <= sum(slept) <= 6.0


def test_a_database_that_may_not_be_written_is_not_waited_for(engine):
    journal = Journal(engine, RealClock(), epoch=1, patience=Patience(sleep=lambda _s: pytest.fail("waited")))
    note(journal, 1)
    journal.connection.exec_driver_sql("PRAGMA query_only = 1")
    with pytest.raises(StorageError, match="may not be written any more .*check the permissions"):
        note(journal, 2)
    journal.connection.exec_driver_sql("PRAGMA query_only = 0")
    journal.close()
    assert numbers(engine) == [1]


def as_somebody_else(work):
    """Run in a process that is not root; return what it raised, as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            work()
            said = "nothing"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as answer:
        return answer.read()


@pytest.fixture
def open_folder():
    with tempfile.TemporaryDirectory(prefix="labpilot-readonly-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_read_only_directory_is_refused(open_folder, make):
    directory = make(open_folder / "c")
    directory.database(migrate=True).dispose()
    directory.path.chmod(0o555)
    said = as_somebody_else(lambda: directory.database(migrate=True))
    directory.path.chmod(0o755)
    assert said.startswith("StorageError: ")
    assert "may not be written; check its permissions" in said


def test_files_that_may_only_be_read_are_refused_before_anything_is_appended(open_folder, make):
    directory = make(open_folder / "c")
    directory.database(migrate=True).dispose()
    directory.path.chmod(0o777)
    directory.journal.chmod(0o444)

    def run():
        engine = directory.database(migrate=True)
        note(Journal(engine, RealClock(), epoch=1, patience=Patience(total_s=0.1)), 1)

    assert "StorageError" in as_somebody_else(run)
    directory.path.chmod(0o755)
    directory.journal.chmod(0o644)
    engine = directory.database(migrate=True)
    assert numbers(engine) == []
    engine.dispose()


def test_after_a_failed_commit_nothing_more_is_accepted(engine):
    journal = Journal(engine, RealClock(), epoch=1)
    note(journal, -1)
    journal.connection.execute(text("PRAGMA max_page_count = 1"))  # what a full disk looks like to SQLite
    with pytest.raises(StorageError, match="the disk is full"):
        for number in range(200):
            note(journal, number, 5000)
    with pytest.raises(StorageError, match="journal is closed"):
        journal.append("note", {})
    journal.close()
    assert numbers(engine) == [-1, *range(len(numbers(engine)) - 1)]


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("has_reserve", [True, False])
def test_on_a_full_disk_the_reserve_is_for_what_is_under_way(small_disk, has_reserve):
    directory = CampaignDirectory.create(small_disk / "c", {})
    reserve = Reserve(directory.path, size_bytes=2**20)
    assert reserve.hold()
    engine = directory.database(migrate=True)
    journal = Journal(engine, RealClock(), epoch=1, reserve=reserve if has_reserve else None)
    durable, last_before = [], 0
    with pytest.raises(StorageError, match="the disk is full"):
        for number in range(2000):
            note(journal, number, 4000)
            durable.append(number)
            last_before = number if reserve.is_held else last_before
    assert reserve.is_held is not has_reserve
    if has_reserve:
        assert len(durable) - last_before >= 30  # what fits into a megabyte, twice: log and table
    journal.close()
    engine.dispose()
    reserve.release()
    engine = directory.database(migrate=True)  # somebody has freed some space
    assert numbers(engine) == durable
    with engine.connect() as connection:
        assert damaged_rows(connection) == []
    engine.dispose()
