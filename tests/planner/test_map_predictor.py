import numpy as np
import pytest

from planner import Continuous, Integer, SearchSpace
from planner.errors import BadOption, NotEnoughData
from planner.map_predictor import MapPredictor
from planner.objective import Objective
from planner.policies.base import PlannerData
from planner.proposal import Observation

TEMPERATURE = Continuous("peak_temperature", 400.0, 1300.0, unit="degC")
DWELL = Continuous("dwell", 250.0, 10_000.0, unit="us", scale="log")
SPACE = SearchSpace([TEMPERATURE, DWELL])


def told(*observations):
    return PlannerData(space=SPACE, objectives=(Objective("g", "learn"),), observations=observations)


def at(temperature_c, dwell_us=1000.0):
    return {"peak_temperature": temperature_c, "dwell": dwell_us}


def seen(temperature_c, value, **more):
    return Observation(parameters=at(temperature_c), values={"g": value}, **more)


SOME = [seen(600.0, 1.0, noise={"g": 0.1}), seen(700.0, 8.0, noise={"g": 0.1}), seen(800.0, 1.0, noise={"g": 0.1})]


def test_predictions_follow_what_was_told():
    mean, sd = MapPredictor(SPACE, 0.0).predict(told(*SOME), "g", [at(600.0), at(700.0), at(1250.0)])
    np.testing.assert_allclose(mean[:2], [1.0, 8.0], rtol=0.25)
    assert sd[2] > 3.0 * sd[0]


def test_axes_are_degrees_and_decades():
    temperature, dwell = MapPredictor(SPACE).axes([at(600.0, 1e3), at(700, 1e4)])
    np.testing.assert_allclose(temperature, [600.0, 700.0])
    np.testing.assert_allclose(dwell, [3.0, 4.0])


def test_failures_and_other_targets_are_ignored():
    failure = Observation(parameters=at(900.0), failure="misfire")
    other = Observation(parameters=at(950.0), values={"h": 3.0})
    points = [at(700.0), at(920.0)]
    with_them = MapPredictor(SPACE).predict(told(SOME[0], failure, *SOME[1:], other), "g", points)
    np.testing.assert_array_equal(with_them, MapPredictor(SPACE).predict(told(*SOME), "g", points))


def test_nothing_told_is_not_enough():
    for data in (told(), told(Observation(parameters=at(900.0), failure="misfire"))):
        with pytest.raises(NotEnoughData, match="nothing was measured of 'g' yet"):
            MapPredictor(SPACE).predict(data, "g", [at(700.0)])


def test_the_map_is_kept_until_more_is_told():
    predictor, data = MapPredictor(SPACE), told(*SOME)
    first = predictor.fitted(data, "g")
    assert predictor.fitted(data, "g") is first
    more = predictor.fitted(told(*SOME, seen(1000.0, 5.0)), "g")
    assert len(more.v) == 4
    fresh = MapPredictor(SPACE).predict(data, "g", [at(700.0)])
    np.testing.assert_array_equal(predictor.predict(data, "g", [at(700.0)]), fresh)


def test_values_without_noise_get_a_typical_one():
    known = MapPredictor(SPACE).fitted(told(seen(600.0, 10.0), seen(700.0, 10.0)), "g")
    assert (known.noise > 0.0).all()
    mean, _ = MapPredictor(SPACE).predict(told(seen(600.0, 0.0), seen(700.0, 0.0)), "g", [at(650.0)])
    assert mean[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        ([TEMPERATURE], "needs a parameter 'dwell'"),
        ([Continuous("peak_temprature", 4.0, 13.0, unit="degC"), DWELL], "did you mean 'peak_temprature'"),
        (
            [Continuous("peak_temperature", 4.0, 13.0, unit="K"), DWELL],
            "'peak_temperature' to be continuous and in degC",
        ),
        ([TEMPERATURE, Integer("dwell", 250, 1000)], "'dwell' to be continuous and in us"),
    ],
    ids=["missing", "typo", "unit", "integer"],
)
def test_spaces_of_another_kind_are_refused(axes, sentence):
    with pytest.raises(BadOption, match=sentence):
        MapPredictor(SearchSpace(axes))
