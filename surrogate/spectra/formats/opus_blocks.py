"""Blocks of Bruker OPUS files: the directory, parameters by three letters, and what a block's type says.

Layout as published with the packages brukeropus and brukeropusreader. The file begins with a magic number, its
version, and place, capacity and length of the directory; each entry of the directory has type, length (in 4 bytes) and
place of a block.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Fact

MAGIC = b"\x0a\x0a\xfe\xfe"
_MOST_BLOCKS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """An entry of the directory."""

    part: int
    """1 real, 2 imaginary part, 3 amplitude."""
    source: int
    """1 sample, 2 reference, 3 their ratio."""
    parameters: int
    """0 for data, 1 for the parameters of data, above for other parameters."""
    data: int
    """What the data are: 1 spectrum, 2 interferogram, 4 absorbance, 5 transmittance, ...; 32 for each more channel."""
    derivative: int
    form: int
    """2 a series, 4 compact, 5 a report."""
    start: int
    size: int

    @property
    def kind(self) -> tuple[int, ...]:
        """Return what data and their parameters have in common."""
        return self.part, self.source, self.data, self.derivative, self.form

    @property
    def codes(self) -> tuple[int, ...]:
        """Return the type as six numbers."""
        return self.part, self.source, self.parameters, self.data, self.derivative, self.form


def directory(data: bytes) -> list[Block]:
    """Return the entries of the directory.

    Raises:
        NotUnderstood: The file is cut short, or an entry lies outside of it.
    """
    if len(data) < 24:
        raise NotUnderstood(f"{len(data)} bytes are too few for its header")
    start, most, count = struct.unpack_from("<iii", data, 12)
    if start < 24 or not 0 < count <= _MOST_BLOCKS:
        raise NotUnderstood(f"a directory of {count} blocks at byte {start}")
    found = []
    for at in range(start, start + 12 * min(max(most, count), _MOST_BLOCKS), 12):
        if at + 12 > len(data):
            raise NotUnderstood("its directory is cut short")
        kind, words, place = struct.unpack_from("<Iii", data, at)
        if place <= 0:
            break
        if words < 0 or place + 4 * words > len(data):
            raise NotUnderstood(f"a block of {4 * words} bytes at byte {place} of {len(data)}; it may be cut short")
        found.append(_block(kind, place, 4 * words))
    if sum(block.size for block in found) > 2 * len(data):
        raise NotUnderstood("its blocks overlap")
    return found


def _block(kind: int, start: int, size: int) -> Block:
    return Block(
        part=kind & 3,
        source=kind >> 2 & 3,
        parameters=kind >> 4 & 63,
        data=kind >> 10 & 127,
        derivative=kind >> 17 & 3,
        form=kind >> 19 & 7,
        start=start,
        size=size,
    )


def parameters(data: bytes, block: Block) -> dict[str, Fact]:
    """Return the parameters of a block by their three letters.

    Raises:
        NotUnderstood: One does not fit into the block.
    """
    found: dict[str, Fact] = {}
    at, end = block.start, block.start + block.size
    while at + 8 <= end and data[at : at + 3] != b"END":
        kind, half = struct.unpack_from("<HH", data, at + 4)
        name, value = data[at : at + 3].decode("latin-1"), data[at + 8 : at + 8 + 2 * half]
        if at + 8 + 2 * half > end or half >= 0x8000:
            raise NotUnderstood(f"its parameter {name!r} at byte {at} says {2 * half} bytes, beyond its block")
        if kind == 0 and len(value) >= 4:
            found[name] = struct.unpack_from("<i", value)[0]
        elif kind == 1 and len(value) >= 8:
            found[name] = struct.unpack_from("<d", value)[0]
        elif kind > 1:
            found[name] = value.partition(b"\0")[0].decode("latin-1").strip()
        at += 8 + 2 * half
    return found
