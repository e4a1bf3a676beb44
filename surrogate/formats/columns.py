"""Read text of two or more columns: .xy, .xye, .csv, .txt, .dat, of any program and in any locale.

It takes what no other reader knows. What the header does not say is not guessed silently: each assumption is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

import numpy as np

from surrogate.formats.axes import oddities
from surrogate.formats.columns_foreign import foreign
from surrogate.formats.columns_names import AxisName, ValueName, axis_named, is_index, says_something, value_named
from surrogate.formats.columns_radiation import radiation_in
from surrogate.formats.columns_table import Table, has_table, table_of
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.readers import readers
from surrogate.formats.record import Array, Axis, Content, Radiation, Scan, counted
from surrogate.formats.text import are_counts, decode, facts_of, lines_of, number

_HEAD = 1 << 16
_FOREIGN = (b"<", b"{", b"PK\x03\x04", b"%PDF", b"%!PS", b"\x89HDF")
_AXIS_LINE = re.compile(r"^x[-_ ]?(?:axis|label|unit|units)\w*\s*[:=]\s*(.+)$", re.IGNORECASE)
_OF_DIFFRACTION = ("two_theta", "omega", "q", "d_spacing")
MOST_SCANS = 1024
MOST_WARNINGS = 20


def recognises(data: bytes) -> bool:
    """Say whether bytes are text with a table of numbers that no other reader takes, be it of another format."""
    if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_FOREIGN):
        return False
    try:
        lines = lines_of(decode(data[:_HEAD]))
    except NotUnderstood:
        return False
    others = (reader for reader in readers() if reader.module != __name__ and not reader.checks)
    is_text = has_table(lines) or bool(foreign(lines))
    return is_text and not any(reader.recognises(data) for reader in others)


def read(data: bytes) -> Content:
    """Read a table of numbers in text.

    Raises:
        NotUnderstood: It holds no table, none with an axis, one that can be read in two ways, or one of another format.
    """
    lines = lines_of(decode(data))
    if reason := foreign(lines):
        raise NotUnderstood(reason)
    table = table_of(lines)
    return content_of(table, format=f"text of {table.values.shape[1]} columns")


@dataclass(slots=True, kw_only=True)
class _Curve:
    """The columns of one scan."""

    axis: int
    name: AxisName | None
    values: int
    sigma: int | None = None
    title: str = ""
    value: ValueName | None = None


def content_of(table: Table, *, format: str, unnamed: AxisName | None = None) -> Content:
    """Turn a table into scans by the names of its columns, or by what the numbers look like.

    Args:
        table: What the text holds.
        format: In words.
        unnamed: What the axis is where no name says it.
    """
    names, units, others = _names(table)
    warnings = list(table.warnings)
    radiation, assumed = radiation_in(others)
    warnings += assumed
    curves = _named_curves(table, names, units, warnings) if names else _bare_curves(table, others, unnamed, warnings)
    if len(curves) > MOST_SCANS:
        raise NotUnderstood(f"{len(curves)} columns of values; up to {MOST_SCANS} are read as scans")
    facts = facts_of(others)
    scans = tuple(_scan(table.values, curve, radiation, facts, warnings) for curve in curves)
    warnings = list(dict.fromkeys(warnings))
    if len(warnings) > MOST_WARNINGS:
        warnings = [*warnings[:MOST_WARNINGS], f"{len(warnings) - MOST_WARNINGS} more warnings of this kind"]
    header = "\n".join((*table.above, *(line for line in table.below if line.strip())))
    return Content(format=format, header=header, scans=scans, warnings=tuple(warnings))


def _names(table: Table) -> tuple[list[str], list[str], list[str]]:
    """Return the names of the columns, their units where a row of its own gives them, and the other lines."""
    rows: list[list[str]] = []
    used: list[int] = []
    filled = [index for index, line in enumerate(table.above) if line.strip()]
    if _is_chi(table, filled):
        return [table.above[index].strip() for index in filled[1:3]], [], [table.above[filled[0]], *table.below]
    for index in reversed(filled[-2:]):
        fields = _fields(table.above[index], table)
        if not fields or (rows and not all(map(_is_unit, rows[0]))):
            break
        rows.append(fields)
        used.append(index)
    if rows and "spaces" in table.dialect.name and not any(map(says_something, rows[-1])):
        rows, used = [], []
    rest = [line for index, line in enumerate(table.above) if index not in used] + list(table.below)
    return (rows[-1] if rows else []), (rows[0] if len(rows) == 2 else []), rest


def _is_chi(table: Table, filled: list[int]) -> bool:
    """Say whether four lines stand above the rows as in FIT2D's .chi: title, both names, and the number of points."""
    return len(filled) == 4 and table.values.shape[1] == 2 and table.above[filled[3]].strip() == str(len(table.values))


