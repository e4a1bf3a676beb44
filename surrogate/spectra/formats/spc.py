"""Galactic SPC, new and old: spectra of Thermo, PerkinElmer, Ocean, Horiba and many more.

Fixed-point ordinates are ``2^(e - b) k`` for the whole number ``k`` of ``b`` bits and the exponent ``e`` of the main
header, or of its subfile where there are several. Where both headers have an exponent and they say different kinds of
numbers, the file is ambiguous and refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Scan
from surrogate.spectra.formats import spc_header
from surrogate.spectra.formats.spc_header import Header, Subheader
from surrogate.spectra.formats.spectral_words import (
    LARGEST_POINTS,
    LARGEST_SCANS,
    as_json,
    axis_of,
    finite,
    fraction_or_percent,
    measured,
)

_FORMATS = {
    spc_header.NEW: "Galactic SPC, new",
    spc_header.NEW_BIG_ENDIAN: "Galactic SPC, new, big-endian",
    spc_header.OLD: "Galactic SPC, old",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subfile:
    """One trace of ``n`` points."""

    header: Subheader
    x: Array
    """``n``."""
    y: Array
    """``n``."""
    start: int
    """Place of its header in the file."""
    end: int
    warnings: tuple[str, ...] = ()


def recognises(data: bytes) -> bool:
    """Say whether a file has the version byte of SPC and fields that this header can have."""
    if len(data) < spc_header.OLD_BYTES or data[1] not in _FORMATS or data[:2] == b"PK":
        return False
    if b"\x00" not in data[: spc_header.OLD_BYTES]:  # text
        return False
    types = data[20:22] if data[1] == spc_header.OLD else data[28:30]
    known = (types[0] <= 30 or types[0] == 255) and (types[1] <= 26 or 128 <= types[1] <= 131 or types[1] == 255)
    if data[1] == spc_header.OLD:
        exponent = struct.unpack_from("<h", data, 2)[0]
        return known and -128 <= exponent <= 128 and data[24] <= 12 and data[25] <= 31 and data[26] < 24
    return known and data[2] < len(spc_header.TECHNIQUES)


@np.errstate(all="ignore")
def read(data: bytes) -> Content:
    """Read all traces of an SPC file.

    Raises:
        NotUnderstood: It is cut short, or its headers contradict each other.
    """
    header = spc_header.header(data)
    found = list(subfiles(data, header))
    warnings = [*_left_over(data, header, found), *(sentence for subfile in found for sentence in subfile.warnings)]
    scans = []
    for subfile in found:
        scan, said = _scan(header, subfile)
        scans.append(scan)
        warnings += said
    fields = header.fields | {"log": _log(data, header)}
    return Content(
        format=_FORMATS[header.version],
        header=as_json(fields),
        scans=tuple(scans),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def subfiles(data: bytes, header: Header) -> Iterator[Subfile]:
    """Yield the traces of a file, up to the largest number that is read.

    Raises:
        NotUnderstood: It is cut short, or its headers contradict each other.
    """
    at = header.length
    shared: Array | None = None
    if not header.has(spc_header.OWN_X):
        shared, at = _shared_axis(data, header, at)
    points = 0
    for number in range(LARGEST_SCANS):
        if (header.subfiles and number >= header.subfiles) or (not header.subfiles and at >= len(data)):
            break
        subfile = _subfile(data, header, at, shared)
        points += len(subfile.y)
        if points > LARGEST_POINTS:
            break
        yield subfile
        at = subfile.end


def _shared_axis(data: bytes, header: Header, at: int) -> tuple[Array, int]:
    if header.has(spc_header.EXPLICIT_X):
        return _numbers(data, at, header.points, header.order + "f4"), at + 4 * header.points
    if not 1 <= 2 * header.points <= len(data):
        raise NotUnderstood(f"it says that it holds {header.points} points, in {len(data)} bytes")
    axis: Array = np.linspace(header.first, header.last, header.points)
    return axis, at


def _subfile(data: bytes, header: Header, start: int, shared: Array | None) -> Subfile:
    if start + spc_header.SUBFILE_BYTES > len(data):
        raise NotUnderstood(f"it ends at byte {len(data)}, before the subfile that begins at byte {start}")
    sub = spc_header.subheader(data, start, header.order)
    at = start + spc_header.SUBFILE_BYTES
    x = shared
    if x is None:
        x = _numbers(data, at, sub.points, header.order + "f4")
        at += 4 * sub.points
    exponent, warnings = _exponent(header, sub)
    y, end = _ordinates(data, header, at, len(x), exponent)
    y, infinite = finite(y)
    return Subfile(header=sub, x=x, y=y, start=start, end=end, warnings=warnings + infinite)


def _exponent(header: Header, sub: Subheader) -> tuple[int, tuple[str, ...]]:
    """Return the exponent of the ordinates, `FLOAT` where they are floats."""
    main, own, several = header.exponent, sub.exponent, header.has(spc_header.MULTI)
    if main == own:
        return main, ()
    if spc_header.FLOAT in (main, own) and 0 not in (main, own) or own == spc_header.FLOAT and not several:
        raise NotUnderstood(f"the exponents {main} of its header and {own} of its subfile say different numbers")
    if main == spc_header.FLOAT:
        return main, () if not several else ("its header says floats, its subfiles nothing; taken as floats",)
    if several:
        return own, ()
    return main, (f"the exponent {main} of its header is taken, not the {own} of its subfile",) if own else ()


def _ordinates(data: bytes, header: Header, at: int, count: int, exponent: int) -> tuple[Array, int]:
    if exponent == spc_header.FLOAT:
        return _numbers(data, at, count, header.order + "f4"), at + 4 * count
    if header.has(spc_header.SHORT):
        return _numbers(data, at, count, header.order + "i2") * 2.0 ** (exponent - 16), at + 2 * count
    if header.version == spc_header.OLD:
        halves = _numbers(data, at, 2 * count, "<u2").astype(np.int64).reshape(-1, 2)
        whole = (halves[:, 0] << 16 | halves[:, 1]).astype(np.uint32).astype(np.int32)
        return whole.astype(float) * 2.0 ** (exponent - 32), at + 4 * count
    return _numbers(data, at, count, header.order + "i4") * 2.0 ** (exponent - 32), at + 4 * count


def _numbers(data: bytes, at: int, count: int, kind: str) -> Array:
    size = count * np.dtype(kind).itemsize
    if count < 1:
        raise NotUnderstood("a subfile without points")
    if at + size > len(data):
        raise NotUnderstood(f"it ends at byte {len(data)}, and {count} numbers from byte {at} on need {size} bytes")
    return np.frombuffer(data, kind, count, at).astype(np.float64)


def _left_over(data: bytes, header: Header, found: list[Subfile]) -> Iterator[str]:
    """Yield what the headers say and the traces do not have."""
    end = found[-1].end if found else header.length
    if header.subfiles > len(found):
        yield f"it holds {header.subfiles} subfiles; the first {len(found)} are read"
    if header.has(spc_header.OWN_X) and 0 < header.points < len(data) and not _listed(data, header, found):
        yield "its directory and its subfiles say different places; the subfiles are taken one after the other"
    if not header.log_offset and not header.has(spc_header.OWN_X) and end < len(data) and found:
        yield f"{len(data) - end} bytes behind its last subfile are not read"
    if header.log_offset and not end <= header.log_offset <= len(data):
        yield f"its log begins at byte {header.log_offset}, which is not behind its subfiles"


def _listed(data: bytes, header: Header, found: list[Subfile]) -> bool:
    places = range(header.points, min(header.points + 12 * len(found), len(data) - 11), 12)
    listed = [struct.unpack_from(header.order + "I", data, place)[0] for place in places]
    return listed == [subfile.start for subfile in found]


def _scan(header: Header, subfile: Subfile) -> tuple[Scan, tuple[str, ...]]:
    axis, warnings = _axis(header, subfile.x)
    known = header.y_type in spc_header.Y_TYPES
    quantity, unit = spc_header.Y_TYPES.get(header.y_type, ("intensity", "arbitrary"))
    unit, percent = fraction_or_percent(quantity, unit, subfile.y)
    if not known:
        warnings += (f"values of the type {header.y_type}, taken as arbitrary",)
    facts: dict[str, Fact] = {
        name: header.fields[name] for name in ("started_at", "technique", "resolution", "source", "method")
        if header.fields.get(name)
    }  # fmt: skip
    facts |= {"scans": subfile.header.scans} if subfile.header.scans else {}
    facts |= {"z": subfile.header.z, "subfile": subfile.header.index} if header.has(spc_header.MULTI) else {}
    scan = Scan(
        kind="spectrum",
        axis=axis,
        quantity=quantity,
        title=str(header.fields["comment"]),
        facts=facts,
        **measured(subfile.y, unit),
    )
    return scan, warnings + percent


def _axis(header: Header, x: Array) -> tuple[Axis, tuple[str, ...]]:
    """Return the axis by its label where labels are to be used and the label is known, by its type else."""
    label = str(header.fields["labels"]).split(" / ")[0]
    if header.has(spc_header.LABELS) and label:
        axis, _ = axis_of(label, x)
        if axis.quantity != "unknown":
            return axis, ()
    quantity, unit = spc_header.X_TYPES.get(header.x_type, ("unknown", "1"))
    axis = Axis(quantity=quantity, unit=unit, values=x)
    return axis, () if quantity != "unknown" else (f"an axis of the type {header.x_type}, labelled {label!r}",)


def _log(data: bytes, header: Header) -> str:
    """Return the text of the log block, empty where there is none in the file."""
    at = header.log_offset
    if not at or at + 64 > len(data):
        return ""
    size, _, text_at = struct.unpack_from(header.order + "III", data, at)
    return data[at + text_at : at + size].partition(b"\0")[0].decode("latin-1") if 64 <= text_at <= size else ""
