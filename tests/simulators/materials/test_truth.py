import numpy as np
import pytest
from numpy.polynomial import legendre

from simulators.materials.film import FilmMaterial
from simulators.materials.optics import WAVELENGTH_NM, bare_reflectance, layer_reflectance, silicon_index
from simulators.materials.options import FilmOptions
from simulators.materials.phases import BOUNDARY_C, NARROW_C, OSCILLATORS, SLOPE_C_PER_DECADE
from simulators.materials.truth import FilmTruth

QUIET = FilmOptions.nothing_goes_wrong()


def coefficients_by_hand(temperature: float, log10_dwell: float) -> np.ndarray:
    """Write the published world out, pixel by pixel, with none of the shortcuts."""
    passed = [
        1.0 / (1.0 + np.exp(-(temperature - a - b * (log10_dwell - 3.0)) / width))
        for a, b, width in zip(BOUNDARY_C, SLOPE_C_PER_DECADE, NARROW_C, strict=True)
    ]
    share = np.array([1.0, *passed]) - np.array([*passed, 0.0])
    film = sum(
        w * phase.index(WAVELENGTH_NM) for w, phase in zip(share[:4] / share[:4].sum(), OSCILLATORS, strict=True)
    )
    thickness = 260.0 * (0.98 - 0.02 * np.tanh((temperature - 750.0) / 300.0))
    silicon = silicon_index(WAVELENGTH_NM)
    layer = layer_reflectance(np.asarray(film)[None], silicon, thickness, WAVELENGTH_NM)[0]
    reflectance = (1.0 - share[4]) * layer + share[4] * bare_reflectance(silicon)
    return legendre.legfit(np.linspace(-1.0, 1.0, 1200), reflectance, 16)


@pytest.mark.parametrize("temperature", [350.0, 540.0, 640.0, 755.0, 840.0, 945.0, 1060.0, 1183.0, 1260.0])
@pytest.mark.parametrize("log10_dwell", [2.5, 3.0, 3.9])
def test_gradient_agrees_with_an_independent_difference(temperature: float, log10_dwell: float):
    h = 0.5
    difference = coefficients_by_hand(temperature + h, log10_dwell) - coefficients_by_hand(temperature - h, log10_dwell)
    expected = np.linalg.norm(difference) / (2.0 * h / 1400.0)
    assert FilmTruth(0, QUIET).gradient(temperature, log10_dwell)[0] == pytest.approx(expected, rel=3e-3, abs=2e-4)


def test_coefficients_are_those_of_the_film_at_that_temperature():
    truth = FilmTruth(0, QUIET).coefficients([700.0], [3.0])[0]
    assert truth == pytest.approx(coefficients_by_hand(700.0, 3.0), abs=2e-5)


def test_the_centre_of_a_sharp_stripe_has_the_true_coefficients():
    options = FilmOptions.nothing_goes_wrong(hidden_error=True)
    film, truth = FilmMaterial(7, options), FilmTruth(7, options)
    shot = film.shoot(x_mm=0.0, y_mm=0.0, shot_number=0, peak_temperature_c=930.0, dwell_us=2000.0)
    reflectance = film.reflectance([shot], np.zeros(1))[0]
    seen = legendre.legfit(np.linspace(-1.0, 1.0, 1200), reflectance, 16)
    assert truth.coefficients([930.0], np.log10(2000.0))[0] == pytest.approx(seen, abs=1e-9)


def test_many_points_and_one_agree_and_none_is_fine():
    truth = FilmTruth(0, FilmOptions())
    rng = np.random.default_rng(0)
    temperature, dwell = rng.uniform(200, 1290, 2500), rng.uniform(2.4, 4.0, 2500)
    all_at_once = truth.gradient(temperature, dwell)
    some = [0, 1023, 1024, 2499]
    assert all_at_once[some] == pytest.approx([truth.gradient(temperature[i], dwell[i])[0] for i in some])
    assert truth.gradient([], []).shape == (0,)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dwell_us", [250.0, 1000.0, 10000.0])
def test_phase_boundaries_are_ridges_of_the_gradient(seed: int, dwell_us: float):
    truth = FilmTruth(seed, FilmOptions())
    temperature = np.arange(200.0, 1300.0, 1.0)
    g = truth.gradient(temperature, np.log10(dwell_us))
    for boundary in truth.boundaries_c(np.log10(dwell_us)):
        near = np.abs(temperature - boundary) < 50.0
        ridge = temperature[near][np.argmax(g[near])]
        assert abs(ridge - boundary) < 8.0
        assert g[near].max() > 10.0 * np.median(g)


@pytest.mark.parametrize(
    "switch",
    [
        "noise",
        "spikes",
        "saturation",
        "drift",
        "centre_offset",
        "temperature_calibration",
        "asymmetry",
        "misfires",
        "dropouts",
        "particles",
        "delaminations",
        "focus_blur",
        "thickness_variation",
    ],
)
def test_what_a_measurement_adds_is_no_part_of_the_truth(switch: str):
    temperature = np.linspace(300.0, 1250.0, 20)
    with_it = FilmTruth(2, FilmOptions.nothing_goes_wrong(**{switch: True}))
    assert np.array_equal(with_it.gradient(temperature, 3.0), FilmTruth(2, QUIET).gradient(temperature, 3.0))


@pytest.mark.parametrize("switch", ["hidden_error", "nucleation_pocket", "diffuse", "bruggeman"])
def test_what_the_film_is_belongs_to_the_truth(switch: str):
    temperature = np.linspace(300.0, 1250.0, 200)
    with_it = FilmTruth(2, FilmOptions.nothing_goes_wrong(**{switch: True}))
    difference = with_it.gradient(temperature, 3.7) - FilmTruth(2, QUIET).gradient(temperature, 3.7)
    assert np.abs(difference).max() > 0.1


def test_beyond_the_pocket_a_boundary_is_missing():
    boundaries = FilmTruth(0, FilmOptions.nothing_goes_wrong(nucleation_pocket=True)).boundaries_c([3.0, 3.8])
    assert np.isnan(boundaries).tolist() == [[False] * 4, [False, False, True, False]]
