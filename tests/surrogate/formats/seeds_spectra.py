"""Small valid files of spectrometer formats, written byte by byte from their published layouts."""

from __future__ import annotations

import runpy
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

_writer = runpy.run_path(str(Path(__file__).with_name("jcamp_writer.py")))
FORMS, jcamp_file, rows = _writer["FORMS"], _writer["jcamp_file"], _writer["rows"]

CURVE = (1000, 1003, 1003, 1003, 990, 977, 964, 964, 1200, 1187, 12, -5, -5, 0)
"""Whole numbers with rises, falls, repeats of values and of differences, and a change of sign."""


def jcamp() -> bytes:
    """Return a JCAMP-DX file in differences with repeats."""
    return jcamp_file(rows(CURVE, "DIFDUP"), len(CURVE))


def jcamp_free() -> bytes:
    """Return a JCAMP-DX file in free numbers, which every reader knows."""
    return jcamp_file(rows(CURVE, "AFFN"), len(CURVE))


def spc(
    y: Sequence[Sequence[float]] = (CURVE,),
    *,
    exponent: int = 16,
    sub_exponent: int | None = None,
    flags: int = 0,
    x_type: int = 13,
    y_type: int = 0,
    x: Sequence[float] | None = None,
    own_x: Sequence[Sequence[float]] | None = None,
    order: str = "<",
    log: bytes = b"",
    labels: bytes = b"",
) -> bytes:
    """Return a new SPC file of the traces ``y``, as multiples of 2^(exponent - bits) or, at -128, as floats."""
    flags |= (0x04 if len(y) > 1 else 0) | (0x80 if x is not None else 0) | (0xC4 if own_x is not None else 0)
    kind = "f4" if exponent == -128 else "i2" if flags & 1 else "i4"
    scale = 1.0 if exponent == -128 else 2.0 ** (exponent - 8 * int(kind[1]))
    own = exponent if sub_exponent is None else sub_exponent
    body = b"" if x is None else np.asarray(x, order + "f4").tobytes()
    starts = []
    for index, trace in enumerate(y):
        starts.append(512 + len(body))
        body += struct.pack(order + "BbHfffIIf4x", 0, own, index, index, index + 1, 0, len(trace), 4, 0)
        body += b"" if own_x is None else np.asarray(own_x[index], order + "f4").tobytes()
        body += (np.asarray(trace) / scale).astype(order + kind).tobytes()
    points = len(y[0])
    if own_x is not None:
        points = 512 + len(body)
        body += b"".join(struct.pack(order + "IIf", start, 0, 0.0) for start in starts)
    head = struct.pack(
        order + "BBBbIddIBBBBI9s9sH32s130s30sIIBBHf48sfIfB187x",
        flags, 0x4B if order == "<" else 0x4C, 12, exponent, points, 400.0, 426.0, len(y), x_type, y_type, 4, 0,
        2024 << 20 | 5 << 16 | 17 << 11 | 13 << 6 | 45, b"4", b"tests", 0, b"", b"a trace", labels,
        512 + len(body) if log else 0, 0, 0, 1, 1, 0.0, b"", 0.0, 0, 0.0, 0,
    )  # fmt: skip
    block = struct.pack(order + "IIIII44x", 64 + len(log) + 1, 4096, 64, 0, 0) + log + b"\0" if log else b""
    return head + body + block


def spc_old(y: Sequence[Sequence[int]] = (CURVE,), *, exponent: int = 32, flags: int = 0) -> bytes:
    """Return an old SPC file of the traces ``y``; its 32-bit numbers have their halves exchanged."""
    flags |= 0x04 if len(y) > 1 else 0
    data = struct.pack(
        "<BBhfffBBHBBBB8sHH28s130s30s", flags, 0x4D, exponent, len(y[0]), 400.0, 426.0, 1, 2, 1994, 3, 21, 14, 5, b"4",
        0, 16, b"", b"an old trace", b"",
    )  # fmt: skip
    for index, trace in enumerate(y):
        data += struct.pack("<BbHfffIIf4x", 0, exponent, index, index, index + 1, 0, 0, 1, 0)
        halves = np.asarray(trace, "<i4").view("<u2").reshape(-1, 2)[:, ::-1]
        data += np.ascontiguousarray(halves).tobytes() if not flags & 1 else np.asarray(trace, "<i2").tobytes()
    return data


