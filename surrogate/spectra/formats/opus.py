"""Bruker OPUS: spectra, single channels and interferograms of Fourier spectrometers.

Every block of data has a block of parameters of the same type: points, first and last abscissa, factor, and least and
greatest value, by which the two are checked against each other. Ratios of sample and reference come first, then single
channels, then the rest, each in the order of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Scan
from surrogate.spectra.formats.opus_blocks import MAGIC, Block, directory, parameters
from surrogate.spectra.formats.spectral_words import as_json, finite, fraction_or_percent

Parameters = dict[str, Fact]

_MOST_ALIKE = 16
RAMAN, SERIES, COMPACT, REPORT = 10, 2, 4, 5
_ORDINATES: dict[int, tuple[str, str]] = {
    1: ("single_channel", "arbitrary"), 2: ("interferogram", "arbitrary"), 3: ("phase", "rad"),
    4: ("absorbance", "1"), 5: ("transmittance", "1"), 6: ("kubelka_munk", "1"), 7: ("trace", "arbitrary"),
    RAMAN: ("intensity", "arbitrary"), 11: ("emission", "arbitrary"), 12: ("reflectance", "1"),
    14: ("power", "arbitrary"), 15: ("log_inverse_reflectance", "1"), 16: ("atr", "1"),
    17: ("photoacoustic", "arbitrary"),
}  # fmt: skip
_AXES: dict[str, tuple[Quantity, str]] = {
    "WN": ("wavenumber", "/cm"), "MI": ("wavelength", "um"), "MIN": ("time", "min"), "PNT": ("unknown", "1"),
}  # fmt: skip
_FACTS = {
    "SNM": "sample", "SFM": "sample_form", "CNM": "operator", "INS": "instrument", "RES": "resolution_per_cm",
    "NSS": "scans", "NSR": "reference_scans", "SRC": "source", "BMS": "beam_splitter", "DTC": "detector",
    "APT": "aperture", "APF": "apodisation", "ZFF": "zero_filling", "LWN": "laser_wavenumber_per_cm",
    "RLW": "laser_wavenumber_per_cm", "RLP": "laser_mw", "VEL": "velocity", "EXP": "experiment",
}  # fmt: skip
_SOURCES = ("", "sample", "reference", "")
_PARTS = ("", "real", "imaginary", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One block of data of ``n`` points with its parameters."""

    block: Block
    status: Block
    """Where the parameters stand."""
    parameters: Parameters
    x: Array
    """``n``."""
    y: Array
    """``n``."""


def recognises(data: bytes) -> bool:
    """Say whether a file begins as OPUS files do."""
    return data[:4] == MAGIC


