import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.acquisition import log_h
from planner.look import gain_of_look, height_of


def test_it_is_the_mean_over_what_a_look_may_show() -> None:
    told, height = 0.6, -1.2
    z = np.random.default_rng(0).standard_normal(400_000)
    left = np.sqrt(1.0 - told)
    after = left * np.exp(log_h((height + np.sqrt(told) * z) / left))
    before = float(np.exp(log_h(np.array([height]))[0]))
    assert gain_of_look(told, height) == pytest.approx(np.mean(np.maximum(after - before, 0.0)) / before, rel=0.01)


@given(st.floats(-6.0, 2.0))
def test_a_look_that_tells_nothing_is_worth_nothing_and_more_is_worth_more(height: float) -> None:
    gains = [gain_of_look(told, height) for told in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert gains[0] == pytest.approx(0.0, abs=1e-9)
    assert all(less <= more * 1.01 for less, more in zip(gains, gains[1:], strict=False))


@given(st.floats(-5.0, 3.0), st.floats(1e-3, 1e3))
def test_the_height_is_found_again(height: float, sd: float) -> None:
    improvement = float(log_h(np.array([height]))[0] + np.log(sd))
    assert height_of(improvement, sd) == pytest.approx(height, abs=1e-3)
