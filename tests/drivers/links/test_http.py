"""HTTP against Python's own server and client as independent peers."""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect
from drivers.errors import Ambiguous, DeviceFault, NotConnected, Rejected, Unreadable
from drivers.links.framing import BadFrame
from drivers.links.http import HttpBus, HttpReply
from drivers.links.opening import memory_link, open_link
from drivers.links.tap import Direction
from simulators.instruments.http import HttpInstrument, Refused
from simulators.ports import TcpPort
from simulators.world import WorldFile

pytestmark = pytest.mark.usefixtures("nothing_left")

JSON = {"Content-Type": "application/json"}


class Service:
    """What Python's server serves: `answer` gets each request's handler, and does with it what it likes."""

    def __init__(self, answer):
        self.asked = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def _any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                service.asked.append((self.command, self.path, json.loads(body) if body else None))
                service.host = self.headers["Host"]
                answer(self)

            do_GET = do_PUT = do_POST = _any

            def log_message(self, *args): ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]


def reply(handler, body, *, status=200, length=None):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content) if length is None else length))
    handler.end_headers()
    handler.wfile.write(content)


@contextmanager
def serving(answer):
    service = Service(answer)
    thread = threading.Thread(target=service.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        service.server.shutdown()
        service.server.server_close()
        thread.join()


def with_service(answer, use):
    with serving(answer) as service:

        async def main():
            bus = open_link(f"http://127.0.0.1:{service.port}/api/", RealClock())
            assert isinstance(bus, HttpBus)
            await bus.open()
            try:
                await use(service, bus)
            finally:
                await bus.close()

        asyncio.run(main())


def test_reading_and_setting():
    async def use(service, bus):
        assert await bus.get("/door") == {"door": "open", "angle": 1.5}
        assert await bus.put("/door", {"door": "closed"}, effect=Effect.IDEMPOTENT) == {"door": "open", "angle": 1.5}
        assert await bus.post("/dose", {"mass_g": 0.25}, effect=Effect.OPERATOR)
        assert service.asked == [
            ("GET", "/api/door", None),
            ("PUT", "/api/door", {"door": "closed"}),
            ("POST", "/api/dose", {"mass_g": 0.25}),
        ]
        assert service.host == f"127.0.0.1:{service.port}"

    with_service(lambda handler: reply(handler, {"door": "open", "angle": 1.5}), use)


def test_a_long_answer_comes_whole_and_without_stalling_the_loop(stalls):
    numbers = list(range(400_000))

    async def use(service, bus):
        worst = []
        for _ in range(3):  # a busy machine may stall once
            stalls.worst_s = 0.0
            exchange = bus._link.exchange(
                bus._request("GET", "/spectrum", None), framing=HttpReply(), timeout_s=10.0, effect=Effect.READ
            )
            async with stalls.watched():
                answer = await exchange
            assert json.loads(answer.partition(b"\n")[2]) == {"counts": numbers}
            worst.append(stalls.worst_s)
        assert min(worst) < 0.05

    with_service(lambda handler: reply(handler, {"counts": numbers}), use)


def chunked(handler):
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for piece in (b'{"door": ', b'"open"}'):
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def cut_chunks(handler):
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'10\r\n{"door": "open"}\r\n')


def no_length(handler):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b'{"door": "open"}')


def test_an_answer_in_chunks():
    async def use(service, bus):
        assert await bus.get("/door") == {"door": "open"}

    with_service(chunked, use)


UNTRUSTED = {
    "cut body": (lambda handler: reply(handler, {"door": "open"}, length=100), "the connection was lost"),
    "cut chunks": (cut_chunks, "the connection was lost"),
    "no length": (no_length, "without a length"),
    "nothing": (lambda handler: None, "the connection was lost"),
    "not HTTP": (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "no HTTP response"),
    "more than one": (lambda handler: handler.wfile.write(2 * HttpReply().wrap(b"200\n{}")), "more than one reply"),
    "not JSON": (lambda handler: reply(handler, b"OK"), "is no JSON"),
    "half JSON": (lambda handler: reply(handler, b'{"door": "op'), "is no JSON"),
    "no UTF-8": (lambda handler: reply(handler, b'{"door": "\xff"}'), "is no JSON"),
    "NaN": (lambda handler: reply(handler, b'{"mass_g": NaN}'), "NaN is no number"),
    "infinity": (lambda handler: reply(handler, b'{"mass_g": -Infinity}'), "-Infinity is no number"),
    "too large": (lambda handler: reply(handler, b'{"mass_g": 1e999}'), "1e999 is no number"),
    "too deep": (lambda handler: reply(handler, b"[" * 100_000), "is no JSON"),
    "a list": (lambda handler: reply(handler, [1, 2]), "no JSON object"),
    "a number": (lambda handler: reply(handler, 3), "no JSON object"),
    "moved": (lambda handler: reply(handler, {}, status=301), "status 301"),
    "see other": (lambda handler: reply(handler, {}, status=303), "status 303"),
    "bad gateway": (lambda handler: reply(handler, {}, status=502), "status 502"),
    "gateway timeout": (lambda handler: reply(handler, {}, status=504), "status 504"),
}


