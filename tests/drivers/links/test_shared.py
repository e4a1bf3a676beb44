"""A port that several clients share: a real process, a real pseudo-terminal, real sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from drivers.clock import RealClock
from drivers.command import Effect
from drivers.errors import Ambiguous, NotConnected, Rejected, Unreadable
from drivers.links import shared, shared_wire
from drivers.links.framing import Line
from drivers.links.modbus import MbapFrame, RtuFrame
from drivers.links.shared import SharedLink
from drivers.links.shared_process import main
from drivers.links.url import ModbusRtuAddress, SerialAddress, SharedAddress, parse_url
from simulators.ports import PtyPort

LINE = Line()


class Echo:
    """Answers each line with itself, in order, after a delay; counts what it was asked."""

    wire = "serial"

    def __init__(self, delay_s: float = 0.0):
        self.send = self.hang_up = None
        self.delay_s = delay_s
        self.asked = []
        self._rest = b""

    def receive(self, data):
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.asked.append(line.decode())
            if line.startswith(b"silent"):
                continue
            asyncio.get_running_loop().call_later(self.delay_s, self._answer, line)

    def _answer(self, line):
        if self.send is not None:
            self.send(b"re:" + line + b"\n")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    # sockets and leases of this test only
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(shared, "LINGER_S", 0.3)


@asynccontextmanager
async def port_of(device) -> AsyncIterator[SharedAddress]:
    port = PtyPort(device, asyncio.get_running_loop())
    try:
        yield SharedAddress(port=SerialAddress(path=port.path, baud=115_200))
    finally:
        port.close()


@asynccontextmanager
async def clients(address, n=2):
    links = [SharedLink(address, RealClock()) for _ in range(n)]
    try:
        await asyncio.gather(*(link.open() for link in links))
        yield links
    finally:
        for link in links:
            await link.close()
        await gone(address)


async def gone(address):
    """Wait until the process has ended, so that nothing outlives a test."""
    path = shared_wire.socket_path(address.port)
    async with asyncio.timeout(10):
        while path.exists():
            await asyncio.sleep(0.05)


async def ask(link, text, *, timeout_s=2.0, effect=Effect.READ, **more):
    reply = await link.exchange(LINE.wrap(text.encode()), framing=LINE, timeout_s=timeout_s, effect=effect, **more)
    return reply.decode()


def pid_of(address) -> int:
    """Return the process that listens at a shared port's socket."""
    wanted = str(shared_wire.socket_path(address.port).with_suffix(".lock"))
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if wanted in held:
            return int(pid)
    raise LookupError(wanted)


def test_two_clients_ask_one_port_at_once_and_each_gets_its_own_answers():
    async def use():
        device = Echo(0.002)
        async with port_of(device) as address, clients(address) as (one, two):
            answers = await asyncio.gather(
                *(ask(link, f"{name}{n}") for n in range(20) for name, link in (("a", one), ("b", two)))
            )
        assert answers == [f"re:{name}{n}" for n in range(20) for name in "ab"]
        assert sorted(device.asked) == sorted(answer.removeprefix("re:") for answer in answers)

    asyncio.run(use())


def test_the_socket_is_for_its_user_only():
    async def use():
        async with port_of(Echo()) as address, clients(address, 1):
            path = shared_wire.socket_path(address.port)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    asyncio.run(use())


def test_a_folder_that_others_may_enter_is_refused():
    path = shared_wire.socket_path(SerialAddress(path="/dev/x"))
    path.parent.chmod(0o755)
    with pytest.raises(NotConnected, match="open to others"):
        shared_wire.socket_path(SerialAddress(path="/dev/x"))


def test_a_stop_goes_before_all_that_wait_whoever_they_are():
    async def use():
        device = Echo(0.05)
        async with port_of(device) as address, clients(address) as (one, two):
            waiting = [asyncio.create_task(ask(one, f"w{n}")) for n in range(5)]
            await asyncio.sleep(0.02)
            assert await ask(two, "stop", effect=Effect.IDEMPOTENT, urgent=True) == "re:stop"
            await asyncio.gather(*waiting)
        assert device.asked.index("stop") == 1

    asyncio.run(use())


def test_no_reply_means_what_it_means_on_any_link_and_the_other_client_waits_until_the_line_is_in_step():
    async def use():
        device = Echo()
        async with port_of(device) as address, clients(address) as (one, two):
            with pytest.raises(Unreadable, match="no reply within 0.1 s"):
                await ask(one, "silent", timeout_s=0.1)
            with pytest.raises(Ambiguous, match="no reply within 0.1 s"):
                await ask(one, "silent", timeout_s=0.1, effect=Effect.VERIFIABLE)
            assert (one.n_acts_sent, two.n_acts_sent) == (1, 0)
            assert await ask(two, "hello") == "re:hello"
            error = one.distrust("the answer is for another question", effect=Effect.READ)
            assert isinstance(error, Unreadable)
            assert await ask(one, "again") == "re:again"

    asyncio.run(use())


def test_one_client_leaves_and_the_other_goes_on():
    async def use():
        async with port_of(Echo()) as address, clients(address) as (one, two):
            await one.close()
            assert not one.is_open
            with pytest.raises(NotConnected, match="call connect"):
                await ask(one, "x")
            assert await ask(two, "still") == "re:still"
            await one.open()
            assert await ask(one, "back") == "re:back"

    asyncio.run(use())


