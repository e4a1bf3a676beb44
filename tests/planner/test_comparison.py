import math

import numpy as np
import pytest

from planner.comparison import Estimate, geometric_mean, hypervolume, paired_difference, quartiles


def test_quartiles_are_those_of_numpy_and_allow_infinite_values():
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (3.0, 2.0, 4.0)
    assert quartiles([1.0, math.inf, math.inf]) == (math.inf, math.inf, math.inf)
    assert quartiles([1.0, 2.0, math.inf])[0] == 2.0
    assert quartiles([-math.inf, -math.inf, 3.0])[0] == -math.inf


def test_a_difference_that_every_seed_has_is_certain():
    noise = np.random.default_rng(0).normal(size=20) * 100
    found = paired_difference(noise, noise + 3.0)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 3.0, 3.0))


def test_the_interval_of_a_difference_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        found = paired_difference(np.zeros(25), rng.normal(0.5, 1.0, size=25))
        hits += found is not None and found.low <= 0.5 <= found.high
    assert 0.84 <= hits / 200 <= 0.97


@pytest.mark.parametrize("n", [0, 1])
def test_one_pair_says_nothing_of_chance(n):
    assert paired_difference([1.0] * n + [math.inf], [2.0] * n + [1.0]) is None


def test_a_volume_by_hand():
    assert hypervolume(np.array([[2.0, 1.0], [1.0, 3.0], [1.0, 1.0]]), np.zeros(2)) == pytest.approx(4.0)
    assert hypervolume(np.array([[2.0, 1.0], [-1.0, 3.0]]), np.zeros(2)) == pytest.approx(2.0)
    assert hypervolume(np.empty((0, 3)), np.zeros(3)) == 0.0


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_volumes_are_those_of_botorch(width):
    torch = pytest.importorskip("torch")
    from botorch.utils.multi_objective.hypervolume import Hypervolume
    from botorch.utils.multi_objective.pareto import is_non_dominated

    points = np.random.default_rng(width).random((30, width))
    front = torch.tensor(points[is_non_dominated(torch.tensor(points)).numpy()])
    if width == 1:
        assert hypervolume(points, np.zeros(1)) == points.max()
        return
    expected = Hypervolume(ref_point=torch.full((width,), 0.1, dtype=torch.double)).compute(front)
    assert hypervolume(points, np.full(width, 0.1)) == pytest.approx(expected)


def test_small_words():
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)
    assert math.isnan(geometric_mean([]))
    assert str(Estimate(value=1.0, low=0.5, high=2.0)) == "1.00 [0.50, 2.00]"
