from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

from planner import BadOption, Continuous, Objective, Observation, Planner, SearchSpace

Truth = Callable[[np.ndarray], float]

MAXIMIZE = [Objective("y", "maximize")]


def box(d: int) -> SearchSpace:
    return SearchSpace([Continuous(f"x{i}", 0.0, 1.0) for i in range(d)])


def bump(x: np.ndarray) -> float:
    return float(np.exp(-np.sum((x - 0.3) ** 2) / 0.05))


def run(planner: Planner, truth: Truth, n: int, *, fails: Callable[[np.ndarray], bool] = lambda x: False) -> list[bool]:
    """Run n trials one by one; return which of them failed."""
    noise, failed = np.random.default_rng(1), []
    for _ in range(n):
        proposal = planner.ask(1)[0]
        x = planner.space.rows([proposal.parameters])[0]
        failed.append(fails(x))
        values = {} if failed[-1] else {"y": truth(x) + 0.01 * noise.standard_normal()}
        failure = "cracked" if failed[-1] else None
        planner.tell(
            [Observation(parameters=proposal.parameters, values=values, failure=failure, proposal_id=proposal.id)]
        )
    return failed


def test_optimises_far_better_than_random() -> None:
    reached = {}
    for policy in ("logei", "random"):
        planner = Planner(box(3), MAXIMIZE, seed=0, policy=policy)
        run(planner, bump, 20)
        best = planner.best()
        assert best is not None
        reached[policy] = best.values["y"]
    assert reached["logei"] > 0.95 > reached["random"] + 0.1


def banded(x: np.ndarray) -> bool:
    return bool(abs(np.sin(4 * x[0] + 2 * x[1])) > 0.75)


def beside(x: np.ndarray) -> float:
    """A bump that reaches into a failing band."""
    return float(np.exp(-np.sum((x - np.array([0.7, 0.2, 0.3])) ** 2) / 0.08))


def test_failures_teach() -> None:
    share = np.mean([banded(x) for x in np.random.default_rng(0).random((4000, 3))])
    assert 0.45 < share < 0.55, "what random fails"
    planner = Planner(box(3), MAXIMIZE, seed=0)
    failed = run(planner, beside, 24, fails=banded)
    assert np.mean(failed[6:]) < 0.5 * share
    best = planner.best()
    assert best is not None
    assert best.values["y"] > 0.9
    assert "works with probability" in planner.ask(1)[0].reason


def test_a_missing_result_does_not_scare_it_away() -> None:
    accidents = iter(np.random.default_rng(3).random(60) < 0.1)
    planner = Planner(box(2), MAXIMIZE, seed=0)
    run(planner, bump, 20, fails=lambda x: bool(next(accidents)))
    best = planner.best()
    assert best is not None
    assert best.values["y"] > 0.95


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_an_optimum_beside_a_border_is_found_without_hugging_it(direction: Literal["maximize", "minimize"]) -> None:
    sign = 1.0 if direction == "maximize" else -1.0
    planner = Planner(box(3), [Objective("y", direction)], seed=0)
    failed = run(planner, lambda x: sign * beside(x), 30, fails=lambda x: x[0] > 0.72)
    assert sum(failed[6:]) <= 6
    best = planner.best()
    assert best is not None
    assert sign * best.values["y"] > 0.97


def two_bumps(x: np.ndarray) -> float:
    """A broad bump, and a narrow one of more."""
    return float(0.6 * np.exp(-np.sum((x - 0.25) ** 2) / 0.08) + np.exp(-np.sum((x - 0.8) ** 2) / 0.05))


@pytest.mark.parametrize("seed", [8, 9])
def test_it_does_not_stay_where_no_improvement_could_be_seen(seed: int) -> None:
    """With these seeds the expected improvement alone never leaves the broad bump."""
    planner = Planner(box(3), MAXIMIZE, seed=seed)
    noise, reasons = np.random.default_rng(1), []
    for _ in range(50):
        proposal = planner.ask(1)[0]
        reasons.append("tells most about the whole space" in proposal.reason)
        value = two_bumps(planner.space.rows([proposal.parameters])[0]) + 0.01 * noise.standard_normal()
        planner.tell([Observation(parameters=proposal.parameters, values={"y": value}, proposal_id=proposal.id)])
    best = planner.best()
    assert best is not None
    assert best.values["y"] > 0.95
    assert not any(reasons[:12])
    assert 3 < sum(reasons) < 25


def test_where_everything_fails_it_looks_elsewhere() -> None:
    planner = Planner(box(2), MAXIMIZE, seed=0)
    failed = run(planner, bump, 12, fails=lambda x: x[0] > 0.25)
    assert sum(failed[6:]) < 5