@pytest.mark.parametrize(("answer", "match"), UNTRUSTED.values(), ids=UNTRUSTED)
def test_an_answer_that_cannot_be_trusted(answer, match):
    async def use(service, bus):
        with pytest.raises(Unreadable, match=match):
            await bus.get("/door")
        with pytest.raises(Ambiguous, match=match):
            await bus.get("/door", effect=Effect.VERIFIABLE)  # a poll within an acting command
        with pytest.raises(Ambiguous, match=match):
            await bus.put("/door", {"door": "closed"}, effect=Effect.IDEMPOTENT)
        with pytest.raises(Ambiguous, match=match):
            await bus.post("/dose", {}, effect=Effect.OPERATOR)
        assert len(service.asked) == 4  # each left once
        assert bus.is_open

    with_service(answer, use)


@pytest.mark.parametrize("status", [400, 404, 405, 409, 422, 423, 429, 503])
@pytest.mark.parametrize("page", [False, True], ids=["json", "page"])
def test_a_refusal_is_one_whatever_it_is_written_in(status, page):
    def answer(handler):
        if page:
            handler.send_error(status, "no such door")
        else:
            reply(handler, {"error": "no such door"}, status=status)

    async def use(service, bus):
        for question in (bus.get("/door"), bus.put("/door", {}, effect=Effect.OPERATOR)):
            with pytest.raises(Rejected, match=f"status {status}: .*") as caught:
                await question
            assert page or "no such door" in str(caught.value)

    with_service(answer, use)


@pytest.mark.parametrize("status", [500, 501, 507])
@pytest.mark.parametrize("page", [False, True], ids=["json", "page"])
def test_a_device_that_fails(status, page):
    def answer(handler):
        if page:
            handler.send_error(status)
        else:
            reply(handler, {"error": "stuck"}, status=status)

    async def use(service, bus):
        with pytest.raises(DeviceFault, match=f"GET /door with status {status}") as caught:
            await bus.get("/door")
        assert caught.value.code == str(status)

    with_service(answer, use)


def test_an_answer_without_content():
    def answer(handler):
        handler.send_response(204)
        handler.end_headers()

    async def use(service, bus):
        assert await bus.put("/door", {}, effect=Effect.IDEMPOTENT) == {}
        with pytest.raises(Unreadable, match="is no JSON"):
            await bus.get("/door")  # a reading needs something to read

    with_service(answer, use)


def test_a_reply_that_is_lost_leaves_open_whether_it_was_done():
    def answer(handler):
        if handler.command == "GET":
            reply(handler, {"door": "closed"})
        else:
            handler.connection.close()

    async def use(service, bus):
        with pytest.raises(Ambiguous, match="the request may have been carried out"):
            await bus.put("/door", {"door": "closed"}, effect=Effect.VERIFIABLE)
        assert await bus.get("/door") == {"door": "closed"}
        assert [method for method, *_ in service.asked] == ["PUT", "GET"]

    with_service(answer, use)


def test_a_reply_that_is_late_is_nobodys():
    is_next = threading.Event()

    def answer(handler):
        if handler.path == "/api/slow":
            is_next.wait(5.0)
        is_next.set()
        reply(handler, {"path": handler.path})

    async def use(service, bus):
        with pytest.raises(Unreadable, match="no reply within 0.1 s"):
            await bus.get("/slow", timeout_s=0.1)
        assert await bus.get("/next") == {"path": "/api/next"}

    with_service(answer, use)


def test_a_server_that_is_gone():
    async def main():
        with serving(lambda handler: reply(handler, {})) as service:
            bus = open_link(f"http://127.0.0.1:{service.port}", RealClock())
            await bus.open()
        with pytest.raises(NotConnected, match="cannot be reached"):
            await bus.put("/door", {}, effect=Effect.OPERATOR)
        await bus.close()
        with pytest.raises(NotConnected, match="cannot be reached"):
            await bus.open()

    asyncio.run(main())


