"""The border that points of other planners pass, with guests made for it; no package of others is needed."""

import numpy as np
import pytest

from planner import Categorical, Continuous, Integer, Objective, Observation, Planner, SearchSpace
from planner.errors import BadOption, SearchSpaceExhausted
from planner.policies import guest
from planner.policies.base import PlannerData
from planner.policies.guest import Answer, Guest, known_of

MOST = Objective("y", "maximize")
LEAST = Objective("z", "minimize")


class Stubborn(Guest):
    """Wants the same rows again and again, whatever it is told."""

    name, title = "stubborn", "Stubborn"

    def __init__(self, space, rows):
        super().__init__(space, [MOST], "gp")
        self.rows, self.seeds = np.array(rows, dtype=float), []

    def _recommend(self, data, known, n, seed):
        self.seeds.append(seed)
        return [Answer(row=row) for row in self.rows]


def asked(space, rows, n, *, told=(), seed=0):
    data = PlannerData(space=space, objectives=(MOST,), observations=tuple(told))
    return Stubborn(space, rows).propose(data, n, np.random.default_rng(seed))


def square(**grid):
    return SearchSpace([Continuous("a", 0.0, 1.0, **grid), Continuous("b", 0.0, 1.0, **grid)], ["a + b <= 1"])


def result(**parameters):
    return Observation(parameters=parameters, values={"y": 1.0})


def test_what_is_admissible_passes_as_it_is():
    (found,) = asked(square(), [[0.25, 0.5]], 1)
    assert found.parameters == {"a": 0.25, "b": 0.5}
    assert found.reason == "recommended by Stubborn"


@pytest.mark.parametrize("row", [[0.9, 0.9], [0.33, 0.21], [-3.0, 7.0]], ids=["constraint", "grid", "bounds"])
def test_what_is_not_is_put_onto_the_nearest_point_and_says_so(row):
    space = square(step=0.1)
    (found,) = asked(space, [row], 1)
    assert space.contains(found.parameters)
    assert found.parameters == space.snap({"a": min(max(row[0], 0.0), 1.0), "b": min(max(row[1], 0.0), 1.0)})
    assert "nearest admissible point" in found.reason


def test_what_was_tried_is_replaced_by_its_nearest_neighbour():
    (found,) = asked(square(step=0.1), [[0.3, 0.3]], 1, told=[result(a=0.3, b=0.3)])
    assert abs(found.parameters["a"] - 0.3) + abs(found.parameters["b"] - 0.3) < 0.25
    assert found.parameters != {"a": 0.3, "b": 0.3}
    assert "tried before" in found.reason


def test_a_batch_of_one_point_is_spread():
    found = asked(square(), [[0.5, 0.1]] * 6, 6)
    assert len({tuple(one.parameters.values()) for one in found}) == 6


def test_a_pool_gives_its_nearest_untried_member():
    space = SearchSpace([Continuous("a", 0.0, 1.0)], candidates=[{"a": value} for value in (0.1, 0.4, 0.5, 0.9, 1.0)])
    found = asked(space, [[0.52], [0.52], [0.52]], 3, told=[result(a=0.4)])
    assert [one.parameters["a"] for one in found] == [0.5, 0.1, 0.9]


def test_random_points_make_up_for_those_that_a_guest_does_not_give():
    found = asked(square(), [[0.5, 0.1]], 3)
    assert [one.reason.startswith("random") for one in found] == [False, True, True]
    assert "gave 1 of 3" in found[1].reason


def test_a_space_that_runs_out_ends_and_never_repeats(monkeypatch):
    space = SearchSpace([Integer("n", 1, 5), Categorical("s", ["x", "y"])])
    monkeypatch.setattr("planner.planner.policy_class", lambda name: lambda *_: Stubborn(space, [[3.0, 0.0]] * 4))
    planner, seen = Planner(space, [MOST], policy="stubborn"), []
    with pytest.raises(SearchSpaceExhausted):
        while True:
            seen += planner.ask(4)
    assert len({tuple(one.parameters.values()) for one in seen}) == len(seen) == 10


def test_equal_generators_give_equal_answers():
    assert asked(square(), [[0.5, 0.1]] * 3, 3) == asked(square(), [[0.5, 0.1]] * 3, 3)
    assert asked(square(), [[0.5, 0.1]] * 3, 3) != asked(square(), [[0.5, 0.1]] * 3, 3, seed=1)


