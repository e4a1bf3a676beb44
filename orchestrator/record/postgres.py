"""Connections to PostgreSQL that never wait for ever: not for a server that hangs, nor for a network that is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import URL
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

RV = TypeVar("RV")

ANSWER_S = 10.0
"""How long one answer of the server is waited for; the journal's statements take milliseconds."""

NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
SESSION = {
    "synchronous_commit": "on",
    "lock_timeout": "5s",
    "statement_timeout": "0",  # a long report may read for minutes; ANSWER_S bounds the controller
    "client_min_messages": "warning",
    "idle_in_transaction_session_timeout": "4s",  # a paused controller must not hold the lease for ever
}


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up, and closes, where an answer takes too long."""

    answer_s: float | None = ANSWER_S

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer.

        Raises:
            OperationalError: None came in time. What the server does with the request is not known.
        """
        limit_s = self.answer_s if timeout is None else timeout
        started_s = time.monotonic()
        try:
            return super().wait(gen, interval=interval, timeout=limit_s)
        except psycopg.OperationalError as error:
            if limit_s is not None and time.monotonic() - started_s >= limit_s:
                self.pgconn.finish()  # a late answer must not be taken for that of the next question
                raise psycopg.OperationalError(f"the server did not answer within {limit_s:g} s") from error
            raise


class PatientConnection(BoundedConnection):
    """A connection for reports, which may read for long."""

    answer_s = None


def connector(url: URL, *, search_path: str, is_read_only: bool) -> Callable[[], psycopg.Connection[Any]]:
    """Return what opens connections in one schema; libpq adds PGPASSWORD or ~/.pgpass where the URL has no password."""
    arguments, keywords = PGDialect_psycopg().create_connect_args(url)
    session = {**SESSION, "search_path": search_path, "default_transaction_read_only": "on" if is_read_only else "off"}
    options = " ".join(f"-c {name}={value}" for name, value in session.items())
    settings: dict[str, Any] = {"application_name": "labpilot", **NETWORK, **keywords, "options": options}
    kind = PatientConnection if is_read_only else BoundedConnection

    def connect() -> psycopg.Connection[Any]:
        return kind.connect(*arguments, **settings)

    return connect
