"""A serial port of a terminal server, played by pyserial's own server part with a device on a pseudo-terminal."""

import asyncio
import socket
import threading
import time

import pytest

from drivers.clock import RealClock
from drivers.command import Effect
from drivers.errors import Ambiguous, NotConnected, Unreadable
from drivers.links.framing import Line, Packet
from drivers.links.serial import SerialLink
from drivers.links.tap import Tap
from drivers.links.tcp import TcpLink
from drivers.links.url import Rfc2217Address, SerialAddress, TcpAddress
from simulators.ports import PtyPort

pytestmark = [
    # pyserial names its threads in a way that Python has since deprecated
    pytest.mark.filterwarnings("ignore:set(Daemon|Name)\\(\\) is deprecated:DeprecationWarning"),
    pytest.mark.usefixtures("nothing_left"),
]

LINE = SerialAddress(baud=19_200, parity="E", data_bits=7, stop_bits=2)


def ask(link, text, *, effect=Effect.READ, timeout_s=2.0, late_max_s=0.1, **more):
    more.setdefault("framing", Line())
    return link.exchange(text.encode() + b"\n", timeout_s=timeout_s, effect=effect, late_max_s=late_max_s, **more)


def echo(line):
    return [(0.0, b"<" + line + b">\n")]


@pytest.fixture
def behind(terminal_server_kind):
    """Run a coroutine function with a link to a device behind a terminal server, and the server."""

    def run(device, use, line=LINE):
        async def main():
            port = PtyPort(device, asyncio.get_running_loop())
            server = await asyncio.to_thread(terminal_server_kind, port.path)
            clock = RealClock()
            link = SerialLink(Rfc2217Address(host="127.0.0.1", port=server.port, line=line), clock, tap=Tap(clock))
            try:
                await use(server, link)
            finally:
                await link.close()
                await asyncio.to_thread(server.stop)
                port.close()

        asyncio.run(main())

    return run


def test_questions_and_answers_with_the_settings_of_the_url(behind, device_kind):
    device = device_kind(lambda line: [(0.01 * n, bytes([byte])) for n, byte in enumerate(b"<" + line + b">\n")])

    async def use(server, link):
        await link.open()
        for text in ("a", "bb", "ccc"):
            assert await ask(link, text) == f"<{text}>".encode()
        assert set(server.settings) == {(19_200, 7, "E", 2)}

    behind(device, use)


def test_every_byte_passes(behind, device_kind):
    """255 is telnet's escape."""
    body = bytes(range(256)) * 2

    async def use(server, link):
        await link.open()
        assert await ask(link, "READ?", framing=Packet()) == body

    behind(device_kind(lambda line: [(0.0, Packet().wrap(body))]), use, SerialAddress())


@pytest.mark.parametrize(("effect", "error"), [(Effect.READ, Unreadable), (Effect.OPERATOR, Ambiguous)], ids=str)
def test_a_connection_that_is_lost_during_an_exchange(behind, device_kind, effect, error):
    device = device_kind(lambda line: [])

    async def use(server, link):
        await link.open()
        task = asyncio.ensure_future(ask(link, "a", effect=effect, timeout_s=20.0))
        while not device.asked:
            await asyncio.sleep(0.005)
        began_s = time.monotonic()
        await asyncio.to_thread(server.drop)
        with pytest.raises(error, match="the port was lost"):
            await task
        assert time.monotonic() - began_s < 5.0  # long before the deadline
        assert not link.is_open
        with pytest.raises(NotConnected, match="call connect"):
            await ask(link, "b")
        assert device.asked == [b"a"]

    behind(device, use)


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "untold"])
def test_a_connection_that_was_lost_between_exchanges(behind, device_kind, is_told):
    """pyserial leaves one word of it where bytes wait to be read; a drain may have read that."""
    device = device_kind(echo)

    async def use(server, link):
        await link.open()
        assert await ask(link, "a") == b"<a>"
        await asyncio.to_thread(server.drop)
        reader = link._port._thread
        await asyncio.to_thread(reader.join)
        if not is_told:
            assert link._port._read_buffer.get_nowait() is None
        with pytest.raises(NotConnected, match="is gone .*; connect again"):
            await ask(link, "b", effect=Effect.OPERATOR)
        assert not link.is_open
        await link.open()
        assert await ask(link, "c") == b"<c>"
        assert device.asked == [b"a", b"c"]

    behind(device, use)


def test_a_late_reply_is_not_the_answer_to_the_next_question(behind, device_kind):
    answers = iter([[(0.3, b"<late>\n")]])

    async def use(server, link):
        await link.open()
        with pytest.raises(Unreadable, match="no reply within 0.1 s"):
            await ask(link, "a", timeout_s=0.1, late_max_s=0.5)
        assert await ask(link, "b") == b"<b>"

    behind(device_kind(lambda line: next(answers, echo(line))), use)


def test_connecting_takes_long_and_never_on_the_event_loop(behind, device_kind, stalls):
    async def use(server, link):
        worst = []
        for _ in range(2):  # a busy machine may stall once
            stalls.worst_s = 0.0
            async with stalls.watched():
                began_s = time.monotonic()
                await link.open()
                took_s = time.monotonic() - began_s
                await link.close()
            assert took_s > 0.1  # pyserial sleeps between the steps of the negotiation
            worst.append(stalls.worst_s)
        assert min(worst) < 0.05

    behind(device_kind(echo), use)


def test_a_terminal_server_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    link = SerialLink(Rfc2217Address(host="127.0.0.1", port=port, line=LINE), RealClock())
    with pytest.raises(NotConnected, match=rf"127.0.0.1:{port} cannot be opened .*refused.*does it speak RFC 2217"):
        asyncio.run(link.open())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_port_that_does_not_speak_rfc2217(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_say, args=(listener, b"SSH-2.0-OpenSSH_9.6\r\n"), daemon=True).start()
        link = SerialLink(Rfc2217Address(host="127.0.0.1", port=listener.getsockname()[1], line=LINE), RealClock())
        with pytest.raises(NotConnected, match="cannot be opened .*does it speak RFC 2217"):
            asyncio.run(link.open())


def _say(listener, text):
    with listener.accept()[0] as client:
        client.sendall(text)
        while client.recv(1024):
            pass


def test_a_port_of_a_terminal_server_is_held_like_any_other(behind, device_kind):
    async def use(server, link):
        await link.open()
        other = SerialLink(Rfc2217Address(host="localhost", port=server.port, line=LINE), RealClock())
        raw = TcpLink(TcpAddress(host="127.0.0.1", port=server.port), RealClock())
        for taken in (other, raw):
            with pytest.raises(NotConnected, match="in use by another controller"):
                await taken.open()
        assert await ask(link, "a") == b"<a>"

    behind(device_kind(echo), use)


def test_closing_ends_an_exchange_in_flight(behind, device_kind):
    device = device_kind(lambda line: [])

    async def use(server, link):
        await link.open()
        task = asyncio.ensure_future(ask(link, "a", effect=Effect.OPERATOR, timeout_s=20.0))
        while not device.asked:
            await asyncio.sleep(0.005)
        await link.close()
        with pytest.raises(Ambiguous, match="the link was closed"):
            await task

    behind(device, use)
