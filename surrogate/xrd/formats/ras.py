"""Read Rigaku's .ras: text, one block of ``*KEY "value"`` lines and one of numbers for each scan.

Headers are Shift-JIS where they were written in Japan, else UTF-8 or Latin-1. A row is position, intensity and the
factor of the attenuator. Rigaku does not publish whether intensities were multiplied by it; the numbers of each file
decide (`intensities.by_evidence`). Keys: ``MEAS_SCAN_*`` (axis, unit, speed), ``HW_XG_*`` (tube), ``MEAS_COND_XG_*``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from surrogate.formats.axes import oddities
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Scan
from surrogate.formats.xmltext import number, numbers
from surrogate.xrd.formats.intensities import by_evidence, gathered, per_second
from surrogate.xrd.formats.source import Tube

_BEGIN = (b"*RAS_DATA_START", b"*RAS_HEADER_START")
_ROWS = re.compile(r"^\*RAS_INT_START[^\n]*\n(.*?)(?=^\*RAS_INT_END|\Z)", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r'^\*(\S+)[ \t]+"?(.*?)"?[ \t]*$', re.MULTILINE)
_ENCODINGS = ("utf-8-sig", "shift_jis", "cp932")
_THETA = str.maketrans({"θ": "theta", "ω": "omega", "χ": "chi", "φ": "phi", "-": "", "_": "", " ": ""})
_AXES: Mapping[str, Quantity] = {
    "twotheta": "two_theta", "2theta": "two_theta", "twothetatheta": "two_theta", "2theta/theta": "two_theta",
    "twothetaomega": "two_theta", "2theta/omega": "two_theta", "theta/2theta": "two_theta", "twothetachi": "two_theta",
    "omega/2theta": "two_theta", "2thetachi": "two_theta", "twothetachiphi": "two_theta", "2thetachi/phi": "two_theta",
    "omega": "omega", "theta": "omega", "thetas": "omega", "chi": "position", "phi": "position", "x": "position",
    "y": "position", "z": "position", "alpha": "position", "beta": "position",
}  # fmt: skip
_FACTS = (
    ("FILE_SAMPLE", "sample"), ("FILE_OPERATOR", "operator"), ("FILE_COMMENT", "comment"),
    ("FILE_SYSTEM_NAME", "instrument"), ("MEAS_SCAN_AXIS_X", "scan_axis"), ("MEAS_SCAN_MODE", "scan_mode"),
    ("MEAS_SCAN_MODE_INTERNAL", "detector_mode"), ("MEAS_SCAN_START_TIME", "started_at"),
    ("MEAS_SCAN_END_TIME", "ended_at"), ("HW_COUNTER_SELECT_NAME", "detector"), ("MEAS_SCAN_SPEED", "scan_speed"),
    ("MEAS_SCAN_SPEED_UNIT", "scan_speed_unit"),
)  # fmt: skip
_DATE = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}:\d{2}:\d{2})$")


def recognises(data: bytes) -> bool:
    """Say whether the file begins with one of Rigaku's markers."""
    return data[:64].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_BEGIN)


def read(data: bytes) -> Content:
    """Read all scans.

    Raises:
        NotUnderstood: It is cut or damaged, or scans an axis that is not known.
    """
    text = _decoded(data)
    found: list[tuple[Scan, list[str]]] = []
    header: list[str] = []
    end = 0
    blocks = list(_ROWS.finditer(text))
    for block in blocks:
        header.append(text[end : block.start()])
        keys = dict(_KEY.findall(header[-1]))
        is_whole = text.startswith("*RAS_INT_END", block.end())
        found.append(scan_of(keys, _table(block[1]), is_whole=is_whole))
        end = block.end()
    if not found:
        raise NotUnderstood("it holds no *RAS_INT_START: no numbers follow its header")
    return Content(
        format="Rigaku RAS",
        header="".join(header) + text[end:],
        scans=tuple(scan for scan, _ in found),
        warnings=gathered([told for _, told in found]),
    )


def _decoded(data: bytes) -> str:
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")


