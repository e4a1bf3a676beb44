"""Programs of a 2400 series controller: sixteen segments in registers, and a mark that tells whose program it is."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from drivers.capabilities import Segment
from drivers.command import Effect
from drivers.errors import Rejected
from drivers.links.modbus import ModbusBus

LATE_MAX_S = 0.5

PROGRAM = 1
"""The program that is loaded and run; 0 is the running one's working copy."""
PROGRAM_BASE = 8192 + 136 * PROGRAM
SEGMENTS = 16
SEGMENT_REGISTERS = 8
END, RAMP_RATE, DWELL = 0, 1, 3
MINUTES = 1
LONGEST_MS = 2**31 - 1
WIDE = 0x8000
"""Here every register of the lower range appears again in 32 bits: register n at ``WIDE + 2 n``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One segment as the controller has it."""

    kind: int
    target_c: float = 0.0
    rate_k_per_min: float = 0.0
    hold_ms: int = 0


class ProgramMemory:
    """The registers of program 1."""

    def __init__(self, link: ModbusBus) -> None:
        self._link = link

    async def load(self, parts: Sequence[Part], mark: int, scale: int) -> None:
        """Write the segments and then, so that a program that is half loaded carries no mark of it, the general data.

        Args:
            parts: The segments.
            mark: The mark of the tag.
            scale: Counts of one degree.
        """
        for index, part in enumerate(parts):
            first = address(index)
            await self._put(first, _head(part, scale))
            if part.kind == END:
                await self._put(first + 3, [0])  # at its end: hold the last target
            else:
                await self._put(wide(first + 2), _tail(part))
        await self._put(PROGRAM_BASE, _general(mark))

    async def holds(self, parts: Sequence[Part], mark: int, scale: int, effect: Effect) -> bool:
        """Say whether the controller reads back this program with this mark."""
        if await self._link.read_holding(PROGRAM_BASE, 5, effect=effect) != _general(mark):
            return False
        for index, part in enumerate(parts):
            first, head = address(index), _head(part, scale)
            if await self._link.read_holding(first, len(head), effect=effect) != head:
                return False
            where, tail = (first + 3, [0]) if part.kind == END else (wide(first + 2), _tail(part))
            if await self._link.read_holding(where, len(tail), effect=effect) != tail:
                return False
        return True

    async def _put(self, register: int, words: list[int]) -> None:
        await self._link.write_registers(register, words, effect=Effect.VERIFIABLE, late_max_s=LATE_MAX_S)


def _general(mark: int) -> list[int]:
    """Return the general data: holdback none, its value (the mark), rates and dwells per minute, one cycle."""
    return [0, mark, MINUTES, MINUTES, 1]


def _head(part: Part, scale: int) -> list[int]:
    return [part.kind, round(part.target_c * scale) & 0xFFFF] if part.kind == RAMP_RATE else [part.kind]


def _tail(part: Part) -> list[int]:
    return words_of_long(part.hold_ms) if part.kind == DWELL else words_of_float(part.rate_k_per_min)


def checked_segments(segments: Sequence[Segment | Mapping[str, Any]]) -> list[Segment]:
    """Return the segments, also where a journal gave them back as mappings.

    Raises:
        Rejected: There is none, or one is no segment.
    """
    try:
        found = [item if isinstance(item, Segment) else Segment(**item) for item in segments]
    except TypeError as error:
        raise Rejected(f"{segments!r} are no segments: {error}; nothing was sent") from error
    if not found:
        raise Rejected("a profile needs at least one segment; nothing was sent")
    return found


def parts_of(segments: Sequence[Segment]) -> list[Part]:
    """Return the controller's segments: a ramp and, where there is a hold, a dwell for each, and the end.

    Raises:
        Rejected: They are more than the controller has.
    """
    parts: list[Part] = []
    for segment in segments:
        parts.append(Part(kind=RAMP_RATE, target_c=segment.target_c, rate_k_per_min=segment.rate_k_per_min))
        hold_ms = round(segment.hold_s * 1000)
        if hold_ms:
            parts.append(Part(kind=DWELL, hold_ms=hold_ms))
    parts.append(Part(kind=END))
    if len(parts) > SEGMENTS:
        raise Rejected(f"the profile takes {len(parts)} segments of the controller, which has {SEGMENTS}")
    return parts


def mark_of(tag: str) -> int:
    """Return the mark that a tag leaves in a program, 1 to 9999."""
    return crc32(tag.encode()) % 9999 + 1


def address(index: int) -> int:
    """Return the first register of a segment, counted from 0; the general data come before."""
    return PROGRAM_BASE + SEGMENT_REGISTERS * (index + 1)


def wide(register: int) -> int:
    """Return where a register appears in 32 bits."""
    return WIDE + 2 * register


def words_of_float(value: float) -> list[int]:
    """Return a float as two registers, the high one first."""
    return list(struct.unpack(">HH", struct.pack(">f", value)))


def float_of(words: Sequence[int]) -> float:
    """Return the float in two registers."""
    return struct.unpack(">f", struct.pack(">HH", *words))[0]


def words_of_long(value: int) -> list[int]:
    """Return a signed 32-bit number as two registers, the high one first."""
    return list(struct.unpack(">HH", struct.pack(">i", value)))


def long_of(words: Sequence[int]) -> int:
    """Return the signed 32-bit number in two registers."""
    return struct.unpack(">i", struct.pack(">HH", *words))[0]


def signed(word: int) -> int:
    """Return a register as two's complement."""
    return word - 0x1_0000 if word & 0x8000 else word
