import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from surrogate.formats.axes import converted, declared, oddities, per_unit
from surrogate.formats.record import Axis, Radiation, Scan, counted

CU_ANGSTROM = 1.540593
LASER_ANGSTROM = 5320.0


def axis(quantity, unit, *values):
    return Axis(quantity=quantity, unit=unit, values=np.array(values, dtype=float))


def points(low, high):
    return arrays(np.float64, st.integers(2, 20), elements=st.floats(low, high))


@given(
    values=points(0.5, 170),
    unit=st.sampled_from([("q", "/Ao"), ("q", "/nm"), ("d_spacing", "Ao"), ("d_spacing", "nm")]),
)
def test_two_theta_comes_back_from_q_and_d(values, unit):
    there = converted(
        Axis(quantity="two_theta", unit="deg", values=values),
        unit[1],
        quantity=unit[0],
        wavelength_angstrom=CU_ANGSTROM,
    )
    back = converted(there, "deg", wavelength_angstrom=CU_ANGSTROM)
    assert (there.quantity, there.unit) == unit
    np.testing.assert_allclose(back.values, values, rtol=1e-12)


@given(
    values=points(100, 30_000),
    unit=st.sampled_from(["um", "Ao", "eV", "keV", "meV", "/cm", "Hz", "THz"]),
)
def test_a_wavelength_comes_back_from_any_unit_of_light(values, unit):
    there = converted(Axis(quantity="wavelength", unit="nm", values=values), unit)
    np.testing.assert_allclose(converted(there, "nm").values, values, rtol=1e-13)


@given(values=points(-2000, 4000))
def test_a_raman_shift_comes_back_from_a_wavelength(values):
    shift = Axis(quantity="raman_shift", unit="/cm", values=values)
    there = converted(shift, "nm", wavelength_angstrom=LASER_ANGSTROM)
    back = converted(there, "/cm", quantity="raman_shift", wavelength_angstrom=LASER_ANGSTROM)
    np.testing.assert_allclose(back.values, values, rtol=0, atol=1e-10)


@given(values=points(-170, 170))
def test_degrees_and_radians_need_no_wavelength(values):
    there = converted(Axis(quantity="two_theta", unit="deg", values=values), "rad")
    np.testing.assert_allclose(there.values, np.radians(values), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("source", "unit", "wavelength", "expected"),
    [
        (axis("two_theta", "deg", 28.4427), "Ao", 1.540593, 3.1355),  # silicon 111, a = 5.4309 angstrom
        (axis("d_spacing", "Ao", 3.1355), "/Ao", None, 2 * np.pi / 3.1355),
        (axis("wavelength", "nm", 1239.841984332), "eV", None, 1.0),
        (axis("wavelength", "nm", 500.0), "/cm", None, 20_000.0),
        (axis("energy", "eV", 1.0), "/cm", None, 8065.543937),
        (axis("wavelength", "nm", 299.792458), "THz", None, 1000.0),
        (axis("raman_shift", "/cm", 520.7), "nm", 5320.0, 1e7 / (1e7 / 532 - 520.7)),
        (axis("energy", "keV", 8.04778), "Ao", None, 1.540593),
    ],
    ids=["si 111", "q", "eV", "/cm", "eV to /cm", "THz", "si raman", "cu k-alpha 1"],
)
def test_known_values(source, unit, wavelength, expected):
    assert converted(source, unit, wavelength_angstrom=wavelength).values[0] == pytest.approx(expected, rel=2e-5)


def test_an_axis_already_in_the_unit_is_returned_as_it_is():
    same = axis("wavelength", "nm", 400, 500)
    assert converted(same, "nm") is same


