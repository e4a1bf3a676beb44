import hashlib
import sqlite3

import pytest
from sqlalchemy import select

from orchestrator import reading as reading_module
from orchestrator.directory import CampaignDirectory
from orchestrator.errors import InputError, NewerVersion, StorageError
from orchestrator.reading import open_reading, read_snapshot
from orchestrator.store import (
    AskRow,
    IncidentRow,
    MeasurementRow,
    ObservationRow,
    SampleRow,
    StepRow,
    TrialRow,
)

TABLES = {
    "asks": AskRow,
    "trials": TrialRow,
    "steps": StepRow,
    "samples": SampleRow,
    "measurements": MeasurementRow,
    "observations": ObservationRow,
    "incidents": IncidentRow,
}


def change(path, statement, *values):
    with sqlite3.connect(path / "journal.sqlite") as connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize("name", TABLES)
def test_a_snapshot_holds_every_row_of_every_table(fabricate, name):
    maker = fabricate()
    path = maker.sara(6)
    table = TABLES[name].__table__
    key = next(iter(table.primary_key.columns)).name
    with maker.engine.connect() as connection:
        stored = [dict(row) for row in connection.execute(select(table)).mappings()]
    found = [row.model_dump() for row in getattr(read_snapshot(path), name)]
    assert {row[key]: without_nulls(row) for row in found} == {row[key]: without_nulls(row) for row in stored}
    assert len(found) == len(stored) > 0


def without_nulls(row):
    """A mapping that nothing has filled may be stored as null; who reads it gets an empty one."""
    return {column: value for column, value in row.items() if value not in (None, {})}


def test_observations_come_in_the_order_of_their_analysis(fabricate):
    snapshot = read_snapshot(fabricate().sara(1))
    temperatures = [row.parameters["peak_temperature"] for row in snapshot.observations]
    assert len(temperatures) == 16
    assert temperatures == sorted(temperatures)


def test_what_a_controller_writes_meanwhile_is_not_seen(fabricate):
    maker = fabricate()
    path = maker.sara(2, end=False)
    with open_reading(path) as reading:
        before = reading.trials()
        maker.stripe(4, 3, 16)
        maker.journal.flush()
        assert len(reading.trials()) == len(before) == 2
        assert {row.trial for row in reading.snapshot().steps} == {1, 2}
    with open_reading(path) as reading:
        assert [trial.number for trial in reading.trials()] == [1, 2, 4]


def test_a_controller_can_write_while_someone_reads(fabricate):
    maker = fabricate()
    path = maker.sara(1, end=False)
    with open_reading(path) as reading:
        reading.trials()
        maker.end()
    assert read_snapshot(path).campaign.status == "finished"


def test_reading_changes_no_byte(fabricate):
    path = fabricate().sara(2)
    before = hashlib.sha256((path / "journal.sqlite").read_bytes()).hexdigest()
    read_snapshot(path)
    with pytest.raises(StorageError, match="readonly"), open_reading(path) as reading:
        reading.connection.exec_driver_sql("DELETE FROM trial")
    assert hashlib.sha256((path / "journal.sqlite").read_bytes()).hexdigest() == before


def test_a_directory_without_campaign_is_refused(tmp_path):
    with pytest.raises(InputError, match="no campaign directory"):
        read_snapshot(tmp_path)


def test_a_campaign_killed_before_its_first_entry_says_so(tmp_path):
    directory = CampaignDirectory.create(tmp_path / "c", {})
    with pytest.raises(InputError, match="nothing has happened"):
        read_snapshot(directory.path)
    directory.database(fsync=False, migrate=True).dispose()
    with pytest.raises(InputError, match=r"labpilot resume .*c` begins"):
        read_snapshot(directory.path)


def test_tables_of_a_later_version_are_refused(fabricate):
    path = fabricate().sara(1)
    change(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerVersion, match="9999"):
        read_snapshot(path)


def test_a_changed_journal_row_is_named(fabricate):
    path = fabricate().sara(2)
    change(path, "UPDATE journal SET body = body || ' ' WHERE seq IN (6, 7)")
    change(path, "DELETE FROM journal WHERE seq = 11")
    facts = read_snapshot(path).journal
    assert facts.damaged == (6, 7)
    assert facts.missing == (11,)
    assert "journal rows 6, 7 were changed" in facts.problems[0]
    assert "journal rows 11 are missing" in facts.problems[1]


def test_many_damaged_rows_are_counted_not_listed(fabricate):
    path = fabricate().sara(2)
    change(path, "UPDATE journal SET body_hash = 'x' WHERE seq <= 40")
    assert "and 28 more" in read_snapshot(path).journal.problems[0]


def test_an_unreadable_body_does_not_stop_the_reading_of_others(fabricate):
    path = fabricate().sara(3)
    change(path, "UPDATE journal SET body = '{' WHERE seq = (SELECT min(seq) FROM journal WHERE kind = 'told')")
    with open_reading(path) as reading:
        assert reading.bodies("told") == [{"trials": [2]}, {"trials": [3]}]


def test_a_database_that_is_none_says_what_to_do(fabricate):
    path = fabricate().sara(1)
    (path / "journal.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="restore the file from a copy"):
        read_snapshot(path)


def test_a_finished_campaign_on_a_read_only_disk_is_read(fabricate, monkeypatch):
    path = fabricate().sara(1)
    connect = sqlite3.connect

    def on_a_read_only_disk(target, **options):
        if "mode=ro" in target:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(target, **options)

    monkeypatch.setattr(reading_module.sqlite3, "connect", on_a_read_only_disk)
    assert len(read_snapshot(path).trials) == 1
    (path / "journal.sqlite-wal").touch()
    with pytest.raises(StorageError, match="unable to open"):
        read_snapshot(path)


def test_the_end_of_the_journal_is_the_moment_of_the_snapshot(fabricate):
    maker = fabricate()
    facts = read_snapshot(maker.sara(2)).journal
    assert facts.last_s == pytest.approx(maker.clock.seconds)
    assert facts.last_seq == facts.n_events
    assert facts.last_utc.startswith("2026-01-01T00:")
