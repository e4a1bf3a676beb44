"""Doses: their errors, and the arithmetic of recipes."""

import numpy as np
import pytest

from simulators.materials.solid_state.dosing import dose, stoichiometric_mg


def test_errors_are_half_a_percent(rng):
    masses = np.array([dose({"anatase": 200.0}, rng).mass_mg for _ in range(400)])
    assert np.std(masses / 200.0) == pytest.approx(0.005, rel=0.15)
    assert np.mean(masses) == pytest.approx(200.0, rel=1e-3)


def test_a_missing_dose_is_left_out_and_does_not_change_the_luck_of_others():
    both, one = (dose({"anatase": 100.0, "witherite": mass}, np.random.default_rng(2)) for mass in (250.0, 0.0))
    assert set(one.weights) == {"anatase"} and both.portions[0] == one.portions[0]


def test_a_recipe_gives_its_product():
    masses = stoichiometric_mg("Bi4Ti3O12", ("alpha-Bi2O3", "rutile"), product_mg=100.0)
    assert sum(masses.values()) == pytest.approx(100.0) and masses["rutile"] == pytest.approx(20.45, abs=0.05)


@pytest.mark.parametrize(
    ("target", "precursors"),
    [
        ("BaTiO3-tetragonal", ("witherite",)),
        ("BaTiO3-tetragonal", ("witherite", "lime", "rutile")),
        ("BaTiO3-tetragonal", ("witherite", "anatase", "rutile")),
    ],
)
def test_recipes_that_do_not_add_up_are_refused(target, precursors):
    with pytest.raises(ValueError, match="do not make up BaTiO3-tetragonal"):
        stoichiometric_mg(target, precursors, product_mg=100.0)


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ({"kryptonite": 1.0}, "no phase is named 'kryptonite'"),
        ({"rutile": -1.0}, "at least 0 mg"),
        ({"rutile": float("nan")}, "at least 0 mg"),
        ({"rutile": 0.0}, "nothing is dosed"),
        ({}, "nothing is dosed"),
    ],
)
def test_doses_that_cannot_be_are_refused(rng, targets, why):
    with pytest.raises(ValueError, match=why):
        dose(targets, rng)
