"""Read powder CIF: measured patterns (``_pd_meas_*``) or processed ones (``_pd_proc_*``), a scan for each block.

Data names after the IUCr's powder dictionary, International Tables for Crystallography G, chapter 4.2 (2005),
DOI 10.1107/97809553602060000730. The text is parsed by gemmi.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import gemmi
import numpy as np

from surrogate.formats.axes import oddities
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Radiation, Scan
from surrogate.formats.text import decode, facts_from, is_text, number
from surrogate.xrd.formats.intensities import multiplied
from surrogate.xrd.formats.source import misfit

_BLOCK = re.compile(rb"(?:^|[\r\n])[ \t]*data_", re.IGNORECASE)
_PATTERN = re.compile(rb"_pd_(?:meas|proc|calc)_", re.IGNORECASE)
LONGEST_NUMBER = 64
_WITH_SU = re.compile(r"([-+]?[0-9]*\.?[0-9]*(?:[eE][-+]?[0-9]+)?)\(([0-9]+)\)")
_AXES: tuple[tuple[str, Quantity, str], ...] = (
    ("_pd_meas_2theta_scan", "two_theta", "deg"),
    ("_pd_proc_2theta_corrected", "two_theta", "deg"),
    ("_pd_meas_time_of_flight", "time", "us"),
    ("_pd_proc_recip_len_Q", "q", "/Ao"),
    ("_pd_proc_d_spacing", "d_spacing", "Ao"),
    ("_pd_proc_wavelength", "wavelength", "Ao"),
    ("_pd_proc_energy_detection", "energy", "eV"),
    ("_pd_proc_energy_incident", "energy", "eV"),
)
_VALUES = (
    ("_pd_meas_counts_total", "counts"),
    ("_pd_meas_intensity_total", "arbitrary"),
    ("_pd_proc_intensity_total", "arbitrary"),
    ("_pd_proc_intensity_net", "arbitrary"),
)
_FACTS = (
    "_pd_meas_datetime_initiated", "_pd_meas_info_author_name", "_pd_instr_location", "_pd_meas_scan_method",
    "_pd_meas_number_of_points", "_diffrn_ambient_temperature", "_diffrn_radiation_type", "_diffrn_radiation_probe",
    "_diffrn_source_target", "_pd_prep_container", "_pd_char_colour", "_chemical_formula_sum", "_pd_block_id",
)  # fmt: skip


def recognises(data: bytes) -> bool:
    """Say whether bytes are CIF text with data names of a powder pattern."""
    if not is_text(data):
        return False
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.replace(b"\x00", b"")
    return bool(_BLOCK.search(data)) and bool(_PATTERN.search(data))


def read(data: bytes) -> Content:
    """Read powder CIF, each block with a pattern as a scan.

    Raises:
        NotUnderstood: It is no CIF, or holds no measured or processed pattern.
    """
    text = decode(data)
    try:
        document = gemmi.cif.read_string(text)
    except (ValueError, RuntimeError) as error:
        raise NotUnderstood(f"it is no valid CIF: {str(error)[:120]}") from error
    warnings: list[str] = []
    blocks = [block for block in document if _values_name(block)]
    if not blocks:
        raise NotUnderstood("it holds no measured and no processed intensities")
    scans = tuple(_scan(block, document, warnings) for block in blocks)
    header = _header(text)
    return Content(format="powder CIF", header=header, scans=scans, warnings=tuple(dict.fromkeys(warnings)))


def _header(text: str) -> str:
    """Return all lines but the rows of numbers of loops."""
    return "\n".join(line for line in text.splitlines() if not re.match(r"\s*[-+.0-9][-+.0-9eE()\s?]*$", line))


def _column(block: gemmi.cif.Block, name: str) -> list[str]:
    return [gemmi.cif.as_string(value) for value in block.find_values(name)]


def _values_name(block: gemmi.cif.Block) -> tuple[str, str] | None:
    return next(((name, unit) for name, unit in _VALUES if len(block.find_values(name)) > 1), None)


def _scan(block: gemmi.cif.Block, document: gemmi.cif.Document, warnings: list[str]) -> Scan:
    found = _values_name(block)
    if found is None:
        raise NotUnderstood(f"block {block.name} holds no intensities")
    name, unit = found
    y, su = _numbers(_column(block, name))
    axis = _axis(block, name, len(y), warnings)
    warnings += [f"block {block.name}: {odd}" for odd in oddities(axis.values)]
    others = [other for other, _ in _VALUES if other != name and len(block.find_values(other)) > 1]
    warnings += [f"block {block.name} also holds {other}, which was left out" for other in others]
    times = _times(block, len(y))
    return Scan(
        kind="diffractogram",
        axis=axis,
        **_fields(y, su, unit, warnings),
        count_time_s=times,
        radiation=_radiation(block, document, warnings),
        title=block.name,
        facts=_facts(block),
    )


def _fields(y: Array, su: Array, unit: str, warnings: list[str]) -> dict[str, Any]:
    if missing := int(np.sum(~np.isfinite(y))):
        warnings.append(f"{missing} intensities are missing")
    fields: dict[str, Any] = {"values": y, "unit": unit}
    if unit == "counts" and np.isfinite(y).all():
        fields, told = multiplied(y, None)
        warnings += told
    return {**fields, "sigma": su} if np.isfinite(su[np.isfinite(y)]).all() else fields


def _axis(block: gemmi.cif.Block, values: str, n: int, warnings: list[str]) -> Axis:
    """Return the positions that stand with the intensities: as measured for measured ones where there are such."""
    kinds = ("_pd_meas_", "_pd_proc_") if values.startswith("_pd_meas_") else ("_pd_proc_", "_pd_meas_")
    for kind in kinds:
        for name, quantity, unit in _AXES:
            if name.startswith(kind) and len(block.find_values(name)) == n:
                return Axis(quantity=quantity, unit=unit, values=_numbers(_column(block, name))[0])
        if (x := _range(block, kind, n)) is not None:
            if not values.startswith(kind):
                warnings.append(f"block {block.name}: intensities {values} were put at the positions of {kind}*")
            return Axis(quantity="two_theta", unit="deg", values=x)
    raise NotUnderstood(f"block {block.name} holds {n} intensities, and no positions of that number")


def _range(block: gemmi.cif.Block, kind: str, n: int) -> Array | None:
    """Return the points of a range of even steps, if they are as many as the intensities."""
    ends = [_one(block, f"{kind}2theta_range_{end}") for end in ("min", "max", "inc")]
    if any(value is None or value != value for value in ends):
        return None
    low, high, step = (value for value in ends if value is not None)
    if step == 0 or abs((high - low) / step - (n - 1)) > 0.5:
        points = "no" if step == 0 else f"{(high - low) / step + 1:.1f}"
        raise NotUnderstood(
            f"block {block.name}: the range {low:g} to {high:g} by {step:g} has {points} points, not {n}"
        )
    return low + step * np.arange(n, dtype=np.float64)


def _numbers(values: Sequence[str]) -> tuple[Array, Array]:
    """Return ``n`` values and their standard uncertainties from brackets, NaN where there is none."""
    pairs = [_with_su(value) for value in values]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def _with_su(value: str) -> tuple[float, float]:
    match = _WITH_SU.fullmatch(value[:LONGEST_NUMBER].strip())
    if not match:
        plain = number(value)
        if plain is None and value.strip() not in ("", ".", "?"):
            raise NotUnderstood(f"{value[:30]!r} is no number")
        return (float("nan") if plain is None else plain), float("nan")
    plain = number(match[1])
    if plain is None:
        raise NotUnderstood(f"{value[:30]!r} is no number")
    mantissa, _, exponent = match[1].lower().partition("e")
    places = len(mantissa.partition(".")[2])
    return plain, (number(f"{match[2]}e{int(exponent or 0) - places}") or 0.0)


def _one(block: gemmi.cif.Block, name: str) -> float | None:
    found = _column(block, name)
    return _with_su(found[0])[0] if found else None


def _times(block: gemmi.cif.Block, n: int) -> Array | None:
    found = _column(block, "_pd_meas_step_count_time")
    if len(found) not in (1, n):
        return None
    times, _ = _numbers(found)
    return np.full(n, times[0]) if len(found) == 1 and np.isfinite(times[0]) else (times if len(found) == n else None)


def _radiation(block: gemmi.cif.Block, document: gemmi.cif.Document, warnings: list[str]) -> Radiation | None:
    """Return the wavelengths of the block, or of the only block of the file that gives some."""
    holders = [block] if _column(block, "_diffrn_radiation_wavelength") else []
    if not holders:
        holders = [other for other in document if _column(other, "_diffrn_radiation_wavelength")]
        warnings += [f"the wavelength is that of block {holders[0].name}"] if len(holders) == 1 else []
    if len(holders) != 1:
        return None
    lines, _ = _numbers(_column(holders[0], "_diffrn_radiation_wavelength"))
    weights, _ = _numbers(_column(holders[0], "_diffrn_radiation_wavelength_wt"))
    if not (np.isfinite(lines).all() and (lines > 0).all()):
        return None
    if len(weights) != len(lines) or not np.isfinite(weights).all() or weights.max() <= 0:
        warnings += ["the wavelengths have no weights; they were taken as 1 and 0.5"] if len(lines) > 1 else []
        weights = np.array([1.0] + [0.5] * (len(lines) - 1))
    order = np.argsort(-weights, kind="stable")
    target = (_column(holders[0], "_diffrn_source_target") or [""])[0]
    anode = target if target not in (".", "?") else ""
    warnings += filter(None, [misfit(anode, float(lines[order[0]]))])
    return Radiation(
        wavelength_angstrom=tuple(float(lines[index]) for index in order),
        ratio=tuple(float(weights[index] / weights[order[0]]) for index in order),
        anode=anode,
    )


def _facts(block: gemmi.cif.Block) -> dict[str, Fact]:
    found = ((name, _column(block, name)) for name in _FACTS)
    named = {"_diffrn_ambient_temperature": "temperature_k", "_pd_meas_datetime_initiated": "started_at"}
    return facts_from(
        (named.get(name, name), values[0]) for name, values in found if values and values[0] not in (".", "?")
    )
