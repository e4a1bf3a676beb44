import numpy as np
import pytest

from planner import Categorical, Continuous, Integer, SearchSpace
from planner.errors import BadOption
from planner.reduced import Reduced


def part(name, high=1.0, **grid):
    return Continuous(name, 0.0, high, **grid)


def test_a_part_of_a_mixture_follows_from_the_others():
    space = SearchSpace([part("a"), part("b"), part("c", 0.7)], ["a + b + c == 1", "a + 0.5*b <= 0.6"])
    reduced = Reduced.of(space.region)
    assert reduced.kept.tolist() == [0, 1]
    assert reduced.whole(np.array([0.2, 0.3])) == pytest.approx([0.2, 0.3, 0.5])


@pytest.mark.parametrize(
    ("parameters", "constraints"),
    [
        ([part("a"), part("b"), part("c", 0.7)], ["a + b + c == 1", "a + 0.5*b <= 0.6"]),
        ([part("a"), part("b"), part("c"), part("d")], ["a + b == 0.8", "c + 2*d - a == 0.5"]),
        ([part("a", step=0.05), part("b"), Integer("n", 1, 3), Continuous("f", 2.0, 2.0)], ["a + b + f <= 2.9"]),
        ([Categorical("s", ["x", "y"]), part("a"), part("b")], ["a + b == 1"]),
    ],
    ids=["mixture", "two equalities", "fixed", "words"],
)
def test_what_is_admissible_is_so_without_the_equalities_and_the_other_way_round(parameters, constraints):
    space, rng = SearchSpace(parameters, constraints), np.random.default_rng(0)
    reduced = Reduced.of(space.region)
    for row in space.sample_rows(200, rng):
        values = row[reduced.kept]
        assert np.all(reduced.A @ values <= reduced.b + 1e-9)
        assert reduced.whole(values) == pytest.approx(row)
    low, high = space.region.low[reduced.kept], space.region.high[reduced.kept]
    drawn = low + rng.random((500, len(low))) * (high - low)
    rows = np.array([reduced.whole(values) for values in drawn])
    fits = np.all(drawn @ reduced.A.T <= reduced.b, axis=1)
    assert np.array_equal(fits, space.region.feasible(rows))
    assert fits.any()


def test_inequalities_that_bounds_imply_are_left_out():
    assert len(Reduced.of(SearchSpace([part("a"), part("b")], ["a + b <= 2"]).region).A) == 0


def test_equalities_that_contradict_are_refused():
    space = SearchSpace([part("a"), part("b")], ["a + b == 1", "a + b == 1.5"])
    with pytest.raises(BadOption, match="contradict each other"):
        Reduced.of(space.region)
