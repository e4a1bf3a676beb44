"""A table of energies from the Materials Project, fetched once with the user's own key and kept as a file.

Energies are calculated (Jain et al., APL Materials 1, 011002 (2013), doi 10.1063/1.4812323), to some tens of meV an
atom, and stand for enthalpies of formation. Entropies are measured where the shipped table has the phase, else
estimated from the volume of a formula unit, S = 1360 V + 15 J/(mol K) with V in nm3 (Jenkins and Glasser, Inorg. Chem.
42, 8702 (2003), doi 10.1021/ic030219p). Melting points are the shipped table's. Gases are always the shipped ones.

The file is a table as `read_table` takes it; nothing but its first fetching needs key or network.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from surrogate.reactions.errors import BadTable, NotFetched
from surrogate.reactions.mp_api import Api
from surrogate.reactions.substances import OPEN_ELEMENTS, Table, atoms_of, read_table, shipped_table

KJ_MOL_PER_EV = 96.485332
ENTROPY_PER_NM3, ENTROPY_AT_0 = 1360.0, 15.0
"""In J/(mol K nm3) and J/(mol K)."""
MOST_ABOVE_HULL_EV = 0.05


def fetch_table(
    elements: Sequence[str], path: str | Path, *, most_above_hull_ev: float = MOST_ABOVE_HULL_EV, api: Api | None = None
) -> Table:
    """Return the energies of all phases of these elements with O, C and H, from a file or else from the network.

    A file that is there is read where it was fetched for these elements, or more of them, up to the same limit or a
    wider one; then neither key nor network is used.

    Args:
        elements: Symbols of the elements that stay in a powder; O, C and H are always added.
        path: The file, made if it is missing.
        most_above_hull_ev: Leave out phases that are less stable than this, in eV per atom.
        api: Use this instead of one with the key from the environment.

    Raises:
        NotFetched: There is no key, no answer, or no phase; says what to do.
        BadTable: The file is something else, or an element is none.
    """
    path, cations = Path(path), cations_of(elements)
    if path.exists():
        _refuse_other(path, cations, most_above_hull_ev)
        return read_table(path)
    api = api or Api.of()
    rows = table_rows(api.phases(systems_of(cations), most_above_hull_ev))
    _refuse_unknown(cations, rows, most_above_hull_ev)
    fetched = {
        "from": api.endpoint,
        "database_version": api.version(),
        "elements": cations,
        "most_above_hull_ev": most_above_hull_ev,
    }
    _write(path, json.dumps({"fetched": fetched, "substances": rows}, indent=1) + "\n")
    return read_table(path)


def cations_of(elements: Iterable[str]) -> list[str]:
    """Return the elements that stay in a powder, in alphabetic order, each once.

    Raises:
        BadTable: One is no element, or none stays.
    """
    import gemmi

    given = sorted({element.strip() for element in elements})
    unknown = [element for element in given if element not in OPEN_ELEMENTS and gemmi.Element(element).name != element]
    if unknown:
        raise BadTable(f"{unknown[0]!r} is no element; write symbols, such as Ba, Ti")
    found = [element for element in given if element not in OPEN_ELEMENTS]
    if not found:
        raise BadTable(
            "name the elements of the target that stay in a powder, such as Ba, Ti; O, C and H come by themselves"
        )
    return found


def systems_of(cations: Sequence[str]) -> list[str]:
    """Return the chemical systems of these elements with O, C and H that hold at least one of them."""
    elements = sorted({*cations, *OPEN_ELEMENTS})
    subsets = (few for size in range(1, len(elements) + 1) for few in combinations(elements, size))
    return ["-".join(few) for few in subsets if not set(few) <= set(OPEN_ELEMENTS)]


def table_rows(documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of a table: of each formula the most stable phase, and those that labpilot has a structure of.

    These have the structure's name, by formula and space group, so that diffraction and energies speak of the same; the
    others are called as their CIF files would be (`surrogate.xrd.materials_project`), by formula and id.

    Raises:
        NotFetched: A document lacks something.
    """
    ranked = sorted(
        (_checked(one) for one in documents), key=lambda one: (one["energy_above_hull"], one["material_id"])
    )
    names, rows, formulas = _names(), dict[str, dict[str, Any]](), set[str]()
    for one in ranked:
        formula = str(one["formula_pretty"])
        known = names.get((formula, int(one["symmetry"]["number"])))
        name = known or f"{formula}_{one['material_id']}"
        if name not in rows and (known is not None or formula not in formulas):
            rows[name] = _row(name, one)
        formulas.add(formula)
    return [rows[name] for name in sorted(rows)]