def test_caution_zero_ignores_failures() -> None:
    planner = Planner(box(2), MAXIMIZE, seed=0, options={"caution": 0.0})
    run(planner, bump, 9, fails=lambda x: x[0] > 0.5)
    assert "works with" not in planner.ask(1)[0].reason


def test_a_batch_is_spread_and_admissible(vials: SearchSpace) -> None:
    planner = Planner(vials, MAXIMIZE, seed=0, options={"candidates": 300})
    first = planner.ask(14)
    assert all(proposal.reason == "fills the space" for proposal in first)
    planner.tell([Observation(parameters=p.parameters, values={"y": float(p.parameters["v1"]) ** 2}) for p in first])
    batch = planner.ask(14)
    assert all(vials.contains(proposal.parameters) for proposal in batch)
    assert len({tuple(proposal.parameters.values()) for proposal in first + batch}) == 28
    assert np.mean([float(p.parameters["v1"]) for p in batch]) > np.mean([float(p.parameters["v1"]) for p in first])
    assert all(proposal.predictions["y"].sd > 0 for proposal in batch)


def test_a_batch_begun_while_filling_ends_by_choosing() -> None:
    planner = Planner(box(2), MAXIMIZE, seed=0, options={"start": 5})
    run(planner, bump, 3)
    reasons = [proposal.reason for proposal in planner.ask(4)]
    assert reasons == ["fills the space"] * 2 + ["greatest expected improvement of y"] * 2


def test_pending_points_are_counted_on() -> None:
    planner = Planner(box(1), MAXIMIZE, seed=0)
    run(planner, bump, 6)
    xs = [planner.ask(1)[0].parameters["x0"] for _ in range(4)]
    assert min(abs(a - b) for i, a in enumerate(xs) for b in xs[:i]) > 1e-3


def test_a_map_is_learnt_better_than_by_chance() -> None:
    def wavy(x: np.ndarray) -> float:
        return float(np.sin(6 * x[0]) * np.cos(5 * x[1]))

    points = box(2).sample(200, np.random.default_rng(9))
    truth = np.array([wavy(np.array(list(point.values()))) for point in points])
    errors = {"auto": 0.0, "random": 0.0}
    for policy in errors:
        for seed in range(2):
            planner = Planner(box(2), [Objective("y", "learn")], seed=seed, policy=policy)
            run(planner, wavy, 16)
            errors[policy] += np.sqrt(np.mean((planner.predict(points)["y"].mean - truth) ** 2))
            assert planner.best() is None
    assert errors["auto"] < 0.8 * errors["random"]


def test_uncertainty_goes_where_least_is_known() -> None:
    planner = Planner(box(1), [Objective("y", "learn")], policy="uncertainty", options={"start": 2})
    planner.tell([Observation(parameters={"x0": x}, values={"y": x}) for x in (0.0, 0.1, 0.2, 0.3, 0.35)])
    assert planner.ask(1)[0].parameters["x0"] > 0.9


def test_trades_objectives_off() -> None:
    planner = Planner(
        box(2), [Objective("up", "maximize"), Objective("down", "minimize")], seed=0, options={"start": 6}
    )
    for _ in range(15):
        proposal = planner.ask(1)[0]
        x = planner.space.rows([proposal.parameters])[0]
        values = {"up": float(x[0] - x[1] ** 2), "down": float(x[0] ** 2 + x[1])}
        planner.tell([Observation(parameters=proposal.parameters, values=values)])
    told = np.array([[o.values["up"], o.values["down"]] for o in planner.observations])
    # the front is x1 = 0: up = x0, down = x0 squared
    near_front = told[told[:, 1] - told[:, 0] ** 2 < 0.1]
    assert len(near_front) >= 6
    assert near_front[:, 0].max() > 0.8
    assert near_front[:, 0].min() < 0.3


@pytest.mark.parametrize(
    ("policy", "directions", "message"),
    [
        ("logei", ["learn"], "choose policy 'auto'"),
        ("auto", ["learn", "maximize"], "one planner does one or the other"),
    ],
)
def test_refuses_objectives_that_do_not_suit(policy: str, directions: list, message: str) -> None:
    objectives = [Objective(f"y{i}", direction) for i, direction in enumerate(directions)]
    with pytest.raises(BadOption, match=message):
        Planner(box(2), objectives, policy=policy)


def test_values_of_one_target_may_be_missing() -> None:
    planner = Planner(box(2), [*MAXIMIZE, Objective("z", "minimize")], seed=0, options={"start": 4})
    for i, proposal in enumerate(planner.ask(6)):
        values = {"y": 1.0 * i, "z": 2.0} if i % 2 else {"y": 1.0 * i}
        planner.tell([Observation(parameters=proposal.parameters, values=values, proposal_id=proposal.id)])
    assert set(planner.ask(1)[0].predictions) == {"y", "z"}
