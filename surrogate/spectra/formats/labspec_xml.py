"""Horiba LabSpec 6 XML: one spectrum, a line or a map, with the settings of the instrument.

An element says what it is by its attribute ``ID``; the numbers below were read off exported files. ``LSX_Tree`` holds
title, axes and settings, ``LSX_Matrix`` a row of values for each spectrum. Axis 0 is the ordinate, 1 the spectral
axis, 2 and 3 are places of a map, the first of them running fastest.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, tostring

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Scan
from surrogate.formats.xmltext import number, numbers, parsed
from surrogate.spectra.formats.spectral_words import LARGEST_POINTS, LARGEST_SCANS, axis_of, measured, ordinate_of

_TITLE, _AXES, _AXIS_LIST, _SETTINGS = "0x6C7469D9", "0x7A74D9D6", "0x7B697861", "0x6C62D4D9"
_NAME, _VALUE, _NUMBER, _UNIT, _VALUES = "0x6D6D616E", "0x7D6C61DB", "0x8736F70", "0x7C696E75", "0x7D6CD4DB"
_TYPE = "0x6D707974"
_FACTS = {
    "Acq. time (s)": "exposure_s", "Accumulations": "accumulations", "Laser (nm)": "laser_nm",
    "Grating": "grating_per_mm", "Hole": "hole_um", "Objective": "objective", "ND Filter": "filter_percent",
    "Instrument": "instrument", "Detector": "detector", "Detector temperature (\u00b0C)": "detector_c",
    "X (\u00b5m)": "x_um", "Y (\u00b5m)": "y_um", "Z (\u00b5m)": "z_um", "Sample": "sample", "Acquired": "acquired",
    "Binning": "binning", "Spike filter": "spike_filter", "Dark correction": "dark_correction",
    "ICS correction": "ics_correction", "DeNoise": "denoise",
}  # fmt: skip
_BY_NUMBER = ("Laser (nm)", "Grating", "Objective", "ND Filter", "Hole")
"""Settings whose second value is the number; the first is the word of a menu."""


def recognises(data: bytes) -> bool:
    """Say whether the root of a file is LabSpec's."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and b"<LSX_Data" in data[:1024]


def read(data: bytes) -> Content:
    """Read all spectra of a file, up to the largest number that is read.

    Raises:
        NotUnderstood: It is no whole XML, or its axes and rows do not belong together.
    """
    root = parsed(data)
    trees, matrices = root.findall("LSX_Tree"), root.findall("LSX_Matrix")
    if len(trees) != 1 or len(matrices) != 1:
        raise NotUnderstood(f"{len(trees)} LSX_Tree and {len(matrices)} LSX_Matrix, where one of each is read")
    axes = {_id(axis): axis for axis in _children(_child(_child(trees[0], _AXES), _AXIS_LIST))}
    axis, warnings = _spectral(axes)
    rows = matrices[0].findall("LSX_Row")
    kept = rows[: min(LARGEST_SCANS, max(1, LARGEST_POINTS // len(axis.values)))]
    if len(kept) < len(rows):
        warnings += (f"it holds {len(rows)} spectra; the first {len(kept)} are read",)
    places, outside = _places(axes, len(rows))
    settings = _settings(trees[0])
    scans = []
    for row, place in zip(kept, places, strict=False):
        values = numbers(row.text or "", f"row {row.get('Index', len(scans))}")
        if len(values) != len(axis.values):
            raise NotUnderstood(f"row {row.get('Index', len(scans))} has {len(values)} of {len(axis.values)} points")
        scan, said = _scan(axis, values, _word(axes.get("0x0"), _UNIT), settings | place)
        scans.append(scan)
        warnings += said
    return Content(
        format="Horiba LabSpec 6 XML",
        header=_header(root, matrices[0]),
        scans=tuple(scans),
        warnings=tuple(dict.fromkeys((*warnings, *outside))),
    )


def _id(element: Element) -> str:
    return element.get("ID", "").lower()


def _children(element: Element | None) -> list[Element]:
    return [] if element is None else list(element)


def _child(element: Element | None, which: str) -> Element | None:
    return next((child for child in _children(element) if _id(child) == which.lower()), None)


def _word(element: Element | None, which: str) -> str:
    child = _child(element, which)
    return "" if child is None else (child.text or "").strip()


def _spectral(axes: dict[str, Element]) -> tuple[Axis, tuple[str, ...]]:
    values = numbers(_word(axes.get("0x1"), _VALUES), "the spectral axis")
    if len(values) < 2:
        raise NotUnderstood(f"a spectral axis of {len(values)} points")
    unit = _word(axes.get("0x1"), _UNIT)
    return axis_of(unit, values, raman=not unit.lower().endswith("abs"))


def _places(axes: dict[str, Element], count: int) -> tuple[list[dict[str, Fact]], tuple[str, ...]]:
    """Return the place of each of ``count`` rows on the axes of a map, or of none where they do not fit."""
    names, grids = [], []
    for which in ("0x2", "0x3"):
        places = numbers(_word(axes.get(which), _VALUES), f"axis {which} of the map")
        if len(places):
            unit = _word(axes.get(which), _UNIT).replace("\u00b5", "u")
            names.append("_".join(filter(None, (_word(axes.get(which), _TYPE).lower() or which, unit))))
            grids.append(places)
    if count < 2 or not grids:
        return [{} for _ in range(count)], ()
    if np.prod([len(grid) for grid in grids]) != count:
        shape = " x ".join(str(len(grid)) for grid in grids)
        return [{} for _ in range(count)], (f"a map of {shape} places with {count} spectra; places are left out",)
    mesh = [grid.ravel().tolist() for grid in np.meshgrid(*grids, indexing="xy")]
    return [dict(zip(names, place, strict=True)) for place in zip(*mesh, strict=True)], ()


def _scan(axis: Axis, values: Array, unit: str, facts: dict[str, Fact]) -> tuple[Scan, tuple[str, ...]]:
    quantity, unit, warnings = ordinate_of(unit, values)
    title = str(facts.get("title", ""))
    scan = Scan(kind="spectrum", axis=axis, quantity=quantity, title=title, facts=facts, **measured(values, unit))
    return scan, warnings


def _settings(tree: Element) -> dict[str, Fact]:
    """Return the settings that are known, by field."""
    facts: dict[str, Fact] = {"title": _word(tree, _TITLE)} if _word(tree, _TITLE) else {}
    for group in _children(_child(tree, _SETTINGS)):
        for setting in group:
            name = _word(setting, _NAME)
            value = _word(setting, _NUMBER if name in _BY_NUMBER else _VALUE) or _word(setting, _VALUE)
            if name in _FACTS and value:
                exact = number(value)
                facts[_FACTS[name]] = value if exact is None else exact
    exposure, frames = facts.get("exposure_s"), facts.get("accumulations")
    if isinstance(exposure, float) and isinstance(frames, float):
        facts["integration_s"] = exposure * frames
    return facts


def _header(root: Element, matrix: Element) -> str:
    """Return the document without its rows of values."""
    matrix.clear()
    return tostring(root, encoding="unicode")
