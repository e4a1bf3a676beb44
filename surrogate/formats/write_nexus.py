"""A measurement as NeXus (HDF5): an entry for each scan, that any reader of NeXus plots, and from which all comes back.

Groups and fields are named as in NXxrd_pan (``experiment_result``, ``k_alpha_one``, ...) as far as a file says them;
the definition is not claimed, since it requires what powder diffractometers do not give. A spectrum is plain NXdata.

    /entry            NXentry: title, start_time, method; entry_2, entry_3, ... for more scans
      experiment_result | data   NXdata: axis, values, values_errors; attributes ``ucum`` hold units as in the record
      instrument      NXinstrument: source (tube and lines), detector (counts, count_time, beam_attenuation_factors)
      facts           NXcollection: what the header says, by field
      original        NXnote: header, file name, sha256, format, reader and version, warnings; the same in all entries
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import h5py
import numpy as np

from surrogate.formats.record import Fact, MeasurementFile, Radiation, Scan

LAYOUT = "labpilot_layout"
"""Attribute of each entry, with the number of this layout."""
VERSION = 1
UNITS = {"Ao": "angstrom", "/Ao": "1/angstrom", "/cm": "1/cm", "/nm": "1/nm", "1": ""}
"""Units of UCUM whose names in NeXus (UDUNITS) are others."""
COMPRESSED = 256
"""Arrays from this length on are compressed."""
_METHODS = {"diffractogram": "X-Ray Diffraction (XRD)", "spectrum": "Spectroscopy"}


def fill(path: Path, file: MeasurementFile) -> None:
    """Write all scans of a file."""
    with h5py.File(path, "w") as root:
        root.attrs.update({"NX_class": "NXroot", "default": "entry", "creator": "labpilot"})
        original = None
        for number, scan in enumerate(file.scans, start=1):
            entry = _group(root, "entry" if number == 1 else f"entry_{number}", "NXentry")
            _entry(entry, scan)
            if original is None:
                original = _original(entry, file)
            else:
                entry["original"] = original


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name, track_order=True)
    group.attrs["NX_class"] = kind
    return group


def _text(group: h5py.Group, name: str, text: str) -> None:
    # HDF5 ends a text at a zero, and knows no half characters
    clean = text.replace("\x00", "\N{SYMBOL FOR NULL}").encode("utf-8", errors="replace").decode("utf-8")
    group.create_dataset(name, data=clean, dtype=h5py.string_dtype("utf-8"))


def _array(group: h5py.Group, name: str, values: np.ndarray, ucum: str) -> h5py.Dataset:
    packed = {"compression": "gzip", "shuffle": True} if values.size >= COMPRESSED else {}
    found = group.create_dataset(name, data=np.asarray(values, dtype=np.float64), **packed)
    found.attrs.update({"units": UNITS.get(ucum, ucum), "ucum": ucum})
    return found


def _entry(entry: h5py.Group, scan: Scan) -> None:
    name = "experiment_result" if scan.kind == "diffractogram" else "data"
    entry.attrs.update({"default": name, LAYOUT: VERSION, "kind": scan.kind})
    _text(entry, "title", scan.title)
    _text(entry, "method", _METHODS[scan.kind])
    if scan.kind == "diffractogram":
        _text(entry, "measurement_type", str(scan.facts.get("measurement_type", "scan")))
    if started := scan.facts.get("started_at"):
        _text(entry, "start_time", str(started))
    _data(_group(entry, name, "NXdata"), scan)
    _instrument(_group(entry, "instrument", "NXinstrument"), scan)
    if sample := scan.facts.get("sample"):
        _text(_group(entry, "sample", "NXsample"), "name", str(sample))
    facts = _group(entry, "facts", "NXcollection")
    for key, value in scan.facts.items():
        _fact(facts, key, value)


def _fact(group: h5py.Group, key: str, value: Fact) -> None:
    name = quote(key, safe=" ()[]").replace(".", "%2E")
    if isinstance(value, str):
        _text(group, name, value)
    else:
        group.create_dataset(name, data=value)


def _data(group: h5py.Group, scan: Scan) -> None:
    axis, values = scan.axis.quantity, "intensity"
    group.attrs.update({"signal": values, "axes": [axis], f"{axis}_indices": [0]})
    _array(group, axis, scan.axis.values, scan.axis.unit).attrs["quantity"] = scan.axis.quantity
    found = _array(group, values, scan.values, scan.unit)
    found.attrs.update({"quantity": scan.quantity, "long_name": f"{scan.quantity} ({scan.unit})"})
    if scan.sigma is not None:
        _array(group, f"{values}_errors", scan.sigma, scan.unit)


def _instrument(group: h5py.Group, scan: Scan) -> None:
    if scan.kind == "diffractogram":
        _source(_group(group, "source", "NXsource"), scan)
    detector = _group(group, "detector", "NXdetector")
    for key in ("scan_axis", "scan_mode"):
        if found := scan.facts.get(key):
            _text(detector, key, str(found))
    if scan.counts is not None:
        _array(detector, "counts", scan.counts, "counts")
    if scan.attenuation is not None:
        _array(detector, "beam_attenuation_factors", scan.attenuation, "1")
    if scan.count_time_s is not None:
        _array(detector, "count_time", scan.count_time_s, "s")


def _source(group: h5py.Group, scan: Scan) -> None:
    for key, name, unit in (
        ("tube_voltage_kv", "xray_tube_voltage", "kV"),
        ("tube_current_ma", "xray_tube_current", "mA"),
        ("k_beta_angstrom", "kbeta", "angstrom"),
    ):
        if isinstance(found := scan.facts.get(key), int | float):
            _number(group, name, found, unit)
    if scan.radiation is not None:
        _radiation(group, scan.radiation)


def _radiation(group: h5py.Group, lines: Radiation) -> None:
    _text(group, "xray_tube_material", lines.anode)
    group.create_dataset("wavelengths", data=np.array(lines.wavelength_angstrom)).attrs["units"] = "angstrom"
    group.create_dataset("wavelength_ratios", data=np.array(lines.ratio)).attrs["units"] = ""
    _number(group, "k_alpha_one", lines.wavelength_angstrom[0], "angstrom")
    if len(lines.wavelength_angstrom) > 1:
        _number(group, "k_alpha_two", lines.wavelength_angstrom[1], "angstrom")
        _number(group, "ratio_k_alphatwo_k_alphaone", lines.ratio[1], "")


def _number(group: h5py.Group, name: str, value: float, unit: str) -> None:
    group.create_dataset(name, data=float(value)).attrs["units"] = unit


def _original(entry: h5py.Group, file: MeasurementFile) -> h5py.Group:
    note = _group(entry, "original", "NXnote")
    for name, text in (
        ("file_name", file.name),
        ("data", file.header),
        ("type", "text/plain"),
        ("sha256", file.sha256),
        ("format", file.format),
        ("reader", file.reader),
        ("reader_version", file.version),
    ):
        _text(note, name, text)
    for name, texts in (("warnings", file.warnings), ("checked_by", file.checked_by)):
        note.create_dataset(name, data=list(texts), shape=(len(texts),), dtype=h5py.string_dtype("utf-8"))
    return note
