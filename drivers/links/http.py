"""HTTP with JSON over a byte link: one request for each connection, replies parsed by h11.

What a status means (RFC 9110, section 15): 2xx is an answer; 400 to 499 and 503 ("busy, later") are refusals; 500 to
599 are the device's fault, but 502 and 504 come from something in front of it and leave open what the device did, as do
redirections, which are not followed. A reply without its declared end is no reply.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h11

from drivers.command import Effect
from drivers.errors import DeviceFault, Rejected
from drivers.links.base import LATE_MAX_S, Link
from drivers.links.bus import Bus
from drivers.links.framing import LONGEST, BadFrame

REPLY_S = 2.0


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A response: the message is its status code, a newline, and its body."""

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return status and body; see `Framing.take`."""
        if len(buffer) > LONGEST:
            raise BadFrame(f"an HTTP response of more than {LONGEST} bytes")
        if not buffer or _is_short(buffer):
            return None
        machine = h11.Connection(h11.CLIENT)
        machine.send(h11.Request(method="GET", target="/", headers=[("Host", "device")]))
        machine.send(h11.EndOfMessage())
        machine.receive_data(bytes(buffer))
        status, body = 0, b""
        try:
            while True:
                event = machine.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return None
                if isinstance(event, h11.Response):
                    _require_length(event)
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    left, _ = machine.trailing_data
                    return b"%d\n%b" % (status, body), len(buffer) - len(left)
        except h11.ProtocolError as error:
            raise BadFrame(f"this is no HTTP response: {error}") from error

    def wrap(self, message: bytes) -> bytes:
        """Return a response that carries a message, as a simulator sends it."""
        status, _, body = message.partition(b"\n")
        head = b"HTTP/1.1 %b %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        return head % (status, _PHRASES.get(int(status), b"Status"), len(body)) + body


_PHRASES = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 409: b"Conflict", 423: b"Locked"}


def _is_short(buffer: bytes | bytearray) -> bool:
    """Say whether a long body is still on its way, without reading all of it again for every piece that comes."""
    end = buffer.find(b"\r\n\r\n")
    head = bytes(buffer[: max(0, end)])
    declared = re.search(rb"(?im)^content-length:[ \t]*(\d{1,12})[ \t]*\r?$", head)
    is_final = not head.startswith(b"HTTP/1.1 1")
    return declared is not None and is_final and len(buffer) - end - 4 < int(declared[1]) <= LONGEST


def _require_length(response: h11.Response) -> None:
    names = {name for name, _ in response.headers}
    if not names & {b"content-length", b"transfer-encoding"} and response.status_code not in (204, 304):
        raise BadFrame("a response without a length could be cut without anybody seeing it")


class HttpBus(Bus):
    """A device with an HTTP and JSON interface.

    Args:
        link: What carries the bytes.
        host: The Host header.
        base: The path that all others follow.
    """

    def __init__(self, link: Link, *, host: str, base: str = "") -> None:
        super().__init__(link)
        self._host = host
        self._base = base

    async def get(self, path: str, *, timeout_s: float = REPLY_S, effect: Effect = Effect.READ) -> dict[str, Any]:
        """Read a JSON object.

        Raises:
            Unreadable, NotSent, NotConnected: As `Link.exchange`; also where the body is no JSON object.
            Rejected: The device refused (4xx), or is busy (503).
            DeviceFault: The device failed (5xx).
        """
        return await self._ask("GET", path, None, effect, timeout_s, LATE_MAX_S, urgent=False)

    async def put(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        effect: Effect,
        timeout_s: float = REPLY_S,
        late_max_s: float = LATE_MAX_S,
        urgent: bool = False,
    ) -> dict[str, Any]:
        """Set a resource to a JSON object and return the reply, which may be empty; errors as `get`, and Ambiguous."""
        return await self._ask("PUT", path, body, effect, timeout_s, late_max_s, urgent=urgent)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        effect: Effect,
        timeout_s: float = REPLY_S,
        late_max_s: float = LATE_MAX_S,
        urgent: bool = False,
    ) -> dict[str, Any]:
        """Send a JSON object and return the reply; errors as `put`."""
        return await self._ask("POST", path, body, effect, timeout_s, late_max_s, urgent=urgent)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        effect: Effect,
        timeout_s: float,
        late_max_s: float,
        *,
        urgent: bool,
    ) -> dict[str, Any]:
        answer = await self._link.exchange(
            self._request(method, path, body),
            framing=HttpReply(),
            timeout_s=timeout_s,
            effect=effect,
            late_max_s=late_max_s,
            urgent=urgent,
        )
        status, _, content = answer.partition(b"\n")
        self._require_success(f"{method} {path}", int(status), content, effect)
        if not content and method != "GET":
            return {}
        return self._object(content, effect)

    def _require_success(self, asked: str, status: int, content: bytes, effect: Effect) -> None:
        if 200 <= status < 300:
            return
        text = f"it answers {asked} with status {status}: {_reason(content)}"
        if 400 <= status < 500 or status == 503:
            raise Rejected(text)
        if status < 500 or status in (502, 504):
            raise self.distrust(text, effect=effect)
        raise DeviceFault(text, code=str(status))

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        try:
            content = b"" if body is None else json.dumps(body, allow_nan=False).encode()
            return self._encoded(method, path, content, has_body=body is not None)
        except (ValueError, TypeError, h11.LocalProtocolError) as error:
            raise Rejected(f"{method} {path} with {body} cannot be sent ({error}); nothing was sent") from error

    def _encoded(self, method: str, path: str, content: bytes, *, has_body: bool) -> bytes:
        machine = h11.Connection(h11.CLIENT)
        headers = [("Host", self._host), ("Accept", "application/json"), ("Connection", "close")]
        if has_body:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
        parts = [machine.send(h11.Request(method=method, target=self._base + path, headers=headers))]
        if content:
            parts.append(machine.send(h11.Data(data=content)))
        parts.append(machine.send(h11.EndOfMessage()))
        return b"".join(part for part in parts if part)

    def _object(self, content: bytes, effect: Effect) -> dict[str, Any]:
        try:
            found = json.loads(content, parse_constant=_number, parse_float=_number)
        except (ValueError, RecursionError) as error:
            raise self.distrust(f"{content[:200]!r} is no JSON: {error}", effect=effect) from error
        if not isinstance(found, dict):
            raise self.distrust(f"{content[:200]!r} is no JSON object", effect=effect)
        return found


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # NaN, Infinity and 1e999 are no JSON, whatever Python says
        raise ValueError(f"{text} is no number")
    return number


def _reason(content: bytes) -> str:
    """Return what a refusal says: its JSON `error`, or its text."""
    try:
        return str(json.loads(content)["error"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return repr(content[:200])[1:]
