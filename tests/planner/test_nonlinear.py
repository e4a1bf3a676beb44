"""Constraints that are not linear: read, sampled, searched, saved, and never violated."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import (
    Categorical,
    ConstraintError,
    Continuous,
    EmptySearchSpace,
    Integer,
    NonlinearConstraint,
    Objective,
    Observation,
    Planner,
    SearchSpace,
    SpaceError,
    parse_nonlinear,
)

NAMES = ["a", "b", "wall time"]


def holds(text, **values):
    found = parse_nonlinear(text, list(values))
    return bool(found.holds({name: np.array([float(value)]) for name, value in values.items()})[0])


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("a * b <= 6", {"a": 2, "b": 3}, {"a": 2, "b": 3.001}),
        ("a / b >= 2", {"a": 4, "b": 2}, {"a": 4, "b": 2.1}),
        ("1 <= a * b <= 2", {"a": 1, "b": 1.5}, {"a": 1, "b": 0.9}),
        ("a^2 + b**2 <= 25", {"a": 3, "b": 4}, {"a": 3.01, "b": 4}),
        ("-a^2 >= -4", {"a": 2}, {"a": 2.01}),
        ("2^a^2 <= 16", {"a": 2}, {"a": 2.1}),
        ("sqrt(a) + log10(b) <= 4", {"a": 4, "b": 100}, {"a": 4, "b": 101}),
        ("exp(-a / b) <= 0.5", {"a": 1, "b": 1}, {"a": 0.5, "b": 1}),
        ("max(a, b, 3) - min(a, b) <= 2", {"a": 1, "b": 2}, {"a": 0.9, "b": 2}),
        ("abs(a - b) <= 1", {"a": 1, "b": 2}, {"a": 1, "b": 2.1}),
        ("log(a) <= 5", {"a": 1}, {"a": -1}),
        ("1 / a <= 5", {"a": 1}, {"a": 0}),
    ],
)
def test_what_holds_and_what_does_not(text, good, bad):
    assert holds(text, **good)
    assert not holds(text, **bad)
    found = parse_nonlinear(text, list(good))
    assert found.violation(good) is None
    assert found.text in found.violation(bad)


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("a * b == 6", 6, "an equality must be linear"),
        ("a * c <= 6", 4, "unknown parameter 'c'"),
        ("sine(a) <= 1", 0, "unknown function 'sine'"),
        ("sqrt(a, b) <= 1", 0, "sqrt takes one value, not 2"),
        ("a * (b <= 6", 4, "never closed"),
        ("sqrt(a <= 6", 4, "never closed"),
        ("a * b < 6", 6, "use <="),
        ("a * b", 5, "expected <= or >="),
        ("a * <= 6", 4, "expected a number or a parameter"),
        ("1 * 2 <= 3", 0, "no parameter is named"),
        ("a * b <= 6 7", 11, "unexpected '7'"),
        ("a * __import__(b) <= 1", 4, "unknown function"),
        ("(" * 200 + "a" + ")" * 200 + " <= 1", 50, "more than 50 levels"),
    ],
)
def test_what_cannot_be_read_says_where(text, position, says):
    with pytest.raises(ConstraintError, match=says) as caught:
        parse_nonlinear(text, NAMES)
    assert caught.value.position == position


@st.composite
def expressions(draw, depth=3):
    """A text, and what Python makes of it, from the values of a, b and the wall time."""
    if depth == 0 or draw(st.booleans()):
        leaves = [(name, lambda told, name=name: told[name.strip("`")]) for name in ("a", "b", "`wall time`")]
        return draw(st.sampled_from([*leaves, ("0.5", lambda _: 0.5), ("1e1", lambda _: 10.0)]))
    (left, by_left), (right, by_right) = (draw(expressions(depth - 1)) for _ in range(2))
    return draw(
        st.sampled_from(
            [
                (f"({left}) + {right}", lambda told: by_left(told) + by_right(told)),
                (f"{left} - ({right})", lambda told: by_left(told) - by_right(told)),
                (f"({left}) * ({right})", lambda told: by_left(told) * by_right(told)),
                (f"({left}) / ({right})", lambda told: by_left(told) / by_right(told)),
                (f"-({left})", lambda told: -by_left(told)),
                (f"abs({left})", lambda told: abs(by_left(told))),
                (f"sqrt({left})", lambda told: math.sqrt(by_left(told))),
                (f"max({left}, {right})", lambda told: max(by_left(told), by_right(told))),
            ]
        )
    )


@settings(max_examples=200, deadline=None)
@given(expressions(), st.floats(-5, 5), st.floats(-5, 5), st.floats(0.1, 5))
def test_expressions_come_to_what_python_says(expression, a, b, wall):
    text, by_hand = expression
    told = {"a": a, "b": b, "wall time": wall}
    try:
        value = by_hand(told)
    except (ValueError, ZeroDivisionError):
        return
    if not math.isfinite(value):  # a quotient by almost nothing
        return
    margin = 1e-6 * (1.0 + abs(value))
    columns = {name: np.array([one]) for name, one in told.items()}
    # a parameter must be named; a times nothing changes nothing
    assert parse_nonlinear(f"{text} + 0*a <= {value:.17g} + {margin:.17g}", NAMES).holds(columns)[0]
    assert not parse_nonlinear(f"{text} + 0*a <= {value:.17g} - {margin:.17g}", NAMES).holds(columns)[0]


def test_a_linear_constraint_stays_linear_and_any_other_is_kept_as_it_is():
    space = SearchSpace([Continuous("a", 0, 5), Continuous("b", 0, 5)], ["a + b <= 6", "a * b <= 4"])
    assert [type(one).__name__ for one in space.constraints] == ["LinearConstraint", "NonlinearConstraint"]
    assert space.violations({"a": 2.5, "b": 2.0}) == ["constraint 'a * b <= 4': 5 exceeds 4"]
    with pytest.raises(ConstraintError, match="unknown parameter 'c'"):
        SearchSpace([Continuous("a", 0, 5)], ["a * c <= 4"])
    with pytest.raises(SpaceError, match="'s' is categorical"):
        SearchSpace([Continuous("a", 0, 5), Categorical("s", ["x", "y"])], ["a * s <= 4"])


def admissible(space, points):
    return all(space.contains(point) for point in points)


def test_what_is_drawn_is_uniform_over_what_is_left():
    space = SearchSpace([Continuous("a", -1, 1), Continuous("b", -1, 1)], ["a^2 + b^2 <= 1", "a + b <= 1"])
    points = space.sample(4000, np.random.default_rng(0))
    assert admissible(space, points)
    inner = np.mean([p["a"] ** 2 + p["b"] ** 2 <= 0.25 for p in points])
    # of the disc a segment beyond a + b = 1 is cut off, of area pi/4 - 1/2
    assert inner == pytest.approx((math.pi / 4) / (math.pi - (math.pi / 4 - 0.5)), abs=0.03)


def test_little_that_is_left_is_found_and_walked_through():
    space = SearchSpace(
        [Continuous("a", 0, 1), Continuous("b", 0, 1), Integer("n", 1, 10)], ["abs(a - b^2) <= 0.002", "n * a <= 3"]
    )
    points = space.sample(300, np.random.default_rng(1))
    assert admissible(space, points)
    assert np.ptp([point["b"] for point in points]) > 0.8 and len({point["n"] for point in points}) > 5


def test_a_grid_is_counted_and_listed():
    space = SearchSpace([Integer("a", 1, 6), Integer("b", 1, 6)], ["a * b <= 6"])
    assert space.size() == 14
    assert len(list(space.enumerate())) == 14 and admissible(space, space.enumerate())


def test_a_mixture_with_a_curve_may_still_leave_parts_out():
    space = SearchSpace(
        [Continuous(name, 0, 5, step=0.25) for name in "abcd"], ["a + b + c + d <= 5", "a * b <= 1", "c / (d + 1) <= 2"]
    )
    points = space.sample(500, np.random.default_rng(2), sparse=True)
    assert admissible(space, points)
    assert np.mean([point["b"] == 0 for point in points]) > 0.2


def test_an_empty_space_says_which():
    space = SearchSpace([Continuous("a", 0, 1), Continuous("b", 0, 1)], ["a * b >= 2"])
    assert "'a * b >= 2'" in space.is_empty()
    with pytest.raises(EmptySearchSpace, match="no point was found that satisfies 'a \\* b >= 2'"):
        Planner(space, [Objective("y", "maximize")])
    linear = SearchSpace([Continuous("a", 0, 1)], ["a >= 2", "a^2 <= 9"])
    assert "'a >= 2'" in linear.is_empty()


@settings(max_examples=30, deadline=None)
@given(st.floats(-2, 8), st.floats(-2, 8))
def test_snapping_ends_inside_and_near(a, b):
    space = SearchSpace([Continuous("a", 0, 5), Continuous("b", 0.1, 5)], ["a * b <= 4"])
    snapped = space.snap({"a": a, "b": b})
    assert space.contains(snapped)
    if space.contains({"a": a, "b": b}):
        assert snapped == pytest.approx({"a": a, "b": b}, abs=1e-9)
    best = min(abs(u - a) + abs(min(5.0, 4.0 / max(u, 1e-9)) - b) for u in np.linspace(0.0, 5.0, 501))
    if a * b > 4 and min(a, b) > 0.8 and max(a, b) < 5:
        assert abs(snapped["a"] - a) + abs(snapped["b"] - b) < best + 0.2


@pytest.mark.parametrize("policy", ["logei", "integrated_variance", "random", "sobol"])
def test_no_proposal_leaves_it_and_the_optimum_on_the_curve_is_found(policy):
    space = SearchSpace(
        [Continuous("t", 300, 900), Continuous("h", 0.5, 24, scale="log"), Integer("n", 1, 4)],
        ["(t - 250) * h * n <= 4000", "t + 10 * h <= 900"],
    )
    direction = "learn" if policy == "integrated_variance" else "maximize"
    planner = Planner(space, [Objective("y", direction)], seed=1, policy=policy)
    for _ in range(8):
        for proposal in planner.ask(3):
            assert space.contains(proposal.parameters)
            p = proposal.parameters
            y = (p["t"] - 250) / 650 + np.log(p["h"]) / 4
            planner.tell([Observation(parameters=p, values={"y": y}, proposal_id=proposal.id)])
    if policy == "logei":
        p = planner.best().parameters
        assert (p["t"] - 250) * p["h"] * p["n"] > 0.9 * 4000


def test_a_saved_planner_goes_on_with_its_curve(tmp_path):
    space = SearchSpace([Continuous("a", 0, 5), Continuous("wall time", 0, 5)], ["1 <= a * `wall time` <= 4"])
    planner = Planner(space, [Objective("y", "maximize")], seed=3)
    for proposal in planner.ask(5):
        planner.tell(
            [
                Observation(
                    parameters=proposal.parameters, values={"y": proposal.parameters["a"]}, proposal_id=proposal.id
                )
            ]
        )
    planner.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert isinstance(again.space.constraints[0], NonlinearConstraint) and len(again.space.constraints) == 1
    assert again.ask(2) == planner.ask(2)
