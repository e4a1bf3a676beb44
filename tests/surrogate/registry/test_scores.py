import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from surrogate.registry.scores import log_score, pit

NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, st.floats(1e-3, 1e6), NUMBERS)
def test_the_score_is_the_density_of_a_student_t(mean, sd, value):
    reference = stats.t(df=4, loc=mean, scale=0.8310034937777917 * sd)
    assert log_score(mean, sd, value) == pytest.approx(reference.logpdf(value), rel=1e-9, abs=1e-9)
    assert pit(mean, sd, value) == pytest.approx(stats.norm(mean, sd).cdf(value), abs=1e-12)


def expected(mean, sd):
    """Return the expected score where results are standard normal."""
    return quad(lambda z: stats.norm.pdf(z) * log_score(mean, sd, z), -9.0, 9.0, epsabs=1e-12)[0]


def test_no_other_forecast_than_the_truth_has_a_greater_expected_score():
    best = expected(0.0, 1.0)
    for mean, sd in [(0.0, 0.98), (0.0, 1.02), (0.02, 1.0), (-0.3, 1.0), (0.0, 0.5), (0.0, 2.0), (0.2, 1.1)]:
        assert expected(mean, sd) < best, (mean, sd)
    assert expected(0.0, 1.001) - expected(0.0, 0.999) == pytest.approx(0.0, abs=1e-7)


def test_one_outlier_cannot_decide():
    far = log_score(0.0, 1.0, 0.0) - log_score(0.0, 1.0, 20.0)
    assert 9.0 < far < 20.0 < 0.5 * 20.0**2


@pytest.mark.parametrize(
    "given_numbers", [(np.nan, 1.0, 0.0), (0.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, np.inf, 0.0), (0.0, 1.0, np.inf)]
)
def test_what_is_no_forecast_is_refused(given_numbers):
    with pytest.raises(ValueError, match="cannot be scored"):
        log_score(*given_numbers)


def test_what_lies_beyond_all_digits_is_scored_all_the_same():
    assert np.isfinite(log_score(0.0, 1e-300, 1e300)) and pit(0.0, 1e-300, 1e300) == 1.0
