"""What only a socket has: connections that come and go, greetings, and peers that hang up."""

import asyncio
import socket

import pytest

from drivers.clock import RealClock, VirtualClock, VirtualLoop, VirtualTimeError, run_virtual
from drivers.command import Effect
from drivers.errors import Ambiguous, NotConnected, Unreadable
from drivers.links.framing import Line, SealedLine
from drivers.links.tap import Direction, Tap
from drivers.links.tcp import TcpLink
from drivers.links.url import TcpAddress

pytestmark = pytest.mark.usefixtures("nothing_left")

LATE_MAX_S = 0.2
EFFECTS = pytest.mark.parametrize(
    ("effect", "error"),
    [
        (Effect.READ, Unreadable),
        (Effect.IDEMPOTENT, Ambiguous),
        (Effect.VERIFIABLE, Ambiguous),
        (Effect.OPERATOR, Ambiguous),
    ],
    ids=str,
)


class Server:
    """A server that does with each connection what `serve` says; `n` counts connections from 1."""

    def __init__(self, serve):
        self._serve = serve
        self.n = 0
        self.asked = []
        self.connected = 0
        self.most_connected = 0
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accepted(self, reader, writer):
        self.n += 1
        self.connected += 1
        self.most_connected = max(self.connected, self.most_connected)
        self._tasks.add(asyncio.current_task())
        try:
            await self._serve(self, self.n, reader, writer)
            await reader.read()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.connected -= 1
            writer.close()

    async def lines(self, reader):
        while line := (await reader.readline()).strip():
            self.asked.append(line)
            yield line

    def link(self, **options):
        clock = RealClock()
        return TcpLink(TcpAddress(host="127.0.0.1", port=self.port), clock, tap=Tap(clock), **options)


async def echo(server, n, reader, writer):
    async for line in server.lines(reader):
        writer.write(b"<" + line + b">\n")


def with_server(serve, use):
    async def main():
        async with Server(serve) as server:
            await use(server)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others

    asyncio.run(main())


def ask(link, text, *, effect=Effect.READ, timeout_s=2.0, late_max_s=LATE_MAX_S, urgent=False):
    return link.exchange(
        text.encode() + b"\n", framing=Line(), timeout_s=timeout_s, effect=effect, late_max_s=late_max_s, urgent=urgent
    )


def test_one_connection_serves_all_questions():
    async def use(server):
        link = server.link()
        await link.open()
        for text in ("a", "b", "c"):
            assert await ask(link, text) == f"<{text}>".encode()
        assert server.n == 1
        await link.close()

    with_server(echo, use)


@EFFECTS
def test_a_peer_that_hangs_up_before_it_answers(effect, error):
    async def serve(server, n, reader, writer):
        async for _ in server.lines(reader):
            writer.write(b"hal")
            writer.close()
            return

    async def use(server):
        link = server.link()
        await link.open()
        with pytest.raises(error, match="the connection was lost") as caught:
            await ask(link, "a", effect=effect)
        assert "'hal'" in caught.value.wire
        assert not link.is_open
        with pytest.raises(NotConnected, match="hung up; call connect"):
            await ask(link, "b", effect=effect)
        assert server.asked == [b"a"]
        await link.close()

    with_server(serve, use)


def test_a_reply_that_came_whole_counts_although_the_peer_hung_up_behind_it():
    async def serve(server, n, reader, writer):
        async for line in server.lines(reader):
            writer.write(b"<" + line + b">\n")
            writer.close()
            return

    async def use(server):
        link = server.link()
        await link.open()
        assert await ask(link, "a", effect=Effect.OPERATOR) == b"<a>"
        await asyncio.sleep(0.05)
        with pytest.raises(NotConnected):
            await ask(link, "b", effect=Effect.OPERATOR)
        await link.open()
        assert await ask(link, "c") == b"<c>"
        assert server.asked == [b"a", b"c"]
        await link.close()

    with_server(serve, use)


@EFFECTS
def test_a_peer_that_hung_up_unnoticed_gives_no_stale_answer(effect, error):
    """The first write into a connection that the peer has closed seems to succeed."""

    async def serve(server, n, reader, writer):
        async for line in server.lines(reader):
            writer.write(b"<" + line + b">\n")
            if n == 1:
                writer.transport.abort()
                return

    async def use(server):
        link = server.link()
        await link.open()
        assert await ask(link, "a") == b"<a>"
        with pytest.raises((error, NotConnected)):  # by how soon the kernel tells
            await ask(link, "b", effect=effect)
        assert b"b" not in server.asked
        await link.open()
        assert await ask(link, "c") == b"<c>"
        await link.close()

    with_server(serve, use)


