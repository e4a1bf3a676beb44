"""Drills: the disk, the database and the clock."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from drivers.clock import Clock
from orchestrator.drill.catalogue import Drill, all_of, at_most_lost, none_lost
from orchestrator.drill.ground import Outcome, Play
from orchestrator.journal import Journal
from orchestrator.seams import Seams

LOCKED_S = 1.5


class _AtFlush(Journal):
    """A journal that something happens to before one of its commits, once."""

    at = 1
    happens: Callable[[Journal], None]
    _n = 0

    def flush(self) -> None:
        self._n += 1
        if self._n == self.at:
            type(self).happens(self)
        super().flush()


def _at_flush(play: Play, happens: Callable[[Journal], None]) -> Seams:
    at = max(1, len(play.ground.undisturbed().acts) // 2)
    return Seams(journal=type("AtFlush", (_AtFlush,), {"at": at, "happens": staticmethod(happens)}))


def _full(journal: Journal) -> None:
    """Let the database's file grow no more, which SQLite tells as it tells a full disk."""
    pages = journal.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    journal.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    journal.connection.rollback()


def _disk_full(play: Play) -> None:
    play.start_apart(seams=_at_flush(play, _full))
    play.finish()


def _read_only(journal: Journal) -> None:
    journal.connection.exec_driver_sql("PRAGMA query_only = ON")
    journal.connection.rollback()


def _database_read_only(play: Play) -> None:
    play.start_apart(seams=_at_flush(play, _read_only))
    play.finish()


def _locked(play: Play) -> Callable[[Journal], None]:
    def happens(_journal: Journal) -> None:
        is_held = threading.Event()

        def hold() -> None:
            with closing(sqlite3.connect(play.path / "journal.sqlite", timeout=10.0)) as db:
                db.execute("BEGIN IMMEDIATE")
                is_held.set()
                time.sleep(LOCKED_S)
                db.rollback()

        threading.Thread(target=hold, daemon=True).start()
        is_held.wait(10.0)

    return happens


def _database_locked(play: Play) -> None:
    play.start(seams=_at_flush(play, _locked(play)))
    play.finish()


class _Jumping:
    """A clock whose wall time is wrong by so much from some moment on; what counts seconds goes on evenly."""

    def __init__(self, clock: Clock, *, by: timedelta, from_s: float) -> None:
        self._clock, self._by, self._from_s = clock, by, from_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)

    def utc(self) -> datetime:
        """Return what the wall clock shows."""
        found = self._clock.utc()
        return found + self._by if self._clock.now_s() >= self._from_s else found


def _jumps(by: timedelta) -> Callable[[Play], None]:
    def act(play: Play) -> None:
        middle_s = play.ground.undisturbed().outcome.events[-1].at_s / 2.0

        def journal(engine: Any, clock: Clock, **more: Any) -> Journal:
            wrong: Any = _Jumping(clock, by=by, from_s=middle_s)
            return Journal(engine, wrong, **more)

        play.strike(middle_s)
        play.start(seams=Seams(journal=journal))
        play.finish()

    return act


def _in_order(outcome: Outcome) -> str:
    seconds = [event.at_s for event in outcome.events]
    return "" if seconds == sorted(seconds) else "the journal's seconds run back"


def _stopped_first(*words: str) -> Callable[[Outcome], str]:
    """The first controller must have ended, and said one of these."""
    return lambda found: "" if any(word in found.said[0] for word in words) else f"it ended with: {found.said[0]}"


DRILLS = (
    Drill(
        name="disk-full",
        fault="disk full",
        right="nothing is acted upon unrecorded, all is made safe (what a furnace held is lost), then it goes on",
        act=_disk_full,
        wrong=all_of(_stopped_first("full"), at_most_lost(4)),
    ),
    Drill(
        name="database-read-only",
        fault="database may not be written any more",
        right="the same",
        act=_database_read_only,
        wrong=all_of(_stopped_first("read", "written"), at_most_lost(4)),
    ),
    Drill(
        name="database-locked",
        fault="database locked by somebody else for a moment",
        right="it is waited for; nobody notices",
        act=_database_locked,
        wrong=all_of(_stopped_first("finished"), none_lost),
    ),
    Drill(
        name="clock-forward",
        fault="wall clock jumps forward by a day",
        right="seconds are counted by a clock that does not jump; only dates are wrong",
        act=_jumps(timedelta(days=1)),
        wrong=all_of(_in_order, none_lost),
    ),
    Drill(
        name="clock-back",
        fault="wall clock jumps back by a day",
        right="the same",
        act=_jumps(timedelta(days=-1)),
        wrong=all_of(_in_order, none_lost),
    ),
    Drill(
        name="daylight-saving",
        fault="daylight saving begins or ends (a wall clock that is wrong by an hour)",
        right="the same; dates are kept in UTC",
        act=_jumps(timedelta(hours=1)),
        wrong=all_of(_in_order, none_lost),
    ),
)
