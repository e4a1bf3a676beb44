"""Read Bruker's .brml, what DIFFRAC.MEASUREMENT writes: a zip archive of XML, one RawData*.xml for each scan.

No schema is published; the names are those that the files themselves explain: ``DataViews`` says which column of each
``Datum`` is what (measured time, absorption factor, positions, counts), so no column is counted. Stored intensities are
multiplied by the absorption factor already: in files whose factor varies only intensity over factor is whole. That is
asked of each file again (`intensities.by_evidence`).

Positions in ``Datum`` are rounded to four decimals; where the declared start and increment give the same within that
rounding they are used, being exact, else the recorded positions. A row with a frame of a detector is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, tostring

import numpy as np

from surrogate.formats.archive import Archive, names, opened
from surrogate.formats.axes import oddities
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Scan
from surrogate.formats.xmltext import number, numbers, parsed, text
from surrogate.xrd.formats.intensities import by_evidence, gathered
from surrogate.xrd.formats.source import Tube

_MANIFEST = re.compile(r"^(Experiment\d+/)DataContainer\.xml$")
_RAW_DATA = re.compile(r"^Experiment\d+/RawData(\d+)\.xml$")
MOST_SCANS = 10_000
AS_RECORDED = "points do not lie where they were declared: the recorded positions are used"
ROUNDING_DEG = 6e-5
"""Half the last digit of a recorded position, and a little."""
_QUANTITIES: Mapping[str, tuple[Quantity, str]] = {
    "twotheta": ("two_theta", "deg"), "theta": ("omega", "deg"), "omega": ("omega", "deg"), "chi": ("position", "deg"),
    "phi": ("position", "deg"), "psi": ("position", "deg"), "x": ("position", "mm"), "y": ("position", "mm"),
    "z": ("position", "mm"),
}  # fmt: skip
"""Axes by their AxisId; two theta counts before what moves with it."""
_COUNTS = frozenset({"counts", "count", ""})
_INSTRUMENT_FACTS = (("Voltage", "tube_voltage_kv", "kV"), ("Current", "tube_current_ma", "mA"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Which column of a datum is what."""

    intensity: int
    axes: Mapping[str, int]
    """By AxisId in small letters."""
    time: int | None
    absorption: int | None


def recognises(data: bytes) -> bool:
    """Say whether it is an archive that holds Experiment*/RawData*.xml."""
    return any(_RAW_DATA.match(name) for name in names(data))


def read(data: bytes) -> Content:
    """Read all scans.

    Raises:
        NotUnderstood: It is cut or damaged, or holds frames of a detector.
    """
    with opened(data) as archive:
        manifests = sorted(name for name in archive.members if _MANIFEST.match(name))
        members = [name for manifest in manifests for name in _listed(archive, manifest)] or _unlisted(archive)
        if len(members) > MOST_SCANS:
            raise NotUnderstood(f"it holds {len(members)} scans; up to {MOST_SCANS} are read")
        about = parsed(archive.read(manifests[0]), manifests[0]) if manifests else None
        found = [route for name in members for route in _routes(parsed(archive.read(name), name), name, about)]
    return Content(
        format=f"Bruker BRML {_version(about)}".rstrip(),
        header="" if about is None else _plain(about),
        scans=tuple(scan for scan, _ in found),
        warnings=gathered([told for _, told in found]),
    )


def is_as_declared(data: bytes) -> bool:
    """Say whether all points lie where they were declared, which the check by fairmat takes for granted."""
    if any(AS_RECORDED in told for told in read(data).warnings):
        return False
    with opened(data) as archive:
        roots = [(parsed(archive.read(name), name), name) for name in archive.members if _RAW_DATA.match(name)]
    return all(_is_finished(route) for root, name in roots for route in _measured(root, name))


def _is_finished(route: Element) -> bool:
    """Say whether there are as many points as start, stop and increment give."""
    n = len(route.findall("Datum"))
    for axis in route.iterfind("ScanInformation/ScanAxes/ScanAxisInfo"):
        start, stop, step = (number(text(axis, part)) for part in ("Start", "Stop", "Increment"))
        if start is None or stop is None or not step or round((stop - start) / step) + 1 != n:
            return False
    return True