def test_a_late_reply_dies_with_its_connection():
    """Later than was declared: only a new connection keeps it out."""

    async def serve(server, n, reader, writer):
        async for line in server.lines(reader):
            if line == b"slow":
                asyncio.get_running_loop().call_later(0.4, writer.write, b"<slow>\n")
            elif line == b"then":
                asyncio.get_running_loop().call_later(0.5, writer.write, b"<then>\n")
            else:
                writer.write(b"<" + line + b">\n")

    async def use(server):
        link = server.link()
        await link.open()
        with pytest.raises(Unreadable, match="no reply within 0.1 s"):
            await ask(link, "slow", timeout_s=0.1, late_max_s=0.1)
        assert await ask(link, "then") == b"<then>"  # <slow> came to the old connection while this one waited
        assert server.n == 2
        await link.close()

    with_server(serve, use)


@pytest.mark.parametrize("is_reopened", [False, True], ids=["same", "reopened"])
def test_a_late_reply_that_a_terminal_server_hands_to_the_newest_connection(is_reopened):
    newest = []

    async def serve(server, n, reader, writer):
        newest.append(writer)
        async for line in server.lines(reader):
            if line == b"slow":
                asyncio.get_running_loop().call_later(0.2, lambda: newest[-1].write(b"<slow>\n"))
            elif line == b"next":
                asyncio.get_running_loop().call_later(0.2, writer.write, b"<next>\n")

    async def use(server):
        link = server.link()
        await link.open()
        with pytest.raises(Unreadable):
            await ask(link, "slow", timeout_s=0.1, late_max_s=0.4)
        if is_reopened:
            await link.close()
            await link.open()
        assert await ask(link, "next") == b"<next>"
        discarded = [one.data for one in link.tap if one.direction is Direction.DISCARDED]
        assert discarded == [b"<slow>\n"]
        await link.close()

    with_server(serve, use)


def test_a_device_that_takes_one_connection_is_never_asked_for_two():
    async def use(server):
        link = server.link()
        await link.open()
        for _ in range(5):
            assert await ask(link, "a") == b"<a>"
            link.distrust("no", effect=Effect.READ)
            link._quiet_at_s = 0.0  # at once
        await link.close()
        await asyncio.sleep(0.02)
        assert server.n == 5
        assert server.connected == 0
        assert server.most_connected <= 2  # what the server's loop has not seen end yet

    with_server(echo, use)


def test_the_old_socket_is_closed_before_a_new_one_is_made():
    async def use(server):
        link = server.link()
        await link.open()
        old = link._ear._transport.get_extra_info("socket")
        seen = []
        loop = asyncio.get_running_loop()
        connect = loop.create_connection

        async def watched(*args, **kwargs):
            seen.append(old.fileno())
            return await connect(*args, **kwargs)

        loop.create_connection = watched
        link.distrust("no", effect=Effect.READ)
        assert await ask(link, "a") == b"<a>"
        assert seen == [-1]
        await link.close()

    with_server(echo, use)


def test_a_device_that_does_not_come_back_is_not_connected():
    async def use(server):
        link = server.link()
        await link.open()
        link.distrust("no", effect=Effect.READ)
        server._server.close()
        with pytest.raises(NotConnected, match="cannot be reached"):
            await ask(link, "a", effect=Effect.OPERATOR)
        assert not link.is_open
        await link.close()

    with_server(echo, use)


def test_a_port_where_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    link = TcpLink(TcpAddress(host="127.0.0.1", port=port), RealClock())
    with pytest.raises(NotConnected, match=r"cannot be reached \(.*refused.*\); is it on"):
        asyncio.run(link.open())
    assert not link.is_open


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b"])
def test_a_host_that_there_is_not(host):
    with pytest.raises(NotConnected, match="cannot be reached"):
        asyncio.run(TcpLink(TcpAddress(host=host, port=702), RealClock()).open())


def test_a_port_that_takes_no_connection(monkeypatch):
    monkeypatch.setattr("drivers.links.tcp.CONNECT_S", 0.1)
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)  # full with one that nobody accepts
        for other in (first, second):
            other.setblocking(False)
            other.connect_ex(listener.getsockname())
        link = TcpLink(TcpAddress(host="127.0.0.1", port=listener.getsockname()[1]), RealClock())
        with pytest.raises(NotConnected, match="does not take a connection within 0.1 s"):
            asyncio.run(link.open())


def test_a_silent_port():
    async def use(server):
        link = server.link()
        await link.open()
        with pytest.raises(Ambiguous, match="no reply within 0.1 s"):
            await ask(link, "a", effect=Effect.OPERATOR, timeout_s=0.1)
        await link.close()

    async def silent(server, n, reader, writer):
        await reader.read()

    with_server(silent, use)


