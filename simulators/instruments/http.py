"""Simulated devices with an HTTP and JSON interface."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import h11

from drivers.links.framing import BadFrame
from drivers.links.http import HttpReply
from simulators.instruments.base import FramedInstrument, Now
from simulators.world import WorldFile


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request: the message is ``METHOD target``, a newline, and its body."""

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return method, target and body; see `drivers.links.framing.Framing.take`."""
        machine = h11.Connection(h11.SERVER)
        machine.receive_data(bytes(buffer))
        head, body = b"", b""
        try:
            while True:
                event = machine.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return None
                if isinstance(event, h11.Request):
                    head = event.method + b" " + event.target
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    left, _ = machine.trailing_data
                    return head + b"\n" + body, len(buffer) - len(left)
        except h11.ProtocolError as error:
            raise BadFrame(f"this is no HTTP request: {error}") from error

    def wrap(self, message: bytes) -> bytes:
        """Return a reply: status, newline, body."""
        return HttpReply().wrap(message)


class Refused(Exception):
    """The device answers with a status and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class HttpInstrument(FramedInstrument):
    """A device that answers each request with a JSON object and hangs up; a subclass knows the paths."""

    wire = "http"
    can_be_busy = True

    def __init__(self, *, state: WorldFile, clock: Now, settle: Callable[[], None] | None = None) -> None:
        super().__init__(HttpRequest(), state=state, clock=clock, settle=settle)

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one request."""
        head, _, content = request.partition(b"\n")
        method, _, path = head.decode("latin-1").partition(" ")
        try:
            body = json.loads(content) if content else {}
            if not isinstance(body, dict):
                raise Refused(400, "the body is no object")
            return self._answer(200, self.carry_out(method, path, body))
        except ValueError:
            return self._answer(400, {"error": "the body is no JSON"})
        except Refused as refused:
            return self._answer(refused.status, {"error": refused.reason})

    def answer_damaged(self) -> bytes | None:
        """Say that this is no request."""
        return self._answer(400, {"error": "this is no HTTP request"})

    def busy_reply(self, request: bytes) -> bytes | None:
        """Answer with status 423, locked."""
        return self._answer(423, {"error": "busy"})

    def chatter(self) -> bytes:
        """Return a stray answer."""
        return b"HTTP/1.1 100 Continue\r\n\r\nstray"

    @abstractmethod
    def carry_out(self, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a request asks for and return the reply's object.

        Raises:
            Refused: The device answers with another status than 200.
        """

    def _answer(self, status: int, found: Mapping[str, Any]) -> bytes:
        return self._framing.wrap(b"%d\n%b" % (status, json.dumps(found).encode()))
