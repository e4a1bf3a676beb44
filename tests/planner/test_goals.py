import numpy as np
import pytest

from planner import Objective
from planner.goals import Interval, Upwards, goal_of
from planner.transforms import TargetScale


def test_an_interval_is_put_on_the_scale_of_the_surrogate() -> None:
    scale = TargetScale(knee=2.0, shift=0.5, spread=1.5)
    goal = goal_of(Objective("y", "window", low=3.0, high=40.0), scale)
    assert isinstance(goal, Interval)
    assert scale.inverse(np.array([goal.low, goal.high])) == pytest.approx([3.0, 40.0])
    assert isinstance(goal_of(Objective("y", "minimize"), scale), Upwards)


def test_values_are_no_better_than_half_of_the_known() -> None:
    known = np.array([-4.0, 0.0, 3.0, 0.5, 9.0])
    found = Interval(0.0, 1.0).no_better_than_half(np.array([-9.0, 0.2, 0.8, 1.5, 8.0]), known)
    assert found == pytest.approx([-9.0, -2.0, 3.0, 3.0, 8.0]), "the middle of the known lacks 2"
    assert Upwards().no_better_than_half(np.array([-1.0, 7.0]), known) == pytest.approx([-1.0, 0.5])