def test_a_device_that_greets():
    async def serve(server, n, reader, writer):
        writer.write(b"Connected: ")
        await asyncio.sleep(0.02)
        writer.write(b"Dashboard\n")
        await echo(server, n, reader, writer)

    async def use(server):
        link = server.link()
        link.greeting = Line()
        await link.open()
        assert await ask(link, "a") == b"<a>"
        link.distrust("no", effect=Effect.READ)
        assert await ask(link, "b") == b"<b>"
        assert server.n == 2
        received = [one.data for one in link.tap if one.direction is Direction.RECEIVED]
        assert received == [b"Connected: ", b"Dashboard\n", b"<a>\n", b"Connected: ", b"Dashboard\n", b"<b>\n"]
        await link.close()

    with_server(serve, use)


def test_a_device_that_should_greet_and_does_not(monkeypatch):
    monkeypatch.setattr("drivers.links.tcp.CONNECT_S", 0.1)

    async def use(server):
        link = server.link()
        link.greeting = Line()
        with pytest.raises(NotConnected, match="says no hello within 0.1 s; is this the right device"):
            await link.open()
        assert not link.is_open
        await asyncio.sleep(0.02)
        assert server.connected == 0

    with_server(echo, use)


@pytest.mark.parametrize(
    ("said", "match"),
    [(b"hello\r\n", "the checksum of a line is wrong"), (b"*00\r\n*00\r\n", "more than one reply")],
    ids=["another", "two"],
)
def test_a_device_that_greets_in_another_way(said, match):
    async def serve(server, n, reader, writer):
        writer.write(said)

    async def use(server):
        link = server.link()
        link.greeting = SealedLine()
        with pytest.raises(NotConnected, match=f"does not begin as it should: .*{match}"):
            await link.open()

    with_server(serve, use)


def test_a_device_that_hangs_up_instead_of_greeting():
    async def serve(server, n, reader, writer):
        writer.transport.abort()

    async def use(server):
        link = server.link()
        link.greeting = Line()
        with pytest.raises(NotConnected, match="it hung up"):
            await link.open()

    with_server(serve, use)


def test_two_links_on_one_machine_cannot_hold_one_port():
    async def use(server):
        link, other = server.link(), server.link()
        await link.open()
        with pytest.raises(NotConnected, match="in use by another controller"):
            await other.open()
        assert await ask(link, "mine") == b"<mine>"
        assert server.n == 1  # the other did not even knock
        await link.close()
        await other.open()
        assert await ask(other, "mine now") == b"<mine now>"
        await other.close()

    with_server(echo, use)


def test_another_name_of_a_host_is_the_same_host():
    async def use(server):
        link = server.link()
        alias = TcpLink(TcpAddress(host="localhost", port=server.port), RealClock())
        await link.open()
        with pytest.raises(NotConnected, match="in use by another controller"):
            await alias.open()
        await link.close()
        await alias.open()
        assert await ask(alias, "a") == b"<a>"
        await alias.close()

    with_server(echo, use)


def test_parts_of_a_port_are_held_one_by_one():
    async def use(server):
        first, second, again = (server.link(part=part) for part in ("/1", "/2", "/1"))
        await first.open()
        await second.open()
        with pytest.raises(NotConnected, match="in use"):
            await again.open()
        await first.close()
        await second.close()

    with_server(echo, use)


def test_a_failed_open_gives_the_lease_back():
    async def use(server):
        link, other = server.link(), server.link()
        link.greeting = SealedLine()
        with pytest.raises(NotConnected):
            await link.open()
        await other.open()
        await other.close()

    async def serve(server, n, reader, writer):
        writer.write(b"hello\r\n")
        await echo(server, n, reader, writer)

    with_server(serve, use)


def test_a_stop_on_a_distrusted_connection_leaves_at_once_and_again_when_in_step():
    async def use(server):
        link = server.link()
        await link.open()
        link.distrust("no", effect=Effect.READ)
        began_s = asyncio.get_running_loop().time()
        stop = asyncio.ensure_future(ask(link, "STOP", effect=Effect.IDEMPOTENT, urgent=True))
        while not server.asked:
            await asyncio.sleep(0.002)
        assert asyncio.get_running_loop().time() - began_s < 0.1
        assert await stop == b"<STOP>"
        assert server.asked == [b"STOP", b"STOP"]
        assert server.n == 2
        await link.close()

    with_server(echo, use)


