import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import termios
import time

import pytest

from drivers.clock import RealClock
from drivers.instruments.laser_annealer import LaserAnnealerDriver
from drivers.instruments.xy_stage import XYStageDriver
from drivers.links.opening import open_link
from simulators.ports import PtyPort
from simulators.serve import EpochClock, main, world_class
from simulators.world import WorldFile


class Served:
    """A served world; on exit its standard input closes."""

    def __init__(self, state, *more):
        command = [sys.executable, "-m", "simulators.serve", "--world", "film-station", "--state", str(state), *more]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.urls = json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=10.0)

    def driver(self, kind, name):
        clock = RealClock()
        return kind(open_link(self.urls[name], clock), clock, name=name)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "world.db"


def test_a_world_is_served_until_standard_input_closes(state):
    with Served(state, "--options", '{"failures": false}') as served:
        assert sorted(served.urls) == ["camera", "laser", "spectrometer", "stage"]
        stage = served.driver(XYStageDriver, "stage")

        async def use():
            assert (await stage.connect()).model == "XY-160"
            await stage.move(x_mm=1.0, y_mm=2.0)
            await stage.close()

        asyncio.run(use())
        assert served.process.poll() is None
    assert served.process.returncode == 0
    assert not any(os.path.exists(path) for path in served.urls.values())
    file = WorldFile(state)
    assert file.get("stage")["target_x"] == 1000
    assert file.get("world")["options"] == {"failures": False}
    file.close()


RECIPE = {"peak_temperature_c": 900.0, "dwell_us": 1000.0, "tag": "t1"}


async def begin(stage, laser):
    """Begin a move of 60 mm and a shot, and lose patience."""
    for driver in (stage, laser):
        await driver.connect()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0), asyncio.TaskGroup() as group:
            group.create_task(stage.move(x_mm=60.0, y_mm=0.0))
            group.create_task(laser.anneal(**RECIPE))
    for driver in (stage, laser):
        await driver.close()


async def finish(stage, laser):
    for driver in (stage, laser):
        await driver.connect()
    await stage.move(x_mm=60.0, y_mm=0.0)
    assert await stage.is_at(x_mm=60.0, y_mm=0.0)
    await laser.anneal(**RECIPE)
    for driver in (stage, laser):
        await driver.close()


def test_what_was_under_way_outlives_the_death_of_its_world(state):
    served = Served(state)
    asyncio.run(begin(served.driver(XYStageDriver, "stage"), served.driver(LaserAnnealerDriver, "laser")))
    served.process.send_signal(signal.SIGKILL)
    served.process.communicate()
    motion = WorldFile(state, read_only=True).get("stage")
    with Served(state) as again:
        asyncio.run(finish(again.driver(XYStageDriver, "stage"), again.driver(LaserAnnealerDriver, "laser")))
    after = WorldFile(state, read_only=True)
    assert after.get("stage") == motion  # joined, not begun anew
    assert list(after.keys("shot/")) == ["shot/1"]
    assert time.time() - motion["began_s"] > 3.0


@pytest.mark.parametrize(
    ("world", "more", "match"),
    [
        ("film-staton", [], "did you mean 'film-station'"),
        ("film-station", ["--options", '{"nois": true}'], "did you mean 'noise'"),
        ("film-station", ["--options", "not json"], "invalid _json_object value"),
        ("film-station", ["--options", "[]"], "invalid _json_object value"),
    ],
)
def test_what_was_asked_wrongly_is_said_and_nothing_is_served(state, capsys, world, more, match):
    try:
        code = main(["--world", world, "--state", str(state), *more])
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    assert code == 2
    assert match in said.err and said.out == ""


def test_standard_input_that_never_closes_is_refused(state):
    command = [sys.executable, "-m", "simulators.serve", "--world", "film-station", "--state", str(state)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30.0)
    assert ended.returncode == 2
    assert "standard input must be a pipe" in ended.stderr and ended.stdout == ""


class Device:
    """Answers every line in its own way."""

    def __init__(self, answer):
        self.send = None
        self.answer = answer
        self.asked = []

    def receive(self, data):
        for line in data.splitlines(keepends=True):
            self.asked.append(line)
            self.send(self.answer(line))


async def heard(fd, n):
    """Read n bytes without keeping the loop, which serves the other end, from running."""
    data = b""
    while len(data) < n:
        with contextlib.suppress(BlockingIOError):
            data += os.read(fd, n - len(data))
        await asyncio.sleep(0.001)
    return data


def test_a_port_does_not_echo():
    async def use():
        device = Device(lambda line: b"<" + line)
        port = PtyPort(device, asyncio.get_running_loop())
        fd = os.open(port.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        assert not termios.tcgetattr(fd)[3] & (termios.ECHO | termios.ICANON)
        os.write(fd, b"a\x03\x04\n")
        assert await heard(fd, 5) == b"<a\x03\x04\n"
        assert device.asked == [b"a\x03\x04\n"]
        os.close(fd)
        port.close()
        port.close()

    asyncio.run(use())


def test_a_client_that_does_not_read_does_not_stop_the_world():
    async def use():
        loop = asyncio.get_running_loop()
        device = Device(lambda line: b"x" * 50_000)
        port = PtyPort(device, loop)
        fd = os.open(port.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        os.write(fd, b"a\n")
        async with asyncio.timeout(5.0):
            await asyncio.sleep(0.05)
            assert await heard(fd, 50_000) == b"x" * 50_000
        os.close(fd)
        port.close()

    asyncio.run(use())


def test_the_clock_of_a_served_world_survives_restarts():
    assert EpochClock().now_s() == pytest.approx(time.time(), abs=1.0)


def test_an_unknown_world_names_those_that_exist():
    with pytest.raises(LookupError, match="installed are .*film-station"):
        world_class("zzz")
