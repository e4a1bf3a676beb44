from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import (
    BadObservation,
    BadOption,
    Categorical,
    Continuous,
    EmptySearchSpace,
    Integer,
    NotEnoughData,
    Objective,
    Observation,
    Planner,
    Proposal,
    SearchSpace,
    SearchSpaceExhausted,
    UnknownProposal,
)

MAXIMIZE = [Objective("y", "maximize")]


def mixed() -> SearchSpace:
    return SearchSpace(
        [
            Continuous("temperature", 300.0, 900.0, unit="degC"),
            Integer("cycles", 1, 10),
            Categorical("solvent", ["water", "ethanol"]),
        ],
        ["temperature + 50*cycles <= 1000"],
    )


def truth(point: Any) -> float:
    return -(((point["temperature"] - 600) / 150) ** 2) + 0.1 * point["cycles"] + (point["solvent"] == "water")


def told(proposal: Proposal, **kwargs: Any) -> Observation:
    return Observation(
        parameters=proposal.parameters,
        proposal_id=proposal.id,
        **({"values": {"y": truth(proposal.parameters)}} | kwargs),
    )


def test_the_public_face() -> None:
    space = SearchSpace(
        [
            Continuous("temperature", 300.0, 900.0, unit="degC"),
            Integer("cycles", 1, 10),
            Categorical("solvent", ["water", "ethanol"]),
        ]
    )
    planner = Planner(space, [Objective("yield", "maximize")], seed=0)
    proposal = planner.ask(1)[0]
    assert {name: type(value) for name, value in proposal.parameters.items()} == {
        "temperature": float,
        "cycles": int,
        "solvent": str,
    }
    planner.tell([Observation(parameters=proposal.parameters, values={"yield": 0.41})])
    assert planner.pending == ()
    proposal = planner.ask()[0]
    planner.tell([Observation(parameters=proposal.parameters, failure="no film")])
    best = planner.best()
    assert best is not None
    assert best.values == {"yield": 0.41}


def test_finds_the_best_recipe_of_a_mixed_space() -> None:
    planner = Planner(mixed(), MAXIMIZE, seed=1)
    for _ in range(22):
        planner.tell([told(proposal) for proposal in planner.ask(1)])
    best = planner.best()
    assert best is not None
    assert best.values["y"] > 1.7, "the greatest value is 1.77, at about 617 degC, 7 cycles, water"
    assert best.parameters["solvent"] == "water"
    assert all(mixed().contains(observation.parameters) for observation in planner.observations)


def test_minimises_what_is_to_be_minimised() -> None:
    planner = Planner(mixed(), [Objective("y", "minimize")], seed=1)
    for _ in range(14):
        proposal = planner.ask(1)[0]
        planner.tell([told(proposal, values={"y": -truth(proposal.parameters)})])
    best = planner.best()
    assert best is not None
    assert best.values["y"] == min(observation.values["y"] for observation in planner.observations) < -1.4


ACTIONS = st.lists(st.sampled_from(["ask", "ask3", "tell", "fail", "discard", "stray"]), min_size=1, max_size=14)


@settings(max_examples=12)
@given(ACTIONS, st.sampled_from(["random", "sobol", "grid", "logei"]), st.integers(0, 99))
def test_a_rebuilt_planner_proposes_the_same(actions: list[str], policy: str, seed: int) -> None:
    options = {"start": 3} if policy == "logei" else {}
    first = Planner(mixed(), MAXIMIZE, seed=seed, policy=policy, options=options)
    again = Planner(mixed(), MAXIMIZE, seed=seed, policy=policy, options=options)
    for action in actions:
        act(first, again, action)
    last = [(proposal.id, proposal.parameters, proposal.reason) for proposal in first.ask(2)]
    assert last == [(proposal.id, proposal.parameters, proposal.reason) for proposal in again.ask(2)]


def act(planner: Planner, again: Planner, action: str) -> None:
    """Do something to a planner, and replay it on one that only adopts."""
    pending = planner.pending
    if action in ("ask", "ask3"):
        again.adopt(planner.ask(3 if action == "ask3" else 1))
    elif action == "stray":
        observation = Observation(parameters=mixed().sobol(1)[0], values={"y": 0.5})
        planner.tell([observation])
        again.tell([observation])
    elif pending and action == "discard":
        planner.discard(pending[0].id)
        again.discard(pending[0].id)
    elif pending:
        observation = told(pending[-1]) if action == "tell" else told(pending[-1], values={}, failure="cracked")
        planner.tell([observation])
        again.tell([observation])


