"""Stores: which database keeps a campaign's journal and tables, and how it is named without its secret.

SQLite, a file in the campaign directory, is the default. A PostgreSQL database holds a schema for each campaign: the
tables, keys, queries and migrations are then the same in both, one campaign can be saved, restored or dropped by
itself, and no query can mix two of them by a forgotten condition.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from orchestrator.errors import InputError, StorageError

VARIABLE = "LABPILOT_STORE"
"""The environment variable that may hold a whole URL, password included."""

EXAMPLE = "postgresql+psycopg://lab@db.example.org/labpilot"
SECRETS = ("password", "sslpassword")
OURS = ("options", "application_name", "connect_timeout")
"""Connection options that labpilot sets itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresStore:
    """A schema of a PostgreSQL database."""

    url: str
    """Without password: as it may be written down."""
    schema: str

    def __str__(self) -> str:
        return f"the schema {self.schema} of {self.url}"

    def data(self) -> dict[str, str]:
        """Return what `campaign.json` keeps of it."""
        return {"url": self.url, "schema": self.schema}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> PostgresStore:
        """Read what `campaign.json` keeps.

        Raises:
            InputError: It was changed by hand into something that is no store.
        """
        schema = data.get("schema")
        if not isinstance(schema, str) or not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
            raise InputError(f"the store in campaign.json names no schema: {schema!r}; put the file back")
        return cls(url=_without_secret(_parsed(str(data.get("url")))), schema=schema)

    def engine(self, environ: Mapping[str, str], *, is_read_only: bool = False, schema_first: bool = True) -> Engine:
        """Return an engine whose connections work in the schema.

        environ: where the password may stand (`LABPILOT_STORE`); libpq itself looks for PGPASSWORD and ~/.pgpass.

        Raises:
            InputError: The extra `postgres` is not installed.
        """
        try:
            from orchestrator.record.postgres import connector
        except ImportError as error:
            raise InputError(f"PostgreSQL needs psycopg ({error}): pip install 'labpilot[postgres]'") from error
        connect = connector(
            self._full(environ), search_path=self.schema if schema_first else "public", is_read_only=is_read_only
        )
        # a session that is read only is short; the controller keeps few and long ones
        return create_engine(
            "postgresql+psycopg://", creator=connect, **({"poolclass": NullPool} if is_read_only else {})
        )

    def _full(self, environ: Mapping[str, str]) -> URL:
        ours, known = _parsed(self.url), environ.get(VARIABLE)
        with_secret = _parsed(known) if known and known != "sqlite" else ours
        return with_secret if _without_secret(with_secret) == _without_secret(ours) else ours

    def make(self, environ: Mapping[str, str]) -> None:
        """Make the schema.

        Raises:
            StorageError: The database cannot be reached, or does not allow it.
        """
        engine = self.engine(environ, schema_first=False)
        try:
            with engine.begin() as connection:
                connection.execute(text(f'CREATE SCHEMA "{self.schema}"'))
        except DBAPIError as error:
            raise StorageError(
                f"{self} cannot be made ({_said(error)}): check the address, the password (PGPASSWORD, ~/.pgpass or "
                f"{VARIABLE}) and that the role may CREATE in the database"
            ) from error
        finally:
            engine.dispose()

    def require(self, engine: Engine) -> None:
        """Make sure that the schema is there, so that no campaign begins anew in a wrong database.

        Raises:
            StorageError: It is not, or the database cannot be reached.
        """
        query = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
        try:
            with engine.connect() as connection:
                found = connection.execute(query, {"name": self.schema}).scalar()
        except DBAPIError as error:
            raise StorageError(
                f"{self} cannot be reached ({_said(error)}): is the server up, and the password at hand "
                f"(PGPASSWORD, ~/.pgpass or {VARIABLE})?"
            ) from error
        if found is None:
            raise StorageError(f"there is no schema {self.schema} in {self.url}: is this the campaign's database?")


def store_of(option: str | None, environ: Mapping[str, str], *, label: str) -> PostgresStore | None:
    """Return the store that a new campaign was given; None is SQLite in its directory.

    option: a URL given by hand; without one, the environment's `LABPILOT_STORE` counts.
    label: what the schema's name should remind of.

    Raises:
        InputError: The URL is none, names no PostgreSQL database, or shows its password to the whole machine.
    """
    given = option or environ.get(VARIABLE) or "sqlite"
    if given == "sqlite":
        return None
    url = _parsed(given)
    if option and _secret_in(url):
        raise InputError(
            f"leave the password out of --store, where everybody on this machine can see it: set PGPASSWORD, write "
            f"~/.pgpass, or set {VARIABLE} to the whole URL"
        )
    return PostgresStore(url=_without_secret(url), schema=_schema_name(label))


def _schema_name(label: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:30] or "campaign"
    return f"labpilot_{slug}_{secrets.token_hex(4)}"


def _parsed(text: str) -> URL:
    try:
        url = make_url(text)
        driver = url.get_driver_name() if url.get_backend_name() == "postgresql" else ""
    except (ArgumentError, NoSuchModuleError, ValueError):
        # the text itself is not shown: it may hold a password
        raise InputError(f"the store is no database URL; write it like {EXAMPLE}") from None
    if url.drivername == "postgresql":
        return _parsed(url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False))
    if driver != "psycopg":
        raise InputError(f"the store {url.drivername}: is not supported; write {EXAMPLE}, or leave it out for SQLite")
    if not url.database:
        raise InputError(f"the store {_without_secret(url)} names no database; write it like {EXAMPLE}")
    for name in OURS:
        if name in url.query:
            raise InputError(f"the store sets {name!r}, which labpilot sets itself; leave it out of the URL")
    return url


def _secret_in(url: URL) -> bool:
    return url.password is not None or any(name in url.query for name in SECRETS)


def _without_secret(url: URL) -> str:
    parts = {name: getattr(url, name) for name in ("drivername", "username", "host", "port", "database", "query")}
    return URL.create(**parts).difference_update_query(SECRETS).render_as_string(hide_password=False)


def _said(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())


def sqlite_engine(path: str, *, fsync: bool) -> Engine:
    """Open an SQLite database in WAL mode.

    fsync: every commit reaches the disk (synchronous=FULL); without it a power cut may lose the tail, but a killed
        process does not (synchronous=NORMAL).
    """
    engine = create_engine(f"sqlite:///{path}")
    level = "FULL" if fsync else "NORMAL"

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA busy_timeout=2000")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={level}")

    return engine
