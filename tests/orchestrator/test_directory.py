import subprocess
import sys

import pytest
from sqlalchemy import text

from orchestrator.directory import CampaignDirectory
from orchestrator.errors import InputError, InUse, NewerVersion, StorageError
from orchestrator.store import SQLModel


def test_the_first_migration_makes_the_tables_that_the_models_declare(tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = CampaignDirectory.create(tmp_path / "c", {}).database(migrate=True)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_a_directory_with_a_campaign_is_not_made_again(tmp_path):
    CampaignDirectory.create(tmp_path / "c", {}).database(migrate=True).dispose()
    with pytest.raises(InputError, match="already holds a campaign; `labpilot resume"):
        CampaignDirectory.create(tmp_path / "c", {})


def test_of_two_that_make_a_directory_at_the_same_time_one_is_refused(tmp_path, monkeypatch):
    from orchestrator import directory as module

    real, refused = module.write_durably, []

    def interleaved(*args, **kwargs):
        with pytest.raises(InUse, match="controlled by another process"):
            CampaignDirectory.create(tmp_path / "c", {"who": "second"})
        refused.append(1)
        real(*args, **kwargs)

    monkeypatch.setattr(module, "write_durably", interleaved)
    monkeypatch.setattr(module, "LOCK_PATIENCE_S", 0.01)
    directory = CampaignDirectory.create(tmp_path / "c", {"who": "first"})
    assert refused == [1]
    assert directory.requested() == {"who": "first"}


def test_who_waited_for_the_lock_looks_again_whether_the_directory_was_taken(tmp_path, monkeypatch):
    real = CampaignDirectory.controlled

    def after_another(self):
        monkeypatch.setattr(CampaignDirectory, "controlled", real)
        CampaignDirectory.create(tmp_path / "c", {"who": "first"})
        return real(self)

    monkeypatch.setattr(CampaignDirectory, "controlled", after_another)
    with pytest.raises(InputError, match="already holds a campaign"):
        CampaignDirectory.create(tmp_path / "c", {"who": "second"})
    assert CampaignDirectory.open(tmp_path / "c").requested() == {"who": "first"}


def test_the_name_of_a_new_directory_reaches_the_disk(tmp_path, monkeypatch):
    from orchestrator import measurements

    synced = []
    real = measurements.sync_folder
    monkeypatch.setattr(measurements, "sync_folder", lambda path: synced.append(path) or real(path))
    CampaignDirectory.create(tmp_path / "a/b/c", {})
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]


def test_a_directory_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match=r"is not empty \(it holds 'thesis\.tex'\)"):
        CampaignDirectory.create(tmp_path, {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write the campaign directory"):
        CampaignDirectory.create(tmp_path / "file" / "c", {})


def test_a_directory_without_a_campaign_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no campaign directory: there is no campaign\.json in it"):
        CampaignDirectory.open(tmp_path)


def test_a_newer_version_is_refused_and_untouched(tmp_path):
    directory = CampaignDirectory.create(tmp_path / "c", {})
    engine = directory.database(migrate=True)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(NewerVersion, match="newer labpilot .*revision 9999"):
        directory.database(migrate=True)


def test_a_damaged_database_is_a_storage_error(tmp_path):
    directory = CampaignDirectory.create(tmp_path / "c", {})
    directory.journal.write_bytes(b"this is not a database, it only looks like one" * 40)
    with pytest.raises(StorageError, match=r"journal\.sqlite cannot be used"):
        directory.database(migrate=True)


def test_a_second_process_is_refused_while_the_first_controls(tmp_path):
    directory = CampaignDirectory.create(tmp_path / "c", {})
    code = (
        "import sys; from pathlib import Path; from orchestrator.directory import CampaignDirectory\n"
        "from orchestrator.errors import InUse\n"
        "try:\n"
        "    with CampaignDirectory(Path(sys.argv[1])).controlled(): print('got it')\n"
        "except InUse as error: print('refused', error)\n"
    )

    def other():
        return subprocess.run(
            [sys.executable, "-c", code, str(directory.path)], capture_output=True, text=True, check=True
        ).stdout

    with directory.controlled():
        assert "refused" in other()
    assert "got it" in other()


def test_the_lock_is_not_reentrant_within_a_process(tmp_path):
    directory = CampaignDirectory.create(tmp_path / "c", {})
    with directory.controlled(), pytest.raises(InUse, match="controlled by another process"), directory.controlled():
        pass


def test_after_a_migration_nothing_is_committed_by_itself(tmp_path):
    engine = CampaignDirectory.create(tmp_path / "c", {}).database(migrate=True)
    with engine.connect() as one, engine.connect() as two:
        one.execute(text("INSERT INTO sample (id, trial, place) VALUES ('s', 1, '{}')"))
        assert two.execute(text("SELECT count(*) FROM sample")).scalar() == 0
        two.rollback()
        one.commit()
        assert two.execute(text("SELECT count(*) FROM sample")).scalar() == 1


def test_a_migration_that_dies_half_way_leaves_no_table(tmp_path, monkeypatch):
    from alembic import op

    real, made = op.create_table, []

    def die(name, *columns, **options):
        made.append(name)
        if len(made) == 4:
            raise KeyboardInterrupt
        return real(name, *columns, **options)

    directory = CampaignDirectory.create(tmp_path / "c", {})
    monkeypatch.setattr(op, "create_table", die)
    with pytest.raises(KeyboardInterrupt):
        directory.database(migrate=True)
    monkeypatch.undo()
    directory.database(migrate=True).dispose()
