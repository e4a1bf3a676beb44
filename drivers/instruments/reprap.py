r"""RepRap lines: numbered and checksummed requests, answers that end with ``ok``.

    N3 T0*57\n                      ->  ok N3 P15 B3\n
    N9 M115*47\n (8 was expected)   ->  Error:Line Number is not Last Line Number+1, Last Line: 7\nResend: 8\nok\n

The checksum is the exclusive or of all bytes before the asterisk, in decimal (RepRap wiki, "G-code", section Checking).
``Resend`` is the device's word that it did not carry the line out (Marlin, queue.cpp); ``ok N3 P15 B3`` is what Marlin
says with ADVANCED_OK. While it is busy a device may say ``echo:busy: processing`` whenever it likes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

from drivers.links.framing import BadFrame

LONGEST = 16_384

_OK = re.compile(rb"ok(?: N(\d+))?(?: P\d+ B\d+)?")
_RESEND = re.compile(rb"Resend: ?(\d+)")


def checksum(line: bytes) -> int:
    """Return the exclusive or of all bytes."""
    return reduce(xor, line, 0)


def sealed(line: bytes) -> bytes:
    """Append asterisk and checksum."""
    return b"%b*%d" % (line, checksum(line))


def unsealed(line: bytes) -> bytes | None:
    """Return what is before asterisk and checksum; None where they are missing or wrong."""
    body, star, seal = line.rpartition(b"*")
    return body if star and seal.isdigit() and int(seal) == checksum(body) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """Lines up to one that begins with ``ok``."""

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return the lines without the last line end; see `Framing.take`."""
        start = 0
        while (end := buffer.find(b"\n", start)) >= 0:
            line = bytes(buffer[start:end]).rstrip(b"\r")
            if line == b"ok" or line.startswith(b"ok "):
                return bytes(buffer[:end]), end + 1
            start = end + 1
        if len(buffer) > LONGEST:
            raise BadFrame(f"no ok within {LONGEST} bytes")
        return None

    def wrap(self, message: bytes) -> bytes:
        """Append the line end."""
        return message + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What an answer says."""

    number: int | None
    """Of the line that is answered, where it says so."""
    resend: int | None = None
    """The number that the device expects; it did nothing."""
    errors: tuple[str, ...] = ()
    data: tuple[bytes, ...] = field(default=())
    """Lines with a checksum, without it."""


def read_answer(answer: bytes) -> Answered:
    """Take an answer apart; chatter is thrown away.

    Raises:
        ValueError: It holds a line that no device says.
    """
    *lines, last = [line.rstrip(b"\r") for line in answer.split(b"\n")]
    ok = _OK.fullmatch(last)
    if ok is None:
        raise ValueError(f"{last!r} is no ok")
    resend: int | None = None
    errors: list[str] = []
    data: list[bytes] = []
    for line in lines:
        match = _RESEND.fullmatch(line)
        if match is not None:
            resend = int(match[1])
        elif line.startswith((b"Error:", b"echo:Unknown command")):
            errors.append(line.decode("latin-1").removeprefix("Error:").removeprefix("echo:"))
        elif not line.startswith(b"echo:"):
            body = unsealed(line)
            if body is None:
                raise ValueError(f"{line!r} has no right checksum")
            data.append(body)
    number = int(ok[1]) if ok[1] is not None else None
    return Answered(number=number, resend=resend, errors=tuple(errors), data=tuple(data))
