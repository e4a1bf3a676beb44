"""Write the pool of this example: CIF files of phases, and what a calorimeter tells of each.

    python examples/crystals/make_pool.py [FOLDER]

Structures are those of surrogate/facts/structures.json, enthalpies of formation at 298.15 K those of
surrogate/facts/thermochemistry.json, each with its source, which is written along; an element's is zero by definition.
Phases with estimated values are left out. pymatgen writes the files, every atom of the cell in space group P 1, as
generators of structures do.
"""

import csv
import json
import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from pymatgen.core import Composition
from pymatgen.io.cif import CifWriter

from surrogate.features.crystals import pymatgen_structure
from surrogate.xrd.library import embedded_library

_METASTABLE = ("diamond", "tin-alpha")
"""Of the elements: not the states that enthalpies of formation count from."""


def enthalpies() -> Iterator[tuple[str, float, str]]:
    """Yield name, enthalpy of formation in kJ per mole of atoms, and source of each phase that has all of them."""
    known = json.loads(files("surrogate.facts").joinpath("thermochemistry.json").read_text(encoding="utf-8"))
    by_name = {one["name"]: one for one in known["substances"]}
    for phase in embedded_library().phases:
        composition = Composition(phase.formula)
        if len(composition) == 1 and phase.name not in _METASTABLE:
            yield phase.name, 0.0, "zero by definition"
        elif phase.name in by_name and by_name[phase.name]["source"] != "estimate":
            one = by_name[phase.name]
            source = one["source"].partition(";")[0]
            yield phase.name, one["enthalpy_kj_mol"] / composition.num_atoms, known["sources"][source]


def main(folder: Path) -> None:
    """Write cifs/ and enthalpy.csv into a folder."""
    cifs = folder / "cifs"
    cifs.mkdir(parents=True, exist_ok=True)
    phases = {phase.name: phase for phase in embedded_library().phases}
    with (folder / "enthalpy.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["crystal", "enthalpy (kJ/mol)", "source"])
        for name, enthalpy, source in sorted(enthalpies()):
            table.writerow([name, f"{enthalpy:.2f}", source])
            text = re.sub(r"^#.*\n", "", str(CifWriter(pymatgen_structure(phases[name]))))
            (cifs / f"{name}.cif").write_text(f"# {phases[name].source}\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
