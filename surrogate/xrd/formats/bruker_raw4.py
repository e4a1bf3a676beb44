"""Read RAW4.00, what DIFFRAC.SUITE writes: 61 bytes, segments of a kind and a length, and ranges.

Layout, all little-endian (facts of the format, as the documentation of xylib states them; confirmed here by reading
files that were written so with another reader as well):

    file      12 date (12), 24 time (10)
    segment   0 u32 kind, 4 u32 bytes; kind 10: 12 name (24), 36 text; kind 30: 72 K-alpha, 80 K-alpha 1, 88 K-alpha 2,
              96 K-beta, 104 ratio (float64), 116 anode (4)
    range     a segment of kind 0 or 160: 32 kind of scan (24), 72 start, 80 step (float64), 88 u32 points, 92 time for
              a step, 100 kV, 104 mA (float32), 112 float64 wavelength used, 136 u32 bytes of a record, 140 u32 bytes of
              the drives' segments; at 160 these (kind 50: 8 u32 whether it moved, 12 name (24), 56 float64 position),
              then the records, whose first number is the float32 intensity

The axis is the drive that moved from the range's start; where no drive says so, the kind of scan decides. The time for
a step is taken as seconds by some and as milliseconds by others: it is a fact without unit, and no counting time.
"""

from __future__ import annotations

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Content, Fact, Quantity
from surrogate.xrd.formats.binary import Bytes, equal_steps
from surrogate.xrd.formats.bruker_range import LARGEST_HEADER, MOST_RANGES, Range, content, dated, positive, told
from surrogate.xrd.formats.source import Tube

FILE_HEADER = 61
RANGE_HEADER = 160
_RANGES = (0, 160)
_TEXT, _TUBE, _DRIVE = 10, 30, 50
_NAMES = {"USER": "operator", "SITE": "site", "SAMPLEID": "sample", "COMMENT": "comment", "CREATOR": "software"}
_KINDS: dict[str, Quantity] = {
    "lockedcoupled": "two_theta", "unlockedcoupled": "two_theta", "unlockedcoupledhrxrd": "two_theta",
    "detectorscan": "two_theta", "rockingcurve": "omega",
}  # fmt: skip
_DRIVES: dict[str, Quantity] = {"2theta": "two_theta", "twotheta": "two_theta", "theta": "omega", "omega": "omega"}
_ANGLES = frozenset({"theta", "omega", "2theta", "chi", "phi", "psi"})
TIME = "nobody says in which unit it gives the time for a step; the counting time is not known"
SECOND = "each of its points has further numbers, of which nobody says what they are; they are left out"


def read(data: Bytes) -> Content:
    """Read all ranges.

    Raises:
        NotUnderstood: It is cut or damaged, or scans something else than two theta or omega.
    """
    header: dict[str, Fact] = {"started_at": dated(data.text(12, 12), data.text(24, 10))}
    tube, ranges, at = Tube(), [], FILE_HEADER
    while at + 8 <= len(data):
        kind, length = data.u32(at), data.u32(at + 4)
        if kind in _RANGES:
            found, at = _range(data, at)
            ranges.append(found)
        else:
            _check_segment(data, at, length, len(data))
            if kind == _TUBE:
                tube = _tube(data, at)
            elif kind == _TEXT and length > 36:
                name = data.text(at + 12, 24)
                header[_NAMES.get(name, name.lower())] = data.text(at + 36, length - 36)
            at += length
        if len(ranges) > MOST_RANGES:
            raise NotUnderstood(f"it holds more than {MOST_RANGES} ranges")
    return content("RAW4.00", told(header), ranges, tube)


def _check_segment(data: Bytes, at: int, length: int, end: int) -> None:
    if length < 8 or at + length > end:
        raise NotUnderstood(f"the segment at byte {at} declares {length} bytes, and {end - at} are left; was it cut?")


def _tube(data: Bytes, at: int) -> Tube:
    return Tube(
        anode=data.text(at + 116, 4),
        alpha_1=positive(data.f64(at + 80)),
        alpha_2=positive(data.f64(at + 88)),
        beta=positive(data.f64(at + 96)),
        ratio=positive(data.f64(at + 104)),
    )


def _range(data: Bytes, at: int) -> tuple[Range, int]:
    points, record, more = data.u32(at + 88), data.u32(at + 136), data.u32(at + 140)
    if more > LARGEST_HEADER or record % 4 or not 4 <= record <= 1024:
        raise NotUnderstood(f"a range declares points of {record} bytes and {more} bytes of drives")
    begin = at + RANGE_HEADER + more
    values = data.column(begin, points, record=record)
    end = begin + points * record
    if end > len(data):
        raise NotUnderstood(f"its last point ends at byte {end}, and it has {len(data)}; was it cut?")
    start, step = data.f64(at + 72), data.f64(at + 80)
    kind = data.text(at + 32, 24)
    drives = _drives(data, at + RANGE_HEADER, begin)
    found = Range(
        quantity=_quantity(kind, drives, start),
        positions_deg=equal_steps(start, step, points),
        intensities=values,
        facts=_facts(data, at, kind) | _stood(drives),
        warnings=(TIME, SECOND) if record > 4 else (TIME,),
    )
    return found, end


def _drives(data: Bytes, at: int, end: int) -> dict[str, tuple[bool, float]]:
    """Return for each drive whether it moved, and where it stood at the start."""
    found: dict[str, tuple[bool, float]] = {}
    while at + 8 <= end:
        kind, length = data.u32(at), data.u32(at + 4)
        _check_segment(data, at, length, end)
        if kind == _DRIVE and length >= 64 and abs(place := data.f64(at + 56)) < 1e6:
            found[_plain(data.text(at + 12, 24))] = (data.u32(at + 8) != 0, place)
        at += length
    return found


def _stood(drives: dict[str, tuple[bool, float]]) -> dict[str, Fact]:
    return {
        f"{name.replace('2theta', 'two_theta')}_start_deg": place
        for name, (_, place) in drives.items()
        if name in _ANGLES
    }


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _quantity(kind: str, drives: dict[str, tuple[bool, float]], start: float) -> Quantity:
    moved = [name for name, (has_moved, place) in drives.items() if has_moved and abs(place - start) < 1e-6]
    if len(moved) == 1 and moved[0] in _DRIVES:
        return _DRIVES[moved[0]]
    if _plain(kind) in _KINDS and len(moved) != 1:
        return _KINDS[_plain(kind)]
    raise NotUnderstood(f"its scan is {kind!r} of {', '.join(moved) or 'no drive'}: neither of two theta nor of omega")


def _facts(data: Bytes, at: int, kind: str) -> dict[str, Fact]:
    return told(
        {
            "scan_axis": kind,
            "time_per_step": data.f32(at + 92),
            "tube_voltage_kv": data.f32(at + 100),
            "tube_current_ma": data.f32(at + 104),
            "wavelength_used_angstrom": data.f64(at + 112),
        }
    )
