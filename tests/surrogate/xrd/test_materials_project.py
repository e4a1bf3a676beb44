import sys
import types

import pytest
from pymatgen.core import Lattice, Structure

from surrogate.xrd.library import load_library
from surrogate.xrd.materials_project import MaterialsProjectUnavailable, client_from_environment, fetch

pytestmark = [
    pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pymatgen.*"),
]

HALF = [0.5, 0.5, 0.5]
STRUCTURES = {
    "mp-1265": Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.19), ["Mg", "O"], [[0, 0, 0], HALF]),
    "mp-153": Structure.from_spacegroup("P6_3/mmc", Lattice.hexagonal(3.17, 5.14), ["Mg"], [[1 / 3, 2 / 3, 0.25]]),
    "mp-19770": Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.10), ["Mg", "O"], [HALF, [0, 0, 0]]),
}
SYSTEMS = {"Mg-O": {"mp-1265": 0.0, "mp-19770": 0.04}, "Mg": {"mp-153": 0.0}, "O": {}}


class FakeClient:
    def __init__(self):
        self.asked = []

    def database_version(self):
        return "2025.09.25"

    def ids(self, chemical_system, most_above_hull_ev):
        self.asked.append(chemical_system)
        return [mp_id for mp_id, above in SYSTEMS[chemical_system].items() if above <= most_above_hull_ev]

    def structure(self, mp_id):
        self.asked.append(mp_id)
        return STRUCTURES[mp_id].get_primitive_structure()


class Forbidden(FakeClient):
    def database_version(self):
        raise AssertionError("the database was asked again")

    def ids(self, chemical_system, most_above_hull_ev):
        raise AssertionError(f"{chemical_system} was asked for again")


def test_all_subsystems_are_fetched_into_files_that_the_library_reads(tmp_path):
    paths = fetch(["O", "Mg"], tmp_path / "mp", client=FakeClient())
    assert [path.name for path in paths] == ["Mg_mp-153.cif", "MgO_mp-1265.cif", "MgO_mp-19770.cif"]
    text = paths[1].read_text()
    assert "_labpilot_materials_project_id mp-1265" in text
    assert "_labpilot_materials_project_version 2025.09.25" in text
    library = load_library(tmp_path / "mp")
    assert [(phase.name, phase.space_group) for phase in library.phases] == [
        ("MgO_mp-1265", "F m -3 m"),
        ("MgO_mp-19770", "F m -3 m"),
        ("Mg_mp-153", "P 63/m m c"),
    ]
    assert library.phases[0].source == "MgO_mp-1265.cif, Materials Project (calculated) mp-1265"


def test_nothing_is_fetched_twice(tmp_path):
    first = fetch(["Mg", "O"], tmp_path, client=FakeClient())
    assert fetch(["O", "Mg"], tmp_path, client=Forbidden()) == first
    assert fetch(["Mg"], tmp_path, client=Forbidden()) == first[:1]
    assert fetch(["Mg", "O"], tmp_path, most_above_hull_ev=0.01, client=Forbidden()) == first


def test_a_wider_limit_asks_again_but_only_for_structures_that_are_missing(tmp_path):
    assert len(fetch(["Mg", "O"], tmp_path, most_above_hull_ev=0.01, client=FakeClient())) == 2
    client = FakeClient()
    assert len(fetch(["Mg", "O"], tmp_path, most_above_hull_ev=0.05, client=client)) == 3
    assert [asked for asked in client.asked if asked.startswith("mp-")] == ["mp-19770"]


def test_what_was_fetched_before_an_interruption_is_kept(tmp_path):
    class Interrupted(FakeClient):
        def structure(self, mp_id):
            if mp_id == "mp-19770":
                raise ConnectionError("the line is down")
            return super().structure(mp_id)

    with pytest.raises(ConnectionError):
        fetch(["Mg", "O"], tmp_path, client=Interrupted())
    client = FakeClient()
    assert len(fetch(["Mg", "O"], tmp_path, client=client)) == 3
    assert [asked for asked in client.asked if asked.startswith("mp-")] == ["mp-19770"]
    assert not list(tmp_path.glob("*.part"))


def test_an_id_that_is_a_path_is_refused(tmp_path):
    class Odd(FakeClient):
        def ids(self, chemical_system, most_above_hull_ev):
            return ["../../mp-1"]

    with pytest.raises(ValueError, match="no id of the Materials Project"):
        fetch(["Mg"], tmp_path, client=Odd())


def test_without_a_key_the_error_says_what_to_set():
    with pytest.raises(MaterialsProjectUnavailable, match="MP_API_KEY is not set"):
        client_from_environment({})
    with pytest.raises(MaterialsProjectUnavailable, match="MP_API_KEY is not set"):
        client_from_environment({"MP_API_KEY": "  "})


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mp_api", None)
    monkeypatch.setitem(sys.modules, "mp_api.client", None)
    with pytest.raises(MaterialsProjectUnavailable, match="pip install mp-api"):
        client_from_environment({"MP_API_KEY": "abc"})


def test_the_client_asks_mp_api_as_it_wants_to_be_asked(monkeypatch):
    calls = []

    class Summary:
        def search(self, **wanted):
            calls.append(wanted)
            return [types.SimpleNamespace(material_id="mp-1265")]

    class Rester:
        def __init__(self, key):
            calls.append(key)
            self.materials = types.SimpleNamespace(summary=Summary())

        def get_database_version(self):
            return "2025.09.25"

        def get_structure_by_material_id(self, mp_id):
            return STRUCTURES[mp_id]

    module = types.SimpleNamespace(MPRester=Rester)
    monkeypatch.setitem(sys.modules, "mp_api", types.ModuleType("mp_api"))
    monkeypatch.setitem(sys.modules, "mp_api.client", module)
    client = client_from_environment({"MP_API_KEY": "abc"})
    assert client.ids("Mg-O", 0.05) == ["mp-1265"]
    assert client.database_version() == "2025.09.25"
    assert client.structure("mp-1265") is STRUCTURES["mp-1265"]
    assert calls == ["abc", {"chemsys": "Mg-O", "energy_above_hull": (0.0, 0.05), "fields": ["material_id"]}]