def _is_unit(field: str) -> bool:
    return not field.strip() or bool(
        re.fullmatch(r"\s*[\[(].*[\])]\s*|\s*(nm|deg|°|cps|counts|cm-1|1/cm|eV|%|a\.u\.)\s*", field)
    )


def _fields(line: str, table: Table) -> list[str]:
    """Part a line of names into as many fields as a row has; empty where it is no such line."""
    width = table.values.shape[1]
    bare = line.strip(" \r\n").lstrip("#;!%'/*").strip(" ")
    splits = (table.dialect.split(bare), bare.split("\t"), bare.split(";"), bare.split(","), re.split(r"\s{2,}", bare),
              re.split(r"\s+(?![\[(])", bare), bare.split())  # fmt: skip
    for fields in splits:
        fields = [field.strip().strip('"') for field in fields]
        while len(fields) > width and not fields[-1]:
            fields.pop()
        if len(fields) == width and _are_names(fields):
            return fields
    return []


def _are_names(fields: Sequence[str]) -> bool:
    lettered = any(any(character.isalpha() or character in "%°" for character in field) for field in fields)
    numeric = any(number(field.replace(",", ".")) is not None for field in fields if field)
    return lettered and not numeric and not fields[0].endswith((":", "="))


def _named_curves(table: Table, names: list[str], units: list[str], warnings: list[str]) -> list[_Curve]:
    known = [axis_named(name, unit) for name, unit in zip_longest(names, units, fillvalue="")][: len(names)]
    used = [index for index in range(len(names)) if not _is_running_number(table, names, index)]
    first = next((index for index in used if known[index]), used[0])
    axis = known[first]
    curves: list[_Curve] = []
    current = first
    for index in used:
        named = known[index]
        if named and axis and named.quantity == axis.quantity:
            current = index
        elif named or index < first:
            if index != first:
                warnings.append(f"the column {names[index]!r} was left out")
        elif index != first:
            _add(curves, _Curve(axis=current, name=known[current], values=index, title=names[index]), units, warnings)
    if not curves:
        raise NotUnderstood(f"no column of values among {', '.join(names)[:80]}")
    _note_axis(axis, names[first], table.values[:, first], warnings)
    if len(curves) == 1:
        curves[0].title = ""
    return curves


def _add(curves: list[_Curve], curve: _Curve, units: list[str], warnings: list[str]) -> None:
    curve.value = value_named(curve.title, units[curve.values] if curve.values < len(units) else "")
    if not curve.value.is_sigma:
        curves.append(curve)
    elif curves and curves[-1].sigma is None and curves[-1].axis == curve.axis:
        curves[-1].sigma = curve.values
    else:
        warnings.append(f"the column {curve.title!r} was left out")


def _is_running_number(table: Table, names: list[str], index: int) -> bool:
    column = table.values[:, index]
    counts = np.arange(len(column)) + column[0]
    return index == 0 and len(names) > 2 and is_index(names[0]) and bool(np.array_equal(column, counts))


def _bare_curves(table: Table, others: list[str], unnamed: AxisName | None, warnings: list[str]) -> list[_Curve]:
    """Take columns without names: the axis, values, and a sigma if the third looks like one."""
    width, x = table.values.shape[1], table.values[:, 0]
    said = next((match[1] for line in others if (match := _AXIS_LINE.match(line.strip("#;! ")))), "")
    axis = (axis_named(said) if said else None) or unnamed
    if width > 2:
        _require_axis(x)
    _note_axis(axis, said, x, warnings)
    if width == 3 and _looks_like_sigma(table.values[:, 1], table.values[:, 2]):
        warnings.append("the third column has no name; it looks like standard deviations and was taken as such")
        return [_Curve(axis=0, name=axis, values=1, sigma=2)]
    if width > 2:
        warnings.append(f"the {width} columns have no names; the first was taken as axis, each other as a scan")
    titles = [f"column {index + 1}" if width > 2 else "" for index in range(width)]
    return [_Curve(axis=0, name=axis, values=index, title=titles[index]) for index in range(1, width)]


def _require_axis(x: Array) -> None:
    steps = np.diff(x)
    if max(np.mean(steps > 0), np.mean(steps < 0)) < 0.9:
        raise NotUnderstood("no axis: the columns have no names, and the first does not run one way")


