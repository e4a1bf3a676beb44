import numpy as np
import pytest
from goals import AIMS, LIMITS, STAKES, TARGET, trials_until_there


def test_the_collapsed_number_is_what_is_lacking() -> None:
    assert TARGET.collapsed({"y": 0.95}) == pytest.approx(0.04)
    assert TARGET.collapsed({"y": 0.905}) == 0.0
    assert LIMITS.collapsed({"y": 0.7, "wave": 0.1, "ring": -1.0}) == pytest.approx(0.7 + 5.0 * 0.1)


def test_the_constrained_optimum_is_that_of_the_literature() -> None:
    grid = np.linspace(0.0, 1.0, 401)
    values = [LIMITS.evaluate({"x1": a, "x2": b}) for a in grid for b in grid]
    kept = [one["y"] for one in values if one["wave"] <= 0.0 and one["ring"] <= 0.0]
    assert min(kept) == pytest.approx(0.5998, abs=0.006)


@pytest.mark.parametrize("aim", AIMS, ids=lambda aim: aim.name)
def test_random_points_are_seldom_there(aim) -> None:
    points = aim.space.points(aim.space.sample_rows(2000, np.random.default_rng(0)))
    assert np.mean([aim.is_there(aim.evaluate(point)) for point in points]) < 0.01
    assert trials_until_there(aim, "random", 3) > 8


@pytest.mark.parametrize("stake", STAKES, ids=lambda stake: stake.problem.name)
def test_nothing_is_better_than_the_best(stake) -> None:
    points = stake.space.points(stake.space.sample_rows(20_000, np.random.default_rng(0)))
    assert np.nanmin(stake.problem.evaluate(points)) > stake.best - 1e-3
