import asyncio
import os
import threading
import time
from datetime import UTC, datetime

import pytest

from drivers.clock import RealClock
from orchestrator.guard import guard_log, server
from orchestrator.guard.answers import Event
from orchestrator.guard.client import GuardClient
from orchestrator.guard.guard_log import GuardLog, read_standing
from orchestrator.guard.server import GuardServer
from tests.orchestrator.guard.rig import SAFE, Bench, HandDevice, rules


def tripped(trip, number=1):
    facts = {"trip": trip, "reason": "too hot"}
    return Event(kind="tripped", text=trip, utc=datetime.now(UTC), is_alarm=True, facts=facts, number=number)


@pytest.fixture
def disk(monkeypatch):
    """A disk that takes nothing until it is let."""
    let, sync = threading.Event(), os.fsync

    def fsync(handle):
        let.wait()
        sync(handle)

    monkeypatch.setattr(guard_log.os, "fsync", fsync)
    yield let
    let.set()


def test_what_is_latched_is_read_again_across_a_new_file_and_a_torn_line(tmp_path):
    record = GuardLog(tmp_path / "guard.log", largest_bytes=200)
    for number, trip in enumerate(["hot", "door", "gas"], 1):
        record.write(tripped(trip, number))
    assert record.close(within_s=5.0)
    assert (tmp_path / "guard.log.1").exists()
    with (tmp_path / "guard.log").open("a") as file:
        file.write('{"kind": "acknowledged", "facts": {"trip": "h')
    assert set(read_standing(tmp_path / "guard.log").latched) == {"hot", "door", "gas"}


def test_written_is_said_once_it_is_on_the_disk_and_not_before(tmp_path, disk):
    async def use():
        record = GuardLog(tmp_path / "guard.log")
        record.write(tripped("hot"))
        asked = asyncio.create_task(record.written(within_s=20.0))
        await asyncio.sleep(0.1)
        assert not asked.done()
        disk.set()
        assert await asked == ""
        assert read_standing(tmp_path / "guard.log").latched == {"hot": "too hot"}

    asyncio.run(use())


def test_a_disk_that_hangs_keeps_nobody_waiting(tmp_path, disk):
    async def use():
        record = GuardLog(tmp_path / "guard.log")
        record.write(tripped("hot"))
        began_s = time.monotonic()
        assert "was not written within 0.2 s" in await record.written(within_s=0.2)
        assert time.monotonic() - began_s < 5.0

    asyncio.run(use())


def test_why_it_is_not_written_is_said(tmp_path):
    async def use():
        record = GuardLog(tmp_path / "no folder" / "guard.log")
        record.write(tripped("hot"))
        assert "no folder" in await record.written(within_s=5.0)
        (tmp_path / "no folder").mkdir()
        record.write(tripped("door"))
        assert await record.written(within_s=5.0) == ""

    asyncio.run(use())


def test_a_person_hears_of_a_stop_for_all_once_it_is_recorded_or_that_it_is_not(tmp_path, disk, monkeypatch):
    monkeypatch.setattr(server, "RECORD_S", 0.3)

    async def use():
        record = GuardLog(tmp_path / "guard.log")
        clock = RealClock()
        devices = {"box-1": HandDevice(answers={"read_temperature": 900.0})}
        readings = {"box-1.read_temperature": {"every": "1 s", "stale": "5 s"}}
        guard = Bench(clock, rules(readings=readings, devices={"box-1": SAFE}), devices).guard
        guard.on_event = record.write
        answers = GuardServer(guard, tmp_path / "guard.sock", record, "digest", asyncio.Event(), asyncio.Event())
        async with guard.running(), answers.serving():
            client = GuardClient(tmp_path / "guard.sock")
            report = await client.stop_all(who="Ada", reason="smoke")
            assert report["stopped"] == ["box-1"]
            assert "was not written within 0.3 s" in report["unrecorded"]
            disk.set()
            report = await client.stop_all(who="Ada", reason="more smoke")
            assert report["unrecorded"] == ""
            # at once: it was on the disk before the answer
            assert "more smoke" in read_standing(tmp_path / "guard.log").latched["stop-all"]
            await client.close()

    asyncio.run(use())
