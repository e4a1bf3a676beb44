import json
import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom

from simulators.materials import optics, profile
from simulators.materials.film import FilmMaterial, FilmOptions, densification

QUIET = FilmOptions.nothing_goes_wrong()
SITES = [(4.0 * i, 2.0 * j) for i in range(-15, 16) for j in range(-30, 31)]


def fire(film: FilmMaterial, **changes: float) -> dict:
    shot = {"x_mm": 4.0, "y_mm": -2.0, "shot_number": 0, "peak_temperature_c": 1000.0, "dwell_us": 1000.0, **changes}
    return film.shoot(**shot)


def shot_with(film: FilmMaterial, event: str, **changes: float) -> dict:
    """Return the first shot on the wafer to which an event happened."""
    shots = (fire(film, x_mm=x, y_mm=y, **changes) for x, y in SITES)
    return next(shot for shot in shots if shot["event"] == event)


def test_a_shot_is_plain_values_that_survive_json():
    for x, y in SITES[:200]:
        shot = fire(FilmMaterial(1, FilmOptions()), x_mm=x, y_mm=y)
        assert json.loads(json.dumps(shot)) == shot


def test_the_same_shot_has_the_same_truth_whatever_else_was_fired():
    first, second = FilmMaterial(3, FilmOptions()), FilmMaterial(3, FilmOptions())
    for x, y in SITES[:30]:
        fire(second, x_mm=x, y_mm=y)
    assert fire(first) == fire(second)
    assert fire(first) != fire(first, shot_number=1)
    assert fire(first) != fire(first, x_mm=8.0)
    assert fire(first) != fire(FilmMaterial(4, FilmOptions()))
    assert fire(first, x_mm=-0.0) == fire(first, x_mm=0.0)


def test_with_nothing_wrong_a_shot_does_what_was_asked():
    shot = fire(FilmMaterial(3, QUIET))
    assert shot["event"] == "none"
    assert shot["peak_temperature_c"] == 1000.0
    assert shot["dwell_us"] == 1000.0
    assert shot["energy_fraction"] == 1.0
    assert shot["centre_mm"] == 0.0
    assert shot["width_um"] == pytest.approx(profile.width_um(1000.0, 3.0))
    assert shot["right_width_factor"] == 1.0
    assert shot["blur_um"] == 0.0
    assert shot["thickness_nm"] == 260.0


PARTICLE = {"particle_mm", "particle_depth", "particle_width_mm"}
CHANGES = {
    "noise": {"energy_fraction"},
    "spikes": set(),
    "saturation": set(),
    "drift": set(),
    "centre_offset": {"centre_mm"},
    "temperature_calibration": {"peak_temperature_c", "width_um"},
    "asymmetry": {"right_width_factor", "width_um"},
    "misfires": {"event", "energy_fraction", "peak_temperature_c", "dwell_us"},
    "dropouts": {"event", "energy_fraction", "dwell_us", "width_um"},
    "particles": {"event", *PARTICLE},
    "delaminations": {"event"},
    "focus_blur": {"blur_um"},
    "thickness_variation": {"thickness_nm"},
    "hidden_error": {"width_um", "thickness_nm"},
    "nucleation_pocket": set(),
    "diffuse": set(),
    "bruggeman": set(),
}


@pytest.mark.parametrize("switch", CHANGES)
def test_a_switch_changes_its_own_part_of_a_shot_and_no_other(switch: str):
    quiet, loud = FilmMaterial(3, QUIET), FilmMaterial(3, FilmOptions.nothing_goes_wrong(**{switch: True}))
    changed: set[str] = set()
    for x, y in SITES[:800]:
        without, with_it = fire(quiet, x_mm=x, y_mm=y), fire(loud, x_mm=x, y_mm=y)
        changed |= {key for key in without if without[key] != with_it[key]}
    assert changed == CHANGES[switch]


@pytest.mark.parametrize("switch", ["nucleation_pocket", "diffuse", "bruggeman", "hidden_error", "focus_blur"])
def test_switches_of_the_film_itself_change_its_reflectance(switch: str):
    offsets = np.linspace(-0.3, 0.3, 41)
    quiet, loud = FilmMaterial(3, QUIET), FilmMaterial(3, FilmOptions.nothing_goes_wrong(**{switch: True}))
    condition = {"peak_temperature_c": 1100.0, "dwell_us": 8000.0}
    difference = loud.reflectance([fire(loud, **condition)], offsets) - quiet.reflectance(
        [fire(quiet, **condition)], offsets
    )
    assert 0.003 < np.abs(difference).max() < 0.5