def test_what_is_known_is_by_objective_and_within_the_space():
    space = square(step=0.1)
    told = (
        Observation(parameters={"a": 0.1, "b": 0.2}, values={"y": 1.0, "z": 2.0}, noise={"z": 0.5}),
        Observation(parameters={"a": 0.3, "b": 0.2}, values={"y": 3.0}),
        Observation(parameters={"a": 0.5, "b": 0.2}, failure="leak"),
        Observation(parameters={"a": 0.9, "b": 0.9}, values={"y": 9.0}),
        Observation(parameters={"a": 0.12, "b": 0.2}, values={"y": 9.0}),
    )
    known = known_of(PlannerData(space=space, objectives=(MOST, LEAST), observations=told), space, (MOST, LEAST))
    assert np.array_equal(known.rows, [[0.1, 0.2], [0.3, 0.2], [0.5, 0.2]])
    assert np.array_equal(known.values, [[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan]], equal_nan=True)
    assert known.noise[0, 1] == 0.5 and np.isnan(known.noise[0, 0])
    assert known.failed.tolist() == [False, False, True]
    assert known.n_left_out == 2
    assert guest.worst_values(known, (MOST, LEAST)).tolist() == [1.0, 2.0]


def test_results_that_a_guest_was_not_told_are_counted_in_the_reason():
    (found,) = asked(square(), [[0.2, 0.2]], 1, told=[result(a=0.9, b=0.9)])
    assert "1 results outside its space were not told" in found.reason


@pytest.mark.parametrize("policy", ["ax", "baybe"])
def test_a_missing_package_says_how_to_install_it(monkeypatch, policy):
    monkeypatch.setattr(guest, "find_spec", lambda name: None)
    with pytest.raises(BadOption, match=rf"pip install 'labpilot\[{policy}\]'"):
        Planner(square(), [MOST], policy=policy)


@pytest.mark.parametrize("policy", ["ax", "baybe"])
def test_options_are_checked_before_anything_is_imported(policy):
    with pytest.raises(BadOption, match="did you mean 'failures'"):
        Planner(square(), [MOST], policy=policy, options={"failure": "worst"})


def test_a_map_to_learn_is_refused():
    with pytest.raises(BadOption, match="is to be learnt"):
        Guest.__init__(object.__new__(Stubborn), square(), [Objective("m", "learn")], "gp")


def test_where_nothing_is_left_to_choose_a_guest_is_not_asked():
    space = SearchSpace([Integer("n", 1, 5)])
    told = tuple(result(n=number) for number in (1, 2, 3))
    asked_one = Stubborn(space, [[5.0]])
    data = PlannerData(space=space, objectives=(MOST,), observations=told)
    found = asked_one.propose(data, 2, np.random.default_rng(0))
    assert sorted(one.parameters["n"] for one in found) == [4, 5]
    assert found[0].reason == "the last untried points"
    assert asked_one.seeds == []
    asked_one.propose(data, 1, np.random.default_rng(0))
    assert len(asked_one.seeds) == 1


def test_a_batch_shares_what_it_must_and_the_guest_is_told_everything(monkeypatch):
    space = SearchSpace([Continuous("t", 0.0, 1.0), Continuous("b", 0.0, 1.0)], shared=["t"])
    one = Stubborn(space, [[0.25, 0.5], [0.75, 0.1], [0.5, 0.9]])
    monkeypatch.setattr("planner.planner.policy_class", lambda name: lambda *_: one)
    planner = Planner(space, [MOST], policy="stubborn")
    for _ in range(2):
        proposals = planner.ask(3)
        assert len({proposal.parameters["t"] for proposal in proposals}) == 1
        planner.tell([Observation(parameters=p.parameters, values={"y": 1.0}, proposal_id=p.id) for p in proposals])
    assert not any("not told" in proposal.reason for proposal in proposals)


def test_a_point_beyond_a_constraint_that_is_not_linear_is_moved_into_it():
    space = SearchSpace([Continuous("a", 0.0, 1.0), Continuous("b", 0.0, 1.0)], ["a * b <= 0.2"])
    (found,) = asked(space, [[0.9, 0.9]], 1)
    assert space.contains(found.parameters)
    assert "nearest admissible point" in found.reason
