"""Read back what `surrogate.formats.write_nexus` wrote, to the same numbers, texts and header."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args
from urllib.parse import unquote

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Radiation, Scan
from surrogate.formats.write_nexus import LAYOUT, VERSION
from surrogate.xrd.formats.hdf import Dataset, Group, Object, array, attribute, child, number_attribute, text, texts

_ORIGIN = (("file_name", "original_file"), ("sha256", "original_sha256"), ("reader", "original_reader"),
           ("reader_version", "original_reader_version"))  # fmt: skip


def own_content(entries: Sequence[Group]) -> Content:
    """Return what was written.

    Raises:
        NotUnderstood: It was changed, or is of a later labpilot.
    """
    for entry in entries:
        version = number_attribute(entry, LAYOUT)
        if version is None or version > VERSION:
            raise NotUnderstood(f"it was written by a later labpilot (layout {version}); update labpilot")
    ordered = sorted(entries, key=_number)
    note = _group(ordered[0], "original")
    return Content(
        format=f"NeXus of {text(child(note, 'format')).removeprefix('NeXus of ')}",
        header=text(child(note, "data")),
        scans=tuple(_scan(entry, note) for entry in ordered),
        warnings=texts(child(note, "warnings")),
    )


def _number(entry: Group) -> int:
    digits = str(entry.name).rpartition("_")[2]
    return int(digits) if digits.isdigit() else 1


def _group(parent: Group, name: str) -> Group:
    found = child(parent, name)
    if not isinstance(found, Group):
        raise NotUnderstood(f"{parent.name} has lost its group {name}")
    return found


def _scan(entry: Group, note: Group) -> Scan:
    group = _group(entry, attribute(entry, "default"))
    detector = _group(entry, "instrument/detector")
    signal, values = child(group, "intensity"), array(child(group, "intensity"))
    if signal is None or values is None:
        raise NotUnderstood(f"{group.name} has lost its intensity")
    return Scan(
        kind="diffractogram" if attribute(entry, "kind") == "diffractogram" else "spectrum",
        axis=_axis(group),
        values=values,
        unit=attribute(signal, "ucum"),
        quantity=attribute(signal, "quantity"),
        sigma=array(child(group, "intensity_errors")),
        counts=array(child(detector, "counts")),
        attenuation=array(child(detector, "beam_attenuation_factors")),
        count_time_s=array(child(detector, "count_time")),
        radiation=_radiation(entry),
        title=text(child(entry, "title")),
        facts=_facts(_group(entry, "facts"), note),
    )


def _axis(group: Group) -> Axis:
    for quantity in get_args(Quantity):
        found = child(group, quantity)
        values = array(found)
        if found is not None and values is not None:
            return Axis(quantity=quantity, unit=attribute(found, "ucum"), values=values)
    raise NotUnderstood(f"{group.name} has lost its axis")


def _radiation(entry: Group) -> Radiation | None:
    lines = array(child(entry, "instrument/source/wavelengths"))
    ratio = array(child(entry, "instrument/source/wavelength_ratios"))
    if lines is None or ratio is None:
        return None
    anode = text(child(entry, "instrument/source/xray_tube_material"))
    return Radiation(wavelength_angstrom=_tuple(lines), ratio=_tuple(ratio), anode=anode)


def _tuple(values: Array) -> tuple[float, ...]:
    return tuple(map(float, values.ravel()))


def _facts(group: Group, note: Group) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for name, found in group.children.items():
        value = _fact(found)
        if value is not None:
            facts[unquote(name)] = value
    for name, key in _ORIGIN:
        if words := text(child(note, name)):
            facts.setdefault(key, words)
    return facts


def _fact(found: Object) -> Fact | None:
    if not isinstance(found, Dataset) or found.shape != ():
        return None
    return found.single if found.single is not None else next(iter(found.texts), None)
