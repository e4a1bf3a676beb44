from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import BadOption, Categorical, Continuous, Objective, Observation, Planner, SearchSpace
from planner.errors import SearchSpaceExhausted
from planner.policies.base import PlannerData
from planner.repeats import log_gain_of_recommended, repeatable
from surrogate.matern_gp import GP, Kernel

MOST = Objective("y", "maximize")
KNOWN = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
"""Where the middle of a valley was measured well; its ends, at 0 and 1, are the best, and known badly."""


def line(**more: Any) -> SearchSpace:
    return SearchSpace([Continuous("x", 0.0, 1.0)], **more)


def gp(noise: float) -> GP:
    X, y = np.array([[0.1], [0.5], [0.9]]), np.array([0.9, -1.0, 1.0])
    return GP(Kernel(np.array([0.2]), 1.0), 0.0, X, y, np.full(3, noise))


@pytest.mark.parametrize("point", [0.1, 0.9, 0.5, 0.3, 0.7], ids=str)
def test_the_gain_is_what_draws_of_the_next_result_say(point: float) -> None:
    one, at, noise = gp(0.3), np.array([[point]]), 0.4
    known = one.X if point in one.X else np.vstack([one.X, at])
    before = one.posterior(one.X)[0].max()
    mean, sd = one.posterior(at)
    values = mean + np.sqrt(sd**2 + noise) * np.random.default_rng(0).standard_normal(4000)
    after = [
        GP(one.kernel, 0.0, np.vstack([one.X, at]), np.append(one.y, v), np.append(one.noise, noise)) for v in values
    ]
    gains = [each.posterior(known)[0].max() - before for each in after]
    found = np.exp(log_gain_of_recommended(one, one.X, at, np.array([noise])))
    assert found[0] == pytest.approx(np.mean(gains), abs=4.0 * np.std(gains) / np.sqrt(len(gains)))


def test_what_is_known_exactly_gains_nothing_from_a_repeat_and_what_is_not_does() -> None:
    gains = [
        np.exp(log_gain_of_recommended(gp(v), gp(v).X, np.array([[0.1], [0.3]]), np.full(2, v))) for v in (1e-9, 1)
    ]
    assert gains[0][0] < 1e-9 < gains[0][1]
    assert gains[1][0] > 0.05


def valley(replicates: int, *new: float) -> Planner:
    """Return a planner that knows two rivals badly, and of new points that they are far worse."""
    pool = [{"x": x} for x in (0.0, 1.0, *KNOWN, *new)]
    planner = Planner(line(candidates=pool), [MOST], seed=0, options={"start": 1, "replicates": replicates})
    told = [(0.0, 1.0, 0.8), (1.0, 1.1, 0.8), *((x, 20.0 * (x - 0.5) ** 2 - 4.0, 0.01) for x in KNOWN)]
    planner.tell([Observation(parameters={"x": x}, values={"y": y}, noise={"y": sd}) for x, y, sd in told])
    return planner


def wide(replicates: int) -> Planner:
    return valley(replicates, 0.35, 0.45, 0.55)


def test_a_repeat_is_proposed_where_it_is_worth_more_and_says_so() -> None:
    (again,) = wide(3).ask(1)
    assert again.is_repeat and again.parameters["x"] in (0.0, 1.0)
    assert again.reason.startswith("again, as measurement 2 of this recipe: ")
    (new,) = wide(1).ask(1)
    assert new.parameters["x"] in (0.35, 0.45, 0.55) and not new.is_repeat


def test_once_all_is_tried_it_is_over_as_ever() -> None:
    with pytest.raises(SearchSpaceExhausted):
        valley(3).ask(1)


def test_what_is_pending_and_what_stands_before_it_in_a_batch_counts() -> None:
    planner = wide(2)
    batch = planner.ask(3)
    again = [one.parameters["x"] for one in batch if one.is_repeat]
    assert sorted(again) == [0.0, 1.0]  # each once more, and no more than that
    later = planner.ask(1)
    assert later[0].parameters["x"] not in again
    planner.discard(batch[0].id)
    assert planner.ask(1)[0].parameters["x"] == batch[0].parameters["x"]


