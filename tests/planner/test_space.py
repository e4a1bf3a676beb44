from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import (
    Categorical,
    Continuous,
    EmptySearchSpace,
    Integer,
    LinearConstraint,
    Objective,
    Planner,
    SearchSpace,
    SpaceError,
)

RELATIONS = ("<=", ">=", "==")


@st.composite
def parameters(draw: st.DrawFn, name: str) -> tuple[Any, Any]:
    """Return a parameter and one value of it."""
    kind = draw(st.sampled_from(["continuous", "log", "step", "levels", "count", "integer", "fixed", "words"]))
    if kind == "words":
        words = ["red", "green", "blue"][: draw(st.integers(1, 3))]
        return Categorical(name, words), draw(st.sampled_from(words))
    if kind == "integer":
        low = draw(st.integers(-5, 5))
        parameter = Integer(name, low, low + draw(st.integers(0, 12)))
        return parameter, draw(st.integers(parameter.low, parameter.high))
    if kind == "fixed":
        value = draw(st.integers(0, 5)) / 4
        return Continuous(name, value, value), value
    low = draw(st.integers(-8, 8)) / 4
    made = {
        "continuous": lambda: Continuous(name, low, low + 2.5),
        "log": lambda: Continuous(name, 0.01, 10.0, scale="log"),
        "step": lambda: Continuous(name, low, low + 2.1, step=0.25),
        "levels": lambda: Continuous(name, -5.0, 5.0, levels=[-2.0, 0.0, 0.3, 1.5, 4.0]),
        "count": lambda: Continuous(name, 0.1, 10.0, count=9, scale="log"),
    }[kind]()
    if made.grid is not None:
        return made, float(draw(st.sampled_from(made.grid.tolist())))
    return made, made.low + (made.high - made.low) * draw(st.integers(0, 10**6)) / 10**6


@st.composite
def spaces(draw: st.DrawFn) -> tuple[SearchSpace, dict[str, Any]]:
    """Return a space and a point that it admits: bounds of the constraints are drawn around that point."""
    drawn = [draw(parameters(name)) for name in "abcde"[: draw(st.integers(1, 5))]]
    witness = {parameter.name: value for parameter, value in drawn}
    numeric = [name for name, value in witness.items() if not isinstance(value, str)]
    constraints = []
    for _ in range(draw(st.integers(0, 3)) if numeric else 0):
        names = draw(st.lists(st.sampled_from(numeric), min_size=1, unique=True))
        weights = {name: float(draw(st.sampled_from([-2.0, -1.0, 0.5, 1.0, 3.0]))) for name in names}
        relation = draw(st.sampled_from(RELATIONS))
        slack = 0.0 if relation == "==" else draw(st.sampled_from([0.0, 0.1, 1.0]))
        total = sum(weight * witness[name] for name, weight in weights.items())
        bound = total + (slack if relation == "<=" else -slack)
        constraints.append(LinearConstraint(coefficients=weights, relation=relation, bound=bound))
    return SearchSpace([parameter for parameter, _ in drawn], constraints), witness


SEEDS = st.integers(0, 2**32)


def simplex(n: int, **kwargs: Any) -> SearchSpace:
    names = "abcdefgh"[:n]
    return SearchSpace([Continuous(name, 0.0, 1.0, **kwargs) for name in names], [" + ".join(names) + " == 1"])


@settings(max_examples=60)
@given(spaces(), SEEDS)
def test_whatever_is_sampled_is_admissible(drawn: tuple[SearchSpace, dict[str, Any]], seed: int) -> None:
    space, witness = drawn
    assert space.violations(witness) == []
    assert space.is_empty() is None
    rng = np.random.default_rng(seed)
    for point in [*space.sample(15, rng), *space.sample(15, rng, sparse=True), *space.sobol(5, seed=1, skip=3)]:
        assert space.violations(point) == []


@settings(max_examples=60)
@given(spaces(), SEEDS)
def test_snapping_gives_the_nearest_admissible_point(drawn: tuple[SearchSpace, dict[str, Any]], seed: int) -> None:
    space, witness = drawn
    rng = np.random.default_rng(seed)
    anywhere = {
        p.name: str(rng.choice(list(p.values))) if isinstance(p, Categorical) else rng.uniform(p.low - 1, p.high + 1)
        for p in space.parameters
    }
    snapped = space.snap(anywhere)
    assert space.violations(snapped) == []
    assert distance(space, anywhere, snapped) <= distance(space, anywhere, witness) + 1e-4
    for admissible in (witness, snapped):
        assert space.keys(space.rows([space.snap(admissible)])) == space.keys(space.rows([admissible]))