@pytest.mark.parametrize(
    ("source", "unit", "wavelength", "message"),
    [
        (axis("two_theta", "deg", 10, 180), "/Ao", 1.54, "point 2 is 180 °: 2theta is below half a turn"),
        (axis("two_theta", "deg", 0, 10), "Ao", 1.54, "point 1 is 0 Å⁻¹: a d-spacing needs"),
        (axis("d_spacing", "Ao", 3.0, 0.7), "deg", 1.54, "d must be above half of 1.54 angstrom"),
        (axis("d_spacing", "Ao", 0.0), "/Ao", None, "a d_spacing is above 0"),
        (axis("wavelength", "nm", 0.0), "eV", None, "a wavelength is above 0"),
        (axis("raman_shift", "/cm", 30_000), "nm", 5320.0, "shifts by less than 18797 /cm"),
        (axis("wavelength", "nm", np.nan), "eV", None, "point 1 is nan nm"),
        (axis("two_theta", "deg", 10), "Ao", None, "X-ray wavelength is needed"),
        (axis("raman_shift", "/cm", 10), "nm", None, "laser wavelength is needed"),
        (axis("two_theta", "deg", 10), "Ao", -1.0, "a wavelength of -1 angstrom"),
        (axis("wavelength", "nm", 10), "deg", None, "wavelength in nm cannot be given in 'deg'"),
        (axis("time", "s", 10), "ms", None, "time in 's' cannot be converted"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_has_no_counterpart_is_refused(source, unit, wavelength, message):
    with pytest.raises(ValueError, match=message):
        converted(source, unit, wavelength_angstrom=wavelength)


def test_a_conversion_between_families_is_refused_by_name():
    with pytest.raises(ValueError, match="of diffraction cannot be turned into one of light"):
        converted(axis("d_spacing", "Ao", 2.0), "Ao", quantity="wavelength")


@pytest.mark.parametrize(
    ("before", "unit", "wavelength"),
    [("wavelength", "eV", None), ("wavelength", "/cm", None), ("two_theta", "/Ao", 1.54), ("two_theta", "Ao", 1.54)],
)
def test_a_density_keeps_its_integral(before, unit, wavelength):
    low, high, own = (400.0, 800.0, "nm") if before == "wavelength" else (10.0, 90.0, "deg")
    x = Axis(quantity=before, unit=own, values=np.linspace(low, high, 20_001))
    y = np.exp(-(((x.values - (low + high) / 2) / (high - low) * 8) ** 2))
    after = converted(x, unit, wavelength_angstrom=wavelength)
    scaled = per_unit(y, x, after, wavelength_angstrom=wavelength)
    assert abs(np.trapezoid(scaled, after.values)) == pytest.approx(np.trapezoid(y, x.values), rel=1e-6)


def test_an_even_axis_is_not_odd_even_if_it_was_rounded():
    assert oddities(np.round(np.arange(10, 90, 0.0131), 2)) == ()
    assert oddities(np.round(np.linspace(400, 900, 2048) ** 1.001, 3)) == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2, 3, 2.5, 3.5], "the axis turns back at point 4, from 3 to 2.5"),
        ([3, 2, 1, 2, 0, 1, -1], "the axis turns back at point 4, from 1 to 2, and 1 more times"),
        ([1, 2, 2, 3], "1 points repeat the one before them, the first at point 3, at 2"),
        ([10, 10.02, 10.04, 10.09, 10.14], "the step changes at point 3, at 10.04, from 0.02 to 0.05"),
    ],
    ids=["turn", "two turns", "repeat", "step"],
)
def test_an_odd_axis_is_told_with_its_place(values, message):
    assert message in oddities(np.array(values, dtype=float))


def test_huge_and_single_points_are_not_odd():
    assert oddities(np.array([1.0])) == ()
    assert oddities(np.array([1e300, 2e300, 3e300])) == ()


def unnamed(**changes):
    x, counts = np.arange(20.0, 30.0), np.arange(1.0, 11.0)
    lines = Radiation(wavelength_angstrom=(1.5406,), ratio=(1.0,))
    given = {"kind": "diffractogram", "axis": Axis(quantity="unknown", unit="1", values=x), **counted(counts)}
    return Scan(**(given | {"radiation": lines} | changes))


def test_an_axis_that_nothing_names_is_what_a_person_says():
    scan = declared(unnamed(kind="spectrum"), "q", "/Ao")
    assert (scan.kind, scan.axis.quantity, scan.axis.unit) == ("diffractogram", "q", "/Ao")
    assert scan.radiation is not None and scan.sigma is not None
    assert declared(scan, "q", "/Ao") is scan


def test_what_is_said_to_be_light_keeps_no_lines_and_no_sigma_of_photons():
    scan = declared(unnamed(), "wavelength", "nm")
    assert (scan.kind, scan.radiation, scan.sigma) == ("spectrum", None, None)
    own = np.full(10, 3.0)
    assert declared(unnamed(sigma=own), "wavelength", "nm").sigma is own


@pytest.mark.parametrize(
    ("quantity", "unit", "says"),
    [
        ("two_theta", "deg", "its axis is two_theta in °; leave it"),
        ("unknown", "deg", "gives its axis in °, not in"),
    ],
)
def test_what_the_file_says_of_its_axis_stands(quantity, unit, says):
    axis = Axis(quantity=quantity, unit=unit, values=np.arange(20.0, 30.0))
    with pytest.raises(ValueError, match=says):
        declared(unnamed(axis=axis), "q", "/Ao")


def test_units_are_told_as_people_write_them():
    with pytest.raises(ValueError, match=r"point 1 is 20 Å⁻¹: d must be above half of 1.54 angstrom"):
        converted(axis("q", "/Ao", 20.0, 21.0), "deg", quantity="two_theta", wavelength_angstrom=1.54)
