"""Rates and energies: what is preferred, how fast it is, and that a world is its seed."""

import numpy as np
import pytest

from simulators.materials.solid_state.atmosphere import AIR, CARBON_DIOXIDE, INERT, Atmosphere
from simulators.materials.solid_state.chemistry import Chemistry
from simulators.materials.solid_state.hull import energy_above_hull_mev_atom
from simulators.materials.solid_state.reactions import network


@pytest.fixture(scope="module")
def true_table():
    return Chemistry.draw(np.random.default_rng(0), hidden_error=0.0)


def test_equal_seeds_give_equal_worlds():
    one, same, other = (Chemistry.draw(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one.laws == same.laws and one.errors_kj_mol == same.errors_kj_mol and one.loss_per_h == same.loss_per_h
    assert one.laws != other.laws and one.errors_kj_mol != other.errors_kj_mol


def test_no_world_is_what_the_table_says(chemistry, true_table):
    assert set(true_table.errors_kj_mol.values()) == {0.0}
    assert all(error != 0.0 for error in chemistry.errors_kj_mol.values())


@pytest.mark.parametrize(
    ("key", "temperature_c", "atmosphere", "products"),
    [
        ("anatase + witherite", 800.0, AIR, {"BaTiO3-tetragonal"}),
        ("anatase + witherite", 25.0, CARBON_DIOXIDE, None),
        ("calcite", 700.0, AIR, {"lime"}),
        ("calcite", 700.0, CARBON_DIOXIDE, None),
        ("lime", 700.0, CARBON_DIOXIDE, {"calcite"}),
        ("Co3O4", 800.0, AIR, None),
        ("Co3O4", 800.0, INERT, {"CoO"}),
        ("rutile", 800.0, AIR, None),
    ],
)
def test_what_is_preferred(true_table, key, temperature_c, atmosphere, products):
    found = true_table.preferred(key, temperature_c, atmosphere)
    assert (found and {name for name, _ in found.products}) == products


def test_driving_forces_of_the_textbook(true_table):
    (reaction,) = network()["rutile + witherite"]
    co2 = Atmosphere(o2_bar=0.0, co2_bar=1.0, h2o_bar=0.0)
    assert true_table.reaction_kj(reaction, 800.0, co2) == pytest.approx(-67.0, abs=2.0)
    assert true_table.reaction_kj(reaction, 600.0, co2) == pytest.approx(-35.0, abs=2.0)


def test_rates_grow_with_temperature_and_are_one_an_hour_near_the_onset(chemistry):
    law = chemistry.laws["anatase + witherite"]
    pair = ("anatase", "witherite")

    def per_h(temperature_c):
        found = chemistry.active(pair, temperature_c, AIR)
        return next((one.per_h for one in found if one.name == "anatase + witherite"), 0.0)

    assert per_h(law.onset_c) == pytest.approx(1.0, rel=0.1)
    rates = [per_h(temperature_c) for temperature_c in np.linspace(300.0, 1300.0, 21)]
    assert all(low <= high for low, high in zip(rates, rates[1:], strict=False)) and rates[-1] > 10.0


def test_the_fastest_comes_first(chemistry):
    found = chemistry.active(("anatase", "calcite", "lime", "litharge"), 800.0, AIR)
    rates = [one.per_h for one in found]
    assert len(rates) > 2 and rates == sorted(rates, reverse=True)


def test_a_melt_reacts_faster(chemistry):
    phases, name = ("alpha-Bi2O3", "rutile"), "alpha-Bi2O3 + rutile"
    below, above = (
        next(one.per_h for one in chemistry.active(phases, temperature_c, AIR) if one.name == name)
        for temperature_c in (816.5, 817.5)
    )
    assert above == pytest.approx(10.0 * below, rel=0.1)


def test_hull_energies(true_table):
    def above(name, temperature_c, atmosphere=AIR):
        return energy_above_hull_mev_atom(name, true_table, temperature_c=temperature_c, atmosphere=atmosphere)

    assert above("BaTiO3-tetragonal", 900.0) == pytest.approx(0.0, abs=1e-6)
    assert above("rutile", 25.0) == pytest.approx(0.0, abs=1e-6)
    assert above("anatase", 25.0) == pytest.approx(18.0, abs=1.5)
    assert above("calcite", 900.0) > 100.0 > above("calcite", 900.0, CARBON_DIOXIDE)
    assert above("calcite", 400.0) == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(KeyError, match="kryptonite"):
        above("kryptonite", 25.0)


def test_impossible_pressures_are_refused():
    with pytest.raises(ValueError, match="0 to 10 bar"):
        Atmosphere(o2_bar=-0.1, co2_bar=0.0, h2o_bar=0.0)


def test_weak_driving_forces_are_sluggish(true_table):
    """Anatase is 18 meV an atom above rutile, far below the 50 that a lively reaction has."""
    law = true_table.laws["anatase"]
    (active,) = true_table.active(("anatase",), law.onset_c, AIR)
    energy_kj = true_table.reaction_kj(active.reaction, law.onset_c, AIR)
    gain = -np.expm1(energy_kj / (8.314462618e-3 * (law.onset_c + 273.15)))
    assert active.per_h == pytest.approx(0.2 * gain, rel=0.02)


def test_a_hard_partner_delays_the_onset():
    onsets = {
        key: np.mean([Chemistry.draw(np.random.default_rng(seed)).laws[key].onset_c for seed in range(40)])
        for key in ("litharge + rutile", "calcite + rutile", "rutile + witherite")
    }
    # 0.55 of the lower melting point in kelvin, and 0.15 of the difference
    assert onsets["litharge + rutile"] == pytest.approx(0.55 * 1161.0 - 273.0 + 0.15 * 955.0, abs=15.0)
    assert onsets["litharge + rutile"] < onsets["calcite + rutile"] < onsets["rutile + witherite"]