def test_the_event_loop_never_waits_for_the_socket(stalls):
    async def silent(server, n, reader, writer):
        await reader.read()

    async def use(server):
        worst = []
        for _ in range(3):  # a busy machine may stall once
            stalls.worst_s = 0.0
            link = server.link()
            async with stalls.watched():
                await link.open()
                with pytest.raises(Unreadable):
                    await ask(link, "a", timeout_s=0.15)
                await link.close()
            worst.append(stalls.worst_s)
        assert min(worst) < 0.05

    with_server(silent, use)


def test_a_socket_is_refused_in_virtual_time():
    loop = VirtualLoop()

    async def main():
        with pytest.raises(VirtualTimeError, match="sockets"):
            await TcpLink(TcpAddress(host="127.0.0.1", port=9), VirtualClock(loop)).open()

    run_virtual(main(), loop=loop)


async def one_line(server, n, reader, writer):
    """Serve one request for each connection, as HTTP devices do."""
    async for line in server.lines(reader):
        writer.write(b"<" + line + b">\n")
        writer.close()
        return


def test_a_fresh_link_connects_for_each_question():
    async def use(server):
        link = server.link(fresh=True)
        await link.open()
        assert server.n == 1  # somebody listens
        assert await ask(link, "a") == b"<a>"
        assert await ask(link, "b") == b"<b>"
        assert server.n == 3
        assert link.is_open
        await asyncio.sleep(0.02)
        assert server.connected == 0
        await link.close()

    with_server(one_line, use)


@EFFECTS
def test_a_fresh_link_to_a_server_that_dies_before_its_reply(effect, error):
    async def serve(server, n, reader, writer):
        async for _ in server.lines(reader):
            if n == 2:
                writer.transport.abort()
                return
            writer.write(b"<ok>\n")
            writer.close()
            return

    async def use(server):
        link = server.link(fresh=True)
        await link.open()
        with pytest.raises(error, match="the connection was lost"):
            await ask(link, "a", effect=effect)
        assert link.is_open
        assert await ask(link, "b", effect=effect) == b"<ok>"
        await link.close()

    with_server(serve, use)


def test_a_fresh_link_to_a_server_that_is_gone_sends_nothing():
    async def use(server):
        link = server.link(fresh=True)
        await link.open()
        assert await ask(link, "a") == b"<a>"
        server._server.close()
        with pytest.raises(NotConnected, match="cannot be reached"):
            await ask(link, "b", effect=Effect.OPERATOR)
        assert server.asked == [b"a"]
        await link.close()

    with_server(one_line, use)


def test_a_late_reply_to_a_fresh_link_is_lost_and_nobody_waits_for_it():
    async def serve(server, n, reader, writer):
        async for line in server.lines(reader):
            if line == b"slow":
                await asyncio.sleep(0.2)
            writer.write(b"<" + line + b">\n")

    async def use(server):
        link = server.link(fresh=True)
        await link.open()
        with pytest.raises(Unreadable):
            await ask(link, "slow", timeout_s=0.1, late_max_s=30.0)
        assert await ask(link, "next") == b"<next>"
        stop = ask(link, "STOP", effect=Effect.IDEMPOTENT, urgent=True)
        link.distrust("no", effect=Effect.READ)
        assert await stop == b"<STOP>"
        assert server.asked == [b"slow", b"next", b"STOP"]
        await link.close()

    with_server(serve, use)


def test_a_fresh_link_that_is_closed_while_it_connects_sends_nothing():
    async def use(server):
        link = server.link(fresh=True)
        await link.open()
        task = asyncio.ensure_future(ask(link, "a", effect=Effect.OPERATOR))
        for _ in range(3):  # into the middle of the connection
            await asyncio.sleep(0)
        await link.close()
        with pytest.raises(NotConnected):
            await task
        await asyncio.sleep(0.05)
        assert server.asked == []
        assert server.connected == 0

    with_server(one_line, use)


@pytest.mark.parametrize("n_steps", range(1, 12))
def test_whenever_a_link_is_closed_no_connection_is_left(n_steps):
    async def use(server):
        link = server.link()
        opening = asyncio.ensure_future(link.open())
        for _ in range(n_steps):
            await asyncio.sleep(0)
        await link.close()
        await asyncio.wait([opening])
        opening.exception()
        await asyncio.sleep(0.03)
        assert not link.is_open
        assert server.connected == 0
        other = server.link()
        await other.open()
        await other.close()

    with_server(echo, use)


@pytest.mark.parametrize("n_steps", range(12))
def test_whenever_opening_is_cancelled_the_link_can_be_closed(n_steps):
    async def use(server):
        link = server.link()
        opening = asyncio.ensure_future(link.open())
        for _ in range(n_steps):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        await link.close()
        await asyncio.sleep(0.03)
        assert server.connected == 0
        other = server.link()
        await other.open()
        await other.close()

    with_server(echo, use)
