"""Read NeXus (HDF5): NXxrd_pan, NXxrd, NXmonopd and any entry with one-dimensional NXdata, and what labpilot wrote.

Fields as the application definitions name them (manual.nexusformat.org): ``experiment_result`` with ``two_theta`` and
``intensity``, or ``data`` with ``polar_angle`` and ``data``; lines of the tube in NXsource, or the wavelength of a
crystal monochromator, or ``incident_energy``. Of an entry that labpilot wrote everything comes back (`nxxrd_own`); its
original file is named in the facts.
"""

from __future__ import annotations

import numpy as np

from surrogate.formats.axes import HC_EV_CM, oddities
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Fact, Quantity, Scan
from surrogate.formats.write_nexus import LAYOUT
from surrogate.xrd.formats.hdf import (
    MAGIC,
    Dataset,
    Group,
    Object,
    array,
    attribute,
    attributes,
    child,
    datasets,
    groups,
    opened,
    text,
)
from surrogate.xrd.formats.intensities import by_evidence, gathered, uncounted
from surrogate.xrd.formats.nxxrd_own import own_content
from surrogate.xrd.formats.source import Tube

MOST_ENTRIES = 10_000
MOST_GROUPS = 500
MOST_LINES = 10_000
_AXES = ("two_theta", "polar_angle", "2theta", "tth", "omega", "q", "d", "wavelength", "energy", "wavenumber")
_SIGNALS = ("intensity", "data", "counts")
_QUANTITIES: dict[str, Quantity] = {
    "two_theta": "two_theta", "polar_angle": "two_theta", "2theta": "two_theta", "tth": "two_theta", "omega": "omega",
    "q": "q", "d": "d_spacing", "wavelength": "wavelength", "energy": "energy", "wavenumber": "wavenumber",
    "raman_shift": "raman_shift",
}  # fmt: skip
_UNITS = {
    "deg": "deg", "degree": "deg", "degrees": "deg", "°": "deg", "rad": "rad", "radian": "rad", "radians": "rad",
    "angstrom": "Ao", "Angstrom": "Ao", "angstroms": "Ao", "Å": "Ao", "1/angstrom": "/Ao", "1/Å": "/Ao",
    "Å^-1": "/Ao", "angstrom^-1": "/Ao", "1/nm": "/nm", "nm": "nm", "um": "um", "eV": "eV", "keV": "keV",
    "1/cm": "/cm", "cm^-1": "/cm",
}  # fmt: skip
_TO_ANGSTROM = {"Ao": 1.0, "nm": 10.0, "": 1.0}
_FACTS = (("title", "title"), ("start_time", "started_at"), ("sample/name", "sample"),
          ("instrument/detector/scan_axis", "scan_axis"), ("instrument/detector/scan_mode", "scan_mode"))  # fmt: skip


def recognises(data: bytes) -> bool:
    """Say whether it is HDF5 with an NXentry, whose name stands in its bytes as it is."""
    return data.startswith(MAGIC) and b"NXentry" in data


def read(data: bytes) -> Content:
    """Read all entries.

    Raises:
        NotUnderstood: One holds no curve, or says too little of it.
    """
    file = opened(data)
    entries = [group for group in groups(file) if attribute(group, "NX_class") == "NXentry"]
    if not 0 < len(entries) <= MOST_ENTRIES:
        raise NotUnderstood(f"it holds {len(entries)} entries; 1 to {MOST_ENTRIES} are read")
    if all(LAYOUT in entry.attributes for entry in entries):
        return own_content(entries)
    found = [_scan(entry) for entry in entries]
    names = dict.fromkeys(text(child(entry, "definition")) for entry in entries)
    return Content(
        format=" ".join(("NeXus", *filter(None, names))),
        header=_tree(file),
        scans=tuple(scan for scan, _ in found),
        warnings=gathered([told for _, told in found]),
    )


def _tree(file: Group, longest: int = 1 << 20) -> str:
    """Return the texts and single numbers of a file by path, one a line."""
    lines: list[str] = []
    waiting: list[Group] = [file]
    for group in waiting:
        lines += filter(None, map(_line, datasets(group)))
        waiting += [below for below in groups(group) if below not in waiting] if len(waiting) < MOST_GROUPS else []
        if len(lines) >= MOST_LINES:
            break
    return "\n".join(lines[:MOST_LINES])[:longest]


def _line(item: Dataset) -> str:
    if item.values is not None and item.values.size == 1:
        return f"{item.name}: {float(item.values.ravel()[0])!r} {attribute(item, 'units')}".rstrip()
    return f"{item.name}: {item.texts[0]}".rstrip() if item.texts and item.texts[0] else ""


def _scan(entry: Group) -> tuple[Scan, list[str]]:
    group = _plotted(entry)
    signal = _signal(group)
    values = array(signal)
    if values is None or values.ndim != 1:
        raise NotUnderstood(f"{group.name} holds no curve: its signal is a map or no numbers")
    axis, warnings = _axis(group, signal, values.size)
    tube = _tube(entry)
    is_powder = axis.quantity in ("two_theta", "omega", "q", "d_spacing")
    unit = attribute(signal, "units").lower()
    if unit in ("counts", "count", ""):
        fields, told = by_evidence(values, _per_point(entry, "beam_attenuation_factors", values.size))
        fields |= {"unit": "counts" if unit or fields["counts"] is not None else "arbitrary"}
        told += [] if unit else ["the intensities have no unit"]
    else:
        fields, told = uncounted(values, None, "counts/s" if unit in ("counts/s", "cps", "hz") else unit), []
    sigma = array(child(group, f"{str(signal.name).rpartition('/')[2]}_errors"))
    if sigma is not None and sigma.shape == values.shape:
        fields["sigma"] = sigma
    facts = _facts(entry)
    found = Scan(
        kind="diffractogram" if is_powder else "spectrum",
        axis=axis,
        count_time_s=_per_point(entry, "count_time", values.size),
        radiation=tube.radiation() if is_powder else None,
        title=str(facts.get("title", "")),
        facts=facts | tube.facts(),
        **fields,
    )
    return found, [*warnings, *told, *(tube.warnings() if is_powder else []), *oddities(axis.values)]