def distance(space: SearchSpace, one: dict[str, Any], other: dict[str, Any]) -> float:
    rows = space.rows([one, other])
    changes = np.abs(rows[0] - rows[1]) / space.region.span
    words = np.array([isinstance(p, Categorical) for p in space.parameters])
    return float(np.sum(np.where(words, changes > 0, changes)))


@settings(max_examples=40)
@given(spaces(), SEEDS)
def test_encoding_is_undone_by_decoding(drawn: tuple[SearchSpace, dict[str, Any]], seed: int) -> None:
    space, _ = drawn
    rows = space.sample_rows(10, np.random.default_rng(seed))
    codes = space.encode_rows(rows)
    assert codes.shape == (10, space.width)
    assert np.all((codes >= -1e-9) & (codes <= 1 + 1e-9))
    assert space.rows(space.decode(codes)) == pytest.approx(rows, rel=1e-9, abs=1e-9)


@settings(max_examples=40)
@given(spaces(), SEEDS)
def test_small_steps_stay_inside(drawn: tuple[SearchSpace, dict[str, Any]], seed: int) -> None:
    space, _ = drawn
    rng = np.random.default_rng(seed)
    rows = space.sample_rows(20, rng)
    for reach in (0.5, 0.05, 0.001):
        rows = space.neighbourhood.step(rows, rng, reach=reach)
        assert all(space.violations(point) == [] for point in space.points(rows))


def test_counts_and_lists_the_same_points() -> None:
    space = simplex(4, step=0.05)
    assert space.size() == 1771
    points = list(space.enumerate())
    assert len({tuple(point.values()) for point in points}) == 1771
    assert all(space.contains(point) for point in points)


def test_counts_more_points_than_could_be_listed(vials: SearchSpace) -> None:
    # 19 steps of 0.25 mL over nine liquids and the water that fills up: C(28, 9), times 21 levels of the solid
    assert vials.size() == 21 * 6_906_900


def test_lists_lazily(vials: SearchSpace) -> None:
    assert len(list(vials.enumerate(limit=5))) == 5


@pytest.mark.parametrize(
    ("parameters", "constraints", "size"),
    [
        ([Integer("a", 1, 10), Categorical("s", ["x", "y"])], [], 20),
        ([Integer("a", 1, 10), Integer("b", 1, 10)], ["a + b <= 3"], 3),
        ([Integer("a", 1, 10), Integer("b", 1, 10)], ["a + b <= 3", "a >= b"], 2),
        ([Integer("a", 1, 10), Continuous("b", 0, 1)], [], None),
        ([Continuous("a", 2, 2), Integer("b", 1, 3)], [], 3),
    ],
)
def test_size(parameters: list[Any], constraints: list[str], size: int | None) -> None:
    space = SearchSpace(parameters, constraints)
    assert space.size() == size
    if size is not None:
        assert len(list(space.enumerate())) == size


def test_a_continuous_space_cannot_be_listed() -> None:
    with pytest.raises(SpaceError, match="cannot be listed"):
        SearchSpace([Continuous("a", 0, 1)]).enumerate()


@pytest.mark.parametrize(
    "space",
    [
        SearchSpace([Integer("a", 0, 3), Integer("b", 0, 3), Integer("c", 0, 3)], ["a + b + c <= 4"]),
        SearchSpace([Integer("a", 0, 3), Integer("b", 0, 3), Integer("c", 0, 3)], ["a + 2*b - c == 2"]),
        SearchSpace([Integer("a", 0, 9), Integer("b", 0, 9), Integer("c", 0, 9)], ["a + b == 3", "a <= b + c"]),
        SearchSpace([Integer("a", 0, 9), Integer("b", 0, 9)], ["b <= 1", "a + 3*b <= 4"]),
    ],
    ids=["counted", "counted equality", "chain", "rejection or counted"],
)
def test_sampling_is_uniform_over_a_grid(space: SearchSpace) -> None:
    expected = list(space.enumerate())
    counts = dict.fromkeys((tuple(point.values()) for point in expected), 0)
    n = 250 * len(counts)
    for point in space.sample(n, np.random.default_rng(5)):
        counts[tuple(point.values())] += 1
    # chi-squared has mean k - 1 and variance 2 (k - 1)
    chi_squared = sum((count - 250) ** 2 / 250 for count in counts.values())
    assert chi_squared < len(counts) - 1 + 5 * np.sqrt(2 * len(counts))


