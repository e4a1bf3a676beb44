import json

import pytest
from sqlalchemy.exc import DBAPIError

from orchestrator.directory import CampaignDirectory
from orchestrator.errors import InputError, NewerVersion, StorageError
from orchestrator.record.stores import PostgresStore, store_of
from orchestrator.store import SQLModel

URL = "postgresql+psycopg://lab@db.example.org:5433/labpilot?sslmode=require"


def test_sqlite_is_the_default():
    assert store_of(None, {}, label="c") is None
    assert store_of("sqlite", {"LABPILOT_STORE": URL}, label="c") is None


def test_a_store_is_written_down_without_its_secret():
    secret = URL.replace("lab@", "lab:geheim@") + "&password=geheim&sslpassword=geheim"
    store = store_of(None, {"LABPILOT_STORE": secret}, label="Solid-state, 2nd try")
    assert store.url == URL
    assert store.schema.startswith("labpilot_solid_state_2nd_try_")
    assert "geheim" not in json.dumps(store.data()) + str(store) + repr(store)
    assert PostgresStore.from_data(store.data()) == store
    assert store_of(None, {"LABPILOT_STORE": secret}, label="Solid-state, 2nd try") != store


@pytest.mark.parametrize("shown", [URL.replace("lab@", "lab:geheim@"), URL + "&password=geheim"])
def test_a_password_on_the_command_line_is_refused(shown):
    with pytest.raises(InputError, match=r"leave the password out of --store.*PGPASSWORD") as refused:
        store_of(shown, {}, label="c")
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("my database:geheim", "no database URL; write it like"),
        ("mysql://lab@h/db", "mysql: is not supported"),
        ("postgresql+asyncpg://lab@h/db", "asyncpg: is not supported"),
        ("postgresql://lab@h", "names no database"),
        ("postgresql://lab@h/db?options=-csearch_path%3Dx", "sets 'options', which labpilot sets itself"),
    ],
)
def test_what_is_no_postgresql_database_is_refused(text, match):
    with pytest.raises(InputError, match=match) as refused:
        store_of(text, {}, label="c")
    assert "geheim" not in str(refused.value)


def test_the_short_form_means_the_one_driver():
    assert store_of("postgresql://lab@h/db", {}, label="c").url == "postgresql+psycopg://lab@h/db"


def test_the_directory_says_where_its_journal_is(postgres, tmp_path):
    store = postgres.store()
    directory = CampaignDirectory.create(tmp_path / "c", {"mode": "wall"}, store=store)
    directory.database(migrate=True).dispose()
    again = CampaignDirectory.open(tmp_path / "c")
    assert again.requested() == {"mode": "wall"}
    assert again.store == store
    assert again.record == f"the schema {store.schema} of {postgres.url()}"
    assert again.has_record()
    assert not again.journal.exists()


def test_migrations_make_the_tables_that_the_models_declare(engine):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_campaigns_in_one_database_do_not_see_each_other(postgres, tmp_path):
    engines = []
    for name in "ab":
        directory = CampaignDirectory.create(tmp_path / name, {}, store=postgres.store())
        engines.append(directory.database(migrate=True))
        with engines[-1].begin() as connection:
            connection.exec_driver_sql("INSERT INTO sample (id, trial, place) VALUES (%s, 1, '{}')", (name,))
    for name, engine in zip("ab", engines, strict=True):
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT id FROM sample").scalars().all() == [name]
        engine.dispose()


@pytest.mark.parametrize("how", ["url", "socket", "PGPASSWORD", "pgpass"])
def test_the_password_comes_from_the_environment(postgres, tmp_path, monkeypatch, how):
    password = "geheim-3"
    monkeypatch.delenv("PGPASSWORD")
    url = postgres.socket_url() if how == "socket" else postgres.url()
    if how in ("url", "socket"):
        monkeypatch.setenv("LABPILOT_STORE", url.replace("lab@", f"lab:{password}@"))
    elif how == "PGPASSWORD":
        monkeypatch.setenv("PGPASSWORD", password)
    else:
        (tmp_path / "pgpass").write_text(f"127.0.0.1:{postgres.port}:postgres:lab:{password}\n")
        (tmp_path / "pgpass").chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    directory = CampaignDirectory.create(tmp_path / "c", {}, store=postgres.store(url))
    directory.database(migrate=True).dispose()
    assert password not in directory.request.read_text()


def test_a_database_that_lets_nobody_in_says_what_to_look_at(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "wrong")
    with pytest.raises(StorageError, match=r"cannot be made \(.*authentication failed.*PGPASSWORD"):
        CampaignDirectory.create(tmp_path / "c", {}, store=postgres.store())
    assert not (tmp_path / "c/campaign.json").exists()


def test_a_campaign_never_begins_anew_in_a_wrong_database(postgres, tmp_path):
    directory = CampaignDirectory.create(tmp_path / "c", {}, store=postgres.store())
    written = json.loads(directory.request.read_text())
    written["store"]["schema"] = "labpilot_other"
    directory.request.write_text(json.dumps(written))
    with pytest.raises(StorageError, match=r"no schema labpilot_other in postgresql.*is this the campaign's database"):
        CampaignDirectory.open(tmp_path / "c").database(migrate=True)
    written["store"]["schema"] = 'x"; DROP TABLE journal'
    directory.request.write_text(json.dumps(written))
    with pytest.raises(InputError, match="names no schema"):
        CampaignDirectory.open(tmp_path / "c").database(migrate=True)


def test_a_server_that_is_down_at_the_start_is_a_storage_error(postgres, tmp_path):
    directory = CampaignDirectory.create(tmp_path / "c", {}, store=postgres.store())
    postgres.stop()
    try:
        with pytest.raises(StorageError, match="cannot be reached .*is the server up"):
            directory.database(migrate=True)
    finally:
        postgres.start()


def test_tables_of_a_newer_version_are_refused(directory):
    engine = directory.database(migrate=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(NewerVersion, match="newer labpilot .*revision 9999"):
        directory.database(migrate=True)


def test_a_migration_that_dies_half_way_leaves_no_table(directory, monkeypatch):
    from alembic import op

    real, made = op.create_table, []

    def die(name, *columns, **options):
        made.append(name)
        if len(made) == 4:
            raise KeyboardInterrupt
        return real(name, *columns, **options)

    monkeypatch.setattr(op, "create_table", die)
    with pytest.raises(KeyboardInterrupt):
        directory.database(migrate=True)
    monkeypatch.undo()
    directory.database(migrate=True).dispose()


def test_a_reader_can_change_nothing(postgres, tmp_path):
    directory = CampaignDirectory.create(tmp_path / "c", {}, store=postgres.store())
    directory.database(migrate=True).dispose()
    engine = directory.reading_engine()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
        with pytest.raises(DBAPIError, match="read-only transaction"):
            connection.exec_driver_sql("DELETE FROM journal")
    engine.dispose()
