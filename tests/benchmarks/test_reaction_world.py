import numpy as np
import pytest
from reaction_world import TARGET, TEMPERATURES_C, World, table_of
from reactions import Hunt, drawn, evolved

from surrogate.reactions.substances import read_rows


@pytest.fixture(scope="module")
def world():
    """A world as it is drawn first, whether it is of use or not."""
    return World._one(1, np.random.default_rng(4))


def test_the_truth_has_other_energies_than_the_table(world):
    differences = [
        (world.truth.table[name].enthalpy_kj_mol - one.enthalpy_kj_mol) / one.n_atoms
        for name, one in world.table.phases.items()
    ]
    assert 0.3 < np.std(differences) < 3.0


def test_a_planner_can_read_the_table_from_rows(world):
    again = read_rows(world.rows())
    assert {name: one.atoms for name, one in again.phases.items()} == {
        n: o.atoms for n, o in world.table.phases.items()
    }


def test_firing_keeps_every_cation(world):
    for one in world.sets[::9]:
        weights = world.fired(one, 900.0, contact=1.0)
        moles = {name: w / world.table[name].molar_mass_g for name, w in weights.items()}
        held = {e: sum(n * world.table[name].atoms.get(e, 0.0) for name, n in moles.items()) for e in ("Y", "Ba", "Cu")}
        assert held["Ba"] / held["Y"] == pytest.approx(2.0, rel=0.01)
        assert held["Cu"] / held["Y"] == pytest.approx(3.0, rel=0.01)


def test_measurements_are_the_same_again_and_add_up(world):
    one, other = (world.measure(world.sets[0], 800.0) for _ in range(2))
    assert one.weights == other.weights
    assert sum(one.weights.values()) == pytest.approx(1.0)
    assert set(one.probabilities) == set(one.weights)


def test_tables_are_drawn_from_the_seed():
    first, second = (table_of(np.random.default_rng(seed))[TARGET].enthalpy_kj_mol for seed in (0, 1))
    assert first != second
    assert table_of(np.random.default_rng(0))[TARGET].enthalpy_kj_mol == first


@pytest.mark.parametrize("way", [evolved, drawn], ids=["genetic", "random"])
def test_searches_try_no_recipe_twice_and_find_every_route(world, way):
    recipes = {(one.name, t) for one, t in world.recipes()}
    hunt = Hunt(world)
    hunt.pure = {sorted(recipes)[0], sorted(recipes)[-1]}
    way(hunt, 0)
    assert len(hunt.found_at) == 2
    assert hunt.n <= len(recipes) == len(world.sets) * len(TEMPERATURES_C)
