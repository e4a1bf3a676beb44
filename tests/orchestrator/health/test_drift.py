from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.health.drift import LEAST, drift, trend
from orchestrator.health.finding import Level

DAY_S = 86_400.0


@dataclass
class Trial:
    values: dict
    finished_s: float | None
    parameters: dict
    is_control: bool = True
    outcome: str | None = "measured"


def controls(values, point=1.0, name="yield"):
    return [Trial({name: value}, DAY_S * day, {"temperature": point}) for day, value in enumerate(values)]


@given(st.lists(st.floats(-1e3, 1e3), min_size=LEAST, max_size=15, unique=True))
def test_a_mirrored_series_has_the_mirrored_trend(values):
    points = list(enumerate(values))
    there, back = trend(points), trend([(at, -value) for at, value in points])
    assert there.p == pytest.approx(back.p)
    assert there.per_s == pytest.approx(-back.per_s)


def test_chance_is_called_drift_as_seldom_as_it_should_be():
    rng = np.random.default_rng(0)
    found = [trend(list(enumerate(rng.normal(size=10)))).p < 0.05 for _ in range(400)]
    assert 0.02 <= np.mean(found) <= 0.08


def test_values_that_only_rise_are_a_warning_with_slope_and_p():
    (found,) = drift(controls([0.5, 0.52, 0.54, 0.56, 0.58, 0.6, 0.62]), {"yield": "1"})
    assert found.level is Level.WARNING
    assert found.name == "drift of control 1, yield"
    assert found.text.startswith("rises by 0.02 a day: median 0.56 of 7; p = 0.0004")


def test_values_that_scatter_do_not_drift():
    (found,) = drift(controls([0.5, 0.6, 0.52, 0.58, 0.49, 0.61, 0.55]), {})
    assert found.level is Level.OK
    assert found.text.startswith("no drift")


def test_values_that_are_all_equal_do_not_drift():
    (found,) = drift(controls([0.5] * 9), {})
    assert found.level is Level.OK


def test_with_more_series_each_needs_more():
    one = controls([1.0, 2.0, 3.0, 4.0, 6.0, 5.0], point=1.0)
    others = [trial for point in (2.0, 3.0, 4.0) for trial in controls([3.0, 1.0, 4.0, 1.5, 5.0, 2.0], point=point)]
    (alone,) = drift(one, {})
    together = list(drift([*one, *others], {}))
    assert alone.level is Level.NOTE
    assert [found.level for found in together] == [Level.OK] * 4
    assert "4 series counted" in together[0].text


def test_few_controls_and_other_trials_say_nothing():
    assert list(drift([Trial({"yield": 1.0}, 1.0, {}, is_control=False)], {})) == []
    assert list(drift([Trial({}, 1.0, {}, outcome="lost")], {})) == []
    (found,) = drift(controls([1.0, 2.0]), {})
    assert found.text == "2 measured so far, too few to tell (6 are needed)"