def _listed(archive: Archive, manifest: str) -> list[str]:
    root = parsed(archive.read(manifest), manifest)
    return [(item.text or "").strip().replace("\\", "/") for item in root.iterfind("RawDataReferenceList/string")]


def _unlisted(archive: Archive) -> list[str]:
    found = [(int(match[1]), name) for name in archive.members if (match := _RAW_DATA.match(name))]
    return [name for _, name in sorted(found)]


def _version(about: Element | None) -> str:
    return text(about, "CreatingVersion") if about is not None else ""


def _plain(element: Element) -> str:
    return tostring(element, encoding="unicode")


def _measured(root: Element, name: str) -> list[Element]:
    routes = root.findall("DataRoutes/DataRoute")
    measured = [route for route in routes if route.get("RouteFlag") == "Measured"]
    if not measured and len(routes) != 1:
        raise NotUnderstood(f"{name} holds {len(routes)} data routes, and none says that it is the measured one")
    return measured or routes


def _routes(root: Element, name: str, about: Element | None) -> list[tuple[Scan, list[str]]]:
    tube, facts = _tube(root), _facts(root, about)
    return [_scan(route, name, tube, facts) for route in _measured(root, name)]


def _scan(route: Element, name: str, tube: Tube, facts: dict[str, Fact]) -> tuple[Scan, list[str]]:
    columns = _columns(route, name)
    rows = _rows(route, columns, name)
    axis, warnings = _axis(route, columns, rows, name)
    absorption = None if columns.absorption is None else rows[:, columns.absorption]
    if absorption is not None and (absorption.min() <= 0.0 or np.all(absorption == 1.0)):
        absorption = None
    time_s = None if columns.time is None else rows[:, columns.time]
    fields, told = by_evidence(rows[:, columns.intensity].copy(), None if absorption is None else absorption.copy())
    info = route.find("ScanInformation")
    here: dict[str, Fact] = {}
    for key, value in (
        ("scan_axis", text(info, "VisibleName") or ("" if info is None else info.get("ScanName", ""))),
        ("scan_mode", text(info, "ScanMode")),
        ("time_per_step_s", text(info, "TimePerStep")),
    ):
        if value:
            here[key] = value if (figure := number(value)) is None else figure
    found = Scan(
        kind="diffractogram",
        axis=axis,
        count_time_s=time_s.copy() if time_s is not None and time_s.min() > 0.0 else None,
        radiation=tube.radiation(),
        title=str(facts.get("sample", "")),
        facts=facts | tube.facts() | here,
        **fields,
    )
    return found, [*warnings, *told, *tube.warnings(), *oddities(axis.values)]


def _columns(route: Element, name: str) -> _Columns:
    fixed: dict[str, int] = {}
    axes: dict[str, int] = {}
    recorded: list[int] = []
    for view in route.iterfind("DataViews/RawDataView"):
        start, length = number(view.get("Start", "")), number(view.get("Length", ""))
        if start is None or length is None or not 0 <= start < 1e6:
            raise NotUnderstood(f"{name} does not say which column of its data is what")
        kind = view.get("type", "").rpartition(":")[2]
        if kind == "FixedRawDataView":
            fixed[view.get("LogicName", "").lower()] = int(start)
        elif kind == "VaryingRawDataView":
            for place, definition in enumerate(view.iter("FieldDefinitions")):
                label = definition.get("AxisId") or definition.get("FieldName") or ""
                axes.setdefault(label.strip().lower(), int(start) + place)
        elif kind == "RecordedRawDataView":
            recorded.append(_recorded_column(view, int(start), int(length), name))
    if len(recorded) != 1:
        raise NotUnderstood(f"{name} records {len(recorded)} counters for each point, and not one")
    return _Columns(
        intensity=recorded[0], axes=axes, time=fixed.get("measuredtime"), absorption=fixed.get("absorptionfactor")
    )


