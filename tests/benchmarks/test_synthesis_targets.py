import numpy as np
import pytest
from synthesis_targets import TARGETS, by_chance
from synthesis_worlds import NEAR_HULL_MEV, draw_target

from surrogate.reactions.balance import Network
from surrogate.reactions.energies import Potentials


@pytest.fixture(scope="module")
def target():
    return draw_target(100, 3)


def test_a_target_is_near_the_hull_of_the_table(target):
    network = Network(target.world.table)
    ranked = network.ranked((target.world.target,), Potentials.of(target.world.table, 900.0))
    assert all(drive <= NEAR_HULL_MEV for drive, _ in ranked)


def test_every_phase_diffracts_as_a_structure_of_its_own(target):
    masks = list(target.masks.values())
    assert set(target.masks) == set(target.world.table.phases)
    assert len(set(masks)) == len(masks)
    assert target.stranger not in masks


def test_powders_add_up_also_after_accidents(target):
    one, temperature_c = target.world.recipes()[-1]
    powders = [target.fire(one, temperature_c, np.random.default_rng(seed)) for seed in range(300)]
    assert all(sum(powder.values()) == pytest.approx(1.0) for powder in powders)
    assert any("" in powder for powder in powders)


def test_targets_are_drawn_from_the_seed():
    names = [draw_target(seed, 0).world.rows() for seed in (100, 100, 101)]
    assert names[0] == names[1] != names[2]


def test_random_recipes_make_no_target_twice_and_stay_within_the_budget(target):
    made_at = by_chance([target, draw_target(100, 4)], 0)
    assert len(made_at) <= 2 <= TARGETS
    assert made_at == sorted(set(made_at))