@pytest.mark.parametrize("policy", ["random", "sobol", "grid", "logei", "integrated_variance"])
def test_the_order_of_adopting_all_and_then_telling_all_is_as_good(policy: str) -> None:
    first = Planner(mixed(), MAXIMIZE, seed=5, policy=policy)
    history = []
    for _ in range(4):
        proposals = first.ask(2)
        observations = [told(proposal) for proposal in proposals]
        first.tell(observations)
        history.append((proposals, observations))
    again = Planner(mixed(), MAXIMIZE, seed=5, policy=policy)
    for proposals, _ in history:
        again.adopt(proposals)
    for _, observations in history:
        again.tell(observations)
    assert [p.parameters for p in first.ask(2)] == [p.parameters for p in again.ask(2)]


def test_another_seed_gives_other_points() -> None:
    first, second = (Planner(mixed(), MAXIMIZE, seed=seed, policy="random").ask(1)[0] for seed in (0, 1))
    assert first.parameters != second.parameters


def small() -> SearchSpace:
    return SearchSpace([Integer("a", 0, 3), Integer("b", 0, 3), Categorical("s", ["x", "y"])], ["a + b <= 4"])


@pytest.mark.parametrize("policy", ["random", "sobol", "grid", "logei", "integrated_variance"])
def test_proposes_every_point_once_and_then_says_that_none_is_left(policy: str) -> None:
    planner = Planner(small(), MAXIMIZE, seed=2, policy=policy, options={"start": 8} if policy in ("logei",) else {})
    size = small().size()
    assert size == 26
    seen = []
    with pytest.raises(
        SearchSpaceExhausted, match="no untried point is left: 20 proposals were told, 6 are pending"
    ) as raised:
        while True:
            proposals = planner.ask(5)
            seen += proposals
            if len(seen) <= 20:
                planner.tell(
                    [Observation(parameters=p.parameters, values={"y": float(p.parameters["a"])}) for p in proposals]
                )
    assert len({tuple(proposal.parameters.values()) for proposal in seen}) == len(seen) == size
    assert (raised.value.tried, raised.value.pending, raised.value.size) == (20, 6, 26)
    assert len({proposal.id for proposal in seen}) == size


def test_a_discarded_point_may_be_proposed_again() -> None:
    planner = Planner(SearchSpace([Integer("a", 0, 1)]), MAXIMIZE, policy="grid")
    first, second = planner.ask(2)
    planner.tell([Observation(parameters=second.parameters, values={"y": 1.0})])
    planner.discard(first.id)
    again = planner.ask(1)[0]
    assert (again.parameters, again.id) == (first.parameters, "1-0")


def test_points_that_others_tried_are_not_proposed() -> None:
    planner = Planner(SearchSpace([Integer("a", 0, 9)]), MAXIMIZE, policy="random")
    planner.tell([Observation(parameters={"a": a}, values={"y": 0.0}) for a in range(9)])
    assert planner.ask(3)[0].parameters == {"a": 9}


def test_only_the_pool_is_proposed() -> None:
    pool = [{"a": 0.3}, {"a": 0.7}, {"a": 0.1}]
    for policy in ("random", "sobol", "grid", "logei"):
        planner = Planner(SearchSpace([Continuous("a", 0, 1)], candidates=pool), MAXIMIZE, policy=policy)
        assert sorted(p.parameters["a"] for p in planner.ask(9)) == [0.1, 0.3, 0.7]


def test_predicts_every_target_with_uncertainty() -> None:
    planner = Planner(mixed(), [*MAXIMIZE, Objective("cost", "minimize")], seed=3, policy="sobol")
    with pytest.raises(NotEnoughData, match="'y'"):
        planner.predict([{"temperature": 600.0, "cycles": 3, "solvent": "water"}])
    for proposal in planner.ask(32):
        planner.tell(
            [told(proposal, values={"y": truth(proposal.parameters), "cost": 2.0 * proposal.parameters["cycles"]})]
        )
    points = mixed().sample(40, np.random.default_rng(0))
    found = planner.predict(points)
    assert set(found) == {"y", "cost"}
    errors = found["y"].mean - np.array([truth(point) for point in points])
    assert np.sqrt(np.mean(errors**2)) < 0.3
    assert np.mean(np.abs(errors) < 3 * found["y"].sd) > 0.9
    assert found["cost"].mean == pytest.approx([2.0 * point["cycles"] for point in points], abs=0.5)


