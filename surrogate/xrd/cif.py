"""Read crystal structures from CIF files, of any origin and with the faults that such files have.

A block becomes a phase when its cell, symmetry, atoms and stated composition agree. What had to be assumed is in
`Phase.notes`; what is contradictory or leaves a choice is refused with the reason. Files are parsed by gemmi
(Wojdyr, J. Open Source Softw. 7, 4200 (2022), doi:10.21105/joss.04200).
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gemmi import cif

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.text import wide_encoding
from surrogate.xrd.atoms import place, shortest_distance
from surrogate.xrd.cif_symmetry import Crystal, standardised, symmetry_of
from surrogate.xrd.cif_values import Atoms, atoms_of, cell_of, stated_formula, text_of
from surrogate.xrd.formula import largest_difference, write_formula
from surrogate.xrd.phase import CellParameters, Phase, content_of_cell, reduced_amounts
from surrogate.xrd.symmetry import Setting, obeying

LARGEST_FILE_BYTES = 20_000_000
SHORTEST_DISTANCE_ANGSTROM = 0.6
WARN_PART, REFUSE_PART = 0.005, 0.02
"""Difference of an element's part of all atoms, stated against listed, that is noted and that is refused."""
DENSITY_TAGS = ("_exptl_crystal_density_diffrn", "_exptl_crystal.density_diffrn")
DENSITY_TOLERANCE = 0.05
Z_TAGS = ("_cell_formula_units_Z", "_cell.formula_units_Z")
SOURCE_TAGS = (
    ("COD", "_cod_database_code"),
    ("ICSD", "_database_code_ICSD"),
    ("AMCSD", "_database_code_amcsd"),
    ("Materials Project (calculated)", "_labpilot_materials_project_id"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stated:
    """What the block says of its composition."""

    formula: Mapping[str, float] | None
    atoms_per_cell: float | None


def read_cif(path: Path) -> tuple[list[Phase], list[str]]:
    """Return the phases of a CIF file, and why each block that is no phase was refused."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return [], ["it is a pipe or a device, no file"]
        if status.st_size > LARGEST_FILE_BYTES:
            return [], [f"the file is larger than {LARGEST_FILE_BYTES / 1e6:g} MB"]
        data = path.read_bytes()
    except OSError as error:
        return [], [f"the file cannot be read: {error.strerror or error}"]
    return read_cif_bytes(data, name=path.stem, source=path.name)


def read_cif_bytes(data: bytes, *, name: str, source: str) -> tuple[list[Phase], list[str]]:
    """Return the phases of a CIF's bytes, and why each block that is no phase was refused."""
    try:
        document = cif.read_string(_decoded(data))
    except (ValueError, RuntimeError) as error:
        return [], [f"this is not a CIF file: {str(error).splitlines()[0]}"]
    blocks = [block for block in document if _is_structure(block)]
    if not blocks:
        return [], ["there is no crystal structure: no block has a cell and atoms"]
    phases: list[Phase] = []
    reasons: list[str] = []
    for block in blocks:
        own_name = name if len(blocks) == 1 else f"{name}-{block.name}"
        try:
            phases.append(phase_of(block, name=own_name, source=source))
        except NotUnderstood as error:
            reasons.append(str(error) if len(blocks) == 1 else f"block {block.name}: {error}")
    return phases, reasons


def _decoded(data: bytes) -> str:
    """Return the characters: UTF-16 as some editors save it, UTF-8, or Latin-1, which takes any byte."""
    if wide := wide_encoding(data):
        return data.decode(wide, errors="replace").removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _is_structure(block: cif.Block) -> bool:
    names = ("_cell_length_a", "_cell.length_a", "_atom_site_fract_x", "_atom_site.fract_x")
    return any(block.find_value(name) is not None or len(block.find_values(name)) for name in names)


def phase_of(block: cif.Block, *, name: str, source: str) -> Phase:
    """Return the phase that a block describes.

    Raises:
        NotUnderstood: Something is missing, contradictory or left open; the message says what.
    """
    cell, formula = cell_of(block), stated_formula(block)
    atoms = atoms_of(block, formula)
    symmetry = symmetry_of(block, cell)
    if symmetry.is_unstated and formula is None:
        raise NotUnderstood("neither symmetry nor composition is given, so the atoms may be only a part; add one")
    stated = _Stated(formula=formula, atoms_per_cell=_atoms_per_cell(block, formula))
    crystal, notes = _built(cell, symmetry.settings, atoms, stated)
    better = standardised(crystal) if crystal.setting.number <= 2 else None
    if better is not None:
        said = "no tabulated setting" if crystal.setting.number == 0 else crystal.setting.space_group
        notes += (f"written in {said}; the atoms have {better.setting.space_group}, whose conventional cell is used",)
    crystal = better or crystal
    if crystal.setting.number == 0:
        raise NotUnderstood("the symmetry operations belong to no tabulated setting of a space group")
    phase = _phase(crystal, formula, name, _source(block, source), (*atoms.notes, *symmetry.notes, *notes))
    return _with_density_checked(phase, cif.as_number(text_of(block, DENSITY_TAGS) or "?"))


def _with_density_checked(phase: Phase, stated_g_cm3: float) -> Phase:
    if not stated_g_cm3 > 0 or abs(phase.density_g_cm3 / stated_g_cm3 - 1) < DENSITY_TOLERANCE:
        return phase
    note = f"the density is {phase.density_g_cm3:.3f} g/cm3 by cell and atoms, stated is {stated_g_cm3:g} g/cm3"
    return replace(phase, notes=(*phase.notes, note))


def _phase(
    crystal: Crystal, stated: Mapping[str, float] | None, name: str, source: str, notes: tuple[str, ...]
) -> Phase:
    setting, amounts = crystal.setting, _with_one_hydrogen(reduced_amounts(crystal.sites))
    if stated is not None and "H" in stated and "H" not in amounts:
        amounts = stated
    return Phase(
        name=name,
        formula=write_formula(amounts),
        space_group=setting.space_group,
        space_group_number=setting.number,
        crystal_system=setting.crystal_system,
        has_rhombohedral_axes=setting.has_rhombohedral_axes,
        unique_axis=setting.unique_axis,
        cell=crystal.cell,
        sites=crystal.sites,
        source=source,
        notes=notes,
    )


def _built(
    cell: CellParameters, settings: tuple[Setting, ...], atoms: Atoms, stated: _Stated
) -> tuple[Crystal, tuple[str, ...]]:
    """Try the settings that the block leaves open; exactly one must give a crystal that makes sense."""
    good: list[tuple[Crystal, tuple[str, ...]]] = []
    reasons: list[str] = []
    for setting in settings:
        try:
            good.append(_tried(cell, setting, atoms, stated))
        except NotUnderstood as error:
            reasons.append(str(error))
    if not good:
        raise NotUnderstood(reasons[0])
    if len(good) > 1:
        good = _told_apart(good, stated)
    return good[0]


def _told_apart(good: list[tuple[Crystal, tuple[str, ...]]], stated: _Stated) -> list[tuple[Crystal, tuple[str, ...]]]:
    """Keep the settings with the stated number of atoms; one must be left, or all must be the same atoms."""
    if stated.atoms_per_cell is not None:
        expected = stated.atoms_per_cell
        good = [each for each in good if abs(_heavy_atoms(each[0]) / expected - 1) < REFUSE_PART] or good
    if len({_fingerprint(crystal) for crystal, _ in good}) == 1:
        return good[-1:]
    names = ", ".join(crystal.setting.space_group for crystal, _ in good)
    raise NotUnderstood(f"the space group symbol leaves open which of {names} is meant; give the symmetry operations")


def _fingerprint(crystal: Crystal) -> tuple[object, ...]:
    return tuple(sorted((site.element, *(round(x, 3) % 1.0 for x in site.position)) for site in crystal.sites))


def _tried(cell: CellParameters, setting: Setting, atoms: Atoms, stated: _Stated) -> tuple[Crystal, tuple[str, ...]]:
    cell = obeying(cell, setting)
    placed = place(cell, setting, atoms.sites)
    distance = shortest_distance(cell, placed.sites)
    if distance < SHORTEST_DISTANCE_ANGSTROM:
        raise NotUnderstood(
            f"two atoms come {distance:.2f} angstrom close in {setting.space_group}: "
            "the coordinates, the cell or the origin of the space group are wrong"
        )
    crystal = Crystal(cell=cell, setting=setting, sites=placed.sites)
    notes = _agreeing(crystal, atoms, stated)
    return crystal, (*placed.notes, *notes)


def _agreeing(crystal: Crystal, atoms: Atoms, stated: _Stated) -> tuple[str, ...]:
    """Compare the atoms with the stated composition.

    Raises:
        NotUnderstood: They differ by more than 2 % of all atoms.
    """
    found = _with_one_hydrogen(content_of_cell(crystal.sites))
    hidden = "some hydrogen has no place of its own and is missing from the calculated pattern"
    notes = [hidden] if atoms.has_hidden_hydrogen else []
    if stated.formula is None:
        return (*notes, "no composition is stated to compare the atoms with")
    element, difference = largest_difference(stated.formula, found)
    if difference > REFUSE_PART:
        raise NotUnderstood(
            f"the atoms make {write_formula(reduced_amounts(crystal.sites))} in {crystal.setting.space_group}, the "
            f"stated composition is {write_formula(stated.formula)}: {element} differs"
        )
    if difference > WARN_PART:
        notes.append(f"{element} differs from the stated composition by {100 * difference:.1f} % of all atoms")
    if ("H" in stated.formula) != ("H" in found) and not atoms.has_hidden_hydrogen:
        notes.append("hydrogen is stated in the composition but not among the atoms, or the other way round")
    if stated.atoms_per_cell and abs(_heavy_atoms(crystal) / stated.atoms_per_cell - 1) > REFUSE_PART:
        notes.append(f"the cell holds {_heavy_atoms(crystal):g} atoms, Z says {stated.atoms_per_cell:g}")
    return tuple(notes)


def _atoms_per_cell(block: cif.Block, formula: Mapping[str, float] | None) -> float | None:
    """Return how many atoms but hydrogen the cell should hold."""
    z = cif.as_number(text_of(block, Z_TAGS) or "?")
    if formula is None or not z > 0:
        return None
    return z * sum(amount for element, amount in formula.items() if element != "H") or None


def _heavy_atoms(crystal: Crystal) -> float:
    amounts = content_of_cell(crystal.sites)
    return sum(amount for element, amount in amounts.items() if element not in ("H", "D"))


def _with_one_hydrogen(amounts: Mapping[str, float]) -> dict[str, float]:
    """Count deuterium as hydrogen."""
    heavy = {element: amount for element, amount in amounts.items() if element not in ("H", "D")}
    hydrogen = amounts.get("H", 0.0) + amounts.get("D", 0.0)
    return heavy | ({"H": hydrogen} if hydrogen else {})


def _source(block: cif.Block, source: str) -> str:
    codes = ((name, text_of(block, (tag,))) for name, tag in SOURCE_TAGS)
    return ", ".join([source, *(f"{name} {code}" for name, code in codes if code)])
