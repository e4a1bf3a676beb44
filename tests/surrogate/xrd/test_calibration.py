import numpy as np
import pytest

from surrogate.xrd import calibration
from surrogate.xrd.calibration import BANDS, Calibration, Case, fitted, phase_probabilities, shipped
from surrogate.xrd.residual import FEATURES

MIDDLES = (BANDS[0] / 2.0, (BANDS[0] + BANDS[1]) / 2.0, BANDS[1] * 2.0)


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def case(difference, is_first, *, signal_to_noise=MIDDLES[1], misfit=1.0, features=(0.0,), has_unknown=False):
    """Return a choice between two phases, as evidence and as it is."""
    return Case(
        log_evidence=np.array([difference, 0.0]) + 1e4,
        members=np.array([[True, False], [False, True]]),
        truth=np.array([is_first, not is_first]),
        signal_to_noise=signal_to_noise,
        misfit=misfit,
        features=features,
        has_unknown=has_unknown,
    )


def overconfident(rng, n, factor, **facts):
    """Return cases whose evidence is too large by a factor."""
    logit = rng.normal(0.0, 3.0, n)
    misfit = max(1.0, facts.get("misfit", 1.0))
    return [case(factor * misfit * z, bool(rng.random() < sigmoid(z)), **facts) for z in logit]


def plain(temperatures=(2.0, 4.0, 8.0), weights=(-1.0, 2.0)):
    return Calibration(temperatures=temperatures, unknown_weights=weights, made_by={})


@pytest.mark.parametrize("factor", [3.0, 12.0, 40.0])
def test_a_known_overconfidence_is_recovered(factor):
    found = fitted(overconfident(np.random.default_rng(1), 500, factor), made_by={})
    assert found.temperatures[1] == pytest.approx(factor, rel=0.35)


def test_evidence_that_is_right_is_left_as_it_is():
    assert fitted(overconfident(np.random.default_rng(2), 500, 1.0), made_by={}).temperatures[1] < 1.4


def test_misfit_is_taken_off_before():
    found = fitted(overconfident(np.random.default_rng(3), 500, 5.0, misfit=4.0), made_by={})
    assert found.temperatures[1] == pytest.approx(5.0, rel=0.35)


def test_each_band_has_its_own_temperature():
    rng = np.random.default_rng(4)
    cases = [
        one
        for signal_to_noise, factor in zip(MIDDLES, (2.0, 8.0, 30.0), strict=True)
        for one in overconfident(rng, 300, factor, signal_to_noise=signal_to_noise)
    ]
    assert fitted(cases, made_by={}).temperatures == pytest.approx((2.0, 8.0, 30.0), rel=0.45)


def test_a_band_of_few_cases_takes_the_temperature_of_all():
    rng = np.random.default_rng(5)
    many = overconfident(rng, 300, 10.0)
    few = overconfident(rng, 5, 1.0, signal_to_noise=MIDDLES[2])
    found = fitted(many + few, made_by={})
    assert found.temperatures[2] == pytest.approx(10.0, rel=0.4)


def test_calibrated_probabilities_are_met_as_often_as_they_say():
    cases = overconfident(np.random.default_rng(6), 800, 10.0)
    temperature = fitted(cases, made_by={}).temperatures[1]
    said = np.array([phase_probabilities(one, temperature)[0] for one in cases])
    held = np.array([one.truth[0] for one in cases])
    for low, high in ((0.1, 0.4), (0.4, 0.6), (0.6, 0.9)):
        some = (said > low) & (said < high)
        assert held[some].mean() == pytest.approx(said[some].mean(), abs=0.12)


def test_phases_of_several_sets_add_up():
    one = Case(
        log_evidence=np.array([0.0, 0.0, -1e5]),
        members=np.array([[True, True, False], [True, False, False], [False, False, True]]),
        truth=np.array([True, False, False]),
        signal_to_noise=50.0,
        misfit=1.0,
        features=(),
        has_unknown=False,
    )
    assert phase_probabilities(one, 3.0) == pytest.approx([1.0, 0.5, 0.0])


def test_the_temperature_follows_the_band_and_grows_with_misfit():
    for middle, temperature in zip(MIDDLES, (2.0, 4.0, 8.0), strict=True):
        assert plain().temperature(middle, 0.5) == temperature
        assert plain().temperature(middle, 3.0) == pytest.approx(3.0 * temperature)
    assert plain().temperature(0.0, 1.0) == 2.0 and plain().temperature(1e9, 1.0) == 8.0


def test_an_unknown_phase_s_probability_is_a_logistic_function():
    assert plain().unknown_probability([0.5]) == pytest.approx(0.5)
    assert plain().unknown_probability([1.0]) == pytest.approx(sigmoid(1.0))
    assert plain().unknown_probability([1e9]) == pytest.approx(1.0)
    assert plain().unknown_probability([-1e9]) == pytest.approx(0.0, abs=1e-12)


def test_weights_of_features_are_recovered():
    rng = np.random.default_rng(7)
    features = rng.normal(0.0, 2.0, (600, 2))
    held = rng.random(600) < sigmoid(-1.0 + 1.5 * features[:, 0])
    cases = [
        case(1.0, True, features=tuple(row), has_unknown=bool(flag)) for row, flag in zip(features, held, strict=True)
    ]
    constant, first, second = fitted(cases, made_by={}).unknown_weights
    assert (constant, first, second) == pytest.approx((-1.0, 1.5, 0.0), abs=0.4)


def test_features_that_tell_all_do_not_run_away():
    cases = [case(1.0, True, features=(x,), has_unknown=x > 0) for x in np.linspace(-1.0, 1.0, 40)]
    found = fitted(cases, made_by={})
    assert np.isfinite(found.unknown_weights).all() and found.unknown_probability([1.0]) > 0.95


def test_who_made_it_is_kept():
    assert fitted([case(1.0, True)], made_by={"command": "a test"}).made_by == {"command": "a test"}


def test_the_shipped_calibration_fits_the_features():
    found = shipped()
    assert len(found.temperatures) == len(BANDS) + 1 and min(found.temperatures) >= 1.0
    assert len(found.unknown_weights) == len(FEATURES) + 1 and np.isfinite(found.unknown_weights).all()
    assert found is shipped() and 0.0 <= found.unknown_probability([0.0] * len(FEATURES)) < 0.5
    assert found.made_by["command"].startswith("python benchmarks/") and calibration.shipped().made_by["n_patterns"] > 0
