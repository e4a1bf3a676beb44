"""The tube's lines: where they are and how broad, after their Fourier transforms."""

import numpy as np
import pytest

from simulators.materials.powder.emission import GROUPS, transform, wavelength_angstrom


@pytest.mark.parametrize(("group", "angstrom"), [("K-alpha", 1.54059), ("K-beta", 1.39222), ("W L-alpha", 1.47631)])
def test_wavelengths_are_those_of_the_tables(group, angstrom):
    assert wavelength_angstrom(group) == pytest.approx(angstrom, abs=5e-5)


def test_shares_of_each_group_are_whole():
    assert all(sum(line.share for line in lines) == pytest.approx(1.0, abs=0.35) for lines in GROUPS.values())
    at_zero = transform("K-beta", np.array([30.0, 60.0]), np.array([0.0]))
    assert at_zero == pytest.approx(np.ones((2, 1)))


@pytest.mark.parametrize("angle_deg", [30.0, 60.0, 120.0])
def test_the_mean_of_k_alpha_lies_where_both_lines_pull_it(angle_deg):
    """A transform turns with the mean position: K-alpha 2, a third of the light, lies 0.0038 angstrom higher."""
    omega = 1e-3
    values = transform("K-alpha", np.array([angle_deg]), np.array([0.0, omega]))
    mean_deg = -np.angle(values[0, 1]) / omega
    tangent = np.tan(np.radians(angle_deg) / 2.0)
    expected = np.degrees(2.0 * tangent * (0.341 * 0.00389 + 0.08 * 0.00047) / 1.5406)
    assert mean_deg == pytest.approx(expected, rel=0.02)
