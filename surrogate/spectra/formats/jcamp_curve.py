"""One curve of a JCAMP-DX file: its table with what the header says of it, each checked against the other."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Fact, Scan
from surrogate.spectra.formats import jcamp_asdf
from surrogate.spectra.formats.jcamp_records import Record, decimal_comma, number, resolution
from surrogate.spectra.formats.spectral_words import axis_of, measured, ordinate_of

Texts = dict[str, str]
"""Label and text of a block's header, as of `jcamp_records.Block.texts`."""

_FORM = re.compile(r"\(([A-Z0-9.+]+(?:\([A-Z0-9.]+\))?)\)(.*)", re.DOTALL)
_FACTS = {
    "TITLE": "sample", "DATATYPE": "technique", "ORIGIN": "origin", "OWNER": "owner", "DATE": "date", "TIME": "time",
    "SPECTROMETERDATASYSTEM": "instrument", "INSTRUMENTPARAMETERS": "settings", "INSTRUMENTALPARAMETERS": "settings",
    "RESOLUTION": "resolution", "PATHLENGTH": "path_length", "PRESSURE": "pressure", "TEMPERATURE": "temperature",
    "STATE": "state", "CASREGISTRYNO": "cas_number", "MOLFORM": "formula", "SAMPLINGPROCEDURE": "sampling",
    "DATAPROCESSING": "processing", ".OBSERVEFREQUENCY": "observe_frequency", ".OBSERVENUCLEUS": "observe_nucleus",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The form of a table."""

    name: str
    """``X++(Y..Y)`` or ``XY..XY``, whatever the file's letters for the ordinate."""
    ordinate: str
    """The letter that stands for the ordinate."""
    lines: jcamp_asdf.Lines


def form_of(table: Record) -> Form:
    """Return the form of a table, by what stands behind its label.

    Raises:
        NotUnderstood: The form is not one of those that are read.
    """
    text = table.text.upper().replace(" ", "")
    if not (match := _FORM.match(text)):
        raise NotUnderstood(f"##{table.label}={table.text[:40]} does not say its form, as (X++(Y..Y)) does")
    rest = table.text[table.text.rindex(")") + 1 :] if ")" in table.text else ""
    rest = rest if re.match(r"\s*[+-]?[\d.]", rest) and table.lines else ""
    lines = ((table.lines[0][0] - 1, rest), *table.lines) if rest else table.lines
    if spread := re.fullmatch(r"X\+\+\(([A-Z])\.\.\1\)", match[1]):
        return Form(name="X++(Y..Y)", ordinate=spread[1], lines=lines)
    if explicit := re.fullmatch(r"X([A-Z])\.\.X\1", match[1]):
        return Form(name="XY..XY", ordinate=explicit[1], lines=lines)
    raise NotUnderstood(f"tables of the form ({match[1]}) are not read")


def curve(texts: Texts, table: Record, *, limit: int) -> tuple[Scan, tuple[str, ...]]:
    """Return the curve of a table, and what had to be assumed.

    Args:
        limit: Points that the table may have.

    Raises:
        NotUnderstood: The table is broken, or the header contradicts it.
    """
    form = form_of(table)
    lines = jcamp_asdf.point_commas(form.lines) if decimal_comma(texts) else form.lines
    read = _spread if form.name == "X++(Y..Y)" else _explicit
    x, raw, warnings = read(texts, lines, limit)
    y = raw * _factor(texts, "YFACTOR")
    if np.isinf(y).any():
        raise NotUnderstood("it holds values that are not finite")
    warnings += _extremes(texts, y)
    if table.label in ("PEAKTABLE", "PEAKASSIGNMENTS"):
        warnings += (f"a list of {len(x)} peaks, not a curve",)
    scan, said = _scan(texts, x, y)
    return scan, warnings + said


def _spread(texts: Texts, lines: jcamp_asdf.Lines, limit: int) -> tuple[Array, Array, tuple[str, ...]]:
    declared = number(texts, "NPOINTS")
    if declared is not None and declared > limit:
        raise NotUnderstood(f"##NPOINTS={declared:.0f}; up to {limit} points are read")
    table = jcamp_asdf.ordinates(lines, limit=limit if declared is None else int(declared))
    raw = table.array()
    if declared is not None and len(raw) != declared:
        raise NotUnderstood(f"##NPOINTS={declared:.0f}, and the table holds {len(raw)} points; it may be cut short")
    if len(raw) < 2:
        raise NotUnderstood(f"a table of {len(raw)} points")
    x, warnings = _even_axis(texts, table, len(raw))
    _check_abscissas(texts, table, x)
    return x, raw, warnings


def _even_axis(texts: Texts, table: jcamp_asdf.Ordinates, n: int) -> tuple[Array, tuple[str, ...]]:
    first, last, step = (number(texts, label) for label in ("FIRSTX", "LASTX", "DELTAX"))
    warnings: tuple[str, ...] = ()
    if first is None:
        first = table.lines[0][1] * _factor(texts, "XFACTOR")
        warnings += (f"no ##FIRSTX: the axis begins where the table does, at {first:g}",)
    if last is None and step is None:
        step = _step_of_lines(texts, table)
        warnings += (f"neither ##LASTX nor ##DELTAX: the step of {step:g} is that of the table's lines",)
    if last is None:
        return first + (step or 0.0) * np.arange(n, dtype=np.float64), warnings
    even = (last - first) / (n - 1)
    if step is not None and abs(step - even) * (n - 1) > abs(even) + resolution(texts["DELTAX"]) * (n - 1):
        warnings += (f"##DELTAX={step:g}, while ##FIRSTX, ##LASTX and the points give {even:g}, which is taken",)
    axis: Array = np.linspace(first, last, n)
    return axis, warnings


def _step_of_lines(texts: Texts, table: jcamp_asdf.Ordinates) -> float:
    (_, x_first, _, at_first), (_, x_last, _, at_last) = table.lines[0], table.lines[-1]
    if at_last <= at_first:
        raise NotUnderstood("neither ##LASTX nor ##DELTAX says the step of the axis")
    return (x_last - x_first) * _factor(texts, "XFACTOR") / (at_last - at_first)


def _check_abscissas(texts: Texts, table: jcamp_asdf.Ordinates, x: Array) -> None:
    """Compare the abscissa of every line with the axis, to half a step and what its printing rounds."""
    factor = _factor(texts, "XFACTOR")
    step = abs(float(x[1] - x[0]))
    for line, printed, digit, at in table.lines:
        allowed = 0.5 * step + digit * abs(factor)
        if not abs(printed * factor - x[at]) <= allowed:
            raise NotUnderstood(
                f"line {line}: its abscissa is {printed * factor:g}, and the header and the points before it give "
                f"{x[at]:g}; points are missing, or the header is wrong"
            )


def _explicit(texts: Texts, lines: jcamp_asdf.Lines, limit: int) -> tuple[Array, Array, tuple[str, ...]]:
    x, raw = jcamp_asdf.pairs(lines, limit=limit)
    if len(x) < 2:
        raise NotUnderstood(f"a table of {len(x)} points")
    x = x * _factor(texts, "XFACTOR")
    warnings: tuple[str, ...] = ()
    declared = number(texts, "NPOINTS")
    if declared is not None and declared != len(x):
        warnings += (f"##NPOINTS={declared:.0f}, and the table holds {len(x)} points",)
    for label, found in (("FIRSTX", x[0]), ("LASTX", x[-1])):
        said = number(texts, label)
        if said is not None and not abs(said - found) <= resolution(texts[label]) + 1e-6 * abs(found):
            warnings += (f"##{label}={said:g}, and the table has {found:g} there",)
    return x, raw, warnings


def _factor(texts: Texts, label: str) -> float:
    factor = number(texts, label)
    if factor == 0:
        raise NotUnderstood(f"##{label}=0")
    return 1.0 if factor is None else factor


def _extremes(texts: Texts, y: Array) -> tuple[str, ...]:
    """Compare first, least and greatest value with what the header says."""
    known = y[np.isfinite(y)]
    if not len(known):
        raise NotUnderstood("none of its values is known")
    scale = float(np.max(np.abs(known)))
    warnings = []
    for label, found in (("FIRSTY", y[0]), ("MINY", known.min()), ("MAXY", known.max())):
        said = number(texts, label)
        if said is None or np.isnan(found):
            continue
        allowed = 1e-3 * scale + resolution(texts[label]) + abs(_factor(texts, "YFACTOR"))
        if not abs(said - found) <= allowed:
            warnings.append(f"##{label}={said:g}, and the table with ##YFACTOR has {found:g}")
    return tuple(warnings)


def _scan(texts: Texts, x: Array, y: Array) -> tuple[Scan, tuple[str, ...]]:
    technique = texts.get("DATATYPE", "").upper()
    axis, axis_warnings = axis_of(texts.get("XUNITS", ""), x, raman="RAMAN" in technique)
    quantity, unit, warnings = ordinate_of(texts.get("YUNITS", ""), y)
    is_pattern = axis.quantity == "two_theta"
    scan = Scan(
        kind="diffractogram" if is_pattern else "spectrum",
        axis=axis,
        quantity=quantity,
        title=texts.get("TITLE", ""),
        facts=facts(texts),
        **measured(y, unit, photons=is_pattern),
    )
    return scan, axis_warnings + warnings


def facts(texts: Texts) -> dict[str, Fact]:
    """Return what the header says, by field; labels of users keep their names, without ``##$``."""
    found: dict[str, Fact] = {name: texts[label] for label, name in _FACTS.items() if texts.get(label)}
    found |= {label[1:].lower(): text for label, text in texts.items() if label.startswith("$") and text}
    if started := _started(texts.get("LONGDATE", "")):
        found["started_at"] = started
    return found


def _started(longdate: str) -> str:
    """Return a date like 2004/11/05 13:05:21.123 +0100 in ISO 8601; other orders of day and month are left alone."""
    match = re.match(r"(\d{4})/(\d\d)/(\d\d)(?:\s+(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*([+-]\d{4})?)?", longdate.strip())
    if not match:
        return ""
    date, clock, zone = "-".join(match.group(1, 2, 3)), match[4], match[5]
    return date + (f"T{clock}{zone or ''}" if clock else "")