def wdf(
    y: Sequence[Sequence[float]] = (CURVE, CURVE[::-1]), *, x_unit: int = 1, unit: int = 6, capacity: int | None = None
) -> bytes:
    """Return a Renishaw file of the spectra ``y`` at places of 1 um distance, with a comment and settings."""
    points, count = len(y[0]), len(y)
    capacity = count if capacity is None else capacity
    ticks = 133_500_000_000_000_000
    head = struct.pack(
        "<4sIQQ16s12xIIIQQIIII24s4HIIQQIf48x32s160s", b"WDF1", 1, 512, 0, b"", 0, 0, points, capacity, count, 3, 1,
        points, 2, b"WiRE", 5, 3, 0, 1234, 1, 3 if count > 1 else 1, ticks, ticks, unit, 18797.0, b"tests", b"a map",
    ).ljust(512, b"\0")  # fmt: skip
    places = [np.pad(np.arange(count, dtype="<f8"), (0, capacity - count)).tobytes() for _ in "xy"]
    origins = struct.pack("<I", 2) + b"".join(
        struct.pack("<II16s", 1 << 31 | kind, 5, name) + values
        for kind, name, values in zip((3, 4), (b"X", b"Y"), places, strict=True)
    )
    spectra = np.zeros((capacity, points), "<f4")
    spectra[:count] = y
    x = struct.pack("<II", 1, x_unit) + np.linspace(1800, 200, points).astype("<f4").tobytes()
    settings = _settings({1: ("Exposure Time", "r", 500.0), 2: ("Accumulations", "i", 3)})
    blocks = {
        b"DATA": spectra.tobytes(), b"YLST": struct.pack("<IIf", 0, 16, 0.0), b"XLST": x, b"ORGN": origins,
        b"TEXT": b"a comment", b"WXDM": settings, b"WMAP": struct.pack("<I4x6f4I", 2, 0, 0, 0, 1, 1, 1, count, 1, 1, 0),
    }  # fmt: skip
    tail = (struct.pack("<4sIQ", name, 0, 16 + len(content)) + content for name, content in blocks.items())
    return head + b"".join(tail)


def _settings(entries: dict[int, tuple[str, str, float]]) -> bytes:
    """Return a property set that names at its top what a set within it holds."""
    names, inner = b"", b""
    for key, (name, kind, value) in entries.items():
        names += struct.pack("<cBHI", b"k", 0, key, len(name)) + name.encode()
        inner += struct.pack("<cBH", kind.encode(), 0, key) + struct.pack({"r": "<f", "i": "<i"}[kind], value)
    content = names + struct.pack("<cBHI", b"p", 0, 99, len(inner)) + inner
    return b"PSET" + struct.pack("<I", len(content)) + content


