"""The values of a CIF block: numbers with uncertainties, unknown values, atoms with their elements.

Names are taken as the core dictionary writes them (``_cell_length_a``) and as its DDLm version does
(``_cell_length.a`` is ``_cell.length_a`` there).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import gemmi
from gemmi import cif

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.formula import parse_formula
from surrogate.xrd.phase import CellParameters, Site

CELL_TAGS = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
SITE_TAGS = (
    "fract_x",
    "fract_y",
    "fract_z",
    "?label",
    "?type_symbol",
    "?occupancy",
    "?B_iso_or_equiv",
    "?U_iso_or_equiv",
    "?calc_flag",
    "?attached_hydrogens",
)
X, LABEL, TYPE, OCCUPANCY, B_ISO, U_ISO, CALC_FLAG, ATTACHED = 0, 3, 4, 5, 6, 7, 8, 9
OPERATION_TAGS = (
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv.pos_as_xyz",
)
HALL_TAGS = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall", "_space_group.name_Hall")
SYMBOL_TAGS = (
    "_space_group_name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group.name_H-M_alt",
    "_space_group_name_H-M_full",
    "_symmetry.space_group_name_H-M",
)
NUMBER_TAGS = ("_space_group_IT_number", "_symmetry_Int_Tables_number", "_space_group.IT_number")
U_TO_B = 8 * math.pi**2
SMALLEST_EDGE_ANGSTROM, LARGEST_EDGE_ANGSTROM = 1.5, 200.0
WATER = ("WAT", "OW", "OH")
VACANCY = ("VA", "VAC", "X", "Q", "DUM")


@dataclass(frozen=True, slots=True, kw_only=True)
class Atoms:
    """The atoms that a block lists."""

    sites: tuple[Site, ...]
    has_hidden_hydrogen: bool
    """Some site carries hydrogen atoms without a place of their own."""
    notes: tuple[str, ...]


def text_of(block: cif.Block, tags: Iterable[str]) -> str | None:
    """Return the first of these values that is there and known, without its quotes."""
    for tag in tags:
        raw = block.find_value(tag)
        if raw is not None and not cif.is_null(raw):
            return cif.as_string(raw).strip()
    return None


def column(block: cif.Block, tags: Iterable[str]) -> list[str]:
    """Return the first of these columns that is there, without quotes and unknown values."""
    for tag in tags:
        values = [cif.as_string(raw) for raw in block.find_values(tag) if not cif.is_null(raw)]
        if values:
            return values
    return []


def cell_of(block: cif.Block) -> CellParameters:
    """Return a, b, c in angstrom and the angles in degrees; an angle that is not given is 90, as CIF defines.

    Raises:
        NotUnderstood: An edge is missing, a value is unknown, or the cell cannot exist.
    """
    a, b, c, alpha, beta, gamma = (_cell_value(block, tag) for tag in CELL_TAGS)
    for edge in (a, b, c):
        if not SMALLEST_EDGE_ANGSTROM <= edge <= LARGEST_EDGE_ANGSTROM:
            raise NotUnderstood(f"a cell edge of {edge:g} angstrom cannot be; are the units angstrom?")
    cosines = [math.cos(math.radians(angle)) for angle in (alpha, beta, gamma)]
    gram = 1 - sum(cosine**2 for cosine in cosines) + 2 * math.prod(cosines)
    if not all(0 < angle < 180 for angle in (alpha, beta, gamma)) or gram < 1e-4:
        raise NotUnderstood(f"the cell angles {alpha:g}, {beta:g}, {gamma:g} do not make a cell")
    return (a, b, c, alpha, beta, gamma)


def _cell_value(block: cif.Block, tag: str) -> float:
    raw = block.find_value(f"_cell_{tag}") or block.find_value(f"_cell.{tag}")
    if raw is None:
        if tag.startswith("angle"):
            return 90.0
        raise NotUnderstood(f"there is no _cell_{tag}")
    value = cif.as_number(raw)
    if not math.isfinite(value):
        raise NotUnderstood(f"_cell_{tag} is {raw}, not a number")
    return value


def stated_formula(block: cif.Block) -> dict[str, float] | None:
    """Return the amounts of ``_chemical_formula_sum``, or None where it is not given or not readable."""
    text = text_of(block, ("_chemical_formula_sum", "_chemical_formula.sum"))
    return None if text is None else parse_formula(text)


def atoms_of(block: cif.Block, stated: Mapping[str, float] | None) -> Atoms:
    """Return the atoms with fractional coordinates that a block lists.

    Raises:
        NotUnderstood: There are none, or an atom has no place, no element or an occupancy that cannot be.
    """
    table = block.find("_atom_site_", SITE_TAGS)
    if not len(table):
        table = block.find("_atom_site.", SITE_TAGS)
    if not len(table):
        raise NotUnderstood("there are no atoms with fractional coordinates (_atom_site_fract_x, _y, _z)")
    sites: list[Site] = []
    notes: list[str] = []
    for row in table:
        site = _site(row, stated, notes)
        if site is not None:
            sites.append(site)
    if not sites:
        raise NotUnderstood("none of the listed atoms has a place and an occupancy")
    hidden = any(_number(row, ATTACHED) > 0 for row in table)
    return Atoms(sites=tuple(sites), has_hidden_hydrogen=hidden, notes=tuple(dict.fromkeys(notes)))


def _site(row: cif.Table.Row, stated: Mapping[str, float] | None, notes: list[str]) -> Site | None:
    label, symbol = _text(row, LABEL), _text(row, TYPE)
    if _text(row, CALC_FLAG).lower() == "dum":
        return None
    element = element_of(symbol, label, stated)
    if element is None:
        notes.append(f"{label or symbol} marks an empty place and is left out")
        return None
    occupancy = _occupancy(row, label)
    if occupancy == 0:
        return None
    x, y, z = (_coordinate(row, index) for index in range(X, X + 3))
    if not all(map(math.isfinite, (x, y, z))):
        if element in ("H", "D"):
            notes.append("hydrogen without coordinates is left out")
            return None
        raise NotUnderstood(f"the coordinates of {label or element} are not numbers: {row[0]} {row[1]} {row[2]}")
    return Site(element=element, position=(x, y, z), occupancy=occupancy, b_iso_angstrom2=_b_iso(row))


def _coordinate(row: cif.Table.Row, index: int) -> float:
    value = _number(row, index)
    return value if abs(value) < 1000 else math.nan


def _occupancy(row: cif.Table.Row, label: str) -> float:
    value = _number(row, OCCUPANCY)
    if not math.isfinite(value):
        return 1.0
    if not 0 <= value <= 1.05:
        raise NotUnderstood(f"the occupancy of {label} is {value:g}; it must be between 0 and 1")
    return min(value, 1.0)


def _b_iso(row: cif.Table.Row) -> float | None:
    b, u = _number(row, B_ISO), _number(row, U_ISO)
    value = b if math.isfinite(b) else u * U_TO_B
    return value if math.isfinite(value) and 0 < value < 50 else None


def _number(row: cif.Table.Row, index: int) -> float:
    return cif.as_number(row[index]) if row.has(index) else math.nan


def _text(row: cif.Table.Row, index: int) -> str:
    return cif.as_string(row[index]) if row.has(index) and not cif.is_null(row[index]) else ""


def element_of(symbol: str, label: str, stated: Mapping[str, float] | None = None) -> str | None:
    """Return the element of an atom by its type symbol (``Ti4+``), else by its label (``Ti1``); None for a vacancy.

    A label that can be read in two ways (``CA1``) is read as an element of the stated formula.

    Raises:
        NotUnderstood: Neither names an element.
    """
    for text in filter(None, (symbol, label)):
        letters = re.match(r"[A-Za-z]+", text)
        element = _element(letters[0], stated) if letters else None
        if element is not None:
            return element
        if letters and letters[0].upper() in VACANCY:
            return None
    raise NotUnderstood(f"the atom {symbol or label!r} is of no known element")


def _element(word: str, stated: Mapping[str, float] | None) -> str | None:
    if word.upper() in WATER:
        return "O"
    readings = dict.fromkeys((word[:2].capitalize(), word[:1].upper()))
    if word.upper() in VACANCY:
        readings = {element: None for element in readings if stated and element in stated}
    known = [reading for reading in readings if gemmi.Element(reading).atomic_number > 0]
    agreed = [element for element in known if stated and element in stated]
    return (agreed or known or [None])[0]
