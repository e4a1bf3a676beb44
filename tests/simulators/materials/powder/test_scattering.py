"""How atoms scatter and absorb, against handbook values."""

import numpy as np
import pytest

from simulators.materials.powder.scattering import (
    absorption_cm2_g,
    brindley,
    dispersion,
    fluorescence,
    form_factor,
    mixed_absorption_cm2_g,
)


@pytest.mark.parametrize(("element", "cm2_g"), [("O", 11.5), ("Al", 50.2), ("Ti", 202.0), ("Fe", 304.0), ("Bi", 244.0)])
def test_mass_absorption_is_that_of_the_international_tables(element, cm2_g):
    assert absorption_cm2_g(element) == pytest.approx(cm2_g, rel=0.1)


def test_a_mixture_absorbs_by_weight():
    mixed = mixed_absorption_cm2_g({"Ti": 0.6, "O": 0.4})
    assert mixed == pytest.approx(0.6 * absorption_cm2_g("Ti") + 0.4 * absorption_cm2_g("O"))


def test_forward_scattering_counts_the_electrons():
    assert form_factor("Ti", np.array([0.0, 0.3]))[0] == pytest.approx(22.0, abs=0.05)
    assert form_factor("Ti", np.array([0.0, 0.3]))[1] < 15.0
    assert dispersion("Co").real < -1.5 < 0.0 < dispersion("Co").imag


@pytest.mark.parametrize(("contrast", "kept"), [(0.0, 1.0), (0.02, 0.985), (-0.02, 1.015), (0.2, 0.863)])
def test_particles_that_absorb_more_than_their_surroundings_show_less(contrast, kept):
    """For a sphere the mean chord is 3/4 of its diameter to first order."""
    assert brindley(contrast) == pytest.approx(kept, abs=2e-3)


def test_iron_fluoresces_and_titanium_does_not():
    assert fluorescence({"Ti": 1.0}, 4.0) == 1.0
    assert fluorescence({"Fe": 0.15, "O": 0.85}, 4.0) == pytest.approx(2.5)
    assert fluorescence({"Fe": 0.7, "O": 0.3}, 4.0) == 4.0