def _names() -> dict[tuple[str, int], str]:
    """Return the names of the embedded structures, by reduced formula and number of the space group."""
    from pymatgen.core import Composition

    from surrogate.xrd.library import embedded_library

    phases = embedded_library().phases
    return {(Composition(one.formula).reduced_formula, one.space_group_number): one.name for one in phases}


def _checked(document: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        numbers = [document[name] for name in ("formation_energy_per_atom", "energy_above_hull", "volume", "nsites")]
        is_sound = all(math.isfinite(float(number)) for number in numbers) and int(document["symmetry"]["number"]) > 0
        is_sound = is_sound and bool(document["formula_pretty"]) and bool(document["material_id"])
    except (KeyError, TypeError, ValueError):
        is_sound = False
    if not is_sound:
        raise NotFetched(
            f"the Materials Project told of a phase without an energy or a cell: {str(dict(document))[:200]}"
        )
    return document


def _row(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    formula, mp_id = str(document["formula_pretty"]), document["material_id"]
    n_atoms = sum(atoms_of(formula, f"{mp_id} of the Materials Project").values())
    volume_nm3 = 1e-3 * float(document["volume"]) / float(document["nsites"]) * n_atoms
    measured = shipped_table().phases.get(name)
    entropy = ENTROPY_PER_NM3 * volume_nm3 + ENTROPY_AT_0 if measured is None else measured.entropy_j_mol_k
    row = {
        "name": name,
        "formula": formula,
        "enthalpy_kj_mol": round(float(document["formation_energy_per_atom"]) * n_atoms * KJ_MOL_PER_EV, 3),
        "entropy_j_mol_k": round(entropy, 2),
        "source": f"{mp_id}, calculated, {1e3 * float(document['energy_above_hull']):.0f} meV an atom above the hull; "
        f"entropy {'from the volume' if measured is None else 'measured'}",
    }
    facts = {} if measured is None else {"melts_c": measured.melts_c, "volatile_c": measured.volatile_c}
    return {**row, **{key: value for key, value in facts.items() if value is not None}}


def _refuse_unknown(cations: Sequence[str], rows: Sequence[Mapping[str, Any]], most_above_hull_ev: float) -> None:
    there = {element for row in rows for element in atoms_of(row["formula"])}
    missing = [element for element in cations if element not in there]
    if missing:
        raise NotFetched(
            f"the Materials Project knows no phase of {', '.join(missing)} within {most_above_hull_ev:g} eV an atom of "
            "the hull; allow for more, or give a file of your own as the table"
        )


def _refuse_other(path: Path, cations: Sequence[str], most_above_hull_ev: float) -> None:
    try:
        fetched = json.loads(path.read_text(encoding="utf-8"))["fetched"]
        has, limit = set(fetched["elements"]), float(fetched["most_above_hull_ev"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadTable(
            f"{path} is there already, and was not fetched from the Materials Project; name another file"
        ) from error
    if not set(cations) <= has or limit < most_above_hull_ev:
        raise BadTable(
            f"{path} was fetched for {', '.join(sorted(has))} up to {limit:g} eV an atom above the hull; name another "
            f"file for {', '.join(cations)} up to {most_above_hull_ev:g}, or move that one away"
        )


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
