"""XYZ files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.features.errors import BadItem
from surrogate.features.molecules import Molecule, read_xyz

WATER = "3\nwater, in angstrom\nO 0.0 0.0 0.0\nH 0.958 0.0 0.0 charge\n1 -0.24 0.927 0.0\n"


def test_water(tmp_path):
    (tmp_path / "water.xyz").write_text(WATER)
    found = read_xyz(tmp_path / "water.xyz")
    assert found == Molecule(
        name="water",
        elements=("O", "H", "H"),
        positions_angstrom=((0.0, 0.0, 0.0), (0.958, 0.0, 0.0), (-0.24, 0.927, 0.0)),
    )
    assert found.formula == "H2O"


@given(
    atoms=st.lists(
        st.tuples(st.sampled_from(["H", "C", "Og", "Fe"]), st.integers(-50, 50), st.integers(-50, 50)),
        min_size=1,
        max_size=9,
        unique_by=lambda atom: atom[1:],
    )
)
def test_what_is_written_is_read(tmp_path_factory, atoms):
    path = tmp_path_factory.mktemp("xyz") / "m.xyz"
    path.write_text(f"{len(atoms)}\n\n" + "".join(f"{symbol} {x} {y} 0.5\n" for symbol, x, y in atoms))
    found = read_xyz(path)
    assert found.elements == tuple(symbol for symbol, _, _ in atoms)
    assert found.positions_angstrom == tuple((x, y, 0.5) for _, x, y in atoms)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the number of atoms is needed"),
        ("three\n", "line 1: the number of atoms is needed .* not 'three'"),
        ("-1\n\n", "line 1: the number of atoms"),
        ("3\n\nO 0 0 0\n", "line 1 says 3 atoms, and there are 1 lines of atoms"),
        ("1\n\nXx 0 0 0\n", "line 3: 'Xx' is no element"),
        ("1\n\n\n", "line 3: '' is no element"),
        ("2\n\nO 0 0 0\nH 1 0\n", "line 4: three coordinates in angstrom are needed behind 'H'"),
        ("1\n\nO 0 0 a\n", "line 3: three coordinates"),
        ("1\n\nO 0 0 nan\n", "line 3: a coordinate of 'O' is no finite number"),
        ("2\n\nO 0 0 0\nH 0 0 0.1\n", "the atoms of lines 3 and 4 are in one place"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path, text, message):
    (tmp_path / "bad.xyz").write_text(text)
    with pytest.raises(BadItem, match=rf"bad\.xyz.*{message}"):
        read_xyz(tmp_path / "bad.xyz")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadItem, match=r"none\.xyz cannot be read"):
        read_xyz(tmp_path / "none.xyz")
