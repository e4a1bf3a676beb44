import json

import pytest

from surrogate.reactions.errors import BadTable
from surrogate.reactions.substances import Table, atoms_of, read_rows, read_table, shipped_table


def test_the_shipped_table_has_gases_and_names_a_source_for_each_phase():
    table = shipped_table()
    assert set(table.gases) == {"O2", "CO2", "H2O"}
    assert all(phase.source for phase in table.phases.values())
    assert table["witherite"].cations == {"Ba"}
    assert table["witherite"].n_atoms == 5


def test_a_csv_file_is_read_and_gets_the_shipped_gases(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("formula,enthalpy_kj_mol,entropy_j_mol_k,melts_c\nBaO,-548.0,72.1,1923\nTiO2,-944.0,50.6,\n")
    table = read_table(path)
    assert table["BaO"].melts_c == 1923
    assert table["TiO2"].melts_c is None
    assert table["CO2"].enthalpy_kj_mol == pytest.approx(-393.5)


def test_a_json_file_may_be_a_list_or_have_substances(tmp_path):
    rows = [{"name": "rutile", "formula": "TiO2", "enthalpy_kj_mol": -944.0}]
    for content in (rows, {"substances": rows}):
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(content))
        assert read_table(path)["rutile"].atoms == {"Ti": 1.0, "O": 2.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("formula,enthalpy_kj_mol\nBaO,\n", "row 1: enthalpy_kj_mol is ''; write a number"),
        ("formula,enthalpy_kj_mol\nBaO,nan\n", "write a number"),
        ("formula,enthalpy_kj_mol\nQq7,1\n", "'Qq7' is no formula"),
        ("enthalpy_kj_mol\n1\n", "a formula such as BaCO3 is missing"),
        ("formula,enthalpy_kj_mol\nBaO,1\nBaO,2\n", "'BaO' twice"),
        ("formula,enthalpy_kj_mol\n", "no phase"),
    ],
    ids=["empty", "nan", "formula", "no formula", "twice", "nothing"],
)
def test_bad_tables_say_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(BadTable, match=message):
        read_table(path)


def test_a_file_that_is_not_there_or_no_json_is_a_bad_table(tmp_path):
    with pytest.raises(BadTable, match="cannot be read"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(BadTable, match="not JSON"):
        read_table(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text("3")
    with pytest.raises(BadTable, match="list of objects"):
        read_table(tmp_path / "bad.json")


def test_formulas_with_brackets_are_counted():
    assert atoms_of("Ba2(CuO2)3") == {"Ba": 2.0, "Cu": 3.0, "O": 6.0}


def test_within_keeps_what_has_only_these_cations():
    assert set(shipped_table().within({"Y"}).phases) == {"Y2O3"}


def test_an_unknown_phase_is_named():
    table = read_rows([{"formula": "BaO", "enthalpy_kj_mol": -548.0}])
    assert isinstance(table, Table)
    with pytest.raises(BadTable, match="no phase 'BaO2'; it has BaO"):
        table["BaO2"]
