from typing import Any

import numpy as np
import pytest

from planner import BadOption, Continuous, NotEnoughData, Objective, Observation, Planner, SearchSpace
from planner.models import TargetModel
from planner.prospect import grown, prospect
from planner.transforms import TargetScale
from surrogate.matern_gp import GP, Kernel

LINE = SearchSpace([Continuous("x", 0.0, 1.0)])
MOST = Objective("y", "maximize")


def model() -> TargetModel:
    """Return a process that knows one value."""
    gp = GP(Kernel(np.array([0.3]), 1.0), 0.0, np.array([[0.0]]), np.array([0.5]), np.array([1e-9]))
    return TargetModel(TargetScale(knee=None, shift=0.0, spread=2.0), gp)


def test_it_is_what_the_joint_posterior_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.prospect.widening", lambda gp: 1.0)
    best, untried = np.array([0.0]), np.array([[0.2], [0.25], [0.9]])
    mean, covariance = model().gp.joint(untried)
    rng = np.random.default_rng(3)
    normal = rng.multivariate_normal(np.zeros(3), covariance, size=200_000)
    draws = mean + normal * np.sqrt(8.0 / rng.chisquare(8.0, size=(200_000, 1)))
    gains = 2.0 * (draws.max(axis=1) - 0.5)
    found = prospect([MOST], {"y": model()}, best, untried, np.ones(3), by=0.4, rng=np.random.default_rng(0))
    assert found.probability == pytest.approx(np.mean(gains > 0.4), abs=0.05)
    assert found.points == 3
    half = prospect([MOST], {"y": model()}, best, untried, np.full(3, 0.5), by=0.4, rng=np.random.default_rng(0))
    assert half.probability == pytest.approx(found.probability / 2, abs=0.05)
    none = prospect([MOST], {"y": model()}, best, untried[:0], np.ones(0), by=0.4, rng=np.random.default_rng(0))
    assert none.probability == 0.0


def heights(peak: float) -> GP:
    """Return a process that knows values at nine independent places, one of which is a peak."""
    X, y = np.linspace(0.0, 90.0, 9)[:, None], np.array([0.0, 0.2, -0.3, 0.1, peak, -0.2, 0.3, -0.1, 0.0])
    return GP(Kernel(np.array([0.3]), 1.0), 0.0, X, y, np.full(9, 1e-9))


@pytest.mark.parametrize(
    ("peak", "upwards", "expected"),
    [(1.0, 1.0, 1.0), (1.75, 1.0, 1.179), (5.0, 1.0, 1.5), (-1.75, -1.0, 1.179), (5.0, -1.0, 1.0), (5.0, 0.0, 1.0)],
    ids=["no surprise", "a peak", "a spire", "a pit", "on the other side", "no side"],
)
def test_a_peak_that_a_normal_process_has_not_makes_others_possible(
    peak: float, upwards: float, expected: float
) -> None:
    # of nine normal values the greatest is expected at 1.485 (Harter, Biometrika 48, 151 (1961))
    assert heights(peak).places == pytest.approx(9.0, abs=1e-6)
    assert grown(heights(peak), upwards) == pytest.approx(expected, abs=0.01)


def told(planner: Planner, xs: np.ndarray, name: str = "y") -> Planner:
    planner.tell([Observation(parameters={"x": float(x)}, values={name: float(-((x - 0.4) ** 2))}) for x in xs])
    return planner


@pytest.mark.parametrize("policy", ["auto", "random", "mobile_chemist"])
def test_what_is_still_to_be_had_shrinks_as_more_is_known(policy: str) -> None:
    early = told(Planner(LINE, [MOST], policy=policy), np.array([0.0, 0.95])).prospect(by=0.01)
    late = told(Planner(LINE, [MOST], policy=policy), np.linspace(0, 1, 16)).prospect(by=0.01)
    assert early.probability > 0.5
    assert late.probability < 0.02
    assert late.gain <= early.gain


def test_it_asks_nothing_of_the_planner_that_changes_it() -> None:
    planner, other = (told(Planner(LINE, [MOST]), np.linspace(0, 1, 6)) for _ in range(2))
    first = planner.prospect()
    assert planner.prospect() == first
    assert planner.ask(1) == other.ask(1)


