"""baybe behind our border; these tests need its package (pip install 'labpilot[baybe]') and are skipped without it."""

import numpy as np
import pytest

from planner import Categorical, Continuous, Integer, Objective, Observation, Planner, SearchSpace

pytest.importorskip("baybe")

MOST = [Objective("y", "maximize")]
UNIT = [Continuous(name, 0.0, 1.0) for name in "abc"]

SPACES = {
    "box": SearchSpace([Continuous("a b", 0.0, 1.0), Continuous("p", 0.01, 10.0, scale="log")]),
    "mixed": SearchSpace(
        [
            Continuous("a", 0.0, 1.0, step=0.25),
            Integer("n", 1, 10),
            Categorical("s", ["x", "y", "z"]),
            Continuous("f", 2.0, 2.0),
            Continuous("g", 0.0, 1.0),
        ]
    ),
    "mixture": SearchSpace(UNIT, ["a + b + c == 1", "a + 0.5*b <= 0.6"]),
    "steps": SearchSpace(
        [Continuous(name, 0.0, 1.0, step=0.05) for name in "abc"] + [Integer("n", 1, 3)], ["a + b + c == 1"]
    ),
    "shared": SearchSpace([Continuous("t", 0.0, 1.0), *UNIT[:2]], ["a * b <= 0.2"], shared=["t"]),
    "pool": SearchSpace(
        [Continuous("a", 0.0, 1.0), Categorical("s", ["x", "y"])],
        candidates=[{"a": i / 30, "s": s} for i in range(31) for s in "xy"],
    ),
}


def value(parameters):
    return -sum((number - 0.4) ** 2 for number in parameters.values() if not isinstance(number, str))


def campaign(space, *, seed=3, n_asks=4, batch=3, **options):
    """One failure, one known noise and one pending point in every batch."""
    planner, proposals = Planner(space, MOST, seed=seed, policy="baybe", options=options), []
    for _ in range(n_asks):
        batch_of = planner.ask(batch)
        proposals += batch_of
        failed, measured = batch_of[0], batch_of[1]
        planner.tell([Observation(parameters=failed.parameters, failure="no", proposal_id=failed.id)])
        told = {"values": {"y": value(measured.parameters)}, "noise": {"y": 0.01}, "proposal_id": measured.id}
        planner.tell([Observation(parameters=measured.parameters, **told)])
    return proposals


@pytest.mark.parametrize("name", SPACES)
def test_every_proposal_is_admissible_and_new(name):
    space = SPACES[name]
    proposals = campaign(space)
    assert len(proposals) == 12
    assert [text for one in proposals for text in space.violations(one.parameters)] == []
    assert len(set(space.keys(space.rows([one.parameters for one in proposals])))) == 12
    assert all(one.reason.startswith("recommended by") for one in proposals)


def test_equal_seeds_give_equal_proposals_and_other_seeds_others():
    points = [[one.parameters for one in campaign(SPACES["mixed"], seed=seed, n_asks=3)] for seed in (3, 3, 4)]
    assert points[0] == points[1] != points[2]


def test_a_planner_that_was_loaded_goes_on_as_if_nothing_had_happened(tmp_path):
    planner = Planner(SPACES["box"], MOST, seed=1, policy="baybe")
    for _ in range(7):
        (one,) = planner.ask()
        planner.tell([Observation(parameters=one.parameters, values={"y": value(one.parameters)}, proposal_id=one.id)])
    planner.save(tmp_path / "p.json")
    assert Planner.load(tmp_path / "p.json").ask(2) == planner.ask(2)


def test_it_finds_an_optimum_that_random_points_miss():
    planner = Planner(SearchSpace(UNIT), MOST, seed=0, policy="baybe")
    for _ in range(12):
        (one,) = planner.ask()
        planner.tell([Observation(parameters=one.parameters, values={"y": value(one.parameters)}, proposal_id=one.id)])
    best = planner.best()
    assert best is not None
    assert best.values["y"] > -0.01  # of 12 random points the best lies about 0.06 below


def test_a_pool_ends_when_every_member_was_tried():
    from planner.errors import SearchSpaceExhausted

    space = SearchSpace([Integer("n", 1, 6)])
    planner, seen = Planner(space, MOST, policy="baybe"), []
    with pytest.raises(SearchSpaceExhausted):
        while True:
            for one in planner.ask(4):
                seen.append(one.parameters["n"])
                planner.tell([Observation(parameters=one.parameters, values={"y": 1.0 * seen[-1]}, proposal_id=one.id)])
    assert sorted(seen) == [1, 2, 3, 4, 5, 6]


def test_several_objectives_give_a_front():
    objectives = [Objective("y", "maximize"), Objective("cost", "minimize")]
    planner = Planner(SearchSpace(UNIT[:2]), objectives, seed=0, policy="baybe")
    for _ in range(8):
        (one,) = planner.ask()
        values = {"y": value(one.parameters), "cost": one.parameters["a"]}
        planner.tell([Observation(parameters=one.parameters, values=values, proposal_id=one.id)])
    assert len(planner.observations) == 8


def test_nothing_but_failures_and_results_outside_the_space_stop_nobody():
    space = SPACES["mixture"]
    planner = Planner(space, MOST, seed=0, policy="baybe")
    planner.tell([Observation(parameters={"a": 2.0, "b": 2.0, "c": 2.0}, values={"y": 1.0})])
    for _ in range(3):
        for one in planner.ask(2):
            assert space.contains(one.parameters)
            planner.tell([Observation(parameters=one.parameters, failure="no", proposal_id=one.id)])


def test_the_generators_of_others_are_left_as_they_were():
    torch = pytest.importorskip("torch")
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002 - the global generator is what is looked at
    expected = torch.rand(1).item(), np.random.rand()  # noqa: NPY002
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    campaign(SPACES["box"], n_asks=3)
    assert (torch.rand(1).item(), np.random.rand()) == expected  # noqa: NPY002
