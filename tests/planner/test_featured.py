"""Pools of structures as a parameter, and policies that choose among them by features."""

import time

import numpy as np
import pytest

from planner import Objective, Observation, Planner, SearchSpace, SpaceError
from planner.featured import featured, table_of
from surrogate.features.elements import symbols
from surrogate.features.pools import Pool, pool_of
from surrogate.xrd.library import embedded_library

PHASES = tuple(phase for phase in embedded_library().phases if not phase.is_disordered)
POOL = Pool(words=tuple(phase.name for phase in PHASES), items=PHASES)
KINDS = ["sine_matrix", "diffraction", "element_statistics"]


def test_columns_that_do_not_vary_are_left_out():
    salts = pool_of("composition", ["LiF", "NaCl", "KBr"], ["LiF", "NaCl", "KBr"])
    table = table_of("salt", salts, "bag_of_atoms")
    assert {len(row) for row in table.values()} == {6}
    assert len(table_of("crystal", POOL, "sine_matrix")["halite"]) == max(_atoms()) > 20


def _atoms():
    from surrogate.features.crystals import primitive_atoms

    return [len(primitive_atoms(phase).numbers) for phase in PHASES]


def test_what_is_all_the_same_is_refused():
    oxides = pool_of("composition", ["Fe2O3", "Fe4O6"], ["Fe2O3", "Fe4O6"])
    with pytest.raises(SpaceError, match="the same for every value"):
        featured("oxide", oxides, "bag_of_atoms")


def test_an_item_without_features_is_named():
    with pytest.raises(SpaceError, match=r"parameter 'crystal': .* has room for 2"):
        featured("crystal", POOL, "sine_matrix", options={"sine_matrix": {"size": 2}})
    with pytest.raises(SpaceError, match="'sine_matrx', which is none of the kinds; did you mean 'sine_matrix'"):
        featured("crystal", POOL, "sine_matrix", options={"sine_matrx": {"size": 2}})


DENSITIES = {phase.name: phase.density_g_cm3 for phase in PHASES}
DENSE = 9.0


def campaign(policy, options, rounds, seed):
    """Return the densities of what was chosen, 4 at a time."""
    space = SearchSpace([featured("crystal", POOL, KINDS)])
    planner = Planner(space, [Objective("density", "maximize")], policy=policy, options=options, seed=seed)
    found = []
    for _ in range(rounds):
        for proposal in planner.ask(4):
            density = DENSITIES[str(proposal.parameters["crystal"])]
            found.append(density)
            planner.tell(
                [Observation(parameters=proposal.parameters, values={"density": density}, proposal_id=proposal.id)]
            )
    return np.array(found)


def test_screening_finds_dense_crystals_by_their_features():
    n_dense = sum(density >= DENSE for density in DENSITIES.values())
    assert n_dense < 0.12 * len(PHASES)
    found = campaign("screening", {"threshold": DENSE}, 8, seed=0)
    assert (found >= DENSE).sum() >= 0.7 * n_dense


def test_logei_finds_the_densest_crystal_by_their_features():
    found = campaign("logei", {}, 8, seed=0)
    assert found.max() == max(DENSITIES.values())


def test_ten_thousand_compositions_take_seconds():
    rng = np.random.default_rng(0)
    picks = rng.integers(100, size=(10_000, 4))
    words = list(dict.fromkeys("".join(f"{symbols()[p]}{n}" for n, p in enumerate(pick, 1)) for pick in picks))
    began = time.process_time()
    axis = featured("formula", pool_of("composition", words, words), ["element_statistics", "bag_of_atoms"])
    assert axis.codes.encode(np.arange(len(words))).shape == (len(words), axis.codes.width)
    assert time.process_time() - began < 10.0
