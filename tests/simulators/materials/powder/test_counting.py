"""Counts scatter as they should."""

import numpy as np
import pytest

from simulators.materials.powder.counting import count, observed
from simulators.materials.powder.settings import Counting

EXPECTED = np.full(40000, 400.0)


def test_counts_are_poisson_by_default():
    counts = count(EXPECTED, Counting(), count_time_s=1.0, rng=np.random.default_rng(0))
    assert counts.dtype == np.int64
    assert counts.mean() == pytest.approx(400.0, rel=2e-3) and counts.var() == pytest.approx(400.0, rel=0.03)


def test_over_dispersion_adds_its_share_of_the_square():
    counting = Counting(over_dispersion=0.005)
    counts = count(EXPECTED, counting, count_time_s=1.0, rng=np.random.default_rng(0))
    assert counts.var() == pytest.approx(400.0 + 0.005 * 400.0**2, rel=0.04)


def test_a_blind_detector_misses_counts():
    assert observed(np.array([1e5]), 1e-6, 1.0) == pytest.approx(1e5 / 1.1)
    assert observed(np.array([1e5]), 1e-6, 10.0) == pytest.approx(1e5 / 1.01)


def test_counts_behind_an_absorber_are_fewer_and_multiplied_back():
    counts = count(EXPECTED, Counting(), count_time_s=1.0, rng=np.random.default_rng(0), attenuation=10.0)
    assert np.all(counts % 10 == 0) and counts.mean() == pytest.approx(400.0, rel=0.01)
    assert counts.var() == pytest.approx(4000.0, rel=0.05)
