"""The map over conditions, on a synthetic film with two slanted ridges."""

import numpy as np
import pytest

from surrogate.gp import factor
from surrogate.map_model import GradientMap, Hyperparameters, _Density

SLANT = -70.0


def truth(temperature_c, log10_dwell):
    lean = np.asarray(temperature_c) - SLANT * (np.asarray(log10_dwell) - 3.0)
    return 0.3 + 12.0 * np.exp(-0.5 * ((lean - 600.0) / 25.0) ** 2) + 6.0 * np.exp(-0.5 * ((lean - 900.0) / 30.0) ** 2)


def stripes(seed, n, relative=0.1, shift_c=0.0):
    """Return temperatures, log dwells, gradients, sds and stripe numbers of n random stripes of 16 points."""
    rng = np.random.default_rng(seed)
    peaks, dwells = rng.choice(np.arange(450.0, 1251.0, 50.0), n), rng.uniform(2.4, 4.0, n)
    temperature = (peaks[:, None] + np.linspace(-200.0, -10.0, 16)).ravel()
    dwell = np.repeat(dwells, 16)
    true = truth(temperature + shift_c, dwell)
    sd = 0.15 + relative * true
    return temperature, dwell, np.maximum(true + sd * rng.standard_normal(true.shape), 0.0), sd, np.repeat(range(n), 16)


def grid():
    temperature, dwell = np.meshgrid(np.arange(260.0, 1240.0, 10.0), np.linspace(2.45, 3.95, 7))
    return temperature.ravel(), dwell.ravel()


def explained(fitted):
    true = truth(*grid())
    return 1.0 - np.mean((fitted.predict(*grid())[0] - true) ** 2) / np.var(true)


def test_map_learns_ridges_and_says_where_it_is_wrong():
    fitted = GradientMap.fit(*stripes(0, 30)[:4], calibration_c=0.0)
    mean, sd = fitted.predict(*grid())
    assert explained(fitted) > 0.8
    assert 0.85 <= np.mean(np.abs(mean - truth(*grid())) < 1.645 * sd) <= 0.99


def test_more_stripes_teach_more():
    assert explained(GradientMap.fit(*stripes(1, 40)[:4])) > explained(GradientMap.fit(*stripes(1, 8)[:4]))


def test_slant_is_found():
    fitted = GradientMap.fit(*stripes(2, 40)[:4])
    assert fitted.hyperparameters.slant == pytest.approx(SLANT, abs=20.0)


def test_predictions_are_never_negative():
    mean, sd = GradientMap.fit(*stripes(3, 12)[:4]).predict(*grid())
    assert (mean >= 0).all()
    assert (sd > 0).all()


def test_unit_of_the_gradient_does_not_matter():
    temperature, dwell, g, sd, _ = stripes(4, 12)
    small = GradientMap.fit(temperature, dwell, g, sd).predict(*grid())
    large = GradientMap.fit(temperature, dwell, 1e3 * g, 1e3 * sd).predict(*grid())
    np.testing.assert_allclose(large, 1e3 * np.array(small), rtol=1e-6)


def test_shared_temperature_error_widens_flanks_only_and_no_data_can_remove_it():
    temperature, dwell, g, sd, _ = stripes(5, 60, relative=0.02)
    sure = GradientMap.fit(temperature, dwell, g, sd, calibration_c=0.0)
    unsure = GradientMap.fit(temperature, dwell, g, sd, calibration_c=10.0)
    flank, plain = (np.array([575.0]), np.array([3.0])), (np.array([1100.0]), np.array([3.0]))
    assert unsure.predict(*flank)[1] > 2.0 * sure.predict(*flank)[1]
    np.testing.assert_allclose(unsure.predict(*plain)[1], sure.predict(*plain)[1], rtol=0.2)
    np.testing.assert_allclose(unsure.latent(*flank), sure.latent(*flank))


def test_intervals_cover_when_the_wafer_is_off():
    temperature, dwell, g, sd, _ = stripes(6, 40, shift_c=8.0)
    inside = {}
    for calibration_c in (0.0, 10.0):
        mean, spread = GradientMap.fit(temperature, dwell, g, sd, calibration_c=calibration_c).predict(*grid())
        inside[calibration_c] = np.mean(np.abs(mean - truth(*grid())) < 1.645 * spread)
    assert inside[10.0] > inside[0.0] + 0.05
    assert inside[10.0] > 0.85


