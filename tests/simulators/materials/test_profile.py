import json
import math
from importlib import resources

import numpy as np
import pytest

from simulators.materials import profile

CHECKS = [
    (400, 2.4, 468),
    (800, 2.4, 571),
    (1200, 2.4, 446),
    (800, 3, 680),
    (1000, 3, 635),
    (1200, 3, 586),
    (800, 4, 760),
    (1200, 4, 693),
]


@pytest.mark.parametrize(("peak", "log10_dwell", "width"), CHECKS)
def test_width_has_the_published_values(peak: float, log10_dwell: float, width: float):
    assert profile.width_um(peak, log10_dwell) == pytest.approx(width, abs=0.7)


def test_the_data_file_names_its_source_and_its_own_checks():
    facts = json.loads((resources.files("surrogate") / "facts" / "lglsa_profile.json").read_text())
    assert facts["doi"] == "10.1126/sciadv.abg4930"
    checks = [(c["peak_temperature_c"], c["log10_dwell_us"], c["width_um"]) for c in facts["width_um_checks"]]
    assert checks == CHECKS


@pytest.mark.parametrize(
    ("outside", "edge"), [((1500.0, 3.0), (1300.0, 3.0)), ((200.0, 3.0), (400.0, 3.0)), ((400.0, 2.1), (400.0, 2.398))]
)
def test_outside_the_fitted_range_the_edge_counts(outside: tuple[float, float], edge: tuple[float, float]):
    assert profile.width_um(*outside) == profile.width_um(*edge)


@pytest.mark.parametrize(("peak", "log10_dwell", "slope"), [(800, 3, 2.0), (1200, 4, 3.0)])
def test_the_steepest_slope_is_the_published_one(peak: float, log10_dwell: float, slope: float):
    x = np.linspace(0.0, 1.0, 20001)
    width = profile.width_um(peak, log10_dwell)
    t = profile.temperature_c(x, peak_temperature_c=peak, width_um=width, right_width_factor=1.0)
    assert np.abs(np.diff(t) / np.diff(1e3 * x)).max() == pytest.approx(slope, abs=0.06)


def test_full_width_at_half_maximum_follows_from_the_width():
    half = 0.5e-3 * 600.0 * math.sqrt(math.log(2.0))
    t = profile.temperature_c(
        np.array([-half, 0.0, half]), peak_temperature_c=900.0, width_um=600.0, right_width_factor=1
    )
    assert t == pytest.approx([450.0, 900.0, 450.0])


def test_the_right_side_is_narrower_by_its_factor():
    def at(x: float, factor: float) -> float:
        return float(profile.temperature_c(x, peak_temperature_c=900.0, width_um=600.0, right_width_factor=factor))

    assert at(0.95 * 0.2, 0.95) == pytest.approx(at(-0.2, 0.95))
    assert at(-0.2, 0.95) == at(-0.2, 1.0)


def test_far_away_the_film_stays_at_ambient():
    t = profile.temperature_c([-3.0, 3.0], peak_temperature_c=1300.0, width_um=600.0, right_width_factor=1.0)
    assert np.all(t == profile.AMBIENT_C)