def test_a_repeat_is_told_like_any_other_result() -> None:
    planner = wide(3)
    for proposal in planner.ask(2):
        planner.tell(
            [Observation(parameters=proposal.parameters, values={"y": 1.0}, noise={"y": 0.5}, proposal_id=proposal.id)]
        )
    assert not planner.pending
    found = planner.recommended()
    assert found is not None and found.parameters["x"] in (0.0, 1.0) and found.results == 2
    assert "alarms" not in planner.diagnostics()


def test_what_is_forbidden_or_does_not_fit_is_not_repeated() -> None:
    planner = wide(3)
    planner.forbid("left", {"box": {"x": [0.0, 0.1]}})
    assert {one.parameters["x"] for one in planner.ask(2) if one.is_repeat} <= {1.0}


def test_its_own_noise_is_that_of_a_repeat() -> None:
    planner = wide(3)
    data: PlannerData = planner._data()
    model = planner._policy._policy._gps.model(data, "y")  # type: ignore[attr-defined]
    found = repeatable(data, model, "y", np.empty((0, 1)), most=3)
    noise = dict(zip(found.rows[:, 0].tolist(), np.sqrt(found.noise).tolist(), strict=True))
    assert noise[0.0] == pytest.approx(80.0 * noise[0.5], rel=1e-6)
    assert found.counts.tolist() == [1] * len(found.rows)


def test_a_saved_planner_knows_its_repeats(tmp_path: Path) -> None:
    planner = wide(3)
    asked = planner.ask(2)
    planner.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert again.pending == tuple(asked) and any(one.is_repeat for one in again.pending)
    assert again.ask(2) == planner.ask(2)


@pytest.mark.parametrize(
    ("objectives", "policy", "message"),
    [
        ([MOST, Objective("z", "at_most", limit=1.0)], "auto", "one objective"),
        ([Objective("y", "target", target=1.0)], "logei", "one objective"),
        ([Objective("y", "learn")], "auto", "'integrated_variance' weighs no repeats"),
        ([MOST], "transfer", "'transfer' weighs no repeats"),
    ],
    ids=["limits", "target", "map", "transfer"],
)
def test_where_repeats_cannot_be_weighed_the_option_is_refused(
    objectives: list[Objective], policy: str, message: str
) -> None:
    with pytest.raises(BadOption, match=message):
        Planner(line(), objectives, policy=policy, options={"replicates": 2})
    with pytest.raises(BadOption, match="an integer from 1 to 1000"):
        Planner(line(), [MOST], options={"replicates": 0})


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["tell", "late", "fail", "lose"])), max_size=7),
    most=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_whatever_happens_only_repeats_that_say_so_come_twice(
    steps: list[tuple[int, str]], most: int, seed: int
) -> None:
    space = SearchSpace([Categorical("s", ["a", "b", "c", "d"]), Continuous("x", 0.0, 1.0, step=0.5)])
    planner = Planner(space, [MOST], seed=seed, options={"start": 2, "replicates": most})
    rng, given_out, with_result = np.random.default_rng(seed), Counter[bytes](), set[bytes]()
    for n, what in steps:
        try:
            batch = planner.ask(n)
        except SearchSpaceExhausted:
            break
        for proposal in batch:
            key = space.keys(space.rows([proposal.parameters]))[0]
            assert not space.violations(proposal.parameters)
            assert proposal.is_repeat == (given_out[key] > 0)
            assert not proposal.is_repeat or key in with_result
            given_out[key] += 1
            assert given_out[key] <= most
        for proposal in reversed(batch):
            key = space.keys(space.rows([proposal.parameters]))[0]
            if what == "lose":
                planner.discard(proposal.id)
                given_out[key] -= 1
            elif what == "fail":
                told = Observation(parameters=proposal.parameters, failure="it broke", proposal_id=proposal.id)
                planner.tell([told])
            elif what == "tell":
                values = {"y": float(rng.standard_normal())}
                planner.tell([Observation(parameters=proposal.parameters, values=values, proposal_id=proposal.id)])
                with_result.add(key)
