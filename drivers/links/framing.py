"""Framings: where a message begins and ends in a stream of bytes.

A framing never hands out a part of a message: a reply that was cut ("123" of "1234.56") is no value.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Protocol
from zlib import crc32

LONGEST = 1 << 24
"""More bytes than any message of an instrument; beyond it the stream is garbage."""


LONGEST_LINE = 65_536
"""More bytes than a line of text has, unless a driver knows better."""


class BadFrame(ValueError):
    """The bytes cannot be, or become, a whole message."""


class Framing(Protocol):
    """How one message is wrapped."""

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return the message at the front of `buffer` and the bytes that it took, or None if there is more to come.

        Raises:
            BadFrame: The front of `buffer` is no message.
        """
        ...

    def wrap(self, message: bytes) -> bytes:
        """Return the bytes that carry a message.

        Raises:
            BadFrame: This framing cannot carry the message.
        """
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """Text up to a terminator: printable ASCII, tabs and carriage returns. Anything else is noise on the line."""

    terminator: bytes = b"\n"
    longest: int = LONGEST_LINE

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return the line without its terminator; see `Framing.take`."""
        taken = _up_to(self.terminator, buffer, self.longest)
        noise = b"" if taken is None else taken[0].translate(None, _TEXT)
        if noise:
            raise BadFrame(f"a line holds {noise[:10]!r}, which is no text")
        return taken

    def wrap(self, message: bytes) -> bytes:
        """Append the terminator."""
        if self.terminator in message:
            raise BadFrame("a line cannot carry its own terminator")
        return message + self.terminator


_TEXT = bytes([*range(0x20, 0x7F), *b"\t\r"])


@dataclass(frozen=True, slots=True)
class SealedLine:
    r"""A line with the exclusive or of its bytes behind it, in hex, as NMEA 0183 has it: ``STOP*1B\r\n``."""

    terminator: bytes = b"\r\n"

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return the line without checksum and terminator; see `Framing.take`."""
        taken = _up_to(self.terminator, buffer, LONGEST_LINE)
        if taken is None:
            return None
        body, star, seal = taken[0].rpartition(b"*")
        if not star or seal != _exclusive_or(body):
            raise BadFrame("the checksum of a line is wrong")
        return body, taken[1]

    def wrap(self, message: bytes) -> bytes:
        """Append checksum and terminator."""
        return Line(self.terminator).wrap(b"%b*%b" % (message, _exclusive_or(message)))


def _up_to(terminator: bytes, buffer: bytes | bytearray, longest: int) -> tuple[bytes, int] | None:
    end = buffer.find(terminator)
    if end < 0:
        if len(buffer) > longest:
            raise BadFrame(f"no line end within {longest} bytes")
        return None
    return bytes(buffer[:end]), end + len(terminator)


def _exclusive_or(data: bytes) -> bytes:
    return b"%02X" % reduce(xor, data, 0)


@dataclass(frozen=True, slots=True)
class Block:
    """An IEEE 488.2 definite-length block: ``#<d><d digits of length><bytes>`` and a terminator."""

    terminator: bytes = b"\n"

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return the bytes of the block; see `Framing.take`."""
        if not buffer:
            return None
        if buffer[0:1] != b"#":
            raise BadFrame(f"a block starts with '#', this with {bytes(buffer[:1])!r}")
        if len(buffer) < 2:
            return None
        start = 2 + _digit(buffer[1:2])
        if len(buffer) < start:
            return None
        end = start + _length(buffer[2:start])
        if len(buffer) < end:
            return None
        tail = bytes(buffer[end : end + len(self.terminator)])
        if not self.terminator.startswith(tail):
            raise BadFrame(f"a block of {end - start} bytes is followed by {tail!r} and not by its terminator")
        return None if tail != self.terminator else (bytes(buffer[start:end]), end + len(tail))

    def wrap(self, message: bytes) -> bytes:
        """Put the length in front and the terminator behind."""
        length = str(len(message)).encode()
        return b"#%d%b%b%b" % (len(length), length, message, self.terminator)


def _digit(text: bytes | bytearray) -> int:
    if not b"1" <= text <= b"9":  # "#0", a block of any length, has no end that could be checked
        raise BadFrame(f"a block of definite length starts with '#1' to '#9', this with {b'#' + bytes(text)!r}")
    return int(text)


def _length(text: bytes | bytearray) -> int:
    if not text.isdigit() or int(text) > LONGEST:
        raise BadFrame(f"{bytes(text)!r} is no length of a block")
    return int(text)


@dataclass(frozen=True, slots=True)
class Packet:
    """A binary packet: magic, length (u32, little-endian), payload, CRC-32 of the payload (u32)."""

    magic: bytes = b"\xa5\x5a"

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return the payload; see `Framing.take`."""
        head = len(self.magic)
        if not self.magic.startswith(bytes(buffer[:head])):
            raise BadFrame(f"a packet starts with {self.magic!r}, this with {bytes(buffer[:head])!r}")
        start = head + 4
        if len(buffer) < start:
            return None
        (length,) = struct.unpack_from("<I", buffer, head)
        if length > LONGEST:
            raise BadFrame(f"a packet of {length} bytes is too long to be one")
        end = start + length
        if len(buffer) < end + 4:
            return None
        payload = bytes(buffer[start:end])
        if struct.unpack_from("<I", buffer, end) != (crc32(payload),):
            raise BadFrame(f"the checksum of a packet of {length} bytes is wrong")
        return payload, end + 4

    def wrap(self, message: bytes) -> bytes:
        """Put magic and length in front and the checksum behind."""
        return b"".join((self.magic, struct.pack("<I", len(message)), message, struct.pack("<I", crc32(message))))
