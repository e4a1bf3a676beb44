"""The table: what it names exists, and its numbers agree with the structures and with one another."""

import math

import pytest

from simulators.materials.powder.library import structures
from simulators.materials.solid_state.facts import molar_mass_g, table

# thermodynamic facts that the table has to reproduce: reaction by formula units, temperature window in degC where its
# energy changes sign at 1 bar of every gas
TURNS = {
    "calcite": ({"calcite": -1, "lime": 1, "CO2": 1}, (800.0, 920.0)),
    "portlandite": ({"portlandite": -1, "lime": 1, "H2O": 1}, (430.0, 560.0)),
    "Co3O4": ({"Co3O4": -2, "CoO": 6, "O2": 1}, (930.0, 1030.0)),
    "PbO": ({"litharge": -1, "massicot": 1}, (450.0, 560.0)),
}


@pytest.mark.parametrize("name", table().phases)
def test_each_phase_has_the_composition_of_its_structure(name):
    cell = structures()[name].composition
    elements = dict(table().phases[name].elements)
    units = cell["O"] / elements["O"]
    assert cell == pytest.approx({element: n * units for element, n in elements.items()}, abs=1e-9)


@pytest.mark.parametrize("name", TURNS)
def test_energies_turn_where_they_should(name):
    reaction, (low_c, high_c) = TURNS[name]
    enthalpy = sum(n * table()[one].enthalpy_kj_mol for one, n in reaction.items())
    entropy = sum(n * table()[one].entropy_j_mol_k for one, n in reaction.items())
    assert low_c < 1000.0 * enthalpy / entropy - 273.15 < high_c


def test_each_phase_names_a_source_and_possible_numbers():
    for phase in table().phases.values():
        assert phase.source in {"crc", "usgs", "barin", "licoo2", "estimate"}
        assert phase.enthalpy_kj_mol < 0.0 < phase.entropy_j_mol_k
        assert phase.cations
        assert phase.hull_ev_atom is None or 0.0 <= phase.hull_ev_atom < 0.1


def test_masses_are_sums_of_atoms():
    assert molar_mass_g("calcite") == pytest.approx(100.09, abs=0.01)
    assert molar_mass_g("PbO vapour") == molar_mass_g("massicot")
    assert math.isclose(molar_mass_g("calcite"), molar_mass_g("lime") + molar_mass_g("CO2"), rel_tol=1e-12)


def test_volatile_elements():
    assert table().volatile == {"Li", "Pb", "Bi", "C", "H", "O"}


def test_an_unknown_name_is_told():
    with pytest.raises(KeyError, match="no substance is named 'kryptonite'"):
        table()["kryptonite"]