def test_fantasies_reduce_the_variance_there_and_leave_the_mean():
    fitted = GradientMap.fit(*stripes(10, 10)[:4])
    at = (np.array([700.0, 710.0, 720.0]), np.full(3, 3.2))
    imagined = fitted.with_fantasies(*at)
    assert (imagined.latent(*at)[1] < fitted.latent(*at)[1]).all()
    np.testing.assert_allclose(imagined.latent(*at)[0], fitted.latent(*at)[0], atol=1e-6)


def test_latent_covariance_agrees_with_latent_variance():
    fitted = GradientMap.fit(*stripes(11, 10)[:4])
    z = np.stack([grid()[0][:40], grid()[1][:40]], axis=1)
    np.testing.assert_allclose(np.diag(fitted.latent_covariance(z, z)), fitted.latent(z[:, 0], z[:, 1])[1], atol=1e-9)


def test_one_point_is_a_map():
    mean, sd = GradientMap.fit([600.0], [3.0], [4.0], [0.5], calibration_c=0.0).predict([600.0, 1200.0], [3.0, 2.5])
    assert mean[0] == pytest.approx(4.0, abs=1.5)
    assert sd[1] > sd[0]


def test_equal_data_give_an_equal_map():
    one, two = (GradientMap.fit(*stripes(12, 20)[:4]).predict(*grid()) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_hyperparameters_can_be_given():
    given = Hyperparameters(temperature_c=40.0, decades=1.0, slant=-50.0)
    assert GradientMap.fit(*stripes(13, 5)[:4], hyperparameters=given).hyperparameters == given
    for one in (given, given._replace(fraction=0.2, tilts=(100.0, -40.0))):
        np.testing.assert_allclose(Hyperparameters.unpacked(one.packed()).packed(), one.packed(), rtol=1e-12)


def test_gradient_of_the_density():
    temperature, dwell, g, sd, _ = stripes(14, 4)
    z, v = np.stack([temperature, dwell], axis=1), np.log1p(g)
    density, at = _Density(z, v, (sd / (g + 1.0)) ** 2), Hyperparameters(40.0, 0.8, -60.0, 1.3, 0.1).packed()
    _, gradient = density(at)
    for i, step in enumerate((1e-5, 1e-5, 1e-3, 1e-5, 1e-5)):
        move = np.eye(5)[i] * step
        numeric = (density(at + move)[0] - density(at - move)[0]) / (2 * step)
        assert gradient[i] == pytest.approx(numeric, rel=1e-3, abs=1e-4)


def test_left_out_stripes_are_predicted_as_if_never_seen():
    temperature, dwell, g, sd, number = stripes(15, 9)
    fitted = GradientMap.fit(temperature, dwell, g, sd)
    inverse = np.linalg.inv(fitted.cholesky @ fitted.cholesky.T)
    block = number == 4
    residual = np.linalg.solve(inverse[np.ix_(block, block)], fitted.weights[block])
    kernel = fitted.hyperparameters.kernel()
    rest = factor(kernel.value(fitted.z[~block], fitted.z[~block]) + 4.0 + np.diag(fitted.noise[~block]))
    weights = np.linalg.solve(rest @ rest.T, fitted.v[~block])
    predicted = (kernel.value(fitted.z[block], fitted.z[~block]) + 4.0) @ weights
    np.testing.assert_allclose(residual, fitted.v[block] - predicted, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"gradient": [1.0]}, "as many gradients"),
        ({"gradient": [1.0, np.nan]}, "finite"),
        ({"sd": [0.1, 0.0]}, "positive"),
        ({"temperature_c": [], "log10_dwell": [], "gradient": [], "sd": []}, r"gradients \(0\)"),
    ],
    ids=["lengths", "nan", "no sd", "empty"],
)
def test_bad_data_are_refused(change, match):
    data = {"temperature_c": [600.0, 700.0], "log10_dwell": [3.0, 3.0], "gradient": [1.0, 2.0], "sd": [0.1, 0.1]}
    with pytest.raises(ValueError, match=match):
        GradientMap.fit(**{**data, **change})
