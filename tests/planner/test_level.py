import numpy as np
import pytest

from planner import BadOption, Continuous, NotEnoughData, Objective, Observation, Planner, SearchSpace
from planner.level import LevelVariance, Straddle, undecided
from surrogate.matern_gp import GP, Kernel

SQUARE = SearchSpace([Continuous("x", 0.0, 1.0), Continuous("y", 0.0, 1.0)])
LEARN = [Objective("f", "learn")]


def process() -> GP:
    X = np.array([[0.1], [0.4], [0.9]])
    return GP(Kernel(np.array([0.3]), 1.0), 0.0, X, np.array([-1.0, 0.1, 1.2]), np.full(3, 1e-3))


def test_worth_is_the_weighted_variance_that_a_measurement_removes() -> None:
    gp, everywhere, point = process(), np.linspace(0, 1, 50)[:, None], np.array([[0.55]])
    mean, sd = gp.posterior(everywhere)
    density = np.exp(-0.5 * ((mean - 0.4) / sd) ** 2) / sd
    after = gp.with_pending(point).posterior(everywhere)[1]
    by_hand = np.mean(density * (sd**2 - after**2))
    worth = LevelVariance(gp, 0.4, np.empty((0, 1)), everywhere)
    assert np.exp(worth(point))[0] == pytest.approx(by_hand, rel=1e-6)
    worth.add(point[0], np.random.default_rng(0))
    assert worth(point)[0] < np.log(by_hand) - 2.0


def test_a_straddle_is_greatest_where_the_level_is_open() -> None:
    gp = process()
    places = np.linspace(0, 1, 201)[:, None]
    best = float(places[np.argmax(Straddle(gp, 0.65, np.empty((0, 1)))(places))][0])
    mean, sd = gp.posterior(np.array([[best]]))
    assert abs(mean[0] - 0.65) < 1.96 * sd[0]
    assert 0.4 < best < 0.9


def test_undecided_counts_what_is_neither_nor() -> None:
    assert undecided(np.array([0.01, 0.04, 0.3, 0.96]), 0.05) == 0.25


def height(point) -> float:
    return float(point["x"]) + 0.3 * np.sin(5 * float(point["y"]))


def told(planner: Planner, n: int) -> Planner:
    for _ in range(n):
        one = planner.ask(1)[0]
        planner.tell([Observation(parameters=one.parameters, values={"f": height(one.parameters)}, proposal_id=one.id)])
    return planner


@pytest.mark.parametrize("worth", ["variance", "straddle"])
def test_measurements_gather_at_the_level_and_the_map_is_right(worth: str, tmp_path) -> None:
    options = {"level": 0.5, "worth": worth}
    planner = told(Planner(SQUARE, LEARN, seed=1, policy="level_set", options=options), 22)
    late = [abs(one.values["f"] - 0.5) for one in planner.observations[10:]]
    assert np.median(late) < 0.2
    points = SQUARE.sample(500, np.random.default_rng(0))
    chances, is_above = planner.level(points), np.array([height(point) > 0.5 for point in points])
    assert np.mean((chances > 0.5) == is_above) > 0.95
    assert planner.diagnostics(with_model=True)["undecided"] < 0.1
    planner.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    proposal = planner.ask(1)[0]
    assert again.ask(1)[0] == proposal
    assert "where f passes 0.5" in proposal.reason and "undecided" in proposal.reason


def test_it_says_when_it_is_enough() -> None:
    planner = Planner(SQUARE, LEARN, policy="level_set", options={"level": 3.0, "enough": 0.1})
    assert "it is enough" in told(planner, 16).ask(1)[0].reason


def test_a_pool_too_large_to_score_is_looked_at_first(monkeypatch) -> None:
    from planner.policies import learner

    monkeypatch.setattr(learner, "_MOST_SCORED", 50)
    rows = SQUARE.sample(300, np.random.default_rng(3))
    space = SearchSpace(SQUARE.parameters, candidates=rows)
    planner = told(Planner(space, LEARN, policy="level_set", options={"level": 0.5}), 10)
    assert planner.ask(1)[0].parameters in rows


@pytest.mark.parametrize(
    ("objectives", "options", "says"),
    [
        (LEARN, {}, "needs option 'level'"),
        (LEARN, {"level": "high"}, "must be a number"),
        (LEARN, {"level": 1.0, "worth": "luck"}, "must be one of"),
        ([Objective("f", "maximize")], {"level": 1.0}, "direction 'learn'"),
        ([*LEARN, Objective("g", "learn")], {"level": 1.0}, "one objective"),
    ],
)
def test_refuses_what_is_no_level(objectives, options, says: str) -> None:
    with pytest.raises(BadOption, match=says):
        Planner(SQUARE, objectives, policy="level_set", options=options)


def test_only_this_policy_knows_levels_and_only_once_something_was_told() -> None:
    with pytest.raises(BadOption, match="choose policy 'level_set'"):
        Planner(SQUARE, LEARN).level([{"x": 0.1, "y": 0.2}])
    with pytest.raises(NotEnoughData):
        Planner(SQUARE, LEARN, policy="level_set", options={"level": 1.0}).level([{"x": 0.1, "y": 0.2}])
