"""Pools of candidates: folders of files, and texts from anywhere."""

import warnings

import pytest
from pymatgen.io.cif import CifWriter

from surrogate.features.crystals import pymatgen_structure
from surrogate.features.errors import BadPool
from surrogate.features.pools import Pool, pool_of, read_folder
from surrogate.xrd.library import embedded_library

PHASES = {phase.name: phase for phase in embedded_library(["rutile", "anatase", "halite", "copper"]).phases}
WATER = "3\n\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"


def write(path, name, *, is_p1=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how spglib will tell errors in a later version
        path.write_text(str(CifWriter(pymatgen_structure(PHASES[name]), symprec=None if is_p1 else 1e-3)))


def test_a_folder_of_structures_is_read_by_name_and_equal_ones_are_kept_once(tmp_path):
    write(tmp_path / "b.cif", "rutile")
    write(tmp_path / "a" / "x.CIF", "anatase")
    write(tmp_path / "c.cif", "rutile", is_p1=True)
    write(tmp_path / ".hidden" / "d.cif", "halite")
    (tmp_path / "notes.txt").write_text("not read")
    pool = read_folder(tmp_path)
    assert pool.words == ("a/x", "b")
    assert [item.formula for item in pool.items] == ["TiO2", "TiO2"]
    assert pool.twins == (("c", "b"),)


def test_a_file_of_several_structures_gives_several(tmp_path):
    write(tmp_path / "one.cif", "rutile")
    write(tmp_path / "two.cif", "halite")
    both = (tmp_path / "one.cif").read_text() + (tmp_path / "two.cif").read_text()
    (tmp_path / "both.cif").write_text(both)
    (tmp_path / "one.cif").unlink()
    (tmp_path / "two.cif").unlink()
    assert read_folder(tmp_path).words == ("both-TiO2", "both-NaCl")


def test_every_bad_file_is_named(tmp_path):
    write(tmp_path / "good.cif", "rutile")
    (tmp_path / "bad.cif").write_text("hello\n")
    (tmp_path / "worse.cif").write_text("data_x\n_cell_length_a 3\n")
    with pytest.raises(BadPool) as caught:
        read_folder(tmp_path)
    assert caught.value.problems == [
        "bad.cif, line 1: this is not a CIF file: expected block header (data_)",
        "worse.cif: there is no _cell_length_b",
    ]


def test_of_many_bad_files_the_rest_is_counted(tmp_path):
    for number in range(23):
        (tmp_path / f"{number:02}.cif").write_text("hello\n")
    with pytest.raises(BadPool) as caught:
        read_folder(tmp_path)
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "and 3 more of that kind"


def test_two_files_of_one_word_are_refused(tmp_path):
    write(tmp_path / "a.cif", "rutile")
    write(tmp_path / "a.CIF", "halite")
    with pytest.raises(BadPool, match="two structures would be called 'a'"):
        read_folder(tmp_path)


def test_a_folder_that_is_not_there_or_holds_nothing_is_said(tmp_path):
    with pytest.raises(BadPool, match="there is no folder .*none"):
        read_folder(tmp_path / "none")
    with pytest.raises(BadPool, match=r"there is no \.cif file in"):
        read_folder(tmp_path)
    with pytest.raises(BadPool, match="not composition; give a table"):
        read_folder(tmp_path, "composition")


def test_molecules(tmp_path):
    for name in ("water", "again"):
        (tmp_path / f"{name}.xyz").write_text(WATER)
    pool = read_folder(tmp_path, "molecule")
    assert pool.words == ("again",)
    assert pool.twins == (("water", "again"),)
    assert pool.items[0].formula == "H2O"


def test_formulas_of_a_table_are_read_and_equal_rows_kept_once():
    pool = pool_of("composition", ["MgB2", "Fe2O3", "MgB2"], ["MgB2", "Fe2O3", "MgB2"], at=["row 1", "row 2", "row 3"])
    assert pool == Pool(words=("MgB2", "Fe2O3"), items=("MgB2", "Fe2O3"), twins=(("MgB2 (row 3)", "MgB2 (row 1)"),))


def test_every_bad_row_is_named_with_its_place():
    with pytest.raises(BadPool) as caught:
        pool_of(
            "composition", ["a", "b", "c", "a"], ["MgB2", "Xx2", "", "Fe"], at=["line 2", "line 3", "line 4", "line 5"]
        )
    assert caught.value.problems == [
        "line 3: formula 'Xx2': no properties are known of an element 'Xx'",
        "line 4: nothing stands there",
        "line 5: 'a' stands at line 2 already, for 'MgB2'",
    ]


def test_files_of_a_table(tmp_path):
    write(tmp_path / "cifs" / "r.cif", "rutile")
    write(tmp_path / "cifs" / "h.cif", "halite")
    pool = pool_of("structure", ["one", "two"], ["cifs/r.cif", "cifs/h.cif"], folder=tmp_path)
    assert [item.name for item in pool.items] == ["one", "two"]
    (tmp_path / "w.xyz").write_text(WATER)
    assert pool_of("molecule", ["w"], ["w.xyz"], folder=tmp_path).items[0].name == "w"
    both = (tmp_path / "cifs" / "r.cif").read_text() + (tmp_path / "cifs" / "h.cif").read_text()
    (tmp_path / "both.cif").write_text(both)
    with pytest.raises(BadPool) as caught:
        pool_of("structure", ["one", "two"], ["both.cif", "none.cif"], folder=tmp_path)
    assert caught.value.problems == [
        "candidate 1: both.cif holds 2 structures; one file of one structure is needed for each row",
        "candidate 2: none.cif: the file cannot be read: No such file or directory",
    ]


def test_a_part_of_a_pool():
    pool = pool_of("composition", ["a", "b", "c"], ["Fe", "Ni", "Cu"])
    assert pool.only(["c", "a"]).items == ("Cu", "Fe")
    with pytest.raises(BadPool, match="'d' is none of the pool's 3 candidates"):
        pool.only(["a", "d"])