@pytest.mark.parametrize("extra", [[], ["a <= 2*b + 1"], ["a + d <= 1.2"]], ids=["stick", "two constraints", "chain"])
def test_sampling_is_uniform_over_a_simplex(extra: list[str]) -> None:
    space = SearchSpace([Continuous(name, 0, 1) for name in "abcd"], ["a + b + c + d == 1", *extra])
    rows = space.sample_rows(4000, np.random.default_rng(6))
    reference = np.random.default_rng(7).dirichlet(np.ones(4), 40_000)
    reference = reference[space.region.feasible(reference)]
    assert rows.mean(axis=0) == pytest.approx(reference.mean(axis=0), abs=0.015)
    assert rows.std(axis=0) == pytest.approx(reference.std(axis=0), abs=0.015)


def test_sparse_points_leave_ingredients_out(vials: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    absent = (vials.sample_rows(300, rng, sparse=True)[:, 2:] == 0).sum(axis=1)
    assert absent.min() >= 4
    assert (vials.sample_rows(300, rng)[:, 2:] == 0).sum(axis=1).mean() < absent.mean() / 2


def test_sampling_many_rows_is_quick_where_rejection_would_fail(vials: SearchSpace) -> None:
    rows = vials.sample_rows(5000, np.random.default_rng(0))
    assert vials.region.feasible(rows).all()
    assert len(np.unique(rows, axis=0)) > 4900


def test_sobol_is_even_and_continues(vials: SearchSpace) -> None:
    space = SearchSpace([Continuous("a", 0, 1), Continuous("b", 1, 100, scale="log")])
    codes = space.encode(space.sobol(64, seed=3))
    for column in codes.T:
        assert np.histogram(column, bins=8, range=(0, 1))[0].tolist() == [8] * 8
    assert space.sobol(6, seed=3)[2:] == space.sobol(4, seed=3, skip=2)
    assert space.sobol(4, seed=4) != space.sobol(4, seed=3)
    assert all(vials.contains(point) for point in vials.sobol(20))


@pytest.mark.parametrize(
    ("constraints", "reason"),
    [
        (["a + b >= 3"], "cannot hold: within the bounds the sum is at most 2"),
        (["a + b <= -1"], "cannot hold: within the bounds the sum is at least 0"),
        (["a + b <= .5", "a >= .4", "b >= .3"], "contradict each other: 'a \\+ b <= .5' and 'a >= .4' and 'b >= .3'"),
        (["a + b == .525"], "no level of the grids satisfies 'a \\+ b == .525'"),
        (["a - b >= 0.51", "a + b <= 0.5"], "contradict"),
    ],
)
def test_says_why_a_space_is_empty(constraints: list[str], reason: str) -> None:
    space = SearchSpace([Continuous(name, 0, 1, step=0.05) for name in "ab"], constraints)
    assert space.size() == 0
    with pytest.raises(EmptySearchSpace, match=reason):
        raise EmptySearchSpace(space.is_empty() or "")
    with pytest.raises(EmptySearchSpace):
        space.sample(1, np.random.default_rng(0))
    with pytest.raises(EmptySearchSpace):
        space.snap({"a": 0.5, "b": 0.5})


def test_an_idle_constraint_is_not_blamed() -> None:
    space = SearchSpace([Continuous(name, 0, 1) for name in "abc"], ["a + b <= 1", "a >= 0.7", "b >= 0.6", "c <= 0.9"])
    assert "c <= 0.9" not in (space.is_empty() or "")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SearchSpace([]), "at least one"),
        (lambda: SearchSpace([Integer("a", 0, 1), Continuous("a", 0, 1)]), "two parameters are called 'a'"),
        (lambda: SearchSpace([Integer("a", 0, 1)], "a <= 1"), "list of constraints"),
        (lambda: SearchSpace([Integer("a", 0, 1)], [3]), "text or a LinearConstraint"),  # type: ignore[list-item]
        (lambda: SearchSpace([Categorical("s", ["x"]), Integer("a", 0, 1)], ["a + s <= 1"]), "'s' is categorical"),
        (
            lambda: SearchSpace(
                [Integer("width", 0, 1)], [LinearConstraint(coefficients={"widht": 1}, relation="<=", bound=1)]
            ),
            "did you mean 'width'",
        ),
        (lambda: SearchSpace([Integer("a", 0, 1)], candidates=[{"b": 1}]), "candidate 0: parameter 'a' is missing"),
        (lambda: SearchSpace([Integer("a", 0, 1)], candidates=[{"a": 7}]), "none of 1 candidates"),
        (lambda: SearchSpace([Integer("a", 0, 1)], candidates=[]), "none of 0 candidates"),
    ],
)
def test_refuses_what_makes_no_sense(make, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


def test_names_every_violation() -> None:
    space = SearchSpace([Continuous("a", 0, 1), Integer("b", 0, 5), Categorical("s", ["x"])], ["a + b <= 2"])
    assert len(space.violations({"a": 2.0, "b": 1.5, "s": "z"})) == 3
    assert space.violations({"a": 0.5, "s": "x"}) == ["parameter 'b' is missing"]
    assert space.violations({"a": 0.5, "b": 1, "s": "x", "t": 0}) == ["unknown parameter 't'; known: a, b, s"]
    assert "'a + b <= 2'" in space.violations({"a": 0.5, "b": 4, "s": "x"})[0]


def test_a_pool_holds_only_its_rows() -> None:
    rows = [{"a": 0.1, "s": "x"}, {"a": 0.35, "s": "y"}, {"a": 0.1, "s": "x"}, {"a": 3.0, "s": "x"}]
    space = SearchSpace([Continuous("a", 0, 1, step=0.25), Categorical("s", ["x", "y"])], candidates=rows)
    assert (space.size(), space.left_out) == (2, 1)
    assert list(space.enumerate()) == rows[:2]
    assert space.contains(rows[1])
    assert space.violations({"a": 0.25, "s": "y"}) == ["the point is none of the measured pool"]
    assert space.snap({"a": 0.3, "s": "y"}) == rows[1]
    assert {tuple(point.values()) for point in space.sample(50, np.random.default_rng(0))} == {(0.1, "x"), (0.35, "y")}
    assert all(space.contains(point) for point in space.sobol(5))


def test_equal_points_have_equal_keys_whatever_rounding_did() -> None:
    space = SearchSpace([Continuous("a", 0, 1, step=0.1), Continuous("b", -1, 1)])
    rows = np.array([[0.3, 0.0], [0.1 + 0.2, -0.0], [0.4, 0.0], [0.3, 1e-4]])
    keys = space.keys(rows)
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_a_space_without_a_point_can_be_looked_at_and_is_refused_by_a_planner() -> None:
    space = SearchSpace([Continuous("a", 0, 1), Continuous("b", 0, 1)], ["a + b >= 3"])
    assert "a + b >= 3" in str(space.is_empty())
    with pytest.raises(EmptySearchSpace, match="cannot hold"):
        Planner(space, [Objective("y", "maximize")])


def test_a_part_that_is_held_is_encoded_and_keyed_as_the_whole():
    space = SearchSpace(
        [Continuous("t", 300, 900), Continuous("a", 0, 1), Integer("n", 1, 3), Categorical("s", ["x", "y"])],
        ["t + 100*n <= 1000", "a * n <= 2"],
    )
    part = space.held({"t": 650.0, "s": "y"})
    points = part.sample(50, np.random.default_rng(0))
    assert {(p["t"], p["s"]) for p in points} == {(650.0, "y")}
    assert all(space.contains(p) and p["n"] <= 3 for p in points)
    rows = space.rows(points)
    np.testing.assert_array_equal(part.encode_rows(rows), space.encode_rows(rows))
    assert part.keys(rows) == space.keys(rows)
    assert not part.region.feasible(space.rows([{"t": 700.0, "a": 0.5, "n": 1, "s": "y"}]))[0]


@pytest.mark.parametrize(
    ("shared", "says"),
    [("t", "put this one into brackets"), (["u"], "no parameter 'u'"), (["t", "a"], "leave one out")],
)
def test_what_cannot_be_shared(shared, says):
    with pytest.raises(SpaceError, match=says):
        SearchSpace([Continuous("t", 300, 900), Continuous("a", 0, 1)], shared=shared)
