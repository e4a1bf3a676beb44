"""Search spaces of every kind, each with at least one admissible point."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from planner import Categorical, Continuous, Integer, LinearConstraint, SearchSpace

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
    return made, draw(st.floats(made.low, made.high, allow_subnormal=False))


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


@pytest.fixture(scope="session")
def any_space() -> st.SearchStrategy[tuple[SearchSpace, dict[str, Any]]]:
    """A strategy of (space, admissible point)."""
    return spaces()


@pytest.fixture
def vials() -> SearchSpace:
    """Nine volumes that must fit 5 mL, most of which a good recipe leaves out."""
    liquids = [f"v{i}" for i in range(9)]
    axes = [Continuous("solid", 1.0, 5.0, unit="mg", step=0.2)]
    axes += [Continuous(name, 0.25 if name == "v0" else 0.0, 5.0, unit="mL", step=0.25) for name in liquids]
    return SearchSpace(axes, [" + ".join(liquids) + " <= 5"])
