"""Crystal structures from the Materials Project, through the user's own key, kept as CIF files.

Jain et al., APL Materials 1, 011002 (2013), doi:10.1063/1.4812323. The cells are calculated: they miss measured ones by
1 to 3 %. The package ``mp-api`` is needed only for what is not in the folder yet.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Protocol

from gemmi import cif

KEY_VARIABLE = "MP_API_KEY"
INDEX = "materials_project.json"
SYMMETRY_TOLERANCE_ANGSTROM = 0.01


class MaterialsProjectUnavailable(RuntimeError):
    """Structures were asked for that are not in the folder, and the key or the package to fetch them is missing."""


class Client(Protocol):
    """What is needed of the Materials Project."""

    def database_version(self) -> str:
        """Return the version of the database, as ``2025.09.25``."""
        ...

    def ids(self, chemical_system: str, most_above_hull_ev: float) -> Sequence[str]:
        """Return the mp-ids of the phases made of exactly these elements (``O-Ti``), stable within eV per atom."""
        ...

    def structure(self, mp_id: str) -> Any:
        """Return one structure as a pymatgen Structure."""
        ...


class MpApiClient:
    """The Materials Project through ``mp-api``."""

    def __init__(self, key: str) -> None:
        try:
            from mp_api.client import MPRester  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MaterialsProjectUnavailable(
                "the package mp-api is not installed; install it (pip install mp-api) or give a folder of CIF files"
            ) from error
        self._rester = MPRester(key)

    def database_version(self) -> str:
        """Return the version of the database."""
        return str(self._rester.get_database_version())

    def ids(self, chemical_system: str, most_above_hull_ev: float) -> Sequence[str]:
        """Return the mp-ids of a chemical system."""
        found = self._rester.materials.summary.search(
            chemsys=chemical_system, energy_above_hull=(0.0, most_above_hull_ev), fields=["material_id"]
        )
        return [str(document.material_id) for document in found]

    def structure(self, mp_id: str) -> Any:
        """Return one structure."""
        return self._rester.get_structure_by_material_id(mp_id)


def client_from_environment(environment: Mapping[str, str] | None = None) -> MpApiClient:
    """Return a client that uses the key in ``MP_API_KEY``.

    Raises:
        MaterialsProjectUnavailable: There is no key, or ``mp-api`` is not installed.
    """
    key = (os.environ if environment is None else environment).get(KEY_VARIABLE, "").strip()
    if not key:
        raise MaterialsProjectUnavailable(
            f"{KEY_VARIABLE} is not set; set it to your key of materialsproject.org, or give a folder of CIF files"
        )
    return MpApiClient(key)


def fetch(
    chemistry: Sequence[str], folder: Path, *, most_above_hull_ev: float = 0.05, client: Client | None = None
) -> tuple[Path, ...]:
    """Make sure that a folder has the phases of these elements and all their subsets, and return their CIF files.

    What was fetched once, at the same or a wider limit above the hull, is never asked for again; without a new chemical
    system neither key nor network is used. `load_library` reads the folder.

    Args:
        chemistry: Symbols of the elements.
        folder: Where the CIF files and the index of what was fetched are kept; made if it is missing.
        most_above_hull_ev: Leave out phases that are less stable than this, in eV per atom.
        client: Use this instead of a client with the key from the environment.

    Raises:
        MaterialsProjectUnavailable: Something must be fetched, and the key or ``mp-api`` is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = _read_index(folder)
    for system in _systems(chemistry):
        known = index.get(system)
        if known is None or known["most_above_hull_ev"] < most_above_hull_ev:
            client = client or client_from_environment()
            index[system] = _fetch_system(system, folder, most_above_hull_ev, client)
            _write(folder / INDEX, json.dumps(index, indent=1, sort_keys=True))
    names = (name for system in _systems(chemistry) for name in index[system]["files"])
    return tuple(folder / name for name in names)


def _systems(chemistry: Sequence[str]) -> list[str]:
    elements = sorted(set(chemistry))
    return ["-".join(subset) for size in range(1, len(elements) + 1) for subset in combinations(elements, size)]


def _fetch_system(system: str, folder: Path, most_above_hull_ev: float, client: Client) -> dict[str, Any]:
    version = client.database_version()
    names = [_stored(mp_id, folder, version, client) for mp_id in client.ids(system, most_above_hull_ev)]
    return {"database_version": version, "most_above_hull_ev": most_above_hull_ev, "files": sorted(names)}


def _stored(mp_id: str, folder: Path, version: str, client: Client) -> str:
    """Return the name of the file of one structure, fetching it where there is none."""
    if not mp_id.replace("-", "").isalnum():
        raise ValueError(f"{mp_id!r} is no id of the Materials Project")
    there = next(folder.glob(f"*_{mp_id}.cif"), None)
    if there is not None:
        return there.name
    structure = client.structure(mp_id)
    name = f"{structure.composition.reduced_formula}_{mp_id}.cif"
    _write(folder / name, _as_cif(structure, mp_id, version))
    return name


def _as_cif(structure: Any, mp_id: str, version: str) -> str:
    """Write a structure in its conventional cell, with the id and the version of the database."""
    from pymatgen.io.cif import CifWriter

    document = cif.read_string(str(CifWriter(structure, symprec=SYMMETRY_TOLERANCE_ANGSTROM)))
    block = document.sole_block()
    block.set_pair("_labpilot_materials_project_id", cif.quote(mp_id))
    block.set_pair("_labpilot_materials_project_version", cif.quote(version))
    return document.as_string()


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_suffix(path.suffix + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