def test_the_port_is_closed_after_its_last_client_so_that_others_may_have_it():
    async def use():
        async with port_of(Echo()) as address:
            async with clients(address, 1):
                pass
            from drivers.links.serial import SerialLink

            plain = SerialLink(address.port, RealClock())
            await plain.open()
            await plain.close()

    asyncio.run(use())


def test_a_port_that_somebody_else_has_is_not_opened():
    async def use():
        from drivers.links.serial import SerialLink

        async with port_of(Echo()) as address:
            plain = SerialLink(address.port, RealClock())
            await plain.open()
            link = SharedLink(address, RealClock())
            with pytest.raises(NotConnected, match="in use by another controller"):
                await link.open()
            await plain.close()
            await link.open()
            assert await ask(link, "mine") == "re:mine"
            await link.close()
            await gone(address)

    asyncio.run(use())


def test_a_client_that_is_cancelled_leaves_the_line_in_step_and_what_had_not_begun_is_not_sent():
    async def use():
        device = Echo(0.1)
        async with port_of(device) as address, clients(address) as (one, two):
            under_way = asyncio.create_task(ask(one, "under way"))
            await asyncio.sleep(0.03)
            waiting = asyncio.create_task(ask(one, "never"))
            await asyncio.sleep(0.03)
            for task in (under_way, waiting):
                task.cancel()
            await asyncio.gather(under_way, waiting, return_exceptions=True)
            assert await ask(two, "after") == "re:after"
        assert device.asked == ["under way", "after"]

    asyncio.run(use())


def test_a_killed_process_fails_what_is_in_flight_and_a_new_one_takes_its_place():
    async def use():
        async with port_of(Echo()) as address, clients(address) as (one, two):
            in_flight = asyncio.create_task(ask(one, "silent", timeout_s=5.0, effect=Effect.VERIFIABLE))
            await asyncio.sleep(0.1)
            os.kill(pid_of(address), signal.SIGKILL)
            with pytest.raises(Ambiguous, match="its process ended"):
                await in_flight
            async with asyncio.timeout(5):
                while one.is_open or two.is_open:  # each hears of it by itself
                    await asyncio.sleep(0.01)
            await asyncio.gather(one.open(), two.open())
            assert await ask(two, "new") == "re:new"

    asyncio.run(use())


def test_a_process_that_hangs_does_not_hold_its_client_for_ever(monkeypatch):
    monkeypatch.setattr(shared, "PATIENCE_S", 0.2)

    async def use():
        async with port_of(Echo()) as address, clients(address, 1) as (link,):
            pid = pid_of(address)
            os.kill(pid, signal.SIGSTOP)
            try:
                with pytest.raises(Ambiguous, match="did not answer within"):
                    await ask(link, "x", timeout_s=0.1, late_max_s=0.0, effect=Effect.IDEMPOTENT)
                assert not link.is_open
            finally:
                os.kill(pid, signal.SIGCONT)

    asyncio.run(use())


@dataclass(frozen=True)
class Foreign:
    def take(self, buffer):
        return bytes(buffer), len(buffer)

    def wrap(self, message):
        return message


def test_a_framing_of_somebody_elses_is_refused_before_anything_is_sent():
    async def use():
        device = Echo()
        async with port_of(device) as address, clients(address, 1) as (link,):
            with pytest.raises(Rejected, match="open the port without 'shared:'"):
                await link.exchange(b"x\n", framing=Foreign(), timeout_s=1.0, effect=Effect.READ)
        assert device.asked == []

    asyncio.run(use())


@pytest.mark.parametrize("framing", [LINE, Line(b"\r\n", 80), RtuFrame(), MbapFrame()], ids=repr)
def test_a_framing_survives_the_way(framing):
    assert shared_wire.framing_of(shared_wire.framing_row(framing)) == framing


@pytest.mark.parametrize("module", ["os", "drivers.links.url", "simulators.instruments.http"])
def test_only_framings_of_drivers_are_found_by_name(module):
    with pytest.raises(Rejected, match="there is no framing"):
        shared_wire.framing_of({"module": module, "name": "SimAddress", "fields": {}})


def test_all_units_of_a_modbus_line_are_one_port_and_settings_tell_ports_apart():
    line = SerialAddress(path="/dev/ttyS0")
    name = shared_wire.port_name
    assert name(ModbusRtuAddress(line=line, unit=1)) == name(ModbusRtuAddress(line=line, unit=9))
    assert name(line) != name(SerialAddress(path="/dev/ttyS0", baud=1200))


@pytest.mark.parametrize("url", ["sim:furnace", "nonsense", "ca://LAB:"])
def test_the_process_says_what_it_cannot_own(url, capsys):
    assert main([url]) == 2
    assert url in capsys.readouterr().err


def test_an_address_reads_back():
    assert parse_url("shared:modbus+rtu:///dev/ttyS0?unit=3") == SharedAddress(
        port=ModbusRtuAddress(line=SerialAddress(path="/dev/ttyS0"), unit=3)
    )
