"""The campaign directory: where one execution of a campaign keeps its journal, files, worlds and report.

DIR/journal.sqlite            journal and tables
DIR/measurements/000012/...   one file per measurement
DIR/world/NAME.sqlite         a simulated world's own memory (absent on real hardware)
DIR/controller.lock           held by the one process that controls the campaign
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DatabaseError

from orchestrator.controllers import LOCK_NAME, controller_is_alive
from orchestrator.errors import InputError, InUse, NewerVersion, StorageError
from orchestrator.lab import FORMAT, newer_format
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
            InUse: Another process controls it.
            StorageError: It cannot be made or written.
        """
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file; name a new directory with --out")
        directory = cls(path)
        try:
            if directory._holds_campaign() and controller_is_alive(path):
                raise _in_use(path)
            directory._refuse_taken()
            make_folder(path)
            with directory.controlled():
                directory._refuse_taken()  # whoever held the lock until now may have taken it
                write_durably(directory.request, json.dumps(request, indent=1, sort_keys=True).encode())
        except OSError as error:
            raise StorageError(f"cannot write the campaign directory {path}: {error.strerror}") from error
        return directory

    def _holds_campaign(self) -> bool:
        return self.request.exists() or self.journal.exists()

    def _refuse_taken(self) -> None:
        if self._holds_campaign():
            raise InputError(
                f"{self.path} already holds a campaign; `labpilot resume {self.path}` goes on with it, "
                "and a new one needs another --out"
            )
        ours = {LOCK_NAME, self.request.name + ".partial"}
        found = self.path.iterdir() if self.path.exists() else []
        strangers = sorted(entry.name for entry in found if entry.name not in ours)
        if strangers:
            raise InputError(f"{self.path} is not empty (it holds {strangers[0]!r}); name a new directory with --out")

    @classmethod
    def open(cls, path: Path) -> CampaignDirectory:
        """Take a directory that holds a campaign.

        Raises:
            InputError: It holds none.
            NewerVersion: What was asked for was written by a later labpilot.
        """
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file; name the campaign directory, the one given to --out")
        directory = cls(path)
        if not directory.request.exists():
            raise InputError(f"{path} is no campaign directory: there is no {directory.request.name} in it")
        directory._refuse_newer_format()
        return directory

    def _refuse_newer_format(self) -> None:
        try:
            request = json.loads(self.request.read_bytes())
        except (OSError, ValueError):
            return  # whoever needs what it says finds that it cannot be read; the journal alone may be enough
        for name in ("campaign", "lab"):
            version = newer_format(request[name]) if isinstance(request, dict) and name in request else None
            if version is not None:
                raise NewerVersion(
                    f"{self.request}: its {name} was written for format {version}, but this labpilot reads format "
                    f"{FORMAT}; update labpilot"
                )

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
        lock = FileLock(self.path / LOCK_NAME, timeout=LOCK_PATIENCE_S)
        try:
            lock.acquire()
        except Timeout:
            raise _in_use(self.path) from None
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
        with damage_told(self.journal):
            revision = refuse_newer(engine, self.path)
            if migrate and revision != _head():
                _upgrade(engine)
        return engine


@contextmanager
def damage_told(journal: Path) -> Iterator[None]:
    """Say of a database that cannot be used what a person can do about it.

    Raises:
        StorageError: It is damaged, or cannot be read or written.
    """
    try:
        yield
    except DatabaseError as error:
        raise StorageError(f"{journal} cannot be used ({error.orig}): {_remedy(journal, error)}") from error
    except json.JSONDecodeError as error:
        raise StorageError(f"{journal} cannot be used (a row is no JSON): {_recovery(journal)}") from error


def _remedy(journal: Path, error: DatabaseError) -> str:
    # a full disk or a missing permission is operational; a file that is no database, or has holes, is not
    is_outside = isinstance(error.orig, sqlite3.OperationalError)
    return "check the free space and the permissions" if is_outside else _recovery(journal)


def _recovery(journal: Path) -> str:
    return f"restore the file from a copy, or save what is left with `sqlite3 {journal} .recover`"


def _in_use(path: Path) -> InUse:
    return InUse(
        f"{path} is controlled by another process: wait for it or stop it (`labpilot status {path}` says what it "
        "does), or start a new campaign with another --out"
    )


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
