import numpy as np
import pytest

from planner import Categorical, Continuous, Integer, Objective, Observation, Planner, SearchSpace

LEARN = [Objective("y", "learn")]


def square(**kwargs) -> SearchSpace:
    return SearchSpace([Continuous("a", 0.0, 1.0, **kwargs), Continuous("b", 0.0, 1.0, **kwargs)])


def rows(planner: Planner, n: int) -> np.ndarray:
    return planner.space.rows([proposal.parameters for proposal in planner.ask(n)])


def test_grid_visits_corners_first_and_then_halves_the_steps() -> None:
    found = rows(Planner(square(), LEARN, policy="grid"), 25)
    assert sorted(map(tuple, found[:4])) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert sorted(map(tuple, found[:9])) == [(a / 2, b / 2) for a in range(3) for b in range(3)]
    assert sorted(map(tuple, found)) == [(a / 4, b / 4) for a in range(5) for b in range(5)]


def test_grid_is_spread_when_the_budget_ends_within_a_lattice() -> None:
    found = rows(Planner(square(step=0.04), LEARN, policy="grid"), 48)
    quarters, _, _ = np.histogram2d(found[:, 0], found[:, 1], bins=2)
    assert quarters.min() >= 8


def test_grid_ends_with_every_level() -> None:
    space = SearchSpace(
        [Integer("a", 1, 7), Categorical("s", ["x", "y", "z"]), Continuous("c", 1, 100, count=4, scale="log")]
    )
    assert len(np.unique(rows(Planner(space, LEARN, policy="grid"), 84), axis=0)) == 84


def test_grid_still_proposes_where_constraints_leave_little_of_a_lattice(vials: SearchSpace) -> None:
    proposals = Planner(vials, LEARN, policy="grid").ask(5)
    assert all(vials.contains(proposal.parameters) for proposal in proposals)


def test_sobol_continues_its_sequence_and_fills_gaps() -> None:
    planner = Planner(square(), LEARN, seed=7, policy="sobol")
    found = np.vstack([rows(planner, 3), rows(planner, 5)])
    assert np.array_equal(found, square().rows(square().sobol(8, seed=7)))
    planner.discard("0-1")
    assert rows(planner, 1).tolist() == [found[1].tolist()]


def test_sobol_is_more_even_than_random() -> None:
    def emptiest(policy: str) -> float:
        counts = [
            np.histogram2d(*rows(Planner(square(), LEARN, seed=s, policy=policy), 64).T, bins=4)[0] for s in range(5)
        ]
        return float(np.mean([count.std() for count in counts]))

    assert emptiest("sobol") < 0.3 * emptiest("random")


def test_random_can_leave_ingredients_out(vials: SearchSpace) -> None:
    absent = [
        (rows(Planner(vials, LEARN, policy="random", options={"sparse": sparse}), 40)[:, 2:] == 0).mean()
        for sparse in (True, False)
    ]
    assert absent[0] > 0.6 > absent[1]


@pytest.mark.parametrize("policy", ["random", "sobol", "grid"])
def test_results_change_no_choice(policy: str) -> None:
    blind, seeing = (Planner(square(step=0.1), LEARN, seed=1, policy=policy) for _ in range(2))
    for value in (0.0, 5.0):
        for planner, told in ((blind, 0.0), (seeing, value)):
            planner.tell([Observation(parameters=p.parameters, values={"y": told}) for p in planner.ask(3)])
    assert np.array_equal(rows(blind, 3), rows(seeing, 3))


def test_a_thousand_asks_are_quick(vials: SearchSpace) -> None:
    planner = Planner(vials, LEARN, policy="random")
    for _ in range(1000):
        proposal = planner.ask(1)[0]
        planner.tell([Observation(parameters=proposal.parameters, values={"y": 0.0}, proposal_id=proposal.id)])
    assert planner.diagnostics()["finished"] == 1000
