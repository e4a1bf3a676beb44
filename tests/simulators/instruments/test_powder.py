"""What the simulated diffractometer counts: lines of what lies in it, by weight, on a background that falls."""

import numpy as np
import pytest

from simulators.instruments.powder import Powder, powder_of, rate_cps

ANGLES = np.arange(20.0, 60.0, 0.01)


def rate(angles=ANGLES, seed=1, **options):
    return rate_cps(angles, powder_of(options), rng=np.random.default_rng(seed))


def area(powder, low_deg, high_deg):
    angles = np.linspace(low_deg, high_deg, 2001)
    values = rate(angles, **powder)
    ends = np.interp(angles, [low_deg, high_deg], [values[0], values[-1]])
    return np.trapezoid(values - ends, angles)


@pytest.mark.parametrize("rutile", [0.1, 0.3, 0.5, 0.8])
def test_spurr_and_myers_find_the_fraction_of_rutile(rutile):
    """doi:10.1021/ac60125a006: f = 1 / (1 + 0.79 I_A/I_R), from the strongest lines; good to some per cent."""
    powder = {"anatase": 1.0 - rutile, "rutile": rutile, "crystallite_nm": 200.0}
    ratio = area(powder, 24.6, 26.1) / area(powder, 26.7, 28.2)
    assert 1.0 / (1.0 + 0.79 * ratio) == pytest.approx(rutile, abs=0.06)


def test_amorphous_powder_has_no_lines_and_smaller_crystallites_broader_ones():
    glass, sharp, broad = rate(amorphous=1.0), rate(anatase=1.0), rate(anatase=1.0, crystallite_nm=8.0)
    steepest = [np.abs(np.diff(values)).max() for values in (glass, broad, sharp)]
    assert steepest[0] < 0.1 * steepest[1] < 0.01 * steepest[2]
    assert glass.max() > 1.5 * rate(silicon=1.0).min()


def test_a_zero_shift_moves_the_whole_pattern():
    powder = powder_of({"anatase": 0.5, "rutile": 0.5})
    still, moved = (rate_cps(ANGLES, powder, rng=np.random.default_rng(1), zero_shift_deg=z) for z in (0.0, 0.05))
    assert moved[5:] == pytest.approx(still[:-5], rel=0.01)


def test_iron_glows_and_a_textured_sample_is_another_one():
    lowest = [rate(**{name: 1.0}).min() for name in ("hematite", "corundum")]
    assert lowest[0] > 2.0 * lowest[1]
    assert np.abs(rate(anatase=1.0, texture=0.5) - rate(anatase=1.0)).max() > 100.0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"anatase": 0.5}, "add up to 0.5"),
        ({"anatase": 1.5, "amorphous": -0.5}, "negative"),
        ({"anatase": float("nan")}, "add up to nan"),
        ({"gilt": 1.0}, "no structure is shipped of gilt"),
        ({"anatase": "much"}, "no number: 'much'"),
        ({"anatase": 1.0, "crystallite_nm": 0.0}, "must be positive"),
    ],
)
def test_powders_that_cannot_be_are_refused(options, told):
    with pytest.raises(ValueError, match=told):
        powder_of(options)


def test_phases_of_no_weight_are_left_out():
    assert powder_of({"anatase": 1.0, "rutile": 0.0}) == Powder(weights=(("anatase", 1.0),))
