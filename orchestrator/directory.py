"""The campaign directory: where one execution of a campaign keeps its journal, files, worlds and report.

DIR/journal.sqlite            journal and tables
DIR/measurements/000012/...   one file per measurement
DIR/world/NAME.sqlite         a simulated world's own memory (absent on real hardware)
DIR/controller.lock           held by the one process that controls the campaign
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DatabaseError

from orchestrator.errors import InputError, InUse, NewerVersion, StorageError
from orchestrator.measurements import make_folder, write_durably
from orchestrator.store import open_engine

LOCK_PATIENCE_S = 1.0
"""Longer than anybody who only looks whether the lock is held can hold it."""


class CampaignDirectory:
    """Paths, the lock and the database of one campaign directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.request = path / "campaign.json"
        self.journal = path / "journal.sqlite"
        self.measurements = path / "measurements"
        self.worlds = path / "world"

    @classmethod
    def create(cls, path: Path, request: Mapping[str, Any]) -> CampaignDirectory:
        """Make a new directory, or take an empty one, and write down what was asked for.

        request: JSON values from which a resume can begin, should the process die before its first commit.

        Raises:
            InputError: It already holds a campaign, or is not empty.
            InUse: Another process takes it at this moment.
            StorageError: It cannot be made or written.
        """
        directory = cls(path)
        try:
            directory._refuse_taken()
            make_folder(path)
            with directory.controlled():
                directory._refuse_taken()  # whoever held the lock until now may have taken it
                write_durably(directory.request, json.dumps(request, indent=1, sort_keys=True).encode())
        except OSError as error:
            raise StorageError(f"cannot write the campaign directory {path}: {error.strerror}") from error
        return directory

    def _refuse_taken(self) -> None:
        if self.request.exists() or self.journal.exists():
            raise InputError(f"{self.path} already holds a campaign; `labpilot resume {self.path}` goes on with it")
        ours = {"controller.lock", self.request.name + ".partial"}
        found = self.path.iterdir() if self.path.exists() else []
        strangers = sorted(entry.name for entry in found if entry.name not in ours)
        if strangers:
            raise InputError(f"{self.path} is not empty (it holds {strangers[0]!r}); name a new directory with --out")

    @classmethod
    def open(cls, path: Path) -> CampaignDirectory:
        """Take a directory that holds a campaign.

        Raises:
            InputError: It holds none.
        """
        directory = cls(path)
        if not directory.request.exists():
            raise InputError(f"{path} is no campaign directory: there is no {directory.request.name} in it")
        return directory

    def requested(self) -> Mapping[str, Any]:
        """Return what `create` wrote down.

        Raises:
            StorageError: It cannot be read.
        """
        try:
            return json.loads(self.request.read_bytes())
        except (OSError, ValueError) as error:
            raise StorageError(f"{self.request} cannot be read: {error}") from error

    @contextmanager
    def controlled(self) -> Iterator[None]:
        """Hold the directory as its one controller.

        Raises:
            InUse: Another process holds it.
            StorageError: The lock file cannot be written.
        """
        lock = FileLock(self.path / "controller.lock", timeout=LOCK_PATIENCE_S)
        try:
            lock.acquire()
        except Timeout:
            raise InUse(
                f"{self.path} is controlled by another process; wait for it or stop it (`labpilot status {self.path}`)"
            ) from None
        except OSError as error:
            raise StorageError(f"cannot lock {self.path}: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()

    def database(self, *, fsync: bool = True, migrate: bool) -> Engine:
        """Open the database; with migrate, bring its tables to this version first.

        Raises:
            NewerVersion: It was written by a later labpilot.
            StorageError: It is damaged or cannot be written.
        """
        if not os.access(self.path, os.W_OK if migrate else os.R_OK):
            raise StorageError(f"{self.path} may not be {'written' if migrate else 'read'}; check its permissions")
        engine = open_engine(f"sqlite:///{self.journal}", fsync=fsync)
        try:
            revision = refuse_newer(engine, self.path)
            if migrate and revision != _head():
                _upgrade(engine)
        except DatabaseError as error:
            raise StorageError(f"{self.journal} cannot be used: {error.orig}") from error
        return engine


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
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _known_revisions() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _head() -> str | None:
    return _scripts().get_current_head()


def _upgrade(engine: Engine) -> None:
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
