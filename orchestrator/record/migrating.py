"""Migrating: the tables' revision, and the way from an older one to this version's (Alembic)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from orchestrator.errors import NewerVersion


def refuse_newer(engine: Engine, path: Path) -> str | None:
    """Return the revision of the tables; None where there are none.

    Raises:
        NewerVersion: They were written by a later labpilot.
    """
    revision = _revision(engine)
    if revision is not None and revision not in _known_revisions():
        raise NewerVersion(
            f"{path} was written by a newer labpilot (its tables are at revision {revision}); "
            "use that version, or update this one"
        )
    return revision


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _scripts():  # noqa: ANN202 - Alembic's own type, imported late because it is slow to load
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config(Config()))


def _config(config):  # noqa: ANN001, ANN202
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    return config


def _known_revisions() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def is_older(engine: Engine) -> bool:
    """Say whether the tables were written by an earlier labpilot."""
    revision = _revision(engine)
    return revision is not None and revision != _scripts().get_current_head()


def migrate_to_head(engine: Engine, revision: str | None) -> None:
    """Bring the tables to this version, all or nothing.

    revision: where they stand.
    """
    if revision == _scripts().get_current_head():
        return
    from alembic import command
    from alembic.config import Config

    config = _config(Config())
    with engine.connect() as connection, _one_transaction(connection):
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _one_transaction(connection: Connection) -> Iterator[None]:
    """Make a migration all or nothing: sqlite3 would commit after each CREATE TABLE, and a kill leave half of them."""
    if connection.dialect.name != "sqlite":
        # of two that migrate at once the second finds it done
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('labpilot ' || current_schema()))"))
        yield
        connection.commit()
        return
    raw: Any = connection.connection.driver_connection
    before = raw.isolation_level
    raw.isolation_level = None
    raw.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.commit()
    finally:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raw.isolation_level = before  # the pool hands this connection out again
