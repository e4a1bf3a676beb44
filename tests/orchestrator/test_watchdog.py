import asyncio
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from orchestrator.check import check_campaign
from orchestrator.execution import Settings, start
from orchestrator.status.looks import read_status
from orchestrator.watchdog import LONGEST_PAUSE_S, ServiceManager, watched
from tests.orchestrator.test_office import SHORT, SHORT_LAB

UNIT = Path(__file__).parents[2] / "docs" / "systemd" / "labpilot@.service"


class Listener:
    """The socket of a service manager."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def heard(self):
        """Return what was said since the last time."""
        words = []
        while True:
            try:
                words.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return words


@pytest.fixture
def listener(tmp_path):
    made = Listener(str(tmp_path / "notify"))
    yield made
    made.socket.close()


def environ(listener, **more):
    return {"NOTIFY_SOCKET": listener.socket.getsockname(), **more}


def test_readiness_beats_and_the_end_are_told(listener):
    async def serve():
        async with watched(RealClock(), environ(listener, WATCHDOG_USEC="90000")):
            await asyncio.sleep(0.15)  # few enough beats for the queue of a socket that nobody reads

    asyncio.run(serve())
    first, *beats, last = listener.heard()
    assert (first, last) == ("READY=1", "STOPPING=1")
    assert set(beats) == {"WATCHDOG=1"}
    assert len(beats) >= 3


def test_a_loop_that_hangs_falls_silent(listener):
    async def serve():
        async with watched(RealClock(), environ(listener, WATCHDOG_USEC="30000")):
            await asyncio.sleep(0.05)
            before = listener.heard()
            time.sleep(0.2)  # noqa: ASYNC251 - the loop that hangs
            return before, listener.heard()

    before, hung = asyncio.run(serve())
    assert "WATCHDOG=1" in before
    assert hung == []


def test_an_error_within_ends_the_beats_and_goes_on(listener):
    async def serve():
        async with watched(RealClock(), environ(listener, WATCHDOG_USEC="60000")):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(serve())
    assert listener.heard()[-1] == "STOPPING=1"


def test_without_a_watchdog_only_readiness_is_told(listener):
    async def serve():
        async with watched(RealClock(), environ(listener)):
            await asyncio.sleep(0.01)

    asyncio.run(serve())
    assert listener.heard() == ["READY=1", "STOPPING=1"]


def test_an_abstract_socket_is_reached():
    name = f"labpilot-test-{os.getpid()}"
    made = Listener(f"\0{name}")
    manager = ServiceManager.of({"NOTIFY_SOCKET": f"@{name}"}, pid=1)
    assert manager is not None
    manager.tell("READY=1")
    assert made.heard() == ["READY=1"]
    made.socket.close()


def test_virtual_time_tells_nobody(listener):
    loop = VirtualLoop()

    async def serve():
        async with watched(VirtualClock(loop), environ(listener, WATCHDOG_USEC="60000")):
            await asyncio.sleep(3600)

    run_virtual(serve(), loop=loop)
    assert listener.heard() == []


@pytest.mark.parametrize(
    ("told", "pause_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "300000000"}, LONGEST_PAUSE_S),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "41"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_how_often_it_beats(told, pause_s):
    manager = ServiceManager.of({"NOTIFY_SOCKET": "/run/notify", **told}, pid=41)
    assert manager is not None
    assert manager.pause_s == pause_s


@pytest.mark.parametrize("address", ["", "vsock:2:1234"])
def test_nobody_is_told_where_nobody_can_be(address):
    assert ServiceManager.of({"NOTIFY_SOCKET": address}, pid=1) is None


def test_a_listener_that_is_gone_or_full_ends_nothing(tmp_path, caplog):
    ServiceManager(address=str(tmp_path / "nobody"), pause_s=None).tell("WATCHDOG=1")
    assert "not_notified word=WATCHDOG=1" in caplog.text
    deaf = Listener(str(tmp_path / "deaf"))
    manager = ServiceManager(address=deaf.socket.getsockname(), pause_s=None)
    for _ in range(2000):  # more than any queue holds
        manager.tell("WATCHDOG=1")
    assert "not_notified" in caplog.records[-1].message
    deaf.socket.close()


def test_a_campaign_on_real_ports_tells_its_service_manager(listener, tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", listener.socket.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    (tmp_path / "campaign.yaml").write_text(SHORT.replace("VALUE", "mass"))
    (tmp_path / "lab.yaml").write_text(SHORT_LAB)
    task = check_campaign(tmp_path / "campaign.yaml").require()
    assert start(task, tmp_path / "out", Settings(is_virtual=False)).status == "finished"
    assert listener.heard() == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path):
    text = UNIT.read_text()
    assert "ExecStart=/opt/labpilot/bin/labpilot resume" in text
    unit = tmp_path / "labpilot@one.service"
    unit.write_text(text.replace("/opt/labpilot/bin/labpilot", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_nightly_backup(tmp_path):
    for name in ("labpilot-backup.service", "labpilot-backup.timer"):
        (tmp_path / name).write_text(
            (UNIT.parent / name).read_text().replace("/opt/labpilot/share/backup.sh", "/bin/true")
        )
    command = ["systemd-analyze", "verify", *(str(file) for file in tmp_path.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the shell of SQLite is not installed")
def test_the_backup_is_a_campaign_that_can_be_read(fabricate, tmp_path):
    maker = fabricate()
    path = maker.sara(2, end=False)  # its controller has the journal open
    script = str(UNIT.parent / "backup.sh")
    subprocess.run([script, str(path.parent), str(tmp_path / "copies")], check=True)
    (saved,) = (tmp_path / "copies" / path.name).glob("*.sqlite")
    saved.rename(saved.with_name("journal.sqlite"))
    assert read_status(saved.parent).trials.measured == 2
    (path.parent / "broken").mkdir()
    (path.parent / "broken" / "journal.sqlite").write_bytes(b"no database, and longer than a header of SQLite " * 40)
    done = subprocess.run(
        [script, str(path.parent), str(tmp_path / "copies")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no copy of" in done.stderr