@np.errstate(all="ignore")
def read(data: bytes) -> Content:
    """Read all curves of a file.

    Raises:
        NotUnderstood: It is cut short, holds no curve that is read, or its blocks contradict each other.
    """
    blocks = directory(data)
    found, warnings = curves(data, blocks)
    shared = _shared(data, blocks)
    scans = []
    for curve in found:
        scan, said = _scan(curve, shared)
        scans.append(scan)
        warnings += said
    return Content(
        format="Bruker OPUS",
        header=as_json(_header(data, blocks)),
        scans=tuple(scans),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def curves(data: bytes, blocks: list[Block]) -> tuple[list[Curve], list[str]]:
    """Return the curves of a file, and what is not read.

    Raises:
        NotUnderstood: A block has no parameters or contradicts them, or there is no curve.
    """
    found: list[Curve] = []
    warnings: list[str] = []
    status = [(other, parameters(data, other)) for other in blocks if other.parameters == 1]
    for block in blocks:
        if block.parameters or block.data in (0, 13) or block.form == REPORT:
            continue
        if block.form == SERIES:
            warnings.append(f"a series of spectra, in {block.size} bytes, is not read")
        else:
            found.append(_curve(data, block, status))
    if not found:
        raise NotUnderstood("; ".join(["it holds no curve that is read", *warnings]))
    return sorted(found, key=lambda curve: order(curve.block)), warnings


def order(block: Block) -> tuple[int, int]:
    """Return what curves are ordered by."""
    return (0 if block.source in (0, 3) else 1 if block.data % 32 == 1 else 2), block.start


def _curve(data: bytes, block: Block, status: list[tuple[Block, Parameters]]) -> Curve:
    known = [(other, read) for other, read in status if other.kind == block.kind]
    if len(known) > _MOST_ALIKE:
        raise NotUnderstood(f"{len(known)} curves of one kind")
    fitting = [
        Curve(block=block, status=other, parameters=read, **_points(data, block, read))
        for other, read in known
        if 2 <= _whole(read, "NPT") <= block.size // 4
    ]
    if len(fitting) > 1:
        fitting = [curve for curve in fitting if not _contradiction(curve)]
    if len(fitting) != 1:
        reason = "several sets of parameters fit" if fitting else "no parameters fit"
        raise NotUnderstood(f"{reason} the block of type {block.codes} at byte {block.start}")
    return fitting[0]


def _points(data: bytes, block: Block, read: Parameters) -> dict[str, Array]:
    count = _whole(read, "NPT")
    first, last, factor = (_real(read, name) for name in ("FXV", "LXV", "CSF"))
    kind = {1: "<f4", 2: "<i4"}.get(_whole(read, "DPF"))
    if kind is None:
        raise NotUnderstood(f"numbers of the format {read.get('DPF')}")
    start = block.start + (block.size - 4 * count if block.form == COMPACT else 0)
    y = np.frombuffer(data, kind, count, start).astype(np.float64) * factor
    return {"x": np.linspace(first, last, count), "y": y}


def _whole(read: Parameters, name: str) -> int:
    value = read.get(name)
    if not isinstance(value, int):
        raise NotUnderstood(f"its data have no parameter {name}")
    return value


def _real(read: Parameters, name: str) -> float:
    value = read.get(name)
    if not isinstance(value, int | float) or not np.isfinite(value):
        raise NotUnderstood(f"its data have no parameter {name}, or it is {value}")
    return float(value)


def _contradiction(curve: Curve) -> str:
    """Compare least and greatest value with what the parameters say; empty where they agree or do not say it."""
    scale = float(np.nanmax(np.abs(curve.y), initial=0.0))
    for name, found in (("MNY", np.nanmin(curve.y, initial=np.inf)), ("MXY", np.nanmax(curve.y, initial=-np.inf))):
        said = curve.parameters.get(name)
        if isinstance(said, float) and not abs(said - found) <= 1e-5 * scale + 1e-30:
            return f"its parameter {name} is {said:g}, and the block at byte {curve.block.start} has {found:g}"
    return ""


def _scan(curve: Curve, shared: dict[str, Fact]) -> tuple[Scan, tuple[str, ...]]:
    block, read = curve.block, curve.parameters
    y, warnings = finite(curve.y)
    quantity, unit = _ORDINATES.get(block.data % 32, ("intensity", "arbitrary"))
    if block.data % 32 not in _ORDINATES:
        warnings += (f"data of the kind {block.data % 32}, taken as arbitrary intensity",)
    unit, percent = fraction_or_percent(quantity, unit, y)
    if block.derivative:
        quantity, unit = f"derivative {block.derivative} of {quantity}", "arbitrary"
    axis, unknown = _axis(curve)
    of = (("of", _SOURCES[block.source]), ("part", _PARTS[block.part]))
    facts = shared | {name: text for name, text in of if text}
    if block.data >= 32:
        facts["channel"] = block.data // 32 + 1
    if started := _started(read):
        facts["started_at"] = started
    said = filter(None, [_contradiction(curve)])
    title = str(shared.get("sample", ""))
    scan = Scan(kind="spectrum", axis=axis, values=y, unit=unit, quantity=quantity, title=title, facts=facts)
    return scan, (*warnings, *percent, *unknown, *said)


def _axis(curve: Curve) -> tuple[Axis, tuple[str, ...]]:
    said = str(curve.parameters.get("DXU", ""))
    quantity, unit = _AXES.get(said, ("unknown", "1"))
    if curve.block.data % 32 == RAMAN and quantity == "wavenumber":
        quantity = "raman_shift"
    axis = Axis(quantity=quantity, unit=unit, values=curve.x)
    return axis, () if said in _AXES else (f"an axis of the unit {said!r}, which is not known",)


def _started(read: Parameters) -> str:
    """Return day and time of the data in ISO 8601, empty where they are not of a known form."""
    day, clock = str(read.get("DAT", "")), str(read.get("TIM", ""))
    date = re.fullmatch(r"(\d\d)/(\d\d)/(\d{4})|(\d{4})/(\d\d)/(\d\d)", day)
    time = re.match(r"\d\d:\d\d:\d\d(?:\.\d+)?", clock)
    if not date:
        return ""
    parts = date.group(3, 2, 1) if date[3] else date.group(4, 5, 6)
    zone = re.search(r"\((?:GMT|UTC)([+-])(\d{1,2})\)", clock)
    day = "-".join(parts)
    if not time:
        return day
    return f"{day}T{time[0]}" + (f"{zone[1]}{int(zone[2]):02d}:00" if zone else "")


def _shared(data: bytes, blocks: list[Block]) -> dict[str, Fact]:
    """Return what the parameters of the sample's measurement say, by field."""
    facts: dict[str, Fact] = {}
    for block in blocks:
        if block.parameters > 1 and block.source != 2:
            read = parameters(data, block)
            facts |= {name: read[code] for code, name in _FACTS.items() if read.get(code) not in (None, "")}
    return facts


def _header(data: bytes, blocks: list[Block]) -> dict[str, object]:
    """Return all parameters, by the type of their block and its place."""
    known = (block for block in blocks if block.parameters)
    return {f"{block.codes} at {block.start}": parameters(data, block) for block in known}