def test_once_a_window_is_hit_nothing_is_better() -> None:
    window = Objective("y", "window", low=-0.1, high=0.0)
    assert told(Planner(LINE, [window]), np.linspace(0, 1, 8)).prospect().probability < 0.05
    far = Objective("y", "target", target=-0.02, tolerance=0.001)
    assert told(Planner(LINE, [far]), np.array([0.0, 0.9, 1.0])).prospect(by=0.005).probability > 0.5


def test_limits_and_failures_count() -> None:
    limit = Objective("i", "at_most", limit=0.25)
    planner = Planner(LINE, [MOST, limit])
    for x in np.linspace(0, 0.5, 6):  # y rises with x, and what keeps to the limit ends at 0.25
        planner.tell([Observation(parameters={"x": float(x)}, values={"y": float(x), "i": float(x)})])
    limited = planner.prospect(by=0.1).probability
    free = Planner(LINE, [MOST])
    for x in np.linspace(0, 0.5, 6):
        free.tell([Observation(parameters={"x": float(x)}, values={"y": float(x)})])
    before = free.prospect(by=0.1).probability
    assert before > 0.5
    assert limited < 0.75 * before
    for x in np.linspace(0.55, 1.0, 6):
        free.tell([Observation(parameters={"x": float(x)}, failure="cracked")])
    assert free.prospect(by=0.1).probability < 0.5 * before


def test_of_a_pool_that_is_tried_nothing_is_left() -> None:
    pool = [{"x": 0.1 * index} for index in range(5)]
    planner = Planner(SearchSpace(LINE.parameters, candidates=pool), [MOST])
    planner.tell([Observation(parameters=point, values={"y": point["x"]}) for point in pool])
    assert planner.prospect().points == 0


def test_what_is_pending_counts_as_untried() -> None:
    pool = [{"x": 0.1 * index} for index in range(6)]
    planner = Planner(SearchSpace(LINE.parameters, candidates=pool), [MOST])
    planner.tell([Observation(parameters=point, values={"y": point["x"]}) for point in pool[:4]])
    before = planner.prospect(by=0.01)
    planner.ask(2)
    after = planner.prospect(by=0.01)
    assert before.points == after.points == 2
    assert after.probability == pytest.approx(before.probability, abs=0.05)


def test_what_has_no_answer_is_refused() -> None:
    with pytest.raises(NotEnoughData):
        Planner(LINE, [MOST]).prospect()
    with pytest.raises(ValueError, match="from 0 up"):
        Planner(LINE, [MOST]).prospect(by=-1.0)
    with pytest.raises(BadOption, match="no best value"):
        Planner(LINE, [Objective("y", "learn")]).prospect()
    with pytest.raises(BadOption, match="give them desirabilities"):
        Planner(LINE, [MOST, Objective("z", "minimize")]).prospect()
    wishes = [Objective(name, "maximize", desirability=(-1.0, 0.0)) for name in "yz"]
    planner = Planner(LINE, wishes)
    for x in (0.1, 0.9, 0.5, 0.3, 0.7, 0.0, 1.0, 0.2, 0.4, 0.8, 0.6):
        planner.tell([Observation(parameters={"x": x}, values={"y": -x, "z": x - 1})])
    assert planner.prospect(by=0.1).probability < 0.1


def test_a_result_that_says_there_is_nothing_left_is_not_believed_at_once() -> None:
    xs = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.1, 0.3, 0.5, 0.7, 0.9]
    planner = Planner(LINE, [MOST])
    looks = []
    for x in xs:
        planner.tell([Observation(parameters={"x": x}, values={"y": float(-((x - 0.4) ** 2))})])
        if len(planner.observations) >= 4:
            policy: Any = planner._policy
            data = planner._data()
            known = set(LINE.keys(LINE.rows([one.parameters for one in data.observations])))
            rng = np.random.default_rng([0, 0, len(data.observations)])
            looks.append((policy._policy._prospect(data, known, 0.05, rng).probability, planner.prospect(by=0.05)))
    assert any(found.probability > alone for alone, found in looks)
    assert all(found.probability >= alone for alone, found in looks)
    assert looks[-1][1].probability < 0.05
