"""Damage a file as disks, transfers, editors and bad wishes do: the same damage for the same generator."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence

import numpy as np

NUMBERS = (
    b"0",
    b"-1",
    b"1e308",
    b"1e999",
    b"-0",
    b"NaN",
    b"999999999",
    b"4294967295",
    b"99999999999999999999",
    b"1,5",
    b"1_0",
)
WORDS = (
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x00",
    b"\x01\x00\x00\x00",
    b"\x00\x00\x00\x80",
)
PIECES = (
    b"\n",
    b"\r",
    b"\t",
    b"\x00",
    b",",
    b";",
    b'"',
    b"<",
    b"&",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"(",
    b"#",
    b"\xef\xbb\xbf",
    b" " * 2000,
)

Damage = Callable[[bytes, np.random.Generator, Sequence[bytes]], bytes]


def mutated(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Return a file damaged in one to four ways; an archive is damaged inside as often as outside."""
    for _ in range(int(rng.integers(1, 5))):
        if zipfile.is_zipfile(io.BytesIO(data)) and rng.random() < 0.6:
            data = _in_archive(data, rng, others)
        else:
            data = _DAMAGES[int(rng.integers(len(_DAMAGES)))](data, rng, others)
    return data


def _place(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    """Return a slice, short as often as long, and near the beginning, where headers are, as often as anywhere."""
    start = int(rng.integers(0, len(data) + 1))
    if rng.random() < 0.5:
        start = min(start, int(rng.integers(0, 512)))
    return start, min(len(data), start + int(2 ** rng.uniform(0, np.log2(len(data) + 2))))


def _flip(data: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _truncate(data: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    return data[: int(rng.integers(0, len(data) + 1))]


def _delete(data: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    start, end = _place(data, rng)
    return data[:start] + data[end:]


def _duplicate(data: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    start, end = _place(data, rng)
    return data[:end] + data[start:end] * int(rng.integers(1, 4)) + data[end:]


def _splice(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    start, end = _place(data, rng)
    other = others[int(rng.integers(len(others)))] if others else data
    first, last = _place(other, rng)
    return data[:start] + other[first:last] + data[end:]


def _tamper(data: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    """Change a number written in digits."""
    found = list(re.finditer(rb"[0-9.]{1,20}", data[: 1 << 16]))
    if not found:
        return _overwrite(data, rng, ())
    head = found[: 1 + len(found) // 8] if rng.random() < 0.5 else found
    match = head[int(rng.integers(len(head)))]
    return data[: match.start()] + NUMBERS[int(rng.integers(len(NUMBERS)))] + data[match.end() :]


def _overwrite(data: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    """Change a number written in bytes."""
    start = _place(data, rng)[0] // 2 * 2
    word = WORDS[int(rng.integers(len(WORDS)))][: 2 if rng.random() < 0.3 else 4]
    return data[:start] + word + data[start + len(word) :]


def _insert(data: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    start, _end = _place(data, rng)
    return data[:start] + PIECES[int(rng.integers(len(PIECES)))] + data[start:]


def _in_archive(data: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """Change, swap, drop or repeat members, with right checksums."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()[:50]]
    except Exception:  # already damaged outside: damage it there once more
        return _flip(data, rng, others)
    if not members:
        return data
    one, two = (int(rng.integers(len(members))) for _ in range(2))
    what = int(rng.integers(5))
    if what == 0:
        members[one], members[two] = (members[one][0], members[two][1]), (members[two][0], members[one][1])
    elif what == 1:
        members.pop(one)
    elif what == 2:
        members[one] = (members[one][0], b"\x00" * (1 << 22))
    else:
        damage = _DAMAGES[int(rng.integers(len(_DAMAGES)))]
        members[one] = (members[one][0], damage(members[one][1], rng, [content for _, content in members]))
    return _archive(members)


def _archive(members: Sequence[tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


_DAMAGES: tuple[Damage, ...] = (_flip, _truncate, _delete, _duplicate, _splice, _tamper, _tamper, _overwrite, _insert)