def _plotted(entry: Group) -> Group:
    """Return the group of data that is to be plotted, or the only one."""
    named = child(entry, attribute(entry, "default") or "experiment_result")
    if isinstance(named, Group):
        return named
    found = [group for group in groups(entry) if attribute(group, "NX_class") == "NXdata"]
    if len(found) != 1:
        raise NotUnderstood(f"{entry.name} holds {len(found)} groups of data; which is the measurement it does not say")
    return found[0]


def _signal(group: Group) -> Dataset:
    named = child(group, attribute(group, "signal") or "-")
    marked = [item for item in datasets(group) if "signal" in item.attributes]
    usual = [found for name in _SIGNALS if isinstance(found := child(group, name), Dataset)]
    for found in (named, *marked, *usual):
        if isinstance(found, Dataset):
            return found
    raise NotUnderstood(f"{group.name} does not say what was measured")


def _axis(group: Group, signal: Dataset, n: int) -> tuple[Axis, list[str]]:
    named = (*attributes(group, "axes")[:1], attribute(signal, "axes"), *_AXES)
    for name in named:
        found = child(group, name)
        if not isinstance(found, Dataset) or found.shape not in ((n,), (n + 1,)):
            continue
        if found.shape == (n + 1,):
            raise NotUnderstood(f"{found.name} holds the edges of bins, and not their middles")
        if (values := array(found)) is not None:
            return _named_axis(name, attribute(found, "units"), values)
    raise NotUnderstood(f"{group.name} holds no axis of {n} points that is known")


def _named_axis(name: str, given: str, values: Array) -> tuple[Axis, list[str]]:
    quantity: Quantity = _QUANTITIES.get(name.lower(), "unknown")
    unit = _UNITS.get(given)
    if unit is None and given:
        raise NotUnderstood(f"the axis {name} is in {given!r}, a unit that is not known here")
    if unit is None and quantity not in ("two_theta", "omega"):
        raise NotUnderstood(f"the axis {name} has no unit")
    warnings = [] if unit else [f"the axis {name} has no unit; degrees are assumed"]
    if unit == "rad":
        unit, values = "deg", np.rad2deg(values)
    return Axis(quantity=quantity, unit=unit or "deg", values=values), warnings


def _per_point(entry: Group, name: str, n: int) -> Array | None:
    """Return a field of the detector or the configuration for ``n`` points; one number counts for all."""
    for place in ("instrument/detector", "experiment_config"):
        values = array(child(entry, f"{place}/{name}"))
        if values is not None and values.size in (1, n) and values.min(initial=1.0) > 0.0:
            return np.full(n, values.ravel()[0]) if values.size == 1 else values.ravel()
    return None


def _tube(entry: Group) -> Tube:
    places = ("instrument/source", "instrument/SOURCE", "source")
    source = next((found for place in places if isinstance(found := child(entry, place), Group)), None)
    lines = {name: _angstrom(source, name) for name in ("k_alpha_one", "k_alpha_two", "kbeta")}
    alone = _angstrom(child(entry, "instrument/crystal"), "wavelength") or _angstrom(source, "source_peak_wavelength")
    return Tube(
        anode="" if source is None else text(child(source, "xray_tube_material")),
        alpha_1=lines["k_alpha_one"] or alone or _of_energy(entry),
        alpha_2=lines["k_alpha_two"],
        beta=lines["kbeta"],
        ratio=_number(source, "ratio_k_alphatwo_k_alphaone")[0],
    )


def _number(group: Object | None, name: str) -> tuple[float | None, str]:
    found = child(group, name) if isinstance(group, Group) else None
    values = array(found)
    if found is None or values is None or values.size != 1:
        return None, ""
    return float(values.ravel()[0]), attribute(found, "units")


def _angstrom(group: Object | None, name: str) -> float | None:
    value, unit = _number(group, name)
    factor = _TO_ANGSTROM.get(_UNITS.get(unit, unit))
    return None if value is None or factor is None else value * factor


def _of_energy(entry: Group) -> float | None:
    for name in ("incident_energy", "instrument/beam/incident_energy"):
        value, unit = _number(entry, name)
        if value and unit in ("eV", "keV"):
            return 1e8 * HC_EV_CM / (value * (1e3 if unit == "keV" else 1.0))
    return None


def _facts(entry: Group) -> dict[str, Fact]:
    facts: dict[str, Fact] = {key: found for place, key in _FACTS if (found := text(child(entry, place)))}
    for name, key, unit in (
        ("xray_tube_voltage", "tube_voltage_kv", "kV"),
        ("xray_tube_current", "tube_current_ma", "mA"),
    ):
        value, given = _number(child(entry, "instrument/source"), name)
        if value is not None and given == unit:
            facts[key] = value
    return facts
