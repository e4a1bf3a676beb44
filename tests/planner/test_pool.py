import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner import Categorical, Continuous, EmptySearchSpace, Integer, Objective, Observation, Planner, SearchSpace
from planner import SpaceError as Refused
from planner.policies import learner
from planner.pool import Members, in_chunks

PARAMETERS = [Continuous("a", 0.0, 1.0), Integer("k", 1, 9), Categorical("s", ["x", "y"])]


def table(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"a": rng.random(n).round(3), "k": rng.integers(1, 10, n), "s": rng.choice(["x", "y"], n)}


def test_columns_are_the_same_pool_as_points() -> None:
    columns = table(200)
    points = [{"a": float(a), "k": int(k), "s": str(s)} for a, k, s in zip(*columns.values(), strict=True)]
    by_column, by_point = (SearchSpace(PARAMETERS, ["k <= 7"], candidates=given) for given in (columns, points))
    assert by_column.pool is not None
    assert by_column.pool.tolist() == np.asarray(by_point.pool).tolist()
    assert by_column.left_out == by_point.left_out > 0
    frame = SearchSpace(PARAMETERS, ["k <= 7"], candidates=pd.DataFrame(columns))
    assert np.asarray(frame.pool).tolist() == by_column.pool.tolist()
    assert all(by_column.contains(point) == (point["k"] <= 7) for point in points)
    assert not by_column.contains({"a": 0.12345, "k": 3, "s": "x"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": None}, "candidates: parameter 'a' is missing"),
        ({"aa": np.zeros(5)}, "candidates: unknown parameter 'aa'"),
        ({"a": np.array([0.1, np.nan, 0.2, 0.3, 0.4])}, "candidate 1: parameter 'a': nan is no finite number"),
        ({"a": np.array(["much"] * 5)}, "candidates: parameter 'a': 'much' is no finite number"),
        ({"a": np.array([0.1, None, 0.2, 0.3, "b"], dtype=object)}, "candidates: parameter 'a': None is no finite"),
        ({"s": np.array(["x", "z", "x", "y", "y"])}, "candidates: parameter 's': 'z' is none of its values"),
        ({"k": np.arange(1, 4)}, "candidates: column 'k' has 3 values, 'a' has 5"),
        ({"k": np.zeros(0), "a": np.zeros(0), "s": np.zeros(0)}, "none of 0 candidates"),
    ],
)
def test_tables_that_make_no_sense_are_refused(change: dict[str, np.ndarray | None], message: str) -> None:
    columns = {name: column for name, column in {**table(5), **change}.items() if column is not None}
    with pytest.raises((Refused, EmptySearchSpace), match=message):
        SearchSpace(PARAMETERS, candidates=columns)


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=30))
def test_members_are_what_was_given(pairs: list[tuple[int, int]]) -> None:
    members = Members(np.array(pairs, dtype=float))
    assert len(members.first) == len(set(pairs))
    assert {pairs[place] for place in members.first} == set(pairs)
    assert [pairs.index(pairs[place]) for place in members.first] == members.first.tolist(), "the first of each"
    for a in range(-3, 4):
        for b in range(-3, 4):
            assert (np.array([float(a), float(b)]) in members) == ((a, b) in pairs)


@given(st.integers(1, 40), st.integers(1, 50))
def test_chunks_change_nothing(n: int, size: int) -> None:
    rows = np.arange(2.0 * n).reshape(n, 2)
    assert in_chunks(lambda some: some.sum(axis=1), rows, size).tolist() == rows.sum(axis=1).tolist()
    twice = in_chunks(lambda some: np.array([some[:, 0], some[:, 1]]), rows, size)
    assert twice.tolist() == rows.T.tolist()


def value(point: dict[str, object]) -> float:
    return (float(point["a"]) - 0.3) ** 2 + 0.02 * abs(int(point["k"]) - 4) + 0.1 * (point["s"] == "x")  # type: ignore[arg-type, call-overload]


@pytest.mark.parametrize("fails", [False, True])
def test_a_large_pool_is_searched_whole(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    monkeypatch.setattr(learner, "_MOST_SCORED", 200)
    monkeypatch.setattr(learner, "_CHUNK", 700)
    space = SearchSpace(PARAMETERS, candidates=table(8000))
    assert space.pool is not None
    planner = Planner(space, [Objective("y", "minimize")], seed=1)
    seen: set[bytes] = set()
    for _ in range(16):
        batch = planner.ask(2)
        keys = space.keys(space.rows([p.parameters for p in batch]))
        assert all(space.contains(p.parameters) for p in batch)
        assert not seen & set(keys)
        seen.update(keys)
        for proposal in batch:
            failed = fails and float(proposal.parameters["a"]) > 0.8
            values = {} if failed else {"y": value(proposal.parameters)}
            told = Observation(
                parameters=proposal.parameters,
                values=values,
                failure="burnt" if failed else None,
                proposal_id=proposal.id,
            )
            planner.tell([told])
    best = planner.best()
    assert best is not None
    assert best.values["y"] < 0.01, "of 8,000 points one in a hundred is as good"


def test_of_an_enormous_pool_others_are_looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "_MOST_SCORED", 100)
    monkeypatch.setattr(learner, "_MOST_LOOKED_AT", 300)
    space = SearchSpace(PARAMETERS, candidates=table(4000))
    planner = Planner(space, [Objective("y", "minimize"), Objective("z", "maximize")], seed=1)
    for point in space.sample(10, np.random.default_rng(0)):
        planner.tell([Observation(parameters=point, values={"y": value(point), "z": float(point["a"])})])
    asked = [proposal.parameters for _ in range(4) for proposal in planner.ask(2)]
    assert all(space.contains(point) for point in asked)
    assert len({tuple(point.values()) for point in asked}) == 8


@pytest.mark.parametrize("policy", ["uncertainty", "integrated_variance"])
def test_learning_from_a_large_pool(monkeypatch: pytest.MonkeyPatch, policy: str) -> None:
    monkeypatch.setattr(learner, "_MOST_SCORED", 100)
    space = SearchSpace(PARAMETERS, candidates=table(4000))
    planner = Planner(space, [Objective("y", "learn")], seed=1, policy=policy)
    for point in space.sample(10, np.random.default_rng(0)):
        planner.tell([Observation(parameters=point, values={"y": value(point)})])
    proposal = planner.ask(1)[0]
    sds = planner.predict(space.sample(200, np.random.default_rng(2)))["y"].sd
    assert proposal.predictions["y"].sd > np.median(sds)