@pytest.mark.parametrize(
    "ask",
    [
        lambda bus: bus.put("/dose", {"mass_g": float("nan")}, effect=Effect.OPERATOR),
        lambda bus: bus.post("/dose", {"mass_g": object()}, effect=Effect.OPERATOR),
        lambda bus: bus.get("/door\r\nX-Evil: 1"),
        lambda bus: bus.get("/door 1"),
        lambda bus: bus.get("/t\u00fcr"),
    ],
    ids=["nan", "object", "line break", "space", "letter"],
)
def test_what_cannot_be_asked_is_refused_before_the_wire(ask):
    async def use(service, bus):
        with pytest.raises(Rejected, match="cannot be sent .*nothing was sent"):
            await ask(bus)
        assert service.asked == []

    with_service(lambda handler: reply(handler, {}), use)


@given(status=st.sampled_from([200, 404, 423, 500]), body=st.binary(max_size=80), end=st.integers(0, 10_000))
def test_a_cut_response_is_never_a_value(status, body, end):
    framing = HttpReply()
    message = b"%d\n%b" % (status, body)
    whole = framing.wrap(message)
    assert framing.take(whole) == (message, len(whole))
    assert framing.take(whole + b"HTTP/1.1") == (message, len(whole))
    assert framing.take(whole[: end % len(whole)]) is None


@given(
    data=st.one_of(
        st.binary(max_size=200),
        st.builds(
            b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b".__mod__, st.tuples(st.binary(max_size=60), st.binary(max_size=40))
        ),
        st.builds(
            b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n%b".__mod__,
            st.tuples(st.text("0123456789-+ ,", max_size=15).map(str.encode), st.binary(max_size=40)),
        ),
    )
)
def test_garbage_is_a_message_an_error_or_unfinished_but_never_a_crash(data):
    try:
        taken = HttpReply().take(data)
    except BadFrame:
        return
    assert taken is None or 0 < taken[1] <= len(data)


@pytest.mark.parametrize("length", [b"99999999999", b"9" * 30, b"-1", b"2, 3", b"two"])
def test_a_length_that_cannot_be_is_not_waited_for_for_ever(length):
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n{}" % length
    try:
        assert HttpReply().take(data) is None
    except BadFrame:
        return
    with pytest.raises(BadFrame, match="more than"):
        HttpReply().take(data + bytes(1 << 24))


def test_an_interim_response_is_not_the_response():
    final = HttpReply().wrap(b'200\n{"a": 1}')
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert HttpReply().take(interim) is None
    assert HttpReply().take(interim + final) == (b'200\n{"a": 1}', len(interim + final))


class Door(HttpInstrument):
    """A door at /door."""

    def __init__(self):
        super().__init__(state=WorldFile(":memory:"), clock=RealClock())
        self.is_open = False

    def carry_out(self, method, path, body):
        if path != "/door":
            raise Refused(404, f"no {path}")
        if method == "PUT":
            self.is_open = body["is_open"]
        return {"is_open": self.is_open}


def fetch(url, *, method="GET", content=None):
    request = urllib.request.Request(url, data=content, method=method, headers=JSON)
    try:
        with urllib.request.urlopen(request, timeout=5.0) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_urllib_gets_right_answers_from_a_simulated_device():
    async def main():
        door = Door()
        port = await TcpPort.open(door)
        url = f"http://{port.host}:{port.port}/door"
        try:
            assert await asyncio.to_thread(fetch, url) == (200, {"is_open": False})
            put = {"method": "PUT", "content": b'{"is_open": true}'}
            assert await asyncio.to_thread(fetch, url, **put) == (200, {"is_open": True})
            assert door.is_open
            assert await asyncio.to_thread(fetch, url + "s") == (404, {"error": "no /doors"})
            bad = {"method": "PUT", "content": b'{"is_open": '}
            assert await asyncio.to_thread(fetch, url, **bad) == (400, {"error": "the body is no JSON"})
            listed = {"method": "PUT", "content": b"[]"}
            assert await asyncio.to_thread(fetch, url, **listed) == (400, {"error": "the body is no object"})
        finally:
            await port.close()

    asyncio.run(main())


def test_the_same_device_in_memory_and_on_a_port():
    async def use(bus):
        assert await bus.get("/door") == {"is_open": False}
        assert await bus.put("/door", {"is_open": True}, effect=Effect.IDEMPOTENT) == {"is_open": True}
        with pytest.raises(Rejected, match="no /window"):
            await bus.get("/window")

    async def really():
        port = await TcpPort.open(Door())
        bus = open_link(f"http://{port.host}:{port.port}", RealClock())
        await bus.open()
        await use(bus)
        sent = [one.data for one in bus.tap if one.direction is Direction.SENT]
        assert sent[0].startswith(b"GET /door HTTP/1.1\r\n")
        await bus.close()
        await port.close()

    async def virtually():
        bus = memory_link(Door(), VirtualClock(loop), name="sim:door")
        await bus.open()
        await use(bus)
        await bus.close()

    asyncio.run(really())
    loop = VirtualLoop()
    run_virtual(virtually(), loop=loop)
