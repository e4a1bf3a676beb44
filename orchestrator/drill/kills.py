"""Drills: the controller's process ends, at every kind of moment, and another one goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

from sqlalchemy import event as sql_event

from orchestrator.drill.catalogue import Drill, all_of, no_hand, none_lost, starts
from orchestrator.drill.ground import READ, Play
from orchestrator.events import Event
from orchestrator.execution import resume
from orchestrator.journal import Journal
from orchestrator.seams import Seams

Kill = Callable[[], None]


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


class _Dying(Journal):
    """A journal whose process dies around the act in the middle of a campaign."""

    at, is_after = 1, False
    _n = 0
    _id: str | None = None

    def append(self, kind: str, body: Any, **more: Any) -> Event:
        """Append; before an outcome, or after an intent, die."""
        if self.is_after and self._id is not None and more.get("command_id") == self._id and kind == "step_done":
            die()
        found = super().append(kind, body, **more)
        if kind == "step_intended" and body["effect"] != READ:
            self._n += 1
            if self._n == self.at:
                self._id = more.get("command_id")
                if not self.is_after:
                    self.flush()
                    die()
        return found


def _middle(play: Play) -> int:
    return max(1, len(play.ground.undisturbed().acts) // 2)


def _dying(play: Play, *, is_after: bool) -> type[Journal]:
    return type("Dying", (_Dying,), {"at": _middle(play), "is_after": is_after})


def _before_act(play: Play) -> None:
    play.start_and_die(seams=Seams(journal=_dying(play, is_after=False)))
    play.finish()


def _after_act(play: Play) -> None:
    play.start_and_die(seams=Seams(journal=_dying(play, is_after=True)))
    play.finish()


class _DyingCommit(Journal):
    """A journal whose process dies between the rows of a transaction and its commit."""

    at = 1
    _flushes = 0

    def flush(self) -> None:
        self._flushes += 1
        if self._flushes == self.at:
            sql_event.listen(self.connection.engine, "commit", lambda _connection: die())
        super().flush()


def _in_commit(play: Play) -> None:
    dying = type("DyingCommit", (_DyingCommit,), {"at": _middle(play)})
    play.start_and_die(seams=Seams(journal=dying))
    play.finish()


class _DyingFile(Journal):
    """A journal whose process dies when a measurement's file is written and not in its place yet."""

    def append(self, kind: str, body: Any, **more: Any) -> Event:
        if kind == "asked":
            sys.addaudithook(_die_at_rename)
        return super().append(kind, body, **more)


def _die_at_rename(name: str, arguments: tuple[Any, ...]) -> None:
    if name == "os.rename" and str(arguments[1]).endswith(".npz"):
        die()


def _in_file(play: Play) -> None:
    play.start_and_die(seams=Seams(journal=_DyingFile))
    play.finish()


def _rebooted(play: Play) -> None:
    """Die, and let the one that died have lived before the computer was started anew."""
    play.start_and_die(seams=Seams(journal=_dying(play, is_after=True)))
    with closing(sqlite3.connect(play.path / "journal.sqlite")) as db, db:
        db.execute("UPDATE lease SET boot_id = 'another boot'")
        db.execute("UPDATE journal SET boot_id = 'another boot'")
    play.finish()


def _left_lock(play: Play) -> None:
    """Die with the lock file in place."""
    play.start_and_die(seams=Seams(journal=_dying(play, is_after=False)))
    if not (play.path / "controller.lock").exists():
        raise RuntimeError("the dead controller left no lock file, so nothing was tried")
    play.finish()


class _Invaded(Journal):
    """A journal in the middle of whose campaign a second controller is started."""

    at = 1
    _n = 0
    play: Play

    def flush(self) -> None:
        super().flush()
        self._n += 1
        if self._n == self.at:
            self.play.strike(0.0)
            child = os.fork()
            if not child:
                code = 1
                try:
                    resume(self.play.path)
                except BaseException as error:
                    code = 0 if type(error).__name__ == "InUse" else 2
                finally:
                    os._exit(code)
            _, status = os.waitpid(child, 0)
            self.play.said.append(
                "a second one was refused" if status == 0 else f"a second one ended with {status} and was not refused"
            )


def _second_controller(play: Play) -> None:
    play.start(seams=Seams(journal=type("Invaded", (_Invaded,), {"at": _middle(play), "play": play})))
    play.finish()


class _Paused(Journal):
    """A journal whose controller sleeps between an intent and its act, while another one goes on and takes over."""

    at = 1
    _n = 0
    play: Play

    def append(self, kind: str, body: Any, **more: Any) -> Event:
        found = super().append(kind, body, **more)
        if kind == "step_intended" and body["effect"] != READ:
            self._n += 1
            if self._n == self.at:
                self.flush()
                with closing(sqlite3.connect(self.play.path / "journal.sqlite", timeout=10.0)) as db, db:
                    db.execute("UPDATE lease SET epoch = epoch + 1")
                self._writer.checked_s = 0.0  # it slept: what it looked up before is long ago
        return found


def _old_one_wakes(play: Play) -> None:
    play.start_apart(seams=Seams(journal=type("Paused", (_Paused,), {"at": _middle(play), "play": play})))
    play.finish()


DRILLS = (
    Drill(
        name="kill-before-act",
        fault="process killed between an intent and its act",
        right="the next controller settles the intent by its effect: nothing was done, so it is done once",
        act=_before_act,
        wrong=all_of(starts(2)),
    ),
    Drill(
        name="kill-after-act",
        fault="process killed between an act and its outcome",
        right="what was done is read back and not done again",
        act=_after_act,
        wrong=all_of(starts(2)),
    ),
    Drill(
        name="kill-in-file",
        fault="process killed while a measurement's file is written",
        right="half a file counts for nothing; the measurement is made again or fetched",
        act=_in_file,
        wrong=all_of(starts(2), none_lost),
    ),
    Drill(
        name="kill-in-commit",
        fault="process killed while a transaction is committed",
        right="the transaction is there whole or not at all",
        act=_in_commit,
        wrong=all_of(starts(2)),
    ),
    Drill(
        name="reboot",
        fault="computer restarted",
        right="the lease of a dead boot keeps nobody out; everything goes on",
        act=_rebooted,
        wrong=all_of(starts(2)),
    ),
    Drill(
        name="left-lock",
        fault="lock left behind by a killed process",
        right="the operating system has let go of it: the next controller starts",
        act=_left_lock,
        wrong=all_of(starts(2)),
    ),
    Drill(
        name="second-controller",
        fault="second controller started on the same campaign",
        right="it is refused, and the first one goes on undisturbed",
        act=_second_controller,
        wrong=all_of(
            starts(1), none_lost, lambda found: "" if "a second one was refused" in found.said else found.said[0]
        ),
    ),
    Drill(
        name="old-controller-wakes",
        fault="paused controller wakes up after another one has taken over",
        right="it acts no more, not even upon the intent it had written down; the campaign goes on under a later one",
        act=_old_one_wakes,
        wrong=all_of(
            lambda found: "" if "another controller" in found.said[0] else f"it ended with: {found.said[0]}",
            none_lost,
            no_hand,
        ),
    ),
)
