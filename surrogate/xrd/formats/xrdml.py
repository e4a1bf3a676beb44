"""Read PANalytical's XRDML, schemas 1.0 to 2.x: every scan of every measurement of a file.

What the numbers are, by the makers' schema (annotations of XRDMeasurement 1.5 and 2.1, www.xrdml.com):

- ``intensities`` (schemas 1.x) were multiplied by ``beamAttenuationFactors`` already: they are `Scan.values`, and the
  counts are intensities over factors, where these are whole;
- ``counts`` (schemas 2.x) are as received by the detector: they are `Scan.counts`, and the values are counts times
  factors. Divergence corrections are not applied, in either case.

Positions are lists, or start and end of ``n`` equal steps: step = (end - start) / (n - 1). The axis of a scan is 2Theta
if it moved, else Omega, else whatever moved; other axes are facts. Of a scan that was broken off the schema does not
say whether its end is that of the plan; it is read with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from surrogate.formats.axes import oddities
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Scan
from surrogate.formats.xmltext import number, numbers, parsed, text
from surrogate.xrd.formats.intensities import detected, gathered, multiplied, per_second
from surrogate.xrd.formats.source import Tube

_ROOT = b"xrdMeasurements"
_HEAD_BYTES = 4096
_POINTS = re.compile(
    r"(<(?:\w+:)?(?:intensities|counts|listPositions|beamAttenuationFactors|countingTimes)\b[^>]*>)[^<]*<"
)
_QUANTITIES: Mapping[str, Quantity] = {"2Theta": "two_theta", "Omega": "omega"}
_UNITS = {"deg": "deg", "mm": "mm"}
_COUNT_UNITS = ("counts", "")
_RATE_UNITS = ("cps", "counts/s")
_HEADER_FACTS = (
    ("header/startTimeStamp", "started_at"),
    ("header/endTimeStamp", "ended_at"),
    ("header/author/name", "operator"),
    ("header/source/instrumentID", "instrument_id"),
    ("header/source/applicationSoftware", "software"),
)
_ATTRIBUTE_FACTS = {"mode": "scan_mode", "scanAxis": "scan_axis", "status": "status", "appendNumber": "append_number"}
_TUBE_FACTS = (("incidentBeamPath/xRayTube/tension", "tube_voltage_kv", "kV"),
               ("incidentBeamPath/xRayTube/current", "tube_current_ma", "mA"),
               ("incidentBeamPath/radius", "radius_mm", "mm"))  # fmt: skip


def recognises(data: bytes) -> bool:
    """Say whether the root element is XRDML's, in an 8-bit or a 16-bit encoding."""
    head = data[:_HEAD_BYTES].replace(b"\x00", b"")
    return _ROOT in head and b"<" in head[:8]


def read(data: bytes) -> Content:
    """Read all scans.

    Raises:
        NotUnderstood: It is cut, damaged, or holds no points that a reader can place.
    """
    root = parsed(data)
    if root.tag != "xrdMeasurements":
        raise NotUnderstood(f"its root is {root.tag!r} and not xrdMeasurements")
    found = [(measurement, scan) for measurement in root.iter("xrdMeasurement") for scan in measurement.findall("scan")]
    filled = [(measurement, scan) for measurement, scan in found if _recorded(scan) is not None]
    read_ones = [_scan(root, measurement, scan) for measurement, scan in filled]
    empty = len(found) - len(filled)
    warnings = [f"{empty} of {len(found)} scans hold no points and are left out"] if empty else []
    version = root.get("xmlns", "").rstrip("/").rpartition("/")[2] or root.get("version", "")
    return Content(
        format=f"PANalytical XRDML {version}".rstrip(),
        header=_without_points(data),
        scans=tuple(scan for scan, _ in read_ones),
        warnings=(*warnings, *gathered([told for _, told in read_ones])),
    )


def _without_points(data: bytes) -> str:
    """Return the file's text with its long lists of numbers left out; they are in the scans."""
    encoding = "utf-16" if b"\x00" in data[:64] else "utf-8-sig"
    return _POINTS.sub(r"\1<", data.decode(encoding, errors="replace"))


def _recorded(scan: Element) -> Element | None:
    """Return the list of what was recorded, or None where nothing was."""
    for name in ("intensities", "counts"):
        found = scan.find(f"dataPoints/{name}")
        if found is not None and (found.text or "").strip():
            return found
    return None


def _scan(root: Element, measurement: Element, scan: Element) -> tuple[Scan, list[str]]:
    points = scan.find("dataPoints")
    recorded = _recorded(scan)
    if points is None or recorded is None:
        raise NotUnderstood("a scan holds no points")
    stored = numbers(recorded.text or "", recorded.tag)
    axis, elsewhere = _axes(points, stored.size)
    time_s = _each(points, "commonCountingTime", "countingTimes", stored.size)
    attenuation = _each(points, "commonBeamAttenuationFactor", "beamAttenuationFactors", stored.size)
    fields, warnings = _values(recorded, stored, attenuation, time_s)
    tube = _tube(measurement)
    found = Scan(
        kind="diffractogram",
        axis=axis,
        count_time_s=time_s,
        radiation=tube.radiation(),
        title=text(root, "sample/name") or text(root, "sample/id"),
        facts=_facts(root, measurement, scan) | tube.facts() | elsewhere,
        **fields,
    )
    return found, [*warnings, *tube.warnings(), *_doubts(measurement, scan, points), *oddities(axis.values)]