def _recorded_column(view: Element, start: int, length: int, name: str) -> int:
    if length != 1:
        raise NotUnderstood(
            f"{name} records {length} channels for each point, frames of a detector; export the integrated scan"
        )
    unit = next((element.get("Base", "") for element in view.iter("Unit")), "")
    if unit.lower() not in _COUNTS:
        raise NotUnderstood(f"{name} records in {unit!r}, and not in counts")
    return start


def _rows(route: Element, columns: _Columns, name: str) -> Array:
    """Return the ``n x columns`` numbers of the data."""
    needed = [columns.intensity, *columns.axes.values()]
    needed += [column for column in (columns.time, columns.absorption) if column is not None]
    rows = [numbers(datum.text or "", f"{name}, a datum", separator=",") for datum in route.iterfind("Datum")]
    if len(rows) < 2:
        raise NotUnderstood(f"{name} holds {len(rows)} points")
    if {row.size for row in rows} != {rows[0].size} or rows[0].size <= max(needed):
        raise NotUnderstood(f"{name}: its points have fewer numbers than it says, or not all as many")
    return np.stack(rows)


def _axis(route: Element, columns: _Columns, rows: Array, name: str) -> tuple[Axis, list[str]]:
    moved = {label: rows[:, column] for label, column in columns.axes.items() if np.ptp(rows[:, column]) > 0.0}
    label = next((known for known in _QUANTITIES if known in moved), None)
    if label is None:
        named = ", ".join(columns.axes) or "none is named"
        raise NotUnderstood(f"{name}: none of the axes that are known moved ({named})")
    quantity, unit = _QUANTITIES[label]
    recorded = moved[label].copy()
    exact = _declared(route, label, recorded)
    warnings = [] if exact is not None else [AS_RECORDED]
    return Axis(quantity=quantity, unit=unit, values=recorded if exact is None else exact), warnings


def _declared(route: Element, label: str, recorded: Array) -> Array | None:
    """Return the positions that start and increment give, if the recorded ones are these, rounded."""
    for info in route.iterfind("ScanInformation/ScanAxes/ScanAxisInfo"):
        start, step = number(text(info, "Start")), number(text(info, "Increment"))
        if (info.get("AxisId") or info.get("AxisName") or "").lower() != label or start is None or step is None:
            continue
        for origin in (start, start + (number(text(info, "Reference")) or 0.0)):
            found = origin + step * np.arange(recorded.size, dtype=np.float64)
            if np.abs(found - recorded).max() <= ROUNDING_DEG:
                return found
    return None


def _tube(root: Element) -> Tube:
    lines: dict[str, float | None] = {}
    for key in ("WaveLengthAlpha1", "WaveLengthAlpha2", "WaveLengthBeta", "WaveLengthRatio"):
        element = next(root.iter(key), None)
        lines[key] = None if element is None else number(element.get("Value", "") or element.text or "")
    material = next(root.iter("TubeMaterial"), None)
    return Tube(
        anode="" if material is None else (material.text or material.get("Value", "")).strip(),
        alpha_1=lines["WaveLengthAlpha1"],
        alpha_2=lines["WaveLengthAlpha2"],
        beta=lines["WaveLengthBeta"],
        ratio=lines["WaveLengthRatio"],
    )


def _facts(root: Element, about: Element | None) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for place, key in (("TimeStampStarted", "started_at"), ("TimeStampFinished", "ended_at")):
        if found := text(root, place):
            facts[key] = found
    for tag, key, unit in _INSTRUMENT_FACTS:
        element = next(root.iter(tag), None)
        value = None if element is None else number(element.get("Value", ""))
        if element is not None and value is not None and element.get("Unit", unit) == unit:
            facts[key] = value
    measurement = None if about is None else about.find("MeasurementInfo")
    for attribute, key in (("SampleName", "sample"), ("UserName", "operator"), ("Comment", "comment")):
        if measurement is not None and (found := measurement.get(attribute) or text(measurement, attribute)):
            facts[key] = found
    return facts