def _looks_like_sigma(y: Array, s: Array) -> bool:
    """Say whether a column may be the standard deviations of another: near its square root, or well below it."""
    if not (np.isfinite(s).all() and (s >= 0).all() and (s > 0).any()):
        return False
    up = np.nan_to_num(y) > 0
    if not up.any():
        return False
    with np.errstate(over="ignore"):
        root = np.median(np.abs(s[up] / np.sqrt(np.maximum(y[up], 1.0)) - 1.0))
        return bool(root < 0.25 or np.median(s[up] / y[up]) < 0.3)


def _note_axis(axis: AxisName | None, name: str, x: Array, warnings: list[str]) -> None:
    if axis is None:
        called = f", only {name!r}" if name else ""
        warnings.append(f"nothing names the axis{called}; its quantity and unit are unknown")
    elif axis.assumed:
        warnings.append(axis.assumed)
    if axis is None:
        what = "diffractogram" if _kind(None, x) == "diffractogram" else "spectrum"
        warnings.append(f"it was taken as a {what} by the range and the step of its axis")


def _kind(axis: AxisName | None, x: Array) -> Literal["diffractogram", "spectrum"]:
    if axis is not None and axis.unit != "deg":
        return "diffractogram" if axis.quantity in _OF_DIFFRACTION else "spectrum"
    inside = bool(np.nanmin(x) >= 0 and np.nanmax(x) <= 180)
    step = float(np.nanmedian(np.abs(np.diff(x)))) if len(x) > 1 else 0.0
    return "diffractogram" if axis or (inside and 1e-4 <= step <= 0.5) else "spectrum"


def _scan(table: Array, curve: _Curve, radiation: Radiation | None, facts: dict[str, Any], warnings: list[str]) -> Scan:
    rows = table[np.isfinite(table[:, curve.axis])]
    x, y = rows[:, curve.axis].copy(), rows[:, curve.values].copy()
    sigma = None if curve.sigma is None else rows[:, curve.sigma].copy()
    if len(rows) < len(table) and np.isfinite(table[:, curve.values]).sum() > np.isfinite(y).sum():
        warnings.append(f"{len(table) - len(rows)} rows have no axis and were left out")
    if missing := int(np.sum(~np.isfinite(y))):
        are = "value is" if missing == 1 else "values are"
        warnings.append(f"{missing} {are} missing or not finite{f', of {curve.title}' if curve.title else ''}")
    warnings += oddities(x)
    name, kind = curve.name, _kind(curve.name, x)
    axis = Axis(quantity=name.quantity, unit=name.unit, values=x * name.factor) if name else None
    return Scan(
        kind=kind,
        axis=axis or Axis(quantity="unknown", unit="1", values=x),
        **_values(y, sigma, curve.value, warnings, photons=kind == "diffractogram"),
        radiation=radiation if kind == "diffractogram" else None,
        title=curve.title,
        facts=facts,
    )


def _values(
    y: Array, sigma: Array | None, name: ValueName | None, warnings: list[str], *, photons: bool
) -> dict[str, Any]:
    """Return the fields of a scan for its values: counts where the name or whole numbers say so.

    Those of a spectrometer are steps of its converter, so many to a photon as nobody says, and get no Poisson sigma.
    """
    quantity, unit = (name.quantity, name.unit) if name else ("intensity", "")
    fields: dict[str, Any] = {"values": y, "unit": unit, "quantity": quantity}
    if unit == "counts" and y.any() and not are_counts(y):
        warnings.append("counts that are no whole numbers from 0 up have no Poisson sigma")
    elif unit == "counts" or (not unit and quantity == "intensity" and are_counts(y)):
        warnings += [] if unit else ["whole numbers without a unit were taken as counts"]
        fields = {**counted(y), "quantity": quantity}
        if not photons:
            fields["sigma"] = None
    if not fields["unit"]:
        fields["unit"] = _plain_unit(y, quantity, warnings)
    return fields if sigma is None else {**fields, "sigma": sigma}


def _plain_unit(y: Array, quantity: str, warnings: list[str]) -> str:
    if quantity not in ("reflectance", "transmittance"):
        return "arbitrary"
    unit, assumed = unit_by_size(y, quantity)
    warnings.append(assumed)
    return unit


def unit_by_size(y: Array, quantity: str) -> tuple[str, str]:
    """Return the unit of a fraction by the size of its ``n`` values, and that this was assumed."""
    sizes = np.abs(y[np.isfinite(y)])
    unit = "%" if len(sizes) and np.median(sizes) > 2 else "1"
    return unit, f"the {quantity} has no unit; by its size it was taken in {unit if unit == '%' else 'parts of 1'}"