def _values(
    recorded: Element, stored: Array, attenuation: Array | None, time_s: Array | None
) -> tuple[dict[str, Any], list[str]]:
    unit = recorded.get("unit", "")
    if unit in _RATE_UNITS:
        return per_second(stored, attenuation, time_s)
    if unit not in _COUNT_UNITS:
        raise NotUnderstood(f"its {recorded.tag} are in {unit!r}, and not in counts")
    return multiplied(stored, attenuation) if recorded.tag == "intensities" else detected(stored, attenuation)


def _each(points: Element, common: str, listed: str, n: int) -> Array | None:
    """Return a number for each of ``n`` points, from one for all or from a list."""
    one, many = points.find(common), points.find(listed)
    if one is None and many is None:
        return None
    found = numbers((one if many is None else many).text or "", common)  # type: ignore[union-attr]
    if found.size not in ((1,) if many is None else (1, n)):
        raise NotUnderstood(f"it has {found.size} {listed} for {n} points")
    if found.min() <= 0.0:
        raise NotUnderstood(f"one of its {listed} is {found.min():g}")
    return np.full(n, found[0]) if found.size == 1 else found


def _axes(points: Element, n: int) -> tuple[Axis, dict[str, Fact]]:
    """Return the axis that was scanned, and where the others stood or went, as facts."""
    moved: dict[str, Axis] = {}
    facts: dict[str, Fact] = {}
    for positions in points.findall("positions"):
        name, unit = positions.get("axis", ""), _UNITS.get(positions.get("unit", ""))
        if unit is None:
            raise NotUnderstood(f"the positions of {name} are in {positions.get('unit')!r}, and not in deg or mm")
        values = _positions(positions, name, n)
        if values.size > 1 and np.ptp(values) > 0.0:
            moved[name] = Axis(quantity=_QUANTITIES.get(name, "position"), unit=unit, values=values)
        elif values.size:
            facts[f"{_word(name)}_{unit}"] = float(values[0])
    scanned = next((name for name in (*_QUANTITIES, *moved) if name in moved), None)
    if scanned is None:
        raise NotUnderstood("no axis moved during a scan: it is a count over time, or a frame of a detector")
    for name, axis in moved.items():
        if name != scanned:
            facts[f"{_word(name)}_start_{axis.unit}"] = float(axis.values[0])
            facts[f"{_word(name)}_end_{axis.unit}"] = float(axis.values[-1])
    return moved[scanned], facts


def _word(name: str) -> str:
    return "two_theta" if name == "2Theta" else name.lower().replace(" ", "_")


def _positions(positions: Element, name: str, n: int) -> Array:
    listed = positions.find("listPositions")
    if listed is not None:
        found = numbers(listed.text or "", f"positions of {name}")
        if found.size != n:
            raise NotUnderstood(f"it has {found.size} positions of {name} for {n} points")
        return found
    ends = [number(text(positions, place)) for place in ("startPosition", "endPosition")]
    if ends[0] is not None and ends[1] is not None:
        return np.linspace(ends[0], ends[1], n)
    common = number(text(positions, "commonPosition"))
    if common is None:
        raise NotUnderstood(f"the positions of {name} are neither a list nor a start and an end")
    return np.array([common])


def _tube(measurement: Element) -> Tube:
    lines = measurement.find("usedWavelength")
    for name in ("kAlpha1", "kAlpha2", "kBeta"):
        line = None if lines is None else lines.find(name)
        if line is not None and line.get("unit", "Angstrom") != "Angstrom":
            raise NotUnderstood(f"its {name} is in {line.get('unit')!r}, and not in Angstrom")
    return Tube(
        anode=text(measurement, "incidentBeamPath/xRayTube/anodeMaterial"),
        alpha_1=number(text(lines, "kAlpha1")),
        alpha_2=None if _has_monochromator(measurement) else number(text(lines, "kAlpha2")),
        beta=number(text(lines, "kBeta")),
        ratio=number(text(lines, "ratioKAlpha2KAlpha1")),
    )


def _has_monochromator(measurement: Element) -> bool:
    """Say whether a crystal in the incident beam lets one line pass; the header names both lines all the same."""
    return measurement.find("incidentBeamPath/monochromator") is not None


def _facts(root: Element, measurement: Element, scan: Element) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for place, key in (("sample/id", "sample_id"), ("sample/name", "sample")):
        if found := text(root, place):
            facts[key] = found
    for place, key in _HEADER_FACTS:
        if found := text(scan, place):
            facts[key] = found
    for attribute, key in _ATTRIBUTE_FACTS.items():
        if found := scan.get(attribute):
            facts[key] = found
    for place, key, unit in _TUBE_FACTS:
        element = measurement.find(place)
        value = None if element is None else number(element.text or "")
        if element is not None and value is not None and element.get("unit", unit) == unit:
            facts[key] = value
    if kind := measurement.get("measurementType"):
        facts["measurement_type"] = kind
    used = measurement.find("usedWavelength")
    if used is not None and (intended := used.get("intended")):
        facts["intended_line"] = intended
    return facts


def _doubts(measurement: Element, scan: Element, points: Element) -> list[str]:
    found = []
    if _has_monochromator(measurement):
        found.append("a monochromator stands in the incident beam: K-alpha 2 is taken as absent")
    states = [part.get("status", "Completed") for part in (scan, measurement)]
    if status := next((state for state in states if state != "Completed"), ""):
        found.append(f"the scan is {status!r}: its last position may be that of the plan and not of the last point")
    for name in ("commonDivergenceCorrection", "divergenceCorrections"):
        element = points.find(name)
        if element is not None and set((element.text or "").split()) - {"1", "1.0", "1.00", "1.000"}:
            found.append("its divergence corrections are not applied")
    if points.find("commonCountingTime") is None and points.find("countingTimes") is None:
        found.append("it does not say how long a point was counted for")
    return found
