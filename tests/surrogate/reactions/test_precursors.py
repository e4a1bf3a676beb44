import pytest

from surrogate.reactions.energies import Potentials
from surrogate.reactions.errors import BadTable, NoPrecursors
from surrogate.reactions.precursors import precursor_sets, set_of
from surrogate.reactions.substances import shipped_table

TARGET = "BaTiO3-tetragonal"


def test_every_balanced_set_is_found_with_its_amounts():
    found = {one.name: one.moles for one in precursor_sets(shipped_table(), TARGET, ["witherite", "BaO", "rutile"])}
    assert found == {
        "BaO + rutile": {"BaO": 1.0, "rutile": 1.0},
        "rutile + witherite": {"rutile": 1.0, "witherite": 1.0},
    }


def test_masses_are_those_of_the_formulas():
    one = set_of(shipped_table(), TARGET, "witherite + rutile")
    masses = one.masses_mg(shipped_table(), 233.19)
    assert masses == pytest.approx({"rutile": 79.87, "witherite": 197.34}, abs=0.02)


def test_a_driving_force_grows_as_gas_is_set_free():
    table = shipped_table()
    one = set_of(table, TARGET, "witherite + rutile")
    cold, hot = (one.drive_mev_atom(table, Potentials.of(table, t)) for t in (600.0, 1000.0))
    assert 0.0 < cold < hot


def test_an_element_that_no_precursor_has_is_named():
    with pytest.raises(NoPrecursors, match="no precursor of BaTiO3-tetragonal contains Ti"):
        precursor_sets(shipped_table(), TARGET, ["witherite", "corundum"])
    with pytest.raises(NoPrecursors, match="at hand are none"):
        precursor_sets(shipped_table(), TARGET, [])


def test_a_target_that_cannot_be_balanced_says_so():
    with pytest.raises(NoPrecursors, match="balances to BaO"):
        precursor_sets(shipped_table(), "BaO", ["witherite", "BaO2"])


def test_a_level_that_does_not_balance_or_is_unknown_is_refused():
    with pytest.raises(NoPrecursors, match="does not balance"):
        set_of(shipped_table(), TARGET, "witherite + corundum")
    with pytest.raises(BadTable, match="no phase 'unobtainium'"):
        set_of(shipped_table(), TARGET, "witherite + unobtainium")
