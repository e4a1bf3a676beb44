import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.reactions.errors import BadTable, NotFetched
from surrogate.reactions.materials_project import (
    ENTROPY_AT_0,
    ENTROPY_PER_NM3,
    cations_of,
    fetch_table,
    systems_of,
    table_rows,
)
from surrogate.reactions.mp_api import Api
from surrogate.reactions.precursors import precursor_sets
from surrogate.reactions.substances import OPEN_ELEMENTS, read_table, shipped_table
from tests.surrogate.reactions.materials_project_server import KEY, VERSION, document, documents, project


@pytest.fixture(scope="module")
def server():
    with project() as running:
        yield running


@pytest.fixture
def api(server):
    server.asked.clear()
    return Api(KEY, server.url)


class Forbidden:
    """A network that must not be used."""

    def phases(self, *_):
        raise AssertionError("asked again")


def test_phases_that_labpilot_has_a_structure_of_have_its_name(tmp_path, api):
    table = fetch_table(["Ti", "Ba"], tmp_path / "mp.json", api=api)
    assert set(table.phases) == {
        "BaO", "BaO2", "BaTiO3-tetragonal", "BaTi2O5_mp-902", "anatase", "rutile", "witherite",
    }  # fmt: skip
    assert table["BaTiO3-tetragonal"].source.startswith("mp-")
    assert set(table.gases) == {"O2", "CO2", "H2O"}


def test_energies_are_those_of_a_formula_unit(tmp_path, api):
    table = fetch_table(["Ba", "Ti"], tmp_path / "mp.json", api=api)
    for name in ("witherite", "rutile", "BaTiO3-tetragonal"):
        assert table[name].enthalpy_kj_mol == pytest.approx(shipped_table()[name].enthalpy_kj_mol, abs=0.01)
        assert table[name].entropy_j_mol_k == pytest.approx(shipped_table()[name].entropy_j_mol_k, abs=0.01)
        assert table[name].melts_c == shipped_table()[name].melts_c
    assert table["BaTi2O5_mp-902"].entropy_j_mol_k == pytest.approx(1360.0 * 0.060 / 5 * 8 + 15.0, abs=0.01)


def test_precursor_sets_are_those_of_the_shipped_table(tmp_path, api):
    at_hand = ["witherite", "BaO", "rutile", "anatase"]
    fetched = fetch_table(["Ba", "Ti"], tmp_path / "mp.json", api=api)
    sets = [precursor_sets(table, "BaTiO3-tetragonal", at_hand) for table in (fetched, shipped_table())]
    assert [one.name for one in sets[0]] == [one.name for one in sets[1]]


def test_what_was_fetched_once_needs_neither_key_nor_network(tmp_path, api, monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    path = tmp_path / "mp.json"
    table = fetch_table(["Ba", "Ti"], path, api=api)
    before = path.read_bytes()
    assert fetch_table(["Ti", "O"], path, api=Forbidden()).phases == table.phases
    assert fetch_table(["Ti", "Ba"], path, most_above_hull_ev=0.01).phases == table.phases
    assert read_table(path).phases == table.phases
    assert path.read_bytes() == before
    assert json.loads(before)["fetched"] == {
        "from": api.endpoint, "database_version": VERSION, "elements": ["Ba", "Ti"], "most_above_hull_ev": 0.05,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("elements", "limit", "message"),
    [
        (["Li"], 0.05, "was fetched for Ba, Ti up to 0.05 eV an atom above the hull; name another file for Li"),
        (["Ba"], 0.2, "name another file for Ba up to 0.2, or move that one away"),
    ],
    ids=["elements", "limit"],
)
def test_a_file_of_another_request_is_kept(tmp_path, api, elements, limit, message):
    path = tmp_path / "mp.json"
    fetch_table(["Ba", "Ti"], path, api=api)
    before = path.read_bytes()
    with pytest.raises(BadTable, match=message):
        fetch_table(elements, path, most_above_hull_ev=limit, api=Forbidden())
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[]", '{"substances": []}'], ids=["no JSON", "list", "own table"])
def test_a_file_of_ones_own_is_kept(tmp_path, text):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(BadTable, match="is there already, and was not fetched"):
        fetch_table(["Ba"], path, api=Forbidden())
    assert path.read_text() == text


def test_elements_that_the_project_does_not_know_are_named(tmp_path, api):
    with pytest.raises(NotFetched, match=r"knows no phase of He within 0\.05 eV an atom"):
        fetch_table(["Ba", "He"], tmp_path / "mp.json", api=api)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        (["Ba", "Xx"], "'Xx' is no element"),
        (["ba"], "'ba' is no element"),
        ([""], "'' is no element"),
        (["O"], "name the"),
    ],
    ids=["unknown", "lower case", "empty", "only gases"],
)
def test_elements_that_are_none_are_refused_before_anything_is_asked(tmp_path, elements, message):
    with pytest.raises(BadTable, match=message):
        fetch_table(elements, tmp_path / "mp.json", api=Forbidden())


def test_an_interrupted_fetch_leaves_no_file(tmp_path, server, api):
    server.broken = (500, b"", {})
    try:
        with pytest.raises(NotFetched):
            fetch_table(["Ba"], tmp_path / "mp.json", api=api)
    finally:
        server.broken = None
    assert list(tmp_path.iterdir()) == []


@given(st.sets(st.sampled_from(["Ba", "Ti", "Li", "Co", "Fe"]), min_size=1))
def test_every_system_with_one_of_the_elements_is_asked_for_once(cations):
    systems = systems_of(cations_of(cations))
    every = {*cations, *OPEN_ELEMENTS}
    assert len(systems) == len(set(systems)) == 2 ** len(every) - 2 ** len(OPEN_ELEMENTS)
    assert all(set(system.split("-")) & cations for system in systems)


def test_of_a_formula_the_most_stable_phase_stays():
    rows = table_rows([document("mp-2", "MgTi2O5", -3.1, above=0.02), document("mp-1", "MgTi2O5", -3.2)])
    assert [row["name"] for row in rows] == ["MgTi2O5_mp-1"]


@pytest.mark.parametrize(
    "changes",
    [{"formation_energy_per_atom": None}, {"volume": float("nan")}, {"symmetry": None}, {"formula_pretty": ""}],
    ids=["energy", "volume", "symmetry", "formula"],
)
def test_a_document_without_what_is_needed_is_named(changes):
    with pytest.raises(NotFetched, match="told of a phase without an energy or a cell: .*mp-7"):
        table_rows([{**document("mp-7", "MgO", -3.0), **changes}])


def test_entropies_from_volumes_are_near_the_measured_ones():
    measured, estimated = [], []
    for one in documents():
        row = table_rows([one])[0]
        if row["name"] in shipped_table().phases:
            phase = shipped_table()[row["name"]]
            volume_nm3 = 1e-3 * one["volume"] / one["nsites"] * phase.n_atoms
            measured.append(phase.entropy_j_mol_k / phase.n_atoms)
            estimated.append((ENTROPY_PER_NM3 * volume_nm3 + ENTROPY_AT_0) / phase.n_atoms)
    assert len(measured) > 20
    assert np.sqrt(np.mean((np.array(measured) - estimated) ** 2)) < 4.0