@pytest.mark.parametrize("switch", ["noise", "spikes", "saturation", "drift"])
def test_switches_of_the_detector_do_not_touch_the_film(switch: str):
    offsets = np.linspace(-0.3, 0.3, 11)
    quiet, loud = FilmMaterial(3, QUIET), FilmMaterial(3, FilmOptions.nothing_goes_wrong(**{switch: True}))
    assert np.array_equal(loud.reflectance([fire(loud)], offsets), quiet.reflectance([fire(quiet)], offsets))


def test_events_happen_at_their_rates():
    film = FilmMaterial(0, FilmOptions())
    n = 20_000
    seen = Counter(fire(film, shot_number=i)["event"] for i in range(n))
    for event, rate in {"misfire": 0.01, "dropout": 0.005, "particle": 0.01, "delaminated": 0.005}.items():
        low, high = binom.ppf([1e-4, 1 - 1e-4], n, rate)
        assert low <= seen[event] <= high, event
    assert sum(seen.values()) == n


def test_calibration_errors_have_their_spread():
    shots = [fire(FilmMaterial(seed, FilmOptions()), x_mm=x) for seed in range(400) for x in (0.0, 4.0)]
    peaks = np.array([shot["peak_temperature_c"] for shot in shots]).reshape(400, 2)
    good = peaks[np.all(peaks > 500.0, axis=1)] - 1000.0
    assert (good[:, 0] - good[:, 1]).std() == pytest.approx(4.0 * math.sqrt(2.0), rel=0.12)
    assert good.std() == pytest.approx(math.hypot(8.0, 4.0), rel=0.12)


def test_centre_and_energy_have_their_spread():
    film = FilmMaterial(0, FilmOptions.nothing_goes_wrong(centre_offset=True, noise=True))
    shots = [fire(film, shot_number=i) for i in range(2000)]
    assert np.std([shot["centre_mm"] for shot in shots]) == pytest.approx(0.020, rel=0.08)
    assert np.std([shot["energy_fraction"] for shot in shots]) == pytest.approx(0.01, rel=0.08)
    assert np.mean([shot["energy_fraction"] for shot in shots]) == pytest.approx(1.0, abs=0.001)


def test_a_misfire_leaves_the_film_as_deposited():
    film = FilmMaterial(0, FilmOptions.nothing_goes_wrong(misfires=True))
    offsets = np.linspace(-0.5, 0.5, 11)
    shot = shot_with(film, "misfire")
    assert shot["energy_fraction"] == 0.0
    assert film.reflectance([shot], offsets) == pytest.approx(film.reflectance([], offsets), abs=1e-12)


def test_a_dropout_halves_the_dwell():
    film = FilmMaterial(0, FilmOptions.nothing_goes_wrong(dropouts=True))
    shot = shot_with(film, "dropout")
    assert shot["dwell_us"] == 500.0
    assert shot["energy_fraction"] == pytest.approx(0.5)


def test_a_delaminated_stripe_is_flat_for_good():
    film = FilmMaterial(0, FilmOptions.nothing_goes_wrong(delaminations=True))
    shots = [shot_with(film, "delaminated"), fire(film, shot_number=7)]
    assert np.ptp(film.reflectance(shots, np.linspace(-1, 1, 21))) == pytest.approx(0.0, abs=1e-12)


def test_a_particle_darkens_its_neighbourhood_only():
    film = FilmMaterial(0, FilmOptions.nothing_goes_wrong(particles=True))
    shot = shot_with(film, "particle")
    clean = {**shot, "event": "none"}
    at, far = shot["particle_mm"], shot["particle_mm"] + 6.0 * shot["particle_width_mm"]
    ratio = film.reflectance([shot], np.array([at, far])) / film.reflectance([clean], np.array([at, far]))
    assert ratio[0] == pytest.approx(np.full(1200, 1.0 - shot["particle_depth"]))
    assert ratio[1] == pytest.approx(np.ones(1200))


def test_reflectance_is_a_fraction_everywhere():
    film = FilmMaterial(0, FilmOptions())
    for peak in (500.0, 900.0, 1350.0):
        reflectance = film.reflectance([fire(film, peak_temperature_c=peak)], np.linspace(-1.2, 1.2, 49))
        assert reflectance.shape == (49, 1200)
        assert np.all((reflectance >= 0.0) & (reflectance <= 1.0))


def test_one_place_and_many_give_the_same():
    film = FilmMaterial(0, FilmOptions())
    shot = fire(film, peak_temperature_c=1200.0)
    offsets = np.linspace(-0.4, 0.4, 21)
    one_by_one = np.concatenate([film.reflectance([shot], offsets[i : i + 1]) for i in range(21)])
    assert film.reflectance([shot], offsets) == pytest.approx(one_by_one, abs=1e-12)
    assert film.reflectance([shot], np.empty(0)).shape == (0, 1200)


