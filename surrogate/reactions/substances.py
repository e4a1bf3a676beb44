"""A table of phases and gases with their energies: the shipped one, a user's file, or one made in code."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from surrogate.reactions.errors import BadTable

OPEN_ELEMENTS = ("O", "C", "H")
"""Elements that come and go with O2, CO2 and H2O; every other one is a cation here."""
GASES = ("O2", "CO2", "H2O")


@dataclass(frozen=True, slots=True, kw_only=True)
class Substance:
    """A phase or a gas, with standard values at 298.15 K and 1 bar."""

    name: str
    atoms: Mapping[str, float]
    """Of a formula unit, by element."""
    enthalpy_kj_mol: float
    """Of formation from the elements."""
    entropy_j_mol_k: float = 0.0
    melts_c: float | None = None
    volatile_c: float | None = None
    """From where on it is lost from a hot powder within hours; None where it stays."""
    source: str = ""

    @property
    def n_atoms(self) -> float:
        """In a formula unit."""
        return sum(self.atoms.values())

    @property
    def cations(self) -> frozenset[str]:
        """Elements that do not come and go with the air."""
        return frozenset(self.atoms) - frozenset(OPEN_ELEMENTS)

    @property
    def molar_mass_g(self) -> float:
        """In g/mol."""
        import gemmi

        return sum(n * gemmi.Element(element).weight for element, n in self.atoms.items())


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Phases and gases by name; compared by identity, so that what is derived from it can be kept."""

    phases: Mapping[str, Substance]
    gases: Mapping[str, Substance]

    @classmethod
    def of(cls, substances: Iterable[Substance]) -> Table:
        """Sort substances into gases (by their names) and phases; gases that are missing come from the shipped table.

        Raises:
            BadTable: A name is there twice, or there is no phase.
        """
        given = list(substances)
        names = [one.name for one in given]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise BadTable(f"the table has {twice[0]!r} twice; give every phase a name of its own")
        phases = {one.name: one for one in given if one.name not in GASES}
        if not phases:
            raise BadTable("the table has no phase")
        gases = {one.name: one for one in given if one.name in GASES}
        if len(gases) < len(GASES):
            gases = {**shipped_table().gases, **gases}
        return cls(phases=phases, gases=gases)

    def __getitem__(self, name: str) -> Substance:
        found = self.phases.get(name) or self.gases.get(name)
        if found is None:
            raise BadTable(f"the table has no phase {name!r}; it has {', '.join(self.phases)}")
        return found

    def within(self, cations: Iterable[str]) -> Table:
        """Return the part of the table that holds no other cations than these."""
        wanted = frozenset(cations)
        phases = {name: one for name, one in self.phases.items() if one.cations and one.cations <= wanted}
        return Table(phases=phases, gases=self.gases)

    @cached_property
    def cations(self) -> tuple[str, ...]:
        """All of them, in alphabetic order."""
        return tuple(sorted(frozenset[str]().union(*(phase.cations for phase in self.phases.values()))))


@cache
def shipped_table() -> Table:
    """Return the shipped table of standard values; its file names the sources."""
    text = (resources.files("surrogate.facts") / "thermochemistry.json").read_text(encoding="utf-8")
    found = [_substance(row, f"thermochemistry.json, {row.get('name')}") for row in json.loads(text)["substances"]]
    phases = {one.name: one for one in found if one.name not in GASES}
    return Table(phases=phases, gases={one.name: one for one in found if one.name in GASES})


def read_table(path: str | Path) -> Table:
    """Read a table from a file: CSV with a header, or JSON with a list of objects (or ``{"substances": [...]}``).

    Columns: ``name`` or ``formula`` (either may stand for both), ``enthalpy_kj_mol``, and where known
    ``entropy_j_mol_k``, ``melts_c``, ``volatile_c``, ``source``. Rows named O2, CO2, H2O replace the shipped gases.

    Raises:
        BadTable: The file is no such table; says which row and what to write.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadTable(f"{path}: cannot be read ({error})") from error
    rows = _json_rows(text, path) if path.suffix.lower() == ".json" else list(csv.DictReader(text.splitlines()))
    return Table.of(_substance(row, f"{path}, row {number}") for number, row in enumerate(rows, 1))


def read_rows(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return a table from rows as `read_table` has them.

    Raises:
        BadTable: A row makes no sense; says which and what to write.
    """
    return Table.of(_substance(row, f"row {number}") for number, row in enumerate(rows, 1))


def _json_rows(text: str, path: Path) -> Sequence[Any]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadTable(f"{path}: not JSON ({error})") from error
    rows = rows.get("substances") if isinstance(rows, dict) else rows
    if not isinstance(rows, list):
        raise BadTable(f"{path}: write a list of objects, each with formula and enthalpy_kj_mol")
    return rows


def _substance(row: Any, where: str) -> Substance:
    if not isinstance(row, Mapping):
        raise BadTable(f"{where}: {row!r} is no object with formula and enthalpy_kj_mol")
    name = row.get("name") or row.get("formula")
    formula = row.get("formula") or row.get("name")
    if not isinstance(name, str) or not isinstance(formula, str):
        raise BadTable(f"{where}: a formula such as BaCO3 is missing")
    return Substance(
        name=name,
        atoms=atoms_of(formula, where),
        enthalpy_kj_mol=_number(row, "enthalpy_kj_mol", where, default=None),
        entropy_j_mol_k=_number(row, "entropy_j_mol_k", where, default=0.0),
        melts_c=_optional(row, "melts_c", where),
        volatile_c=_optional(row, "volatile_c", where),
        source=str(row.get("source") or ""),
    )


def atoms_of(formula: str, where: str = "") -> Mapping[str, float]:
    """Return the atoms of a formula unit, such as ``Ba2(CuO2)3``.

    Raises:
        BadTable: It is no formula.
    """
    import gemmi
    from pymatgen.core import Composition

    try:
        amounts = Composition(formula).get_el_amt_dict()
    except (ValueError, KeyError):
        amounts = {}
    # pymatgen takes any letters for a dummy element, which no table of energies can mean
    if not amounts or any(gemmi.Element(str(element)).atomic_number == 0 for element in amounts):
        raise BadTable(f"{where + ': ' if where else ''}{formula!r} is no formula")
    return {str(element): float(n) for element, n in amounts.items()}


def _optional(row: Mapping[str, Any], name: str, where: str) -> float | None:
    return None if row.get(name) in (None, "") else _number(row, name, where, default=None)


def _number(row: Mapping[str, Any], name: str, where: str, *, default: float | None) -> float:
    value = row.get(name)
    if value in (None, "") and default is not None:
        return default
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise BadTable(f"{where}: {name} is {value!r}; write a number")
    return number
