"""JSON lines over a unix socket: one question, one answer, paired by number, in any order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from orchestrator.guard.answers import Answer, Event, Why
from orchestrator.plain import plain

LONGEST = 1 << 20
"""Bytes of one line."""


class BadMessage(ValueError):
    """A line is no message."""


def packed(message: Mapping[str, Any]) -> bytes:
    """Return a message as one line; numbers that are not finite become null."""
    return json.dumps(plain(message), separators=(",", ":")).encode() + b"\n"


def unpacked(line: bytes) -> dict[str, Any]:
    """Return the message of a line.

    Raises:
        BadMessage: It is none.
    """
    try:
        message = json.loads(line)
    except ValueError as error:
        raise BadMessage(f"{line[:40]!r} is no JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("id"), int):
        raise BadMessage(f"{line[:40]!r} is no message with an id")
    return message


async def next_line(reader: asyncio.StreamReader) -> bytes:
    """Return the next line; empty once the other end has hung up.

    Raises:
        BadMessage: It is too long to be one.
    """
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.LimitOverrunError as error:
        raise BadMessage(f"a line of more than {LONGEST} bytes") from error
    except ConnectionError:
        return b""


def answer_of(row: Mapping[str, Any]) -> Answer:
    """Return an answer to a check as it travelled."""
    return Answer(why=Why(row["why"]), reason=str(row["reason"]))


def event_row(event: Event) -> dict[str, Any]:
    """Return an event as it travels."""
    return {
        "number": event.number,
        "kind": event.kind,
        "text": event.text,
        "utc": event.utc.isoformat(),
        "is_alarm": event.is_alarm,
        "facts": dict(event.facts),
    }