def _table(rows: str) -> Array:
    """Return the ``n x 2`` or ``n x 3`` numbers of the rows; rows that begin with # were commented out."""
    lines = [line for line in rows.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    return table(lines, "a row")


def table(lines: list[str], what: str) -> Array:
    """Return the ``n x 2`` or ``n x 3`` numbers of lines.

    Raises:
        NotUnderstood: They are no such table.
    """
    wide = len(lines[0].split()) if lines else 0
    if wide not in (2, 3) or any(len(line.split()) != wide for line in lines):
        raise NotUnderstood("its rows are not position, intensity and attenuation throughout; was it cut?")
    return numbers(" ".join(lines), what).reshape(len(lines), wide)


def scan_of(keys: Mapping[str, str], rows: Array, *, is_whole: bool = True) -> tuple[Scan, list[str]]:
    """Return a scan, and what had to be assumed, from its header and its ``n x 3`` (or 2) numbers.

    Raises:
        NotUnderstood: The axis is not known, or the rows are not as many as declared.
    """
    _check_count(keys, len(rows), is_whole=is_whole)
    axis = _axis(keys, rows[:, 0].copy())
    time_s = _time_s(keys, axis.values)
    attenuation = rows[:, 2].copy() if rows.shape[1] == 3 and np.any(rows[:, 2] != 1.0) else None
    if attenuation is not None and attenuation.min() <= 0.0:
        raise NotUnderstood(f"a factor of its attenuator is {attenuation.min():g}")
    fields, warnings = _values(keys, rows[:, 1].copy(), attenuation, time_s)
    tube = _tube(keys)
    found = Scan(
        kind="diffractogram",
        axis=axis,
        count_time_s=time_s,
        radiation=tube.radiation(),
        title=keys.get("FILE_SAMPLE", ""),
        facts=_facts(keys) | tube.facts(),
        **fields,
    )
    cut = [] if is_whole else ["it ends within its last scan, after the last row"]
    return found, [*warnings, *tube.warnings(), *oddities(axis.values), *cut]


def _check_count(keys: Mapping[str, str], n: int, *, is_whole: bool) -> None:
    declared = number(keys.get("MEAS_DATA_COUNT", ""))
    if (declared is not None and declared != n) or (declared is None and not is_whole):
        raise NotUnderstood(f"a scan holds {n} points and declares {declared or 'nothing'}; was it cut?")


def _axis(keys: Mapping[str, str], values: Array) -> Axis:
    unit = keys.get("MEAS_SCAN_UNIT_X", "deg")
    for key in ("MEAS_SCAN_AXIS_X_INTERNAL", "MEAS_SCAN_AXIS_X"):
        if quantity := _AXES.get(keys.get(key, "").lower().translate(_THETA)):
            if unit not in ("deg", "mm") or (quantity != "position" and unit != "deg"):
                raise NotUnderstood(f"its axis is in {unit[:60]!r}")
            return Axis(quantity=quantity, unit=unit, values=values)
    raise NotUnderstood(f"it scans {keys.get('MEAS_SCAN_AXIS_X', '')[:60]!r}, an axis that is not known")


def _time_s(keys: Mapping[str, str], axis: Array) -> Array | None:
    """Return the time for each of ``n`` points; None for a detector of strips, where many strips pass each point."""
    speed, unit = number(keys.get("MEAS_SCAN_SPEED", "")), keys.get("MEAS_SCAN_SPEED_UNIT", "").lower()
    step = number(keys.get("MEAS_SCAN_STEP", ""))
    if not speed or speed < 0.0 or "1D" in keys.get("MEAS_SCAN_MODE_INTERNAL", "").upper():
        return None
    if keys.get("MEAS_SCAN_MODE", "").upper().startswith("STEP") and unit in ("s", "sec", "sec."):
        return np.full(axis.size, speed)
    if step and unit in ("deg/min", "deg./min", "deg/min."):
        return np.full(axis.size, 60.0 * abs(step) / speed)
    return None


def _values(
    keys: Mapping[str, str], stored: Array, attenuation: Array | None, time_s: Array | None
) -> tuple[dict[str, Any], list[str]]:
    unit = keys.get("MEAS_SCAN_UNIT_Y", "").lower()
    if unit in ("cps", "counts/s"):
        return per_second(stored, attenuation, time_s)
    if unit not in ("counts", "count", ""):
        raise NotUnderstood(f"its intensities are in {unit[:60]!r}, and not in counts or cps")
    fields, warnings = by_evidence(stored, attenuation)
    return fields, warnings if unit else [*warnings, "it does not name the unit of its intensities; counts are assumed"]


def _tube(keys: Mapping[str, str]) -> Tube:
    def line(name: str) -> float | None:
        return number(keys.get(f"HW_XG_WAVE_LENGTH_{name}", ""))

    if keys.get("HW_XG_WAVE_LENGTH_UNIT", "Angstrom").lower() not in ("angstrom", "a", "å"):
        raise NotUnderstood(f"its wavelengths are in {keys['HW_XG_WAVE_LENGTH_UNIT']!r}, and not in Angstrom")
    is_one = "a1" in keys.get("MEAS_COND_XG_WAVE_TYPE", "").lower()
    return Tube(
        anode=keys.get("HW_XG_TARGET_NAME", ""),
        alpha_1=line("ALPHA1"),
        alpha_2=None if is_one else line("ALPHA2"),
        beta=line("BETA"),
    )


def _facts(keys: Mapping[str, str]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {key: _dated(keys[name]) for name, key in _FACTS if keys.get(name)}
    if "scan_speed" in facts and (speed := number(str(facts["scan_speed"]))) is not None:
        facts["scan_speed"] = speed
    for name, key, unit in (("VOLTAGE", "tube_voltage_kv", "kV"), ("CURRENT", "tube_current_ma", "mA")):
        value = number(keys.get(f"MEAS_COND_XG_{name}", ""))
        if value is not None and keys.get(f"HW_XG_{name}_UNIT", unit) == unit:
            facts[key] = value
    return facts


def _dated(text: str) -> str:
    """Return an American date as ISO 8601, and other text as it is."""
    match = _DATE.match(text)
    return f"{match[3]}-{int(match[1]):02d}-{int(match[2]):02d}T{match[4]:0>8}" if match else text
