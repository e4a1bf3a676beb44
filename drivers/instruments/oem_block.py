"""The OEM communication protocol of Cavro syringe pumps: blocks with a sequence number and a checksum.

    02 31 31 5A 52 03 09      to pump 1, message 1: ZR (initialise)
    02 30 40 03 71            to the host: busy, no error

A command block is STX, the device's address, a byte with sequence number and repeat flag, data, ETX, and the exclusive
or of all these; an answer block is STX, the host's address ``0``, a status byte, data, ETX, and the same sum. After a
lost answer the same block is sent again with its number and the repeat flag: a device that had received it answers,
and does nothing twice. Source: Cavro XLP 6000 Modular Syringe Pump Operating Manual, 734237-C, 3.2.1 and 3.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

from drivers.links.framing import BadFrame

STX = 0x02
ETX = 0x03
LINE_SYNC = 0xFF
"""Comes before a block on RS-485; not part of it."""
LONGEST = 300
"""A pump holds 255 characters of commands."""

HOST = b"0"
READY = 0x20
"""The bit of the status byte that says that a new command would be accepted."""


@dataclass(frozen=True, slots=True)
class OemBlock:
    """A block in either direction; the message is what stands between STX and ETX."""

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return the message; see `drivers.links.framing.Framing.take`."""
        start = len(buffer) - len(bytes(buffer).lstrip(bytes([LINE_SYNC])))
        if start == len(buffer):
            return None
        if buffer[start] != STX:
            raise BadFrame(f"a block starts with STX, this with {bytes(buffer[start : start + 1])!r}")
        end = buffer.find(ETX, start)
        if end < 0 and len(buffer) - start > LONGEST:
            raise BadFrame(f"no ETX within {LONGEST} bytes")
        if end < 0 or len(buffer) < end + 2:
            return None
        if _sum(buffer[start : end + 1]) != buffer[end + 1]:
            raise BadFrame("the checksum of a block is wrong")
        return bytes(buffer[start + 1 : end]), end + 2

    def wrap(self, message: bytes) -> bytes:
        """Put STX in front and ETX and checksum behind."""
        if ETX in message:
            raise BadFrame("a block cannot carry ETX")
        block = bytes([STX]) + message + bytes([ETX])
        return block + bytes([_sum(block)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a command block says."""

    address: bytes
    number: int
    """1 to 7 (0 is legal too)."""
    is_repeated: bool
    data: bytes

    def message(self) -> bytes:
        """Return the message that carries it."""
        return self.address + bytes([0x30 | (0x08 if self.is_repeated else 0) | self.number]) + self.data

    @classmethod
    def read(cls, message: bytes) -> Command:
        """Read a message.

        Raises:
            ValueError: It is no command.
        """
        if len(message) < 2 or message[1] & 0xF0 != 0x30:
            raise ValueError(f"{message!r} is no command block")
        flags = message[1]
        return cls(address=message[:1], number=flags & 0x07, is_repeated=bool(flags & 0x08), data=message[2:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an answer block says."""

    is_ready: bool
    error: int
    """0 is none."""
    data: bytes = b""

    def message(self) -> bytes:
        """Return the message that carries it."""
        return HOST + bytes([0x40 | (READY if self.is_ready else 0) | self.error]) + self.data

    @classmethod
    def read(cls, message: bytes) -> Answer:
        """Read a message.

        Raises:
            ValueError: It is no answer.
        """
        # bit 7 is 0, bit 6 is 1, bit 5 says ready, bit 4 is 0, the rest is the error
        if len(message) < 2 or message[:1] != HOST or message[1] & 0xD0 != 0x40:
            raise ValueError(f"{message!r} is no answer block")
        return cls(is_ready=bool(message[1] & READY), error=message[1] & 0x0F, data=message[2:])


def _sum(data: bytes | bytearray) -> int:
    return reduce(xor, data, 0)
