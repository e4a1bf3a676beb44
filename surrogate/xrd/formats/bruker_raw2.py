"""Read RAW2, Siemens' DIFFRAC-AT 3: a file header of 256 bytes, and for each range a header and single precision.

Layout, all little-endian (facts of the format, as the documentation of xylib and the GSAS-II importer state them):

    file    4 u16 number of ranges, 168 date and time (20), 188 anode (2), 190 K-alpha 1, 194 K-alpha 2,
            198 their ratio, 206 K-beta (float32)
    range   0 u16 bytes of its header, 2 u16 points, 8 float32 time for a step in s, 12 step, 16 start (float32),
            46 u16 temperature in K; then float32 intensities

The layout that is known does not say which axis was scanned: two theta is assumed, and said so.
"""

from __future__ import annotations

from functools import partial

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Content
from surrogate.xrd.formats.binary import Bytes, equal_steps
from surrogate.xrd.formats.bruker_range import Range, content, positive, ranges_of, told
from surrogate.xrd.formats.source import Tube

FILE_HEADER = 256
SHORTEST_HEADER = 48
ASSUMED_AXIS = "the file does not say which axis was scanned; two theta is assumed"


def read(data: Bytes) -> Content:
    """Read all ranges.

    Raises:
        NotUnderstood: It is cut or damaged.
    """
    ranges, _ = ranges_of(data.u16(4), FILE_HEADER, partial(_range, data))
    tube = Tube(
        anode=data.text(188, 2),
        alpha_1=positive(data.f32(190)),
        alpha_2=positive(data.f32(194)),
        ratio=positive(data.f32(198)),
        beta=positive(data.f32(206)),
    )
    return content("RAW2", told({"started_at": data.text(168, 20)}), ranges, tube)


def _range(data: Bytes, at: int) -> tuple[Range, int]:
    length, points = data.u16(at), data.u16(at + 2)
    if length < SHORTEST_HEADER:
        raise NotUnderstood(f"the header of a range declares {length} bytes")
    values = data.column(at + length, points, record=4)
    facts = told({"time_per_step_s": data.f32(at + 8), "temperature_k": float(data.u16(at + 46))})
    found = Range(
        quantity="two_theta",
        positions_deg=equal_steps(data.f32(at + 16), data.f32(at + 12), points),
        intensities=values,
        time_s=data.f32(at + 8),
        facts=facts,
        warnings=(ASSUMED_AXIS,),
    )
    return found, at + length + 4 * points
