"""Messages through Apprise to a real mail server and a real web server on this machine."""

import asyncio
import json
import logging
import socket
import threading
import time
from contextlib import contextmanager
from email import message_from_bytes
from email.header import decode_header, make_header
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from aiosmtpd.controller import Controller

from orchestrator.errors import InputError
from orchestrator.people.notices import Message
from orchestrator.people.sending import AppriseSender, SendFailed, try_channels
from orchestrator.people.settings import People

MESSAGE = Message(
    subject="labpilot oxides: 2 messages", body="a sample is lost\n\nµ-furnace", topics=("i",), n=2, upto=9
)


def people(**urls):
    return People.model_validate(
        {"channels": {name: {"url": url, "told_of": ["question"]} for name, url in urls.items()}}
    )


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Letters:
    """Keeps what a mail server gets."""

    def __init__(self):
        self.received = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the server's name for it
        self.received.append(message_from_bytes(envelope.content))
        return "250 OK"


@contextmanager
def mail_server(port):
    letters = Letters()
    server = Controller(letters, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield letters.received
    finally:
        server.stop()


@contextmanager
def web_server(port, *, status=200, pause_s=0.0):
    received = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802 - the server's name for it
            received.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            time.sleep(pause_s)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", port), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()


def send(sender, channel="ada"):
    asyncio.run(sender.send(channel, MESSAGE))


def text_of(letter):
    part = next(part for part in letter.walk() if part.get_content_type() == "text/plain")
    return part.get_payload(decode=True).decode()


def test_a_letter_arrives_whole():
    port = free_port()
    sender = AppriseSender(people(ada=f"mailto://127.0.0.1:{port}?from=lab@example.org&to=ada@example.org"), {})
    with mail_server(port) as received:
        send(sender)
    (letter,) = received
    assert str(make_header(decode_header(letter["Subject"]))) == "labpilot oxides: 2 messages"
    assert letter["To"] == "ada@example.org"
    assert "a sample is lost" in text_of(letter)
    assert "µ-furnace" in text_of(letter)


def test_a_web_hook_gets_its_secret_path():
    port = free_port()
    sender = AppriseSender(people(ada=f"json://127.0.0.1:{port}/$HOOK"), {"HOOK": "s3cret/x"})
    with web_server(port) as received:
        send(sender)
    (path, body) = received[0]
    assert path.rstrip("/") in ("/s3cret/x", "/s3cret%2Fx")
    assert body["title"] == MESSAGE.subject
    assert body["message"] == MESSAGE.body


@pytest.mark.parametrize("scheme", ["mailto", "json"])
def test_a_server_that_is_down_fails_and_one_that_is_up_again_is_reached(scheme):
    port = free_port()
    tail = "?from=lab@example.org&to=ada@example.org" if scheme == "mailto" else "/hook"
    sender = AppriseSender(people(ada=f"{scheme}://127.0.0.1:{port}{tail}"), {})
    with pytest.raises(SendFailed):
        send(sender)
    with (mail_server if scheme == "mailto" else web_server)(port) as received:
        send(sender)
    assert len(received) == 1


def test_no_secret_is_in_an_error_or_a_log(caplog):
    caplog.set_level(logging.DEBUG)
    port = free_port()
    sender = AppriseSender(
        people(ada=f"json://user:$PASSWORD@127.0.0.1:{port}/$HOOK"), {"PASSWORD": "pa:ss", "HOOK": "h00k"}
    )
    with pytest.raises(SendFailed) as down:
        send(sender)
    with web_server(port, status=500), pytest.raises(SendFailed) as broken:
        send(sender)
    for text in (str(down.value), str(broken.value), caplog.text, repr(vars(sender)["_secrets"])):
        assert "pa:ss" not in text and "pa%3Ass" not in text and "h00k" not in text
    assert "500" in str(broken.value)


def test_a_channel_that_hangs_costs_its_deadline_and_no_more_threads():
    port = free_port()
    sender = AppriseSender(people(ada=f"json://127.0.0.1:{port}/"), {}, deadline_s=0.2)
    with web_server(port, pause_s=1.0):
        began = time.monotonic()
        with pytest.raises(SendFailed, match=r"not sent within 0\.2 s"):
            send(sender)
        assert time.monotonic() - began < 0.9
        with pytest.raises(SendFailed, match="still on its way"):
            send(sender)


def test_the_loop_goes_on_while_a_message_is_sent():
    port = free_port()
    sender = AppriseSender(people(ada=f"json://127.0.0.1:{port}/"), {})

    async def main():
        sending = asyncio.ensure_future(sender.send("ada", MESSAGE))
        ticks = 0
        while not sending.done():
            await asyncio.sleep(0.01)
            ticks += 1
        await sending
        return ticks

    with web_server(port, pause_s=0.3):
        assert asyncio.run(main()) > 5


def test_every_missing_secret_and_unknown_address_is_told_at_once():
    wrong = people(ada="mailtos://u:$MAIL_PW@example.org", bob="$BOB", eve="nosuch://$EVE/x")
    with pytest.raises(InputError) as told:
        AppriseSender(wrong, {"EVE": "token-of-eve"})
    first, second, third = told.value.problems
    assert "channel 'ada': the environment variable MAIL_PW is not set" in first
    assert "variable BOB is not set" in second
    assert "channel 'eve': Apprise knows no such address" in third
    assert "token-of-eve" not in str(told.value)


def test_trying_all_channels_says_which_works():
    up, down = free_port(), free_port()
    sent = people(up=f"json://127.0.0.1:{up}/", down=f"json://127.0.0.1:{down}/")
    with web_server(up) as received:
        came_to = asyncio.run(try_channels(AppriseSender(sent, {}), sent, "lab.yaml"))
    assert came_to["up"] == ""
    assert came_to["down"].startswith("not sent: ")
    assert "It will tell of: question" in received[0][1]["message"]
