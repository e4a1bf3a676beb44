import numpy as np
import pytest

from simulators.materials.detector import FULL_SCALE, Detector, lamp_shape
from simulators.materials.options import FilmOptions

QUIET = FilmOptions.nothing_goes_wrong()
GREY = np.full(1200, 0.4)


def take(options: FilmOptions, reflectance: np.ndarray | None = GREY, *, seed: int = 0, **changes) -> np.ndarray:
    settings = {"target": "film", "time_s": 0.0, "exposure_s": 0.05, "averages": 1, "tag": "a", **changes}
    return Detector(seed, options).counts(reflectance, **settings)


def test_quiet_counts_are_linear_in_light_and_exposure():
    dark = take(QUIET, None, target="blank")
    once, twice = take(QUIET) - dark, take(QUIET, 2.0 * GREY) - dark
    assert twice == pytest.approx(2.0 * once, abs=1.5)
    assert take(QUIET, exposure_s=0.1) - dark == pytest.approx(2.0 * once, abs=1.5)


def test_normalised_counts_are_the_reflectance():
    dark, mirror = take(QUIET, None, target="blank"), take(QUIET, None, target="mirror")
    assert (take(QUIET) - dark) / (mirror - dark) == pytest.approx(GREY, abs=1e-4)


def test_a_mirror_fills_three_quarters_of_the_converter_in_50_ms():
    counts = take(QUIET, None, target="mirror")
    assert 0.7 * FULL_SCALE < counts.max() < 0.8 * FULL_SCALE
    assert counts.min() > 0.2 * FULL_SCALE
    assert np.all(counts == np.rint(counts))


def test_the_same_tag_is_the_same_frame_and_another_tag_another():
    options = FilmOptions()
    assert np.array_equal(take(options), take(options))
    assert not np.array_equal(take(options), take(options, tag="b"))
    assert not np.array_equal(take(options), take(options, seed=1))


def test_frames_do_not_depend_on_the_order_of_acquisition():
    detector = Detector(0, FilmOptions())
    settings = {"target": "film", "time_s": 0.0, "exposure_s": 0.05, "averages": 1}
    detector.counts(GREY, tag="b", **settings)
    assert np.array_equal(detector.counts(GREY, tag="a", **settings), take(FilmOptions()))


def replicates(options: FilmOptions, n: int = 400, **changes) -> np.ndarray:
    return np.array([take(options, tag=f"r{i}", **changes) for i in range(n)])


def test_noise_has_its_common_its_pixel_and_its_additive_part():
    options = FilmOptions.nothing_goes_wrong(noise=True)
    signal = take(QUIET) - take(QUIET, None, target="blank")
    off = replicates(options) - take(QUIET)
    expected = np.sqrt((0.004 * signal) ** 2 + (0.003 * signal) ** 2 + (0.003 * FULL_SCALE) ** 2)
    assert off.std(axis=0) == pytest.approx(expected, rel=0.2)
    assert np.mean(off.std(axis=0) / expected) == pytest.approx(1.0, abs=0.02)
    common = (off / signal).mean(axis=1)
    assert common.std() == pytest.approx(0.004, rel=0.15)
    blank = replicates(options, 100, target="blank")
    assert blank[:, 0].std() == pytest.approx(0.003 * FULL_SCALE, rel=0.25)


def test_averaging_reduces_noise_by_the_square_root():
    options = FilmOptions.nothing_goes_wrong(noise=True)
    single, four = replicates(options, 200), replicates(options, 200, averages=4)
    assert (four.std(axis=0) / single.std(axis=0)).mean() == pytest.approx(0.5, abs=0.03)
    assert np.all(4.0 * four == np.rint(4.0 * four))


def test_spikes_are_rare_and_large():
    off = replicates(FilmOptions.nothing_goes_wrong(spikes=True), 500) - take(QUIET)
    n_spikes = int(np.sum(off != 0.0))
    assert 30 <= n_spikes <= 95  # Poisson with mean 60
    assert off[off != 0.0].min() > 0.04 * FULL_SCALE


def test_saturation_clips():
    on, off = FilmOptions.nothing_goes_wrong(saturation=True), QUIET
    clipped = take(on, None, target="mirror", exposure_s=0.2)
    assert clipped.max() == Detector.saturation_counts
    assert np.sum(clipped == Detector.saturation_counts) > 600
    assert take(off, None, target="mirror", exposure_s=0.2).max() > 1.5 * FULL_SCALE
    assert np.array_equal(take(on), take(off))


def test_counts_are_never_negative():
    counts = replicates(FilmOptions.nothing_goes_wrong(noise=True), 30, target="blank", exposure_s=1e-3)
    assert counts.min() >= 0.0


def test_the_lamp_drifts_smoothly_and_never_faster_than_it_may():
    detector = Detector(0, FilmOptions.nothing_goes_wrong(drift=True))
    minutes = np.arange(0.0, 72.0 * 60.0)
    factor = np.array([detector.lamp_factor(60.0 * minute) for minute in minutes])
    slope_per_hour = np.abs(np.diff(factor)) * 60.0
    assert 0.0015 < slope_per_hour.max() <= 0.002
    assert np.abs(factor - 1.0).max() < 0.01
    assert Detector(0, QUIET).lamp_factor(40_000.0) == 1.0
    assert Detector(1, FilmOptions()).lamp_factor(0.0) != detector.lamp_factor(0.0)


def test_drift_reaches_the_counts():
    options = FilmOptions.nothing_goes_wrong(drift=True)
    hours = [take(options, time_s=3600.0 * hour).mean() for hour in range(24)]
    assert 0.002 < np.ptp(hours) / np.mean(hours) < 0.02


def test_the_lamp_is_broad():
    shape = lamp_shape(np.array([350.0, 620.0, 900.0]))
    assert shape[1] == pytest.approx(1.0)
    assert np.all(shape >= 0.3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exposure_s": 0.0}, "exposures of 0 s; both must be positive"),
        ({"averages": 0}, "cannot average 0 exposures"),
        ({"exposure_s": float("nan")}, "both must be positive"),
    ],
)
def test_impossible_acquisitions_are_refused(changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        take(QUIET, **changes)


def test_a_film_needs_its_reflectance():
    with pytest.raises(ValueError, match="a film needs its reflectance"):
        take(QUIET, None)
