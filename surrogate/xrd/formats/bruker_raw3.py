"""Read RAW1.01, what DIFFRACplus writes (its third version): 712 bytes, and for each range a header and records.

Layout, all little-endian (facts of the format: DIFFRACplus XCH user's manual, appendix A, as xylib cites it):

    file    8 u32 status (1 done, 2 active, 3 aborted, 4 interrupted), 12 u32 number of ranges, 16 date (10),
            26 time (10), 36 user (72), 108 site (218), 326 sample (60), 386 comment (160), 564 float32 goniometer
            radius in mm, 608 anode (4), 616 K-alpha, 624 K-alpha 1, 632 K-alpha 2, 640 K-beta, 648 ratio (float64)
    range   0 u32 bytes of its header, 4 u32 points, 8 start of theta, 16 start of two theta, 176 step (float64),
            192 float32 time for a step in s, 196 u32 kind of scan, 212 float32 temperature in K, 224 u32 kV,
            228 u32 mA, 240 float64 wavelength used, 248 u32 what varies from point to point, 252 u32 bytes of a record,
            256 u32 bytes of more headers; then these, then the records: float32 intensity and a float64 for each that
            varies

The first that may vary is two theta: then each point's own is read. Other kinds of scan than coupled, of the detector,
and rocking are refused.
"""

from __future__ import annotations

from functools import partial

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Content, Fact, Quantity
from surrogate.xrd.formats.binary import Bytes, equal_steps
from surrogate.xrd.formats.bruker_range import LARGEST_HEADER, Range, content, dated, positive, ranges_of, told
from surrogate.xrd.formats.source import Tube

FILE_HEADER = 712
SHORTEST_HEADER = 260
_STATUS = {1: "done", 2: "active", 3: "aborted", 4: "interrupted"}
_TWO_THETA = {0: "locked coupled", 1: "unlocked coupled", 2: "detector", 20: "coupled"}
_ROCKING = 3


def read(data: Bytes) -> Content:
    """Read all ranges.

    Raises:
        NotUnderstood: It is cut or damaged, or scans something else than two theta or omega.
    """
    ranges, at = ranges_of(data.u32(12), FILE_HEADER, partial(_range, data))
    if data.data[at:].strip(b"\x00"):
        raise NotUnderstood(f"{len(data) - at} bytes follow its last range: the layout is not the one that is known")
    return content("RAW1.01", _header(data), ranges, _tube(data))


def _header(data: Bytes) -> dict[str, Fact]:
    return told(
        {
            "started_at": dated(data.text(16, 10), data.text(26, 10)),
            "operator": data.text(36, 72),
            "site": data.text(108, 218),
            "sample": data.text(326, 60),
            "comment": data.text(386, 160),
            "radius_mm": data.f32(564),
            "status": _STATUS.get(data.u32(8), ""),
        }
    )


def _tube(data: Bytes) -> Tube:
    return Tube(
        anode=data.text(608, 4),
        alpha_1=positive(data.f64(624)),
        alpha_2=positive(data.f64(632)),
        beta=positive(data.f64(640)),
        ratio=positive(data.f64(648)),
    )


def _range(data: Bytes, at: int) -> tuple[Range, int]:
    length, points, more = data.u32(at), data.u32(at + 4), data.u32(at + 256)
    if not SHORTEST_HEADER <= length <= LARGEST_HEADER or more > LARGEST_HEADER:
        raise NotUnderstood(f"the header of a range declares {length} and {more} bytes")
    varying, record = data.u32(at + 248), data.u32(at + 252) or 4
    if record != 4 + 8 * varying.bit_count():
        raise NotUnderstood(f"it declares points of {record} bytes, and {varying.bit_count()} numbers that vary")
    begin = at + length + more
    values = data.column(begin, points, record=record)
    kind = data.u32(at + 196)
    positions = _positions(data, at, begin, points, record, varying, kind)
    found = Range(
        quantity=_quantity(kind),
        positions_deg=positions,
        intensities=values,
        time_s=data.f32(at + 192),
        facts=_facts(data, at, kind),
    )
    return found, begin + points * record


def _quantity(kind: int) -> Quantity:
    if kind not in _TWO_THETA and kind != _ROCKING:
        raise NotUnderstood(f"its scan is of kind {kind}: neither coupled, nor of the detector, nor a rocking curve")
    return "omega" if kind == _ROCKING else "two_theta"


def _positions(data: Bytes, at: int, begin: int, points: int, record: int, varying: int, kind: int) -> Array:
    if kind == _ROCKING:
        return equal_steps(data.f64(at + 8), data.f64(at + 176), points)
    if varying & 1:
        return data.column(begin + 4, points, record=record, kind="<f8")
    return equal_steps(data.f64(at + 16), data.f64(at + 176), points)


def _facts(data: Bytes, at: int, kind: int) -> dict[str, Fact]:
    return told(
        {
            "scan_axis": _TWO_THETA.get(kind, "rocking"),
            "theta_start_deg": data.f64(at + 8),
            "two_theta_start_deg": data.f64(at + 16),
            "time_per_step_s": data.f32(at + 192),
            "temperature_k": data.f32(at + 212),
            "tube_voltage_kv": float(data.u32(at + 224)),
            "tube_current_ma": float(data.u32(at + 228)),
            "wavelength_used_angstrom": data.f64(at + 240),
        }
    )
