"""Property sets of Renishaw WDF: named settings of the measurement, sets within sets.

Each entry has a type (1 byte), a flag (1: 0x80 an array, 0x40 compressed), a key (2) and its value. Names of keys are
entries too, of the type ``k``; what a set within another leaves unnamed is named by the outermost.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from surrogate.formats.record import Fact

_NUMBERS = {"c": "b", "?": "B", "s": "h", "i": "i", "w": "q", "r": "f", "q": "d", "t": "Q"}
_ARRAY, _COMPRESSED = 0x80, 0x40
_MOST_ENTRIES = 100_000


@dataclass(slots=True)
class _Set:
    end: int
    names: dict[int, str] = field(default_factory=dict)
    values: list[tuple[int, Fact]] = field(default_factory=list)


def properties(block: bytes) -> dict[str, tuple[Fact, ...]]:
    """Return all values by name, of a block that begins with ``PSET``; what cannot be read ends the reading."""
    if len(block) < 8 or block[:4] != b"PSET":
        return {}
    outer = _Set(end=min(8 + struct.unpack_from("<I", block, 4)[0], len(block)))
    sets, open_sets = [outer], [outer]
    at = 8
    for _ in range(_MOST_ENTRIES):
        while open_sets and at >= open_sets[-1].end:
            open_sets.pop()
        if not open_sets or at + 4 > len(block):
            break
        kind, flag, key = chr(block[at]), block[at + 1], struct.unpack_from("<H", block, at + 2)[0]
        at += 4
        if kind == "p" and at + 4 <= len(block):
            inner = _Set(end=min(at + 4 + struct.unpack_from("<I", block, at)[0], open_sets[-1].end))
            sets.append(inner)
            open_sets.append(inner)
            at += 4
        elif (size := _size(block, at, kind, flag)) is None:
            break
        else:
            _keep(open_sets[-1], block[at : at + size], kind, flag, key)
            at += size
    return _named(sets, outer)


def _size(block: bytes, at: int, kind: str, flag: int) -> int | None:
    """Return the bytes of a value, None where it cannot be one."""
    if kind in _NUMBERS and not flag & (_ARRAY | _COMPRESSED):
        size = struct.calcsize("<" + _NUMBERS[kind])
    elif (kind in _NUMBERS or kind in "ukb") and at + 4 <= len(block):
        count = struct.unpack_from("<I", block, at)[0]
        each = struct.calcsize("<" + _NUMBERS[kind]) if kind in _NUMBERS else 1
        size = 4 + count * each
    else:
        return None
    return size if at + size <= len(block) else None


def _keep(into: _Set, value: bytes, kind: str, flag: int, key: int) -> None:
    if kind == "k":
        into.names[key] = value[4:].decode("utf-8", errors="replace").strip("\0")
    elif kind in _NUMBERS and not flag & (_ARRAY | _COMPRESSED):
        into.values.append((key, struct.unpack("<" + _NUMBERS[kind], value)[0]))
    elif kind == "u" and not flag:
        into.values.append((key, value[4:].decode("utf-8", errors="replace").strip("\0")))


def _named(sets: list[_Set], outer: _Set) -> dict[str, tuple[Fact, ...]]:
    found: dict[str, tuple[Fact, ...]] = {}
    for one in sets:
        for key, value in one.values:
            if name := one.names.get(key) or outer.names.get(key):
                found[name] = (*found.get(name, ()), value)
    return found
