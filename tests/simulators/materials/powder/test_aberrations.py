"""What the diffractometer does to lines, in closed forms against sums over rays."""

import numpy as np
import pytest

from simulators.materials.powder import aberrations
from simulators.materials.powder.aberrations import Geometry, shift_deg, table, transparency


def sum_over_rays(errors_deg, weights, omega):
    return (weights[:, None] * np.exp(-1j * np.outer(errors_deg, omega))).sum(axis=0) / weights.sum()


@pytest.mark.parametrize("angle_deg", [12.0, 30.0, 86.0, 130.0])
def test_smearing_is_the_mean_over_rays(angle_deg):
    plain = Geometry(divergence_deg=0.0, soller_rad=0.0)
    geometry = Geometry(divergence_deg=1.0, soller_rad=0.03)
    angle = np.array([angle_deg])
    ratio = (table(geometry, "K-alpha").at(angle, 1, 900) / table(plain, "K-alpha").at(angle, 1, 900))[0]
    omega = aberrations.frequencies(aberrations.WINDOW)[:900]
    u = (np.arange(4000) + 0.5) / 4000
    half = np.radians(0.5)
    flat = sum_over_rays(-np.degrees(2.0 * (half * u) ** 2 / np.tan(np.radians(angle_deg / 2.0))), np.ones(4000), omega)
    axial_deg = -np.degrees((0.03 * u) ** 2 / 2.0 / np.tan(np.radians(angle_deg)))
    axial = sum_over_rays(axial_deg, 1.0 - u, omega)
    assert np.abs(ratio[:400] - (flat * axial)[:400]).max() < 0.02


def test_a_low_specimen_and_a_zero_error_move_lines():
    angles = np.array([20.0, 60.0, 120.0])
    moved = shift_deg(angles, zero_deg=0.05, displacement_mm=0.1, radius_mm=200.0)
    assert moved == pytest.approx(0.05 - np.degrees(0.001 * np.cos(np.radians(angles / 2.0))))


def test_transparency_moves_the_mean_by_its_depth():
    omega = np.array([1e-4])
    value = transparency(np.array([90.0]), omega, mu_per_mm=5.0, radius_mm=200.0)
    assert -np.angle(value[0, 0]) / 1e-4 == pytest.approx(-np.degrees(1.0 / 2000.0), rel=1e-3)


def test_between_tabulated_angles_values_are_blended():
    known = table(Geometry(), "K-alpha")
    between = known.at(np.array([31.0]), 1, 200)[0]
    assert between == pytest.approx(0.5 * (known.at(np.array([30.0]), 1, 200) + known.at(np.array([32.0]), 1, 200))[0])
    assert np.array_equal(known.at(np.array([31.0]), 4, 50)[0], between[::4])