def test_learns_from_points_between_the_levels_and_says_so() -> None:
    space = SearchSpace([Continuous("t", 400.0, 1000.0, unit="degC", step=50.0)])
    planner = Planner(space, [Objective("y", "learn")], seed=0)
    proposal = planner.ask(1)[0]
    planner.tell(
        [
            Observation(parameters={"t": proposal.parameters["t"] - d}, values={"y": 1.0}, proposal_id=proposal.id)
            for d in (10.0, 20.0)
        ]
    )
    found = planner.diagnostics()
    assert (found["outside_space"], found["pending"], found["finished"]) == (2, 0, 1)
    assert "no level" in found["outside_space_first"]
    assert planner.best() is None
    assert all(p.parameters != proposal.parameters for p in planner.ask(11))


def test_diagnostics_follow_the_map() -> None:
    planner = Planner(mixed(), [Objective("y", "learn")], seed=0)
    assert planner.diagnostics(with_model=True)["map_uncertainty"] is None
    uncertainty = []
    for _ in range(3):
        planner.tell([told(proposal) for proposal in planner.ask(8)])
        uncertainty.append(planner.diagnostics(with_model=True)["map_uncertainty"]["y"])
    assert uncertainty[2] < uncertainty[0]
    assert planner.diagnostics()["observations"] == 24


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Planner(mixed(), []), BadOption, "at least one objective"),
        (lambda: Planner(mixed(), MAXIMIZE * 2), BadOption, "two objectives are called 'y'"),
        (lambda: Planner(mixed(), MAXIMIZE, policy="logie"), BadOption, "no policy 'logie'; did you mean 'logei'"),
        (lambda: Planner(mixed(), MAXIMIZE, seed=-1), BadOption, "seed"),
        (lambda: Planner(mixed(), MAXIMIZE, options={"stat": 3}), BadOption, "did you mean 'start'"),
        (lambda: Planner(mixed(), MAXIMIZE, policy="random", options={"start": 3}), BadOption, "no option 'start'"),
        (lambda: Planner(mixed(), MAXIMIZE, options={"start": 0}), BadOption, "an integer from 1 to"),
        (lambda: Planner(mixed(), MAXIMIZE, options={"caution": "much"}), BadOption, "must be a number"),
        (lambda: Planner(SearchSpace([Integer("a", 0, 3)], ["a >= 4"]), MAXIMIZE), EmptySearchSpace, "cannot hold"),
        (lambda: Planner(mixed(), MAXIMIZE).ask(0), ValueError, "whole number of points from 1 up"),
        (lambda: Planner(mixed(), MAXIMIZE).best("x"), BadObservation, "no objective is called 'x'"),
        (lambda: Planner(mixed(), MAXIMIZE).discard("0-0"), UnknownProposal, "never given out"),
        (
            lambda: Planner(mixed(), MAXIMIZE).adopt([Proposal(id="abc", parameters={})]),
            UnknownProposal,
            "they read like '3-1'",
        ),
    ],
)
def test_refuses_with_a_sentence(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Observation(parameters={"x": 0.1}, values={"y": 1.0}), "put this one into brackets"),
        ([{}], r"observation 0 is of type dict; give Observation\(parameters"),
        ({"y": 1.0}, "takes a list of observations, not dict"),
        (3.0, "takes a list of observations, not float"),
    ],
    ids=["one", "dicts", "dict", "number"],
)
def test_only_observations_are_told(given, message: str) -> None:
    with pytest.raises(BadObservation, match=message):
        Planner(mixed(), MAXIMIZE).tell(given)


@pytest.mark.parametrize(
    "values", [[5.0] * 9, [0.0] * 9, [1e280] * 9, [1.0] * 5 + [1e280] * 4], ids=["same", "zero", "huge", "mixed"]
)
def test_predictions_of_any_values_are_finite(values: list[float]) -> None:
    planner = Planner(SearchSpace([Continuous("x", 0.0, 1.0)]), MAXIMIZE)
    points = [{"x": float(x)} for x in np.linspace(0.0, 1.0, len(values))]
    planner.tell([Observation(parameters=p, values={"y": v}) for p, v in zip(points, values, strict=True)])
    found = planner.predict([{"x": 0.4}])["y"]
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.sd).all()


