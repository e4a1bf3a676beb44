import fcntl
import os
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time

import pytest

from orchestrator.cli.main import supervise
from orchestrator.cli.watching import LARGEST_SHARE, _pause_s, watch
from orchestrator.errors import InputError

PATIENCE_S = 40.0


class Terminal:
    """A real terminal with `labpilot status --watch` in it."""

    def __init__(self, path):
        self.end, other = os.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        arguments = ["status", str(path), "--watch", "--every", "0.2"]
        environment = {**os.environ, "TERM": "xterm", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli.main", *arguments],
            stdin=other, stdout=other, stderr=other, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(other)
        self.said = ""

    def until(self, pattern):
        """Wait until the terminal shows something new that matches."""
        self.said, found = "", None
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and not (found := re.search(pattern, self.said)):
            if select.select([self.end], [], [], 0.5)[0]:
                self.said += os.read(self.end, 65536).decode(errors="replace")
        assert found, self.said
        return found

    def rest(self):
        """Return what else is shown until the program ends."""
        text = ""
        while True:
            try:
                data = os.read(self.end, 65536)
            except OSError:  # the other end is closed
                return text
            if not data:
                return text
            text += data.decode(errors="replace")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.end)


@pytest.fixture
def terminal(request):
    opened = []

    def make(path):
        opened.append(Terminal(path))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_the_terminal_follows_a_campaign_survives_a_locked_database_and_ends_quietly(fabricate, terminal):
    maker = fabricate()
    path = maker.sara(1, end=False)
    shown = terminal(path)
    shown.until(r"1 of 48: 1 measured")
    maker.stripe(2, points=2, pixels=8)  # the controller is not held up by who looks
    maker.journal.flush()
    shown.until(r"2 of 48: 2 measured")
    maker.close()
    holder = sqlite3.connect(path / "journal.sqlite", isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    shown.until(r"2 of 48[^\0]*database is locked[^\0]*trying again")
    holder.execute("COMMIT")
    holder.close()
    shown.until(r"every 0.2 s; Ctrl-C ends")
    os.kill(shown.process.pid, signal.SIGINT)
    last = shown.rest()
    assert shown.process.wait() == 0
    assert "2 of 48" in last
    assert "Traceback" not in last
    assert "labpilot: interrupted" not in last


def test_watching_changes_nothing_in_the_directory(fabricate, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # which rich takes for a terminal
    path = fabricate().sara(2)
    before = _files(path)
    watch(path, every_s=1.0)
    assert _files(path) == before


def _files(path):
    # SQLite shares its index of the log beside it, also among those who only read
    return {
        file: file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and not file.name.endswith(("-wal", "-shm"))
    }


def test_a_finished_campaign_is_shown_once(fabricate, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    path = fabricate().sara(2)
    watch(path, every_s=1.0, wait=lambda _: pytest.fail("there is nothing to wait for"))
    assert "finished" in capsys.readouterr().out


def test_slow_looks_are_followed_by_longer_rests():
    assert _pause_s(2.0, 0.1) == pytest.approx(1.9)
    took = 3.0
    assert took / (took + _pause_s(2.0, took)) == pytest.approx(LARGEST_SHARE)


def test_a_program_is_sent_to_json(fabricate):
    with pytest.raises(InputError, match="needs a terminal"):
        watch(fabricate().sara(1), every_s=1.0)


@pytest.mark.parametrize(
    ("options", "said"), [(["--every", "3"], "--every is for --watch"), (["--watch", "--json"], "one of the two")]
)
def test_options_that_contradict_each_other_are_refused(fabricate, capsys, options, said):
    assert supervise(["status", str(fabricate().sara(1)), *options]) == 2
    assert said in capsys.readouterr().err