def opus(
    curves: Sequence[tuple[int, int, Sequence[float]]] = ((3, 4, CURVE), (1, 1, CURVE[::-1]), (2, 1, CURVE)),
    *,
    factor: float = 0.001,
    x_unit: str = "WN",
    status: dict[str, object] | None = None,
) -> bytes:
    """Return an OPUS file of curves, each of a source (1 sample, 2 reference, 3 ratio), a kind and its values."""
    blocks: list[tuple[int, bytes]] = [(_code(0, 0, 6), _parameters({"SNM": "film 7"}))]
    blocks.append((_code(3, 0, 2), _parameters({"INS": "VERTEX 70", "RES": 4.0, "NSS": 32})))
    for source, kind, values in curves:
        y = np.asarray(values, "<f4")
        known = {
            "DPF": 1, "NPT": len(y), "FXV": 4000.0, "LXV": 400.0, "CSF": factor, "MXY": float(y.max()) * factor,
            "MNY": float(y.min()) * factor, "DXU": x_unit, "DAT": "17/05/2024", "TIM": "13:45:10.123 (GMT+2)",
        }  # fmt: skip
        blocks.append((_code(source, kind, 0), y.tobytes()))
        blocks.append((_code(source, kind, 1), _parameters(known | (status or {}))))
    start = 24 + 12 * (len(blocks) + 4)
    entries, body = struct.pack("<Iii", 13 << 10, 3 * (len(blocks) + 4), 24), b""
    for code, content in blocks:
        entries += struct.pack("<Iii", code, len(content) // 4, start + len(body))
        body += content
    head = b"\x0a\x0a\xfe\xfe" + struct.pack("<diii", 920622.0, 24, len(blocks) + 4, len(blocks) + 1)
    return (head + entries).ljust(start, b"\0") + body


def _code(source: int, kind: int, parameters: int) -> int:
    return 3 | source << 2 | parameters << 4 | kind << 10


def _parameters(values: dict[str, object]) -> bytes:
    data = b""
    for name, value in values.items():
        if isinstance(value, int):
            code, raw = 0, struct.pack("<i", value)
        elif isinstance(value, float):
            code, raw = 1, struct.pack("<d", value)
        else:
            text = str(value).encode("latin-1") + b"\0"
            code, raw = 2, text + b"\0" * (-len(text) % 4)
        data += name.encode() + b"\0" + struct.pack("<HH", code, len(raw) // 2) + raw
    return data + b"END\0" + struct.pack("<HH", 0, 0)


def labspec_xml(
    y: Sequence[Sequence[float]] = (CURVE,), *, unit: str = "1/cm", ordinate: str = "Cnt", grid: Sequence[int] = ()
) -> bytes:
    """Return a LabSpec 6 export of the spectra ``y``, on a map of so many places along X and Y."""
    points = len(y[0])
    axes = [_axis("0x0", "Intens", ordinate), _axis("0x1", "Spectr", unit, np.linspace(100, 1400, points))]
    axes += [
        _axis(which, name, "\u00b5m", np.arange(count) * 0.5)
        for which, name, count in zip(("0x2", "0x3"), "XY", grid, strict=False)
    ]
    settings = "".join(
        f'<LSX Format="9" ID="0x1"><LSX ID="0x6D6D616E">{name}</LSX><LSX ID="0x7D6C61DB">{value}</LSX>'
        f'<LSX ID="0x8736F70">{exact}</LSX></LSX>'
        for name, value, exact in (("Acq. time (s)", 3, ""), ("Accumulations", 2, ""), ("Laser (nm)", "633 ", 632.817))
    )
    rows_of_values = "".join(
        f'<LSX_Row Format="6" Index="{index}" Size="{points}">\n{" ".join(f"{value:g}" for value in row)} \n</LSX_Row>'
        for index, row in enumerate(y)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<LSX_Data><LSX_Tree Format="9" ID="0x69746164" Size="9">'
        '<LSX Format="8" ID="0x6C7469D9">film 7</LSX>'
        f'<LSX ID="0x7A74D9D6"><LSX ID="0x7B697861">{"".join(axes)}</LSX></LSX>'
        f'<LSX ID="0x6C62D4D9"><LSX ID="0x8716361">{settings}</LSX></LSX></LSX_Tree>'
        f'<LSX_Matrix Format="6" ID="0x7D6CD4DB" Size="{points}">{rows_of_values}</LSX_Matrix></LSX_Data>\n'
    ).encode()


def _axis(which: str, name: str, unit: str, values: np.ndarray | None = None) -> str:
    numbers = "" if values is None else f'<LSX ID="0x7D6CD4DB">\n{" ".join(f"{v:.7g}" for v in values)} \n</LSX>'
    return f'<LSX ID="{which}">{numbers}<LSX ID="0x6D707974">{name}</LSX><LSX ID="0x7C696E75">{unit}</LSX></LSX>'


SEEDS: dict[str, Callable[[], bytes]] = {
    "jcamp": jcamp, "jcamp_library": jcamp_free, "spc": spc, "spc_library": spc, "wdf": wdf, "wdf_library": wdf,
    "opus": opus, "opus_library": opus, "labspec_xml": labspec_xml,
}  # fmt: skip
"""A file by the name of the reader that it is for."""
