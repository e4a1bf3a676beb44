import pytest
from scipy.stats import norm

from planner import Objective, Prediction
from planner.promises import chance_within, promises


def test_it_says_what_is_expected_of_goals_and_limits() -> None:
    predictions = {"y": Prediction(mean=4.9, sd=0.3), "i": Prediction(mean=0.03, sd=0.02)}
    said = promises(
        [Objective("y", "target", target=5.0, tolerance=0.1), Objective("i", "at_most", limit=0.05)], predictions
    )
    assert said == (
        "; y expected 4.9 +- 0.3 for the target 5 +- 0.1, hit with probability 0.25"
        "; i expected 0.03 +- 0.02, at most 0.05 with probability 0.84"
    )
    assert promises([Objective("y", "target", target=5.0)], predictions).endswith("for the target 5")
    assert promises([Objective("y", "minimize")], predictions) == ""


def test_it_says_the_desirability_of_what_is_expected() -> None:
    wish = Objective("y", "maximize", desirability=(4.0, 5.0))
    assert promises([wish], {"y": Prediction(mean=4.5, sd=0.1)}) == "; what is expected has desirability 0.50"


def test_the_chance_of_an_interval() -> None:
    prediction = Prediction(mean=1.0, sd=2.0)
    assert chance_within(prediction, 0.0, 4.0) == pytest.approx(norm.cdf(1.5) - norm.cdf(-0.5))
    assert chance_within(Prediction(mean=1.0, sd=0.0), 0.0, 4.0) == 1.0
