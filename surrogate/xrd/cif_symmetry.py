"""Which space group, axes and origin a CIF block means.

The symmetry operations are believed before the Hall symbol, that before the Hermann-Mauguin symbol, and that before
the number, because the later ones leave more open.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import gemmi
import numpy as np
import spglib
from gemmi import cif

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.cif_values import HALL_TAGS, NUMBER_TAGS, OPERATION_TAGS, SYMBOL_TAGS, column, text_of
from surrogate.xrd.phase import CellParameters, Position, Site
from surrogate.xrd.symmetry import (
    IDENTITY,
    Setting,
    cell_of_metric,
    completed,
    setting_of,
    settings_named,
    settings_numbered,
)

UNTABULATED = "untabulated"
SYMMETRY_TOLERANCE_ANGSTROM = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Symmetry:
    """What the block can mean: one setting, or several of which the atoms must tell the right one."""

    settings: tuple[Setting, ...]
    notes: tuple[str, ...] = ()
    is_unstated: bool = False
    """Nothing is said; the atoms are taken as all that the cell holds."""


def symmetry_of(block: cif.Block, cell: CellParameters) -> Symmetry:
    """Return what a block says about its space group.

    Raises:
        NotUnderstood: The operations are broken, or the symbol is not known.
    """
    triplets = column(block, OPERATION_TAGS)
    if triplets:
        return _by_operations(triplets, text_of(block, SYMBOL_TAGS), cell)
    hall = text_of(block, HALL_TAGS)
    setting = _by_hall(hall) if hall else None
    if setting is not None:
        return Symmetry(settings=(setting,))
    return _by_name(block, cell)


def _by_operations(triplets: Sequence[str], symbol: str | None, cell: CellParameters) -> Symmetry:
    group = completed(triplets)
    setting = _tabulated(group)
    notes = []
    if len(group) != len(set(triplets)):
        notes.append(f"{len(set(triplets))} symmetry operations are listed; they generate {len(group)}, which are used")
    named = settings_named(symbol, cell) if symbol else ()
    if named and all(other.number != setting.number for other in named) and setting.space_group != UNTABULATED:
        notes.append(f"named {symbol}, but the symmetry operations are those of {setting.space_group}; they are used")
    if len(group) == 1 and named and named[0].number > 1:
        return Symmetry(settings=(setting, *named), notes=tuple(notes))
    return Symmetry(settings=(setting,), notes=tuple(notes))


def _tabulated(group: gemmi.GroupOps) -> Setting:
    found = gemmi.find_spacegroup_by_ops(group)
    if found is not None:
        return setting_of(found)
    return Setting(
        operations=tuple(group),
        space_group=UNTABULATED,
        number=0,
        crystal_system="triclinic",
        has_rhombohedral_axes=False,
        unique_axis="b",
    )


def _by_hall(hall: str) -> Setting | None:
    try:
        return _tabulated(gemmi.symops_from_hall(hall))
    except (RuntimeError, ValueError):
        return None


def _by_name(block: cif.Block, cell: CellParameters) -> Symmetry:
    symbol, number = text_of(block, SYMBOL_TAGS), text_of(block, NUMBER_TAGS)
    settings = settings_named(symbol, cell) if symbol else ()
    if not settings and number and number.isdigit() and 1 <= int(number) <= 230:
        settings = settings_numbered(int(number), cell)
    if settings:
        return Symmetry(settings=settings, notes=("no symmetry operations are given; the space group symbol is used",))
    if symbol or number:
        said = symbol or f"number {number}"
        raise NotUnderstood(f"the space group {said} is not known, or the cell does not obey it; give the operations")
    identity = _tabulated(completed([IDENTITY]))
    note = "no symmetry is given; the atoms are taken as all that the cell holds"
    return Symmetry(settings=(identity,), notes=(note,), is_unstated=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crystal:
    """A cell in a known setting with all its atoms."""

    cell: CellParameters
    setting: Setting
    sites: tuple[Site, ...]


def standardised(crystal: Crystal) -> Crystal | None:
    """Return the conventional cell of the symmetry that the atoms really have; None where that is no more than said.

    Found by spglib within 0.01 angstrom (Togo, Shinohara, Tanaka, Sci. Technol. Adv. Mater. Meth. 4, 2384822 (2024)).
    """
    places = _contents(crystal.sites)
    kinds = list(dict.fromkeys(places.values()))
    numbers = [kinds.index(content) for content in places.values()]
    lattice = np.array(gemmi.UnitCell(*crystal.cell).orth.mat.tolist()).T.tolist()
    with warnings.catch_warnings():
        # spglib 2 warns at every call that spglib 3 will raise where it now returns None
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            dataset = spglib.get_symmetry_dataset((lattice, list(places), numbers), symprec=SYMMETRY_TOLERANCE_ANGSTROM)
        except spglib.SpglibError:
            return None
    if dataset is None or dataset.number <= max(crystal.setting.number, 1):
        return None
    basis = np.array(dataset.std_lattice)
    sites = [
        replace(site, position=cast(Position, tuple(float(round(value, 7) % 1.0) for value in position)))
        for position, number in zip(dataset.std_positions, dataset.std_types, strict=True)
        for site in kinds[number]
    ]
    setting = _tabulated(gemmi.symops_from_hall(dataset.hall))
    return Crystal(cell=cell_of_metric(basis @ basis.T), setting=setting, sites=tuple(sites))


def _contents(sites: Sequence[Site]) -> dict[Position, tuple[Site, ...]]:
    """Return what is on each place, with the place itself left out so that equal contents compare equal."""
    places: dict[Position, list[Site]] = {}
    for site in sites:
        places.setdefault(site.position, []).append(replace(site, position=(0.0, 0.0, 0.0)))
    return {
        place: tuple(sorted(content, key=lambda site: (site.element, site.occupancy)))
        for place, content in places.items()
    }
