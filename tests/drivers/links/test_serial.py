"""What only a real port has: threads, other owners, and cables that come out."""

import asyncio
import errno
import os
import termios
import threading
import time
from types import SimpleNamespace

import pytest
import serial

from drivers.clock import RealClock, VirtualClock, VirtualLoop, VirtualTimeError, run_virtual
from drivers.command import Effect
from drivers.errors import Ambiguous, NotConnected, NotSent
from drivers.links.framing import Line
from drivers.links.lease import lock_path, take_lease
from drivers.links.serial import SerialLink
from drivers.links.url import SerialAddress
from simulators.ports import PtyPort


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


def test_the_event_loop_never_waits_for_the_port(device_kind, stalls):
    async def use(port, link):
        worst = []
        for _ in range(3):  # a busy machine may stall once
            stalls.worst_s = 0.0
            async with stalls.watched():
                await link.open()
                with pytest.raises(Ambiguous):
                    await ask(link, "a", effect=Effect.VERIFIABLE, timeout_s=0.15)
                await link.close()
            worst.append(stalls.worst_s)
        assert min(worst) < 0.05

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


ADVICE = {
    errno.ENOENT: "check the cable and its path",
    errno.EACCES: "join its group",
    errno.EBUSY: "another program has it open",
    errno.EAGAIN: "another program has it open",
    errno.EIO: "check the cable and its settings",
}


@pytest.mark.parametrize(("number", "advice"), ADVICE.items(), ids=[errno.errorcode[number] for number in ADVICE])
def test_what_to_do_about_a_port_that_cannot_be_opened(monkeypatch, tmp_path, number, advice):
    def refuse(*args, **kwargs):
        raise serial.SerialException(number, f"could not open port: {os.strerror(number)}")

    monkeypatch.setattr("serial.Serial", refuse)
    link = SerialLink(SerialAddress(path=str(tmp_path / "ttyX")), RealClock())
    with pytest.raises(NotConnected, match=rf"ttyX cannot be opened \(.*{os.strerror(number)}.*\); .*{advice}"):
        asyncio.run(link.open())


def test_a_file_that_is_no_port(tmp_path):
    (tmp_path / "notes").write_text("no port")
    link = SerialLink(SerialAddress(path=str(tmp_path / "notes")), RealClock())
    with pytest.raises(NotConnected, match="cannot be opened .*check the cable and its settings"):
        asyncio.run(link.open())


@pytest.mark.parametrize(
    "error", [ValueError("Not a valid baudrate: 12"), termios.error(22, "Invalid argument")], ids=["pyserial", "kernel"]
)
def test_settings_that_the_port_refuses(monkeypatch, tmp_path, error):
    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr("serial.Serial", refuse)
    with pytest.raises(NotConnected, match=f"{error.args[-1]}.*its settings"):
        asyncio.run(SerialLink(SerialAddress(path=str(tmp_path / "ttyX")), RealClock()).open())


def adapter(device, vid, pid, serial_number):
    return SimpleNamespace(device=device, vid=vid, pid=pid, serial_number=serial_number)


def plug_in(monkeypatch, *adapters):
    monkeypatch.setattr(
        "serial.tools.list_ports.comports", lambda: [adapter("/dev/ttyS0", None, None, None), *adapters]
    )


@pytest.mark.parametrize("usb", ["0403:6001:A50285BI", "403:6001:A50285BI", "303A:1001:F4:12:FA:00:11:22", "1a86:7523"])
def test_a_port_is_found_by_its_usb_adapter(device_kind, monkeypatch, usb):
    kinds = {"0403": 0x0403, "403": 0x0403, "303A": 0x303A, "1a86": 0x1A86}
    vendor, product, *number = usb.split(":", 2)

    async def use(port, link):
        plug_in(
            monkeypatch,
            adapter("/dev/ttyUSB7", 0x0403, 0x6001, "OTHER"),
            adapter("/dev/ttyUSB8", 0x0403, 0x6015, "A50285BI"),
            adapter(port.path, kinds[vendor], int(product, 16), number[0] if number else None),
        )
        found = SerialLink(SerialAddress(usb=usb), RealClock())
        await found.open()
        assert await ask(found, "a") == b"a"
        with pytest.raises(NotConnected, match="in use by another controller"):
            await link.open()  # the same port by its path
        assert f"usb:{usb}" in found.name
        await found.close()

    on_port(device_kind(echo), use)


def test_an_adapter_that_is_not_plugged_in(monkeypatch):
    plug_in(
        monkeypatch, adapter("/dev/ttyUSB0", 0x0403, 0x6001, "OTHER"), adapter("/dev/ttyUSB1", 0x1A86, 0x7523, None)
    )
    link = SerialLink(SerialAddress(usb="0403:6001:MINE"), RealClock())
    with pytest.raises(NotConnected, match="0403:6001:MINE is not plugged in; plugged in: 0403:6001:OTHER, 1a86:7523$"):
        asyncio.run(link.open())


def test_no_adapter_at_all(monkeypatch):
    plug_in(monkeypatch)
    with pytest.raises(NotConnected, match="plugged in: none"):
        asyncio.run(SerialLink(SerialAddress(usb="0403:6001:MINE"), RealClock()).open())


def test_two_adapters_of_one_name(monkeypatch):
    plug_in(monkeypatch, *[adapter(f"/dev/ttyUSB{n}", 0x1A86, 0x7523, None) for n in range(2)])
    with pytest.raises(NotConnected, match=r"is there 2 times \(/dev/ttyUSB0, /dev/ttyUSB1\)"):
        asyncio.run(SerialLink(SerialAddress(usb="1a86:7523"), RealClock()).open())


def test_a_line_falls_silent_between_requests_where_it_must(device_kind):
    heard_s = []

    def answer(line):
        heard_s.append(time.monotonic())
        return echo(line)

    async def use(port, link):
        slow = SerialLink(SerialAddress(path=port.path), RealClock(), pause_s=0.05)
        await slow.open()
        for _ in range(4):
            await ask(slow, "a")
        gaps = [later - earlier for earlier, later in zip(heard_s, heard_s[1:], strict=False)]
        assert min(gaps) >= 0.05
        await slow.close()

    on_port(device_kind(answer), use)


def test_a_cancelled_opening_holds_nothing(device_kind):
    async def use(port, link):
        opening = asyncio.ensure_future(link.open())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        other = SerialLink(SerialAddress(path=port.path), RealClock())
        deadline_s = time.monotonic() + 5.0
        while not other.is_open and time.monotonic() < deadline_s:
            try:
                await other.open()
            except NotConnected:  # until the worker that was left alone has put the port down
                await asyncio.sleep(0.01)
        assert await ask(other, "a") == b"a"
        await other.close()

    on_port(device_kind(echo), use)


def test_a_lock_file_that_cannot_be_used_is_not_called_another_controller(tmp_path, monkeypatch):
    (tmp_path / "absent").write_text("a file")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    link = SerialLink(SerialAddress(path="/dev/ttyX"), RealClock())
    with pytest.raises(NotConnected, match="cannot be leased: .*absent.*cannot be used"):
        asyncio.run(link.open())


def test_other_users_can_take_a_port_that_was_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    take_lease("/dev/ttyX").release()
    assert lock_path("/dev/ttyX").stat().st_mode & 0o777 == 0o666
