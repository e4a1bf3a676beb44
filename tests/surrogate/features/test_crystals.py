"""From CIF files and pymatgen's structures to phases and back."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from surrogate.features.crystals import lattice_of, pymatgen_structure, read_structures, structure_of, structure_of_text
from surrogate.features.errors import BadItem
from surrogate.xrd.library import embedded_library
from surrogate.xrd.twins import are_twins

PHASES = {phase.name: phase for phase in embedded_library().phases}


@pytest.mark.parametrize("name", ["rutile", "calcite", "alpha-Bi2O3", "graphite", "delta-Bi2O3"])
def test_pymatgen_and_back(name):
    phase = PHASES[name]
    structure = pymatgen_structure(phase)
    assert structure.composition.reduced_formula == Structure.from_sites(structure).composition.reduced_formula
    assert structure.density == pytest.approx(phase.density_g_cm3, rel=1e-3)
    again = structure_of(structure, "again")
    assert again.formula == phase.formula
    assert are_twins(again, phase)


def test_edges_are_those_of_the_cell():
    phase = PHASES["alpha-Bi2O3"]
    lattice = lattice_of(phase)
    np.testing.assert_allclose(np.linalg.norm(lattice, axis=1), phase.cell[:3])
    assert abs(np.linalg.det(lattice)) == pytest.approx(phase.volume_angstrom3)


def test_a_contradictory_structure_is_named():
    close = Structure(Lattice.cubic(3.0), ["Na", "Cl"], [[0, 0, 0], [0.01, 0, 0]])
    with pytest.raises(BadItem, match=r"made: two atoms come 0\.03 angstrom close"):
        structure_of(close, "made")


def test_the_text_of_a_cif():
    text = str(CifWriter(pymatgen_structure(PHASES["rutile"])))
    assert are_twins(structure_of_text(text, "made"), PHASES["rutile"])
    with pytest.raises(BadItem, match="made: it tells 2 structures; one is needed"):
        structure_of_text(text + text.replace("data_TiO2", "data_again"), "made")
    with pytest.raises(BadItem, match="made, line 1: this is not a CIF file"):
        structure_of_text("hello", "made")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data_x\n_cell_length_a 3\n_atom 'open\n", r"bad\.cif, line 3: this is not a CIF file: unterminated 'string'"),
        ("hello\n", r"bad\.cif, line 1: this is not a CIF file: expected block header"),
        ("data_x\n_title none\n", r"bad\.cif: there is no crystal structure"),
        ("data_x\n_cell_length_a 3\n", r"bad\.cif: there is no _cell_length_b"),
    ],
    ids=["parse", "text", "none", "cell"],
)
def test_a_bad_file_is_named_with_its_line_where_that_is_known(tmp_path, text, message):
    (tmp_path / "bad.cif").write_text(text)
    with pytest.raises(BadItem, match=message):
        read_structures(tmp_path / "bad.cif")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadItem, match=r"none\.cif: the file cannot be read: No such file"):
        read_structures(tmp_path / "none.cif")
