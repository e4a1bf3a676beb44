"""Firing: the laws that have to hold exactly, and what a chemist would expect."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.materials.solid_state.atmosphere import AIR, ATMOSPHERES, CARBON_DIOXIDE, INERT
from simulators.materials.solid_state.chemistry import Chemistry
from simulators.materials.solid_state.dosing import dose
from simulators.materials.solid_state.facts import table
from simulators.materials.solid_state.firing import fire
from simulators.materials.solid_state.grinding import grind
from simulators.materials.solid_state.powder import Portion, Powder, count_elements
from simulators.materials.solid_state.profile import Segment, from_log, hold, program

WORLD = Chemistry.draw(np.random.default_rng(5))
recipes = st.dictionaries(st.sampled_from(sorted(table().phases)), st.floats(1.0, 500.0), min_size=1, max_size=4)
temperatures = st.floats(150.0, 1400.0)
airs = st.sampled_from(sorted(ATMOSPHERES))


def poured(recipe, seed):
    rng = np.random.default_rng(seed)
    return grind(dose(recipe, rng), minutes=5.0, rng=rng)


@settings(max_examples=40, deadline=None)
@given(recipes, st.integers(0, 99), st.lists(st.tuples(temperatures, st.integers(1, 90), airs), min_size=1, max_size=3))
def test_every_element_is_kept_exactly(recipe, seed, holds):
    before = poured(recipe, seed)
    after = fire(before, [hold(t, minutes, ATMOSPHERES[air]) for t, minutes, air in holds], WORLD)
    total = count_elements(after.amounts_fmol)
    for element, atoms in after.released_elements_fmol.items():
        total[element] = total.get(element, 0) + atoms
    assert {e: n for e, n in total.items() if n} == before.elements_fmol
    lasting = {e: n for e, n in before.elements_fmol.items() if e not in table().volatile}
    assert {e: n for e, n in after.elements_fmol.items() if e not in table().volatile} == lasting
    assert after.mass_mg + after.released_mg == pytest.approx(before.mass_mg, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(recipes, st.integers(0, 99), temperatures, st.integers(1, 120), airs)
def test_two_halves_of_a_hold_are_the_hold(recipe, seed, temperature_c, half, air):
    before = poured(recipe, seed)
    whole = fire(before, [hold(temperature_c, 2 * half, ATMOSPHERES[air])], WORLD)
    first = fire(before, [hold(temperature_c, half, ATMOSPHERES[air])], WORLD)
    assert_same(fire(first, [hold(temperature_c, half, ATMOSPHERES[air])], WORLD), whole)


@settings(max_examples=15, deadline=None)
@given(recipes, st.integers(0, 99), temperatures, temperatures, st.integers(1, 60))
def test_two_halves_of_a_ramp_are_the_ramp(recipe, seed, start_c, end_c, half):
    before, middle_c = poured(recipe, seed), (start_c + end_c) / 2.0
    whole = fire(before, [Segment(start_c=start_c, end_c=end_c, minutes=2 * half)], WORLD)
    first = fire(before, [Segment(start_c=start_c, end_c=middle_c, minutes=half)], WORLD)
    parts = fire(first, [Segment(start_c=middle_c, end_c=end_c, minutes=half)], WORLD)
    # a millionth of a degree at most between the same minute of the two
    assert parts.amounts_fmol == pytest.approx(whole.amounts_fmol, rel=1e-6, abs=1e6)
    assert parts.fired_minutes == whole.fired_minutes and parts.highest_c == pytest.approx(whole.highest_c)


def assert_same(one, other):
    """All but the sizes of grains, which are cubed and rooted, agree to the last digit."""
    assert one == replace(other, portions=one.portions)
    assert one.amounts_fmol == other.amounts_fmol
    for portion, twin in zip(one.portions, other.portions, strict=True):
        assert portion.size_nm == pytest.approx(twin.size_nm, rel=1e-10)
        assert portion.microstrain == twin.microstrain


def test_equal_inputs_and_seeds_give_equal_states():
    made = [
        fire(poured({"witherite": 300.0, "anatase": 120.0}, 3), program(850.0, 240), Chemistry.draw(generator))
        for generator in (np.random.default_rng(2), np.random.default_rng(2), np.random.default_rng(3))
    ]
    assert made[0] == made[1] and made[0].to_json() == made[1].to_json()
    assert made[0] != made[2]


@pytest.mark.parametrize(
    ("target", "precursors", "temperature_c", "loss"),
    [
        ("BaTiO3-tetragonal", ("witherite", "anatase"), 1000.0, 0.1588),
        ("perovskite", ("calcite", "anatase"), 1000.0, 0.2445),
        ("perovskite", ("portlandite", "rutile"), 1000.0, 0.1170),
        ("macedonite", ("litharge", "rutile"), 700.0, 0.0),
        ("Bi4Ti3O12", ("alpha-Bi2O3", "anatase"), 750.0, 0.0),
        ("LiCoO2", ("zabuyelite", "Co3O4"), 750.0, 0.1648),
    ],
)
def test_targets_form_with_the_mass_loss_of_their_equation(chemistry, mixed, target, precursors, temperature_c, loss):
    before = mixed(target, *precursors)
    after = fire(before, program(temperature_c, 600), chemistry)
    assert after.weights[target] > 0.93
    assert 1.0 - after.mass_mg / before.mass_mg == pytest.approx(loss, abs=0.01)


@pytest.mark.parametrize("target", ["BaTiO3-tetragonal", "macedonite", "LiCoO2"])
def test_yield_grows_with_time_until_losses_begin(chemistry, mixed, target):
    precursors = {
        "BaTiO3-tetragonal": ("witherite", "anatase"),
        "macedonite": ("litharge", "anatase"),
        "LiCoO2": ("zabuyelite", "Co3O4"),
    }[target]
    law = chemistry.laws[" + ".join(sorted(precursors))]
    before = mixed(target, *precursors)
    yields = [
        fire(before, [hold(law.onset_c - 60.0, minutes)], chemistry).weights.get(target, 0.0)
        for minutes in (30, 120, 480)
    ]
    assert 0.0 < yields[0] < yields[1] < yields[2] < 0.99


def test_a_single_reaction_follows_avrami(chemistry, mixed):
    before = mixed("macedonite", "litharge", "rutile")
    temperature_c = 420.0
    active = next(
        one for one in chemistry.active(("litharge", "rutile"), temperature_c, AIR) if one.reaction.is_interface
    )
    after = fire(before, [hold(temperature_c, 90)], chemistry)
    touch = before.contact * (1.0 - 0.95 * before.unmixed)
    expected = -np.expm1(-((active.per_h * touch * 1.5) ** 0.5))
    made = after.amounts_fmol["macedonite"] / min(before.amounts_fmol.values())
    assert made == pytest.approx(expected, rel=1e-6) and 0.01 < made < 0.99


def test_regrinding_helps_where_time_does_not(chemistry, mixed, rng):
    onset_c = chemistry.laws["anatase + witherite"].onset_c
    before = replace(mixed("BaTiO3-tetragonal", "witherite", "anatase"), contact=1.0)
    half = [hold(onset_c - 40.0, 240)]
    first = fire(before, half, chemistry)
    ground = replace(grind(first, minutes=10.0, rng=rng), contact=1.0)
    assert (
        fire(ground, half, chemistry).weights["BaTiO3-tetragonal"]
        > fire(first, half, chemistry).weights["BaTiO3-tetragonal"] + 0.02
    )


def test_unmixed_powders_hardly_react(chemistry, mixed):
    before = mixed("BaTiO3-tetragonal", "witherite", "anatase")
    segments = [hold(750.0, 60)]
    mixed_yield = fire(before, segments, chemistry).weights["BaTiO3-tetragonal"]
    poured_yield = fire(replace(before, unmixed=1.0), segments, chemistry).weights["BaTiO3-tetragonal"]
    assert poured_yield < 0.4 * mixed_yield


def test_carbonates_wait_for_the_gas_to_go(chemistry, mixed):
    before = mixed("perovskite", "calcite", "anatase")
    alone = replace(before, portions=tuple(p for p in before.portions if p.phase == "calcite"))
    in_air, in_co2 = (fire(alone, [hold(780.0, 240, air)], chemistry) for air in (AIR, CARBON_DIOXIDE))
    assert in_air.weights["lime"] > 0.9
    assert in_co2.weights == {"calcite": 1.0}
    assert dict(in_air.released_fmol)["CO2"] == in_air.amounts_fmol["lime"]


def test_lithium_cobalt_oxide_needs_oxygen(chemistry, mixed):
    before = mixed("LiCoO2", "zabuyelite", "Co3O4")
    in_air, inert = (fire(before, [hold(750.0, 300, air)], chemistry) for air in (AIR, INERT))
    assert in_air.weights["LiCoO2"] > 0.9
    assert inert.weights.get("LiCoO2", 0.0) < 0.1


def test_a_scarce_gas_is_taken_up_slowly(chemistry, rng):
    before = dose({"lime": 300.0}, rng)
    in_air, in_co2 = (fire(before, [hold(550.0, 60, air)], chemistry) for air in (AIR, CARBON_DIOXIDE))
    assert in_air.weights.get("calcite", 0.0) < 0.1 * in_co2.weights["calcite"]
    assert in_co2.mass_mg > before.mass_mg and dict(in_co2.released_fmol)["CO2"] < 0


@pytest.mark.parametrize(
    ("phase", "temperature_c", "vapour"),
    [("massicot", 850.0, "PbO vapour"), ("alpha-Bi2O3", 815.0, "Bi2O3 vapour"), ("Li2O", 900.0, "Li2O vapour")],
)
def test_volatile_oxides_are_lost(chemistry, rng, phase, temperature_c, vapour):
    before = dose({phase: 300.0}, rng)
    after = fire(before, [hold(temperature_c, 600, INERT)], chemistry)
    lost = dict(after.released_fmol)[vapour] / before.amounts_fmol[phase]
    assert 0.03 < lost < 0.5
    assert not dict(fire(before, [hold(400.0, 600, INERT)], chemistry).released_fmol).get(vapour)


def test_melting_leaves_glass_that_crystallises_again(chemistry, rng):
    before = dose({"alpha-Bi2O3": 300.0}, rng)
    melted = fire(before, [hold(830.0, 5)], chemistry)
    assert melted.liquid == 1.0 and melted.glass == pytest.approx(0.1)
    annealed = fire(melted, [hold(700.0, 120)], chemistry)
    assert annealed.liquid == 1.0 and annealed.glass == pytest.approx(0.1 * np.exp(-2.0))
    assert fire(before, [hold(800.0, 5)], chemistry).glass == 0.0


def test_grains_grow_and_strain_heals(chemistry, mixed, rng):
    ground = grind(mixed("BaTiO3-tetragonal", "witherite", "anatase"), minutes=60.0, rng=rng)
    sizes = {}
    for temperature_c in (900.0, 1050.0, 1200.0):
        fired = fire(ground, [hold(temperature_c, 480)], chemistry)
        portion = next(p for p in fired.portions if p.phase == "BaTiO3-tetragonal")
        sizes[temperature_c] = portion.size_nm
        assert portion.microstrain < 1e-4
    assert 40.0 < sizes[900.0] < sizes[1050.0] < sizes[1200.0] < 5000.0


def test_a_cold_powder_stays_as_it_is(chemistry, mixed):
    before = mixed("LiCoO2", "zabuyelite", "Co3O4")
    after = fire(before, from_log([25.0, 60.0, 25.0]), chemistry)
    assert after == replace(before, highest_c=60.0, fired_minutes=3)


def test_power_loss_costs_conversion(chemistry, mixed):
    onset_c = chemistry.laws["anatase + witherite"].onset_c
    before = mixed("BaTiO3-tetragonal", "witherite", "anatase")
    steady = fire(before, from_log([onset_c] * 120), chemistry)
    cut = fire(before, from_log([onset_c] * 60 + [onset_c - 150.0] * 10 + [onset_c] * 50), chemistry)
    assert cut.weights["BaTiO3-tetragonal"] < steady.weights["BaTiO3-tetragonal"]


def test_what_is_gone_is_forgotten(chemistry, rng):
    """Calcite that forms anew has no layers of product from before."""
    alone = dose({"calcite": 100.0}, rng)
    burnt = fire(alone, [hold(850.0, 600)], chemistry)
    assert burnt.weights == {"lime": 1.0}
    assert {name for name, _ in burnt.progress} <= {"lime"}


def test_a_trace_reacts_at_once(chemistry):
    def powder(amount):
        grains = {"size_nm": 100.0, "microstrain": 0.0}
        calcite = Portion(phase="calcite", amount_fmol=amount, **grains)
        rutile = Portion(phase="rutile", amount_fmol=10**12, **grains)
        return Powder(portions=(calcite, rutile), unmixed=0.0)

    onset_c = chemistry.laws["calcite + rutile"].onset_c
    for amount, is_gone in ((999, True), (10**6, False)):
        after = fire(powder(amount), [hold(onset_c - 60.0, 1)], chemistry).amounts_fmol
        assert ("calcite" not in after) == is_gone


def test_losses_leave_the_stablest_rest(chemistry, rng):
    after = fire(dose({"macedonite": 300.0}, rng), [hold(950.0, 300)], chemistry)
    assert "rutile" in after.amounts_fmol and "anatase" not in after.amounts_fmol
