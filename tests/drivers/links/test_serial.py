"""What only a real port has: threads, other owners, and cables that come out."""

import asyncio
import os
import threading
import time

import pytest
import serial

from drivers.clock import RealClock, VirtualClock, VirtualLoop, VirtualTimeError, run_virtual
from drivers.command import Effect
from drivers.errors import Ambiguous, NotConnected, NotSent
from drivers.links.framing import Line
from drivers.links.serial import SerialLink, lock_path
from drivers.links.url import SerialAddress
from simulators.serve import PtyPort


def ask(link, text, *, effect=Effect.READ, timeout_s=1.0):
    return link.exchange(text.encode() + b"\n", framing=Line(), timeout_s=timeout_s, effect=effect, late_max_s=0.1)


def echo(line):
    return [(0.0, line + b"\n")]


def on_port(device, use):
    async def main():
        port = PtyPort(device, asyncio.get_running_loop())
        try:
            await use(port, SerialLink(SerialAddress(path=port.path), RealClock()))
        finally:
            port.close()

    asyncio.run(main())


def test_a_port_that_is_not_there(tmp_path):
    link = SerialLink(SerialAddress(path=str(tmp_path / "ttyNone")), RealClock())
    with pytest.raises(NotConnected, match="cannot be opened"):
        asyncio.run(link.open())
    assert not link.is_open


def test_two_controllers_cannot_share_a_port(device_kind):
    async def use(port, link):
        other = SerialLink(SerialAddress(path=port.path), RealClock())
        await link.open()
        with pytest.raises(NotConnected, match="in use by another controller"):
            await other.open()
        await other.close()
        assert await ask(link, "mine") == b"mine"
        await link.close()
        await other.open()
        assert await ask(other, "mine now") == b"mine now"
        await other.close()

    on_port(device_kind(echo), use)


def test_another_name_of_a_port_is_the_same_port(device_kind, tmp_path):
    async def use(port, link):
        alias = tmp_path / "ttyFurnace"
        os.symlink(port.path, alias)
        assert lock_path(str(alias)) == lock_path(port.path)
        other = SerialLink(SerialAddress(path=str(alias)), RealClock())
        await link.open()
        with pytest.raises(NotConnected, match="in use"):
            await other.open()
        await link.close()

    on_port(device_kind(echo), use)


def test_a_port_that_another_program_holds_exclusively(device_kind):
    async def use(port, link):
        with serial.Serial(port.path, exclusive=True), pytest.raises(NotConnected, match="cannot be opened"):
            await link.open()
        await link.open()
        await link.close()

    on_port(device_kind(echo), use)


def test_a_cable_that_comes_out_between_questions(device_kind):
    async def use(port, link):
        await link.open()
        assert await ask(link, "a") == b"a"
        port.close()
        with pytest.raises(NotConnected, match="is gone"):
            await ask(link, "b", effect=Effect.OPERATOR)
        assert not link.is_open
        with pytest.raises(NotConnected, match="call connect"):
            await ask(link, "c")
        with pytest.raises(NotConnected, match="cannot be opened"):
            await link.open()
        await link.close()

    on_port(device_kind(echo), use)


def test_a_cable_that_comes_out_during_an_exchange(device_kind):
    async def use(port, link):
        await link.open()
        asyncio.get_running_loop().call_later(0.05, port.close)
        with pytest.raises(Ambiguous, match="the port was lost"):
            await ask(link, "a", effect=Effect.OPERATOR, timeout_s=5.0)
        assert not link.is_open
        await link.close()

    on_port(device_kind(lambda line: []), use)


def test_what_a_dead_predecessor_left_in_the_line_is_not_ours(device_kind):
    async def use(port, link):
        await link.open()
        with serial.Serial(port.path) as predecessor:
            predecessor.write(b"old\n")
            await asyncio.sleep(0.05)
        assert await ask(link, "new") == b"new"
        await link.close()

    on_port(device_kind(echo), use)


def test_the_event_loop_never_waits_for_the_port(device_kind):
    async def use(port, link):
        stalls = []

        async def watch():
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.001)
                stalls.append(time.monotonic() - before)

        watcher = asyncio.ensure_future(watch())
        await link.open()
        with pytest.raises(Ambiguous):
            await ask(link, "a", effect=Effect.VERIFIABLE, timeout_s=0.6)
        await link.close()
        watcher.cancel()
        assert max(stalls) < 0.45  # a loop that waits for the port stalls for all of 0.6 s

    on_port(device_kind(lambda line: []), use)


def test_a_device_that_never_falls_silent_is_not_spoken_to(device_kind, monkeypatch):
    monkeypatch.setattr("drivers.links.serial.SLICE_S", 0.2)  # a busy machine pauses for longer than 20 ms
    monkeypatch.setattr("drivers.links.serial.BABBLE_S", 0.4)
    device = device_kind(echo)

    async def babble():
        while True:
            device.after(0.0, b"noise")
            await asyncio.sleep(0.005)

    async def use(port, link):
        await link.open()
        noise = asyncio.ensure_future(babble())
        with pytest.raises(NotSent, match="talks without being asked"):
            await ask(link, "a", effect=Effect.OPERATOR)
        assert device.asked == []
        noise.cancel()
        assert await ask(link, "b") == b"b"
        await link.close()

    on_port(device, use)


def test_no_thread_is_left_behind(device_kind):
    async def use(port, link):
        await link.open()
        names = [thread.name for thread in threading.enumerate()]
        assert any(port.path in name for name in names)
        await link.close()
        await asyncio.sleep(0.05)
        assert not [thread for thread in threading.enumerate() if port.path in thread.name]

    on_port(device_kind(echo), use)


def test_a_serial_port_is_refused_in_virtual_time():
    loop = VirtualLoop()

    async def main():
        with pytest.raises(VirtualTimeError, match="threads are refused"):
            await SerialLink(SerialAddress(path="/dev/null"), VirtualClock(loop)).open()

    run_virtual(main(), loop=loop)
