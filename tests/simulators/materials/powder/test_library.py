"""The shipped structures: they are what their formulas and densities say."""

import json
from importlib import resources

import gemmi
import pytest

from simulators.materials.powder.library import structures

ROWS = json.loads((resources.files("surrogate") / "facts" / "structures.json").read_text(encoding="utf-8"))["phases"]


def test_every_structure_has_the_density_and_the_atoms_of_its_record():
    known = structures()
    assert len(known) == len(ROWS) >= 60
    for row in ROWS:
        assert known[row["name"]].density_g_cm3 == pytest.approx(row["density_g_cm3"], rel=5e-3), row["name"]


def test_elements_are_known_to_the_tables_of_form_factors():
    elements = {element for structure in structures().values() for element in structure.composition}
    assert elements and all(gemmi.Element(element).it92 is not None for element in elements)
