"""Every derivative is held against finite differences, every covariance against positive definiteness."""

import numpy as np
import pytest

from surrogate.kernels import (
    Bumps,
    Flat,
    Line,
    Matern52,
    Mirrored,
    ProcessingKernel,
    Rescaled,
    Sum,
    isara,
    matern52,
    matern52_curvature,
    matern52_slope,
    squared_exponential,
)

BUMPS = Bumps(
    centres=(0.0, -0.1, 0.1), scales=(0.3, 0.04, 0.04), weights=(1.0, 0.8, 0.8), powers=(8.0, 2.0, 2.0), floor=0.1
)
KERNELS = {
    "matern": Matern52(length=0.2, variance=1.7),
    "mirrored": Mirrored(length=0.15, variance=0.6),
    "line": Line(offset_variance=2.0, tilt_variance=0.5),
    "rescaled": Rescaled(Matern52(length=0.2), BUMPS),
    "sum": Sum((Mirrored(length=0.3), Line())),
    "isara": isara(0.2, variance=1.3, rescale=BUMPS),
    "isara without picture": isara(0.2),
}
A = np.array([-0.61, -0.2, 0.03, 0.11, 0.4])
B = np.array([-0.5, -0.13, 0.05, 0.27])
STEP = 1e-5


@pytest.mark.parametrize("name", KERNELS)
def test_slope_is_the_derivative_by_the_first_argument(name):
    kernel = KERNELS[name]
    numeric = (kernel.value(A + STEP, B) - kernel.value(A - STEP, B)) / (2 * STEP)
    np.testing.assert_allclose(kernel.slope(A, B), numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", KERNELS)
def test_both_slopes_is_the_mixed_derivative(name):
    kernel = KERNELS[name]
    numeric = (kernel.slope(A, B + STEP) - kernel.slope(A, B - STEP)) / (2 * STEP)
    np.testing.assert_allclose(kernel.both_slopes(A, B), numeric, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", KERNELS)
def test_values_and_slopes_have_one_positive_semidefinite_covariance(name):
    kernel, x = KERNELS[name], np.linspace(-0.7, 0.71, 12)
    cross = kernel.slope(x, x)
    joint = np.block([[kernel.value(x, x), cross.T], [cross, kernel.both_slopes(x, x)]])
    np.testing.assert_allclose(joint, joint.T, atol=1e-9)
    assert np.linalg.eigvalsh(joint).min() > -1e-8 * np.abs(joint).max()


def test_matern_and_its_derivatives_agree():
    d = np.array([-0.9, -0.2, 0.1, 0.7])
    slope = (matern52(d + STEP, 0.4) - matern52(d - STEP, 0.4)) / (2 * STEP)
    curvature = (matern52_slope(d + STEP, 0.4) - matern52_slope(d - STEP, 0.4)) / (2 * STEP)
    np.testing.assert_allclose(matern52_slope(d, 0.4), slope, rtol=1e-6)
    np.testing.assert_allclose(matern52_curvature(d, 0.4), curvature, rtol=1e-6)
    assert matern52(np.zeros(1), 0.4) == squared_exponential(np.zeros(1), 0.4) == 1.0


def test_mirrored_functions_are_even():
    kernel = KERNELS["mirrored"]
    np.testing.assert_allclose(kernel.value(A, B), kernel.value(-A, B))
    np.testing.assert_allclose(kernel.slope(np.zeros(1), B), 0.0, atol=1e-12)


def test_line_breaks_the_symmetry_of_isara():
    kernel = KERNELS["isara without picture"]
    assert not np.allclose(kernel.value(A, B), kernel.value(-A, B))


@pytest.mark.parametrize("rescale", [BUMPS, Flat()], ids=["bumps", "flat"])
def test_rescaling_knows_its_slope(rescale):
    x = np.linspace(-0.5, 0.5, 41) + 0.003
    numeric = (rescale.value(x + STEP) - rescale.value(x - STEP)) / (2 * STEP)
    np.testing.assert_allclose(rescale.slope(x), numeric, rtol=1e-5, atol=1e-6)
    assert (rescale.value(x) > 0).all()


@pytest.mark.parametrize("shear", [(), (-80.0,)], ids=["upright", "sheared"])
def test_processing_kernel_slope_is_along_temperature(shear):
    kernel = ProcessingKernel(lengths=(30.0, 0.4), variance=2.0, shear=shear)
    a = np.array([[500.0, 2.5], [530.0, 3.0], [900.0, 3.9]])
    b = np.array([[510.0, 2.7], [880.0, 3.6]])
    step = np.array([1e-3, 0.0])
    numeric = (kernel.value(a + step, b) - kernel.value(a - step, b)) / 2e-3
    np.testing.assert_allclose(kernel.slope(a, b), numeric, rtol=1e-5, atol=1e-9)


def test_shear_makes_points_along_a_slanted_boundary_alike():
    along = np.array([[600.0, 2.5], [560.0, 3.0]])
    upright = ProcessingKernel(lengths=(30.0, 0.4)).value(along[:1], along[1:])
    sheared = ProcessingKernel(lengths=(30.0, 0.4), shear=(-80.0,)).value(along[:1], along[1:])
    assert sheared[0, 0] > upright[0, 0]


def test_processing_kernel_leaves_its_argument_alone():
    z = np.array([[600.0, 2.5], [560.0, 3.0]])
    before = z.copy()
    ProcessingKernel(lengths=(30.0, 0.4), shear=(-80.0,)).value(z, z)
    np.testing.assert_array_equal(z, before)