def test_far_from_the_stripe_the_film_is_as_deposited():
    film = FilmMaterial(0, FilmOptions.nothing_goes_wrong())
    assert film.reflectance([fire(film)], np.array([2.0])) == pytest.approx(film.reflectance([], np.array([0.0])))


def test_above_the_last_boundary_the_substrate_shows():
    film = FilmMaterial(0, QUIET)
    reflectance = film.reflectance([fire(film, peak_temperature_c=1340.0)], np.array([0.0]))[0]
    assert reflectance == pytest.approx(optics.bare_reflectance(optics.silicon_index(film.wavelength_nm)), abs=1e-3)


def test_the_hottest_shot_decides():
    film = FilmMaterial(0, QUIET)
    offsets = np.linspace(-0.5, 0.5, 21)
    hot, cool = fire(film, peak_temperature_c=1000.0), fire(film, peak_temperature_c=700.0, shot_number=1)
    alone = film.reflectance([hot], offsets)
    assert np.array_equal(film.reflectance([hot, cool], offsets), film.reflectance([cool, hot], offsets))
    centre = slice(8, 13)
    assert film.reflectance([cool, hot], offsets)[centre] == pytest.approx(alone[centre])


def test_hotter_of_two_is_chosen_place_by_place():
    film = FilmMaterial(0, QUIET)
    narrow = {**fire(film, peak_temperature_c=1000.0), "width_um": 200.0}
    wide = {**fire(film, peak_temperature_c=800.0, dwell_us=5000.0), "width_um": 1200.0}
    both = film.reflectance([narrow, wide], np.array([0.0, 0.3]))
    assert both[0] == pytest.approx(film.reflectance([narrow], np.array([0.0]))[0])
    assert both[1] == pytest.approx(film.reflectance([wide], np.array([0.3]))[0])


def test_blur_is_the_mean_over_a_gaussian_spot():
    film = FilmMaterial(0, FilmOptions.nothing_goes_wrong(focus_blur=True))
    shot = fire(film)
    assert 10.0 <= shot["blur_um"] <= 30.0
    sigma_mm = shot["blur_um"] / 2.354820e3
    spots = np.linspace(-4.0, 4.0, 401)
    weight = np.exp(-0.5 * spots**2)
    sharp = film.reflectance([{**shot, "blur_um": 0.0}], 0.15 + sigma_mm * spots)
    expected = weight @ sharp / weight.sum()
    assert film.reflectance([shot], np.array([0.15]))[0] == pytest.approx(expected, abs=1e-3)


def test_thickness_varies_smoothly_and_little_over_the_wafer():
    film = FilmMaterial(0, FilmOptions.nothing_goes_wrong(thickness_variation=True))
    thickness = np.array([fire(film, x_mm=float(x), y_mm=0.0)["thickness_nm"] for x in range(-70, 71, 2)])
    assert fire(film, x_mm=0.0, y_mm=0.0)["thickness_nm"] == 260.0
    assert np.abs(thickness / 260.0 - 1.0).max() <= 0.005
    assert np.ptp(thickness) > 0.0
    assert np.abs(np.diff(thickness)).max() < 0.1


def test_densification_shifts_fringes_by_four_percent_in_all():
    assert densification(np.array([25.0]))[0] == pytest.approx(1.0, abs=5e-4)
    assert densification(np.array([1400.0]))[0] == pytest.approx(0.96, abs=6e-4)


def test_colours_follow_the_reflectance_and_the_stripe():
    film = FilmMaterial(0, QUIET)
    shot = fire(film, peak_temperature_c=1200.0)
    offsets = np.linspace(-0.6, 0.6, 1301)
    rgb = film.rgb([shot], offsets)
    assert rgb.shape == (1301, 3)
    assert rgb.dtype == np.uint8
    assert np.abs(rgb.astype(int) - rgb[::-1]).max() <= 1
    few = film.rgb([shot], offsets[::50])
    assert np.abs(few.astype(int) - rgb[::50]).max() <= 3
    assert np.abs(rgb[650].astype(int) - rgb[0]).max() > 20
    assert film.rgb([], np.empty(0)).shape == (0, 3)


def test_a_flat_reflector_is_grey():
    film = FilmMaterial(0, FilmOptions.nothing_goes_wrong(delaminations=True))
    rgb = film.rgb([shot_with(film, "delaminated")], np.zeros(1))[0]
    assert rgb.tolist() == [round(255 * 0.3 ** (1 / 2.2))] * 3
