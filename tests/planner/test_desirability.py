import numpy as np
import pytest

from planner import Objective
from planner.desirability import Desire, NoisyLogDesirability, desirability, overall
from planner.transforms import TargetScale
from surrogate.matern_gp import GP, Kernel

PLAIN = TargetScale(knee=None, shift=0.0, spread=1.0)
X = np.array([[0.1], [0.5], [0.9]])


def process(*y: float, noise: float = 1e-8) -> GP:
    return GP(kernel=Kernel(np.array([0.3]), 1.0), mean=0.0, X=X, y=np.array(y), noise=np.full(3, noise))


@pytest.mark.parametrize(
    ("objective", "values", "expected"),
    [
        pytest.param(
            Objective("y", "maximize", desirability=(1.0, 3.0), weight=2.0),
            [0.0, 1.0, 2.0, 3.0, 9.0],
            [0.0, 0.0, 0.25, 1.0, 1.0],
            id="eq. 1 of Derringer and Suich",
        ),
        pytest.param(
            Objective("y", "minimize", desirability=(1.0, 3.0)), [0.0, 1.5, 3.0], [1.0, 0.75, 0.0], id="minimise"
        ),
        pytest.param(
            Objective("y", "target", target=2.0, desirability=(1.0, 4.0), weight=0.5),
            [1.0, 1.25, 2.0, 3.5, 4.5],
            [0.0, 0.5, 1.0, 0.5, 0.0],
            id="eq. 2, two-sided",
        ),
        pytest.param(
            Objective("y", "window", low=2.0, high=3.0, desirability=(1.0, 5.0)),
            [1.5, 2.0, 2.9, 4.0],
            [0.5, 1.0, 1.0, 0.5],
            id="window",
        ),
    ],
)
def test_desirability(objective: Objective, values: list[float], expected: list[float]) -> None:
    assert desirability(objective, np.array(values)) == pytest.approx(expected)


def test_the_whole_is_the_geometric_mean() -> None:
    wishes = [Objective(name, "maximize", desirability=(0.0, 1.0)) for name in "uv"]
    assert overall(wishes, {"u": 0.25, "v": 1.0}) == pytest.approx(0.5)
    assert overall(wishes, {"u": 0.0, "v": 1.0}) == 0.0
    assert overall(wishes, {"u": 0.5}) is None


def test_beyond_its_worse_end_it_still_rises_towards_it() -> None:
    desire = Desire(Objective("y", "minimize", desirability=(1.0, 3.0)), PLAIN, -1.0)
    upright = -np.linspace(0.0, 30.0, 200)  # upside down: greater is better
    logs = desire.log_with_toe(upright)
    assert np.all(np.diff(logs[upright < -1.1]) < 0)
    plain = desire.of(upright)
    assert np.exp(logs[plain > 0.05]) == pytest.approx(plain[plain > 0.05])


def test_it_is_what_many_draws_say() -> None:
    gps = [process(0.2, 1.0, 0.3, noise=0.02), process(1.0, 0.2, 0.9, noise=0.02)]
    wishes = [Objective(name, "maximize", desirability=(-1.0, 2.0)) for name in "uv"]
    new, chance = np.array([[0.35], [0.65]]), np.random.default_rng(0)
    heights = []
    for gp, wish in zip(gps, wishes, strict=True):
        mean, covariance = gp.joint(np.vstack([X, new]))
        heights.append(desirability(wish, chance.multivariate_normal(mean, covariance, size=200_000)))
    whole = np.sqrt(heights[0] * heights[1])
    gains = (whole[:, 3:] - whole[:, :3].max(axis=1)[:, None]) / 0.02
    expected = np.log(np.mean(np.logaddexp(0.0, gains), axis=0))  # the edge of a gain is soft
    desires = [Desire(wish, PLAIN, 1.0) for wish in wishes]
    found = NoisyLogDesirability(gps, desires, X, n_draws=4000, rng=np.random.default_rng(1))(new)
    assert found == pytest.approx(expected, abs=0.1)


def test_where_nothing_is_of_use_yet_it_leads_towards_what_may_be() -> None:
    wish = Objective("u", "maximize", desirability=(3.0, 4.0))
    gp, grid = process(0.2, 1.0, 0.3), np.linspace(0, 1, 101)[:, None]
    worth = NoisyLogDesirability([gp], [Desire(wish, PLAIN, 1.0)], X, n_draws=64, rng=np.random.default_rng(0))
    mean, sd = gp.posterior(grid)
    scores = worth(grid)
    assert np.isfinite(scores).all()
    best = np.argmax(scores)
    assert ((3.0 - mean) / sd)[best] < np.median((3.0 - mean) / sd)
    worth.add(grid[best], np.random.default_rng(1))
    assert worth(grid)[best] < scores[best]