def test_a_first_design_fills_a_simplex() -> None:
    names = ("a", "b", "c", "d")
    space = SearchSpace([Continuous(name, 0.0, 1.0) for name in names], ["a + b + c + d == 1"])
    for seed in range(3):
        points = [proposal.parameters for proposal in Planner(space, MAXIMIZE, seed=seed).ask(16)]
        shares = np.array([[point[name] for name in names] for point in points], dtype=float)
        assert (shares.max(axis=1) > 0.95).sum() <= 1, "corners"
        assert (shares.min(axis=1) > 0.005).sum() >= 8, "inside"


@pytest.mark.parametrize("policy", ["logei", "integrated_variance", "random", "sobol", "grid"])
def test_what_is_shared_is_the_same_within_an_ask(policy, tmp_path):
    parameters = [Continuous("t", 300, 900, step=50), Continuous("a", 0, 1), Categorical("s", ["x", "y"])]
    space = SearchSpace(parameters, ["t * a <= 700"], shared=["t", "s"])
    direction = "learn" if policy == "integrated_variance" else "maximize"
    planner = Planner(space, [Objective("y", direction)], seed=2, policy=policy)
    seen = set()
    for number in range(5):
        if number == 3:  # what was saved goes on as it would have
            planner.save(tmp_path / "planner.json")
            again = Planner.load(tmp_path / "planner.json").ask(4)
        batch = planner.ask(4)
        assert number != 3 or again == batch
        common = {(one.parameters["t"], one.parameters["s"]) for one in batch}
        assert len(common) == 1 and len({one.parameters["a"] for one in batch}) == len(batch) > 1
        assert all(space.contains(one.parameters) for one in batch)
        assert all("shares t " in one.reason for one in batch[1:])
        seen |= common
        told = [
            Observation(
                parameters=one.parameters,
                values={"y": -((one.parameters["t"] / 600 - 1) ** 2) - (one.parameters["a"] - 0.3) ** 2},
                proposal_id=one.id,
            )
            for one in batch
        ]
        planner.tell(told)
    assert len(seen) > 1


@pytest.mark.parametrize("policy", ["screening", "cameo"])
def test_policies_that_list_their_points_once_keep_to_what_is_shared(policy):
    rows = [{"t": t, "a": a / 5} for t in (400.0, 500.0, 600.0, 700.0, 800.0) for a in range(6)]
    space = SearchSpace([Continuous("t", 300, 900), Continuous("a", 0, 1)], candidates=rows, shared=["t"])
    objectives = [Objective("y", "maximize")] if policy == "screening" else [Objective("y", "classify")]
    options = {"threshold": 0.9} if policy == "screening" else {"start": 4}
    planner = Planner(space, objectives, seed=1, policy=policy, options=options)
    for _ in range(4):
        batch = planner.ask(4)
        assert len({one.parameters["t"] for one in batch}) == 1 and len(batch) > 1
        assert not any(one.reason.startswith("random") for one in batch)
        planner.tell([_looked_at(one, policy) for one in batch])


def _looked_at(proposal, policy):
    t, a = proposal.parameters["t"], proposal.parameters["a"]
    told = {"parameters": proposal.parameters, "proposal_id": proposal.id}
    if policy == "screening":
        return Observation(values={"y": a * t / 800.0}, **told)
    peak = np.exp(-0.5 * ((np.arange(60) - (20 if t < 550 else 40)) / 2.0) ** 2)
    return Observation(values={}, fingerprints={"y": 5.0 + 100.0 * peak}, **told)


def test_a_pool_shares_what_its_rows_have_in_common():
    rows = [{"t": float(t), "a": a / 10} for t in (500, 600) for a in range(3)]
    space = SearchSpace([Continuous("t", 300, 900), Continuous("a", 0, 1)], candidates=rows, shared=["t"])
    planner = Planner(space, [Objective("y", "maximize")], seed=0, policy="random")
    batches = [planner.ask(4), planner.ask(4)]
    assert [len(batch) for batch in batches] == [3, 3], "fewer where fewer are left beside the first"
    assert all(len({one.parameters["t"] for one in batch}) == 1 for batch in batches)
    with pytest.raises(SearchSpaceExhausted):
        planner.ask(1)
