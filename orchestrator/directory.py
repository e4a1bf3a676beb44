"""The campaign directory: where one execution of a campaign keeps its journal, files, worlds and report.

DIR/campaign.json             what was asked for, and in which database the journal lives
DIR/journal.sqlite            journal and tables, unless they live in PostgreSQL (docs/record.md)
DIR/measurements/000012/...   one file per measurement
DIR/models/...                versions of models and their ledger, projected from the journal (docs/models.md)
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
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from orchestrator.controllers import LOCK_NAME, controller_is_alive
from orchestrator.errors import InputError, InUse, NewerVersion, StorageError
from orchestrator.lab import FORMAT, newer_format
from orchestrator.measurements import make_folder, write_durably
from orchestrator.record.migrating import migrate_to_head, refuse_newer
from orchestrator.record.stores import PostgresStore, sqlite_engine

__all__ = ["CampaignDirectory", "damage_told", "refuse_newer"]

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
        self._store: PostgresStore | None = None
        self._knows_store = False

    @classmethod
    def create(cls, path: Path, request: Mapping[str, Any], *, store: PostgresStore | None = None) -> CampaignDirectory:
        """Make a new directory, or take an empty one, and write down what was asked for.

        request: JSON values from which a resume can begin, should the process die before its first commit.
        store: where journal and tables shall live; by default in the directory.

        Raises:
            InputError: It already holds a campaign, or is not empty.
            InUse: Another process controls it.
            StorageError: It cannot be made or written, or the store cannot be reached.
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
                if store is not None:
                    store.make(os.environ)  # first: a name in campaign.json stands for a schema that exists
                asked = {**request, **({"store": store.data()} if store else {})}
                write_durably(directory.request, json.dumps(asked, indent=1, sort_keys=True).encode())
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
        """Return what `create` was asked for.

        Raises:
            StorageError: It cannot be read.
        """
        return {name: value for name, value in self._written().items() if name != "store"}

    def _written(self) -> Mapping[str, Any]:
        try:
            written = json.loads(self.request.read_bytes())
        except (OSError, ValueError) as error:
            raise StorageError(f"{self.request} cannot be read: {error}") from error
        if not isinstance(written, dict):
            raise StorageError(f"{self.request} cannot be read: it holds no JSON object")
        return written

    @property
    def store(self) -> PostgresStore | None:
        """Where the journal lives; None is `journal.sqlite`.

        Raises:
            InputError: `campaign.json` names what is no store.
            StorageError: `campaign.json` cannot be read.
        """
        if not self._knows_store:
            if not self.request.exists() or self.journal.exists():
                return None  # the journal alone may be enough for whoever only reads
            found = self._written().get("store")
            self._store = PostgresStore.from_data(found) if isinstance(found, dict) else None
            self._knows_store = True
        return self._store

    @property
    def record(self) -> Path | str:
        """Where the journal lives, for people to read."""
        return str(self.store) if self.store else self.journal

    def has_record(self) -> bool:
        """Say whether there is a database to be read; one in PostgreSQL is made together with the directory."""
        return self.store is not None or self.journal.exists()

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

        fsync: for SQLite; PostgreSQL always commits to the disk.

        Raises:
            NewerVersion: It was written by a later labpilot.
            StorageError: It is damaged, cannot be reached or cannot be written.
        """
        if not os.access(self.path, os.W_OK if migrate else os.R_OK):
            raise StorageError(f"{self.path} may not be {'written' if migrate else 'read'}; check its permissions")
        engine = self._engine(fsync)
        with _disposed_on_failure(engine), damage_told(self.record):
            if self.store is not None:
                self.store.require(engine)
            revision = refuse_newer(engine, self.path)
            if migrate:
                migrate_to_head(engine, revision)
        return engine

    def _engine(self, fsync: bool) -> Engine:
        if self.store is None:
            return sqlite_engine(str(self.journal), fsync=fsync)
        return self.store.engine(os.environ)

    def reading_engine(self) -> Engine:
        """Return an engine on a PostgreSQL store that changes nothing, whose transactions each see one moment.

        Raises:
            StorageError: The store cannot be reached.
        """
        if self.store is None:
            raise ValueError("the journal lives in a file")
        engine = self.store.engine(os.environ, is_read_only=True)
        with _disposed_on_failure(engine):
            self.store.require(engine)
        return engine.execution_options(isolation_level="REPEATABLE READ")


@contextmanager
def _disposed_on_failure(engine: Engine) -> Iterator[None]:
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


@contextmanager
def damage_told(record: Path | str) -> Iterator[None]:
    """Say of a database that cannot be used what a person can do about it.

    record: the file of SQLite, or the name of a schema in PostgreSQL.

    Raises:
        StorageError: It is damaged, or cannot be read or written.
    """
    try:
        yield
    except DBAPIError as error:
        raise StorageError(f"{record} cannot be used ({error.orig}): {_remedy(record, error)}") from error
    except json.JSONDecodeError as error:
        raise StorageError(f"{record} cannot be used (a row is no JSON): {_recovery(record)}") from error


def _remedy(record: Path | str, error: DBAPIError) -> str:
    if isinstance(record, str):
        return "check that the server is up and lets this user in, then try again"
    # a full disk or a missing permission is operational; a file that is no database, or has holes, is not
    is_outside = isinstance(error.orig, sqlite3.OperationalError)
    return "check the free space and the permissions" if is_outside else _recovery(record)


def _recovery(record: Path | str) -> str:
    if isinstance(record, str):
        return "restore the schema from a copy (pg_restore)"
    return f"restore the file from a copy, or save what is left with `sqlite3 {record} .recover`"


def _in_use(path: Path) -> InUse:
    return InUse(
        f"{path} is controlled by another process: wait for it or stop it (`labpilot status {path}` says what it "
        "does), or start a new campaign with another --out"
    )
