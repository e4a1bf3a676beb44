"""The library of crystal phases that patterns are compared with: the embedded facts, or CIF files of the user."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from itertools import combinations, count
from pathlib import Path
from typing import Any, Literal, cast

import gemmi

from surrogate.xrd.atoms import place
from surrogate.xrd.cif import read_cif
from surrogate.xrd.phase import CellParameters, CrystalSystem, Phase, Site, UniqueAxis
from surrogate.xrd.symmetry import setting_of
from surrogate.xrd.twins import are_twins

__all__ = [
    "CrystalSystem",
    "Library",
    "Pair",
    "Phase",
    "Rejected",
    "Site",
    "UniqueAxis",
    "embedded_library",
    "load_library",
    "pairs",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A file, or a block of one, that the library could not take."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Phases with unique names, and what became of the rest."""

    phases: tuple[Phase, ...]
    rejected: tuple[Rejected, ...] = ()
    merged: tuple[tuple[str, str], ...] = ()
    """(name of a duplicate, name of the phase that was kept)."""
    key: str = field(init=False)
    """SHA-256 of the names and keys of all phases."""

    def __post_init__(self) -> None:
        text = repr(sorted((phase.name, phase.key) for phase in self.phases))
        object.__setattr__(self, "key", hashlib.sha256(text.encode()).hexdigest())

    def within(self, chemistry: Sequence[str]) -> Library:
        """Return the library of those phases that are made of these elements only.

        Nothing is added: name O, H or C where air, water or carbonate can take part. Deuterium counts as H.
        """
        allowed = frozenset("H" if element in ("D", "T") else element for element in chemistry)
        return replace(self, phases=tuple(phase for phase in self.phases if phase.elements <= allowed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two embedded phases that are easily taken for each other."""

    kind: Literal["polymorph", "isostructural"]
    names: tuple[str, str]


def embedded_library(names: Sequence[str] | None = None) -> Library:
    """Return the phases that come with the package, all or those named, in the order of the names.

    Raises:
        KeyError: No embedded phase has one of the names.
    """
    phases = {phase.name: phase for phase in _embedded_phases()}
    if names is None:
        return Library(phases=tuple(phases.values()))
    unknown = [name for name in names if name not in phases]
    if unknown:
        raise KeyError(f"no embedded phase is called {', '.join(unknown)}; there are {', '.join(phases)}")
    return Library(phases=tuple(phases[name] for name in dict.fromkeys(names)))


def pairs() -> tuple[Pair, ...]:
    """Return the polymorphs and the isostructural pairs among the embedded phases."""
    return tuple(
        Pair(kind=kind, names=(first["name"], second["name"]))
        for first, second in combinations(_records(), 2)
        if (kind := _kind(first, second)) is not None
    )


def _kind(first: dict[str, Any], second: dict[str, Any]) -> Literal["polymorph", "isostructural"] | None:
    if first["formula"] == second["formula"]:
        return "polymorph"
    return "isostructural" if first["structure_type"] == second["structure_type"] else None


@cache
def _embedded_phases() -> tuple[Phase, ...]:
    return tuple(_built(record) for record in _records())


@cache
def _records() -> tuple[dict[str, Any], ...]:
    text = files("surrogate.facts").joinpath("structures.json").read_text(encoding="utf-8")
    return tuple(json.loads(text)["phases"])


def _built(record: dict[str, Any]) -> Phase:
    group = gemmi.find_spacegroup_by_name(record["space_group"])
    if group is None:
        raise LookupError(f"structures.json: {record['name']}: {record['space_group']!r} is no space group")
    setting = setting_of(group)
    cell = cast(CellParameters, tuple(float(value) for value in record["cell"]))
    placed = place(cell, setting, [_fact(site) for site in record["sites"]])
    cod = f", COD {record['cod_id']}" if "cod_id" in record else ""
    return Phase(
        name=record["name"],
        formula=record["formula"],
        space_group=setting.space_group,
        space_group_number=setting.number,
        crystal_system=setting.crystal_system,
        has_rhombohedral_axes=setting.has_rhombohedral_axes,
        unique_axis=setting.unique_axis,
        cell=cell,
        sites=placed.sites,
        source=record["source"] + cod,
        notes=(record["note"],) if "note" in record else (),
    )


def _fact(site: list[Any]) -> Site:
    element, x, y, z, *occupancy = site
    return Site(
        element=element,
        position=(float(x), float(y), float(z)),
        occupancy=float(occupancy[0]) if occupancy else 1.0,
        b_iso_angstrom2=None,
    )


def load_library(folder: Path, *, chemistry: Sequence[str] | None = None) -> Library:
    """Read the CIF files of a folder and its folders, by name; what cannot be used is in `Library.rejected` and why.

    Hidden files and folders are left alone.

    A phase is called after its file. The first of several files with the same structure is kept.

    Raises:
        NotADirectoryError: There is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder; give the folder that holds the CIF files")
    found: list[Phase] = []
    rejected: list[Rejected] = []
    for path in sorted(_cif_files(folder)):
        phases, reasons = read_cif(path)
        found += phases
        rejected += [Rejected(file=str(path.relative_to(folder)), reason=reason) for reason in reasons]
    kept, merged = _without_twins(_uniquely_named(found))
    library = Library(phases=tuple(kept), rejected=tuple(rejected), merged=tuple(merged))
    return library if chemistry is None else library.within(chemistry)


def _cif_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() == ".cif" and not is_hidden and not path.is_dir():
            yield path


def _uniquely_named(phases: Sequence[Phase]) -> Iterator[Phase]:
    """Number the phases that bear a name which an earlier one has."""
    taken: set[str] = set()
    for phase in phases:
        numbered = (f"{phase.name}-{number}" for number in count(2))
        name = phase.name if phase.name not in taken else next(name for name in numbered if name not in taken)
        taken.add(name)
        yield replace(phase, name=name)


def _without_twins(phases: Iterator[Phase]) -> tuple[list[Phase], list[tuple[str, str]]]:
    kept: list[Phase] = []
    merged: list[tuple[str, str]] = []
    for phase in phases:
        twin = next((other for other in kept if are_twins(other, phase)), None)
        if twin is None:
            kept.append(phase)
        else:
            merged.append((phase.name, twin.name))
    return kept, merged
