import numpy as np
import pytest
from scipy.stats import norm

from planner import Objective
from planner.acquisition import NoisyLogEI, NoisyLogParEGO, incumbent
from planner.goals import Interval
from planner.hits import NoisyLogHit
from planner.limits import Limit, Limits
from planner.models import TargetModel
from planner.transforms import TargetScale
from surrogate.matern_gp import GP, Kernel

X = np.array([[0.1], [0.5], [0.9]])


def process(*y: float) -> GP:
    return GP(kernel=Kernel(np.array([0.3]), 1.0), mean=0.0, X=X, y=np.array(y), noise=np.full(3, 1e-8))


def limits(*y: float, bound: float = 0.0, n_draws: int = 64) -> Limits:
    return Limits([Limit(process(*y), bound)], X, n_draws=n_draws, rng=np.random.default_rng(5))


def test_a_limit_is_upright_on_the_scale_of_its_surrogate() -> None:
    scale = TargetScale(knee=None, shift=1.0, spread=2.0)
    model = TargetModel(scale, process(0.0, 1.0, 0.3))
    new = np.array([[0.3], [0.7]])
    mean, sd = (each * 2.0 + shift for each, shift in zip(model.gp.posterior(new), (1.0, 0.0), strict=True))
    most = Limit.of(Objective("y", "at_most", limit=2.5), model)
    least = Limit.of(Objective("y", "at_least", limit=2.5), model)
    assert most.log_chance(new) == pytest.approx(norm.logcdf((2.5 - mean) / sd))
    assert least.log_chance(new) == pytest.approx(norm.logcdf((mean - 2.5) / sd))


def test_only_what_keeps_to_the_limits_is_an_incumbent() -> None:
    merits = np.array([[1.0, 1.0], [3.0, 3.0], [2.0, 2.0]])
    assert incumbent(merits, limits(1.0, -1.0, 1.0, n_draws=2)) == pytest.approx([2.0, 2.0])
    assert incumbent(merits, limits(-1.0, -1.0, -1.0, n_draws=2)) == pytest.approx([1.0, 1.0])
    assert incumbent(merits, None) == pytest.approx([3.0, 3.0])


def test_without_noise_it_is_the_improvement_times_the_chance() -> None:
    new = np.array([[0.3], [0.62]])
    (mean, sd), (height, spread) = process(0.0, 1.0, 0.3).posterior(new), process(1.0, -1.0, 0.4).posterior(new)
    u = (mean - 0.3) / sd  # the best is beyond the limit
    expected = np.log(sd * (norm.pdf(u) + u * norm.cdf(u))) + norm.logcdf(height / spread)
    worth = NoisyLogEI(
        process(0.0, 1.0, 0.3), X, n_draws=64, rng=np.random.default_rng(0), limits=limits(1.0, -1.0, 0.4)
    )
    assert worth(new) == pytest.approx(expected, abs=0.02)


def test_every_worth_shuns_what_is_beyond_a_limit() -> None:
    gp, grid = process(0.0, 1.0, 0.3), np.linspace(0, 1, 201)[:, None]
    how = {"n_draws": 32, "rng": np.random.default_rng(0)}
    for make in (
        lambda: NoisyLogEI(gp, X, limits=limits(2.0, -2.0, 2.0, n_draws=32), **how),
        lambda: NoisyLogHit(gp, X, Interval(0.7, 0.8), limits=limits(2.0, -2.0, 2.0, n_draws=32), **how),
        lambda: NoisyLogParEGO([gp, gp], X, limits=limits(2.0, -2.0, 2.0, n_draws=32), **how),
    ):
        worth = make()
        at = grid[np.argmax(worth(grid)), 0]
        assert process(2.0, -2.0, 2.0).posterior(np.array([[at]]))[0] > -0.5
        assert np.isfinite(worth(grid)).all()
        worth.add(np.array([at]), np.random.default_rng(1))
        assert np.isfinite(worth(grid)).all()
