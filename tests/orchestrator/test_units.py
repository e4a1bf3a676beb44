"""Quantities: what people write, exact conversions, and agreement with pint on every unit of our own table."""

from __future__ import annotations

import subprocess
import sys

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import units
from orchestrator.unit_table import ALIASES, PLAIN, PREFIXABLE, PREFIXES

OURS_ALONE = {"mol%", "wt%", "vol%", "at%", "sccm", "1"}
"""Units that pint does not have."""
PINT_SPELLING = {"Torr": "torr", "l": "liter"}


@pytest.fixture(scope="module")
def registry():
    return pint.UnitRegistry()


def _names():
    prefixed = [prefix + base for prefix in PREFIXES for base in PREFIXABLE]
    return [name for name in [*PLAIN, *PREFIXABLE, *prefixed] if name not in OURS_ALONE]


def test_every_unit_of_the_table_is_what_pint_says(registry):
    names = {"amount": "[substance]"}
    for name in _names():
        scale = units.scale_of(name)
        theirs = registry.Quantity(1.0, PINT_SPELLING.get(name, name))
        zero = registry.Quantity(0.0, PINT_SPELLING.get(name, name))
        # pint counts angles as plain numbers
        dimensionality = {names.get(key, f"[{key}]"): power for key, power in scale.dimension if key != "angle"}
        assert dict(theirs.dimensionality) == dimensionality, name
        assert zero.to_base_units().magnitude == pytest.approx(float(scale.offset)), name
        assert theirs.to_base_units().magnitude == pytest.approx(float(scale.factor + scale.offset), rel=1e-12), name


def test_aliases_lead_to_units_of_the_table():
    assert all(target in PLAIN or target in PREFIXABLE for target in ALIASES.values())


@pytest.mark.parametrize(
    ("written", "unit", "expected"),
    [
        ("350 degC", "degC", 350.0),
        ("350°C", "degC", 350.0),
        ("673 K", "degC", 399.85),
        ("662 degF", "degC", 350.0),
        ("10 ms", "us", 10000.0),
        ("0.1 s", "ms", 100.0),
        ("2 h", "s", 7200.0),
        ("1 week", "d", 7.0),
        ("2 hours", "min", 120.0),
        ("5mL", "uL", 5000.0),
        ("5 µL", "mL", 0.005),
        ("-1 mm", "um", -1000.0),
        ("\N{MINUS SIGN}1 mm", "um", -1000.0),
        ("1e-3 m", "mm", 1.0),
        (".5 %", "1", 0.005),
        ("10 mL/min", "L/h", 0.6),
        ("2 mol/L", "M", 2.0),
        ("3 cm3", "mL", 3.0),
        ("9 m/s^2", "m*s^-2", 9.0),
        ("5 K/min", "degC/s", 5.0 / 60.0),
        ("1 psi", "Pa", 6894.757293168363),
        (7, "mm", 7.0),
        ("7", "mm", 7.0),
    ],
)
def test_reads_what_people_write(written, unit, expected):
    assert units.read(written, unit) == pytest.approx(expected, rel=1e-14)


def test_decimal_quantities_convert_without_rounding_dust():
    assert units.read("10 ms", "us") == 10000.0
    assert units.read("673 K", "degC") == 399.85
    assert units.read("0.3 mm", "um") == 300.0


@pytest.mark.parametrize("written", ["37.5 K", "37.5 degC", "37.5 delta_degC", "67.5 degF"])
def test_a_difference_of_temperatures_has_no_zero(written):
    assert units.read(written, "degC", difference=True) == 37.5


@pytest.mark.parametrize(
    ("written", "unit", "message"),
    [
        ("5 s", "degC", "'5 s' is a time, but a temperature in 'degC' is needed here"),
        ("5 mol%", "wt%", "'5 mol%' is a mole fraction, but a mass fraction in 'wt%' is needed here"),
        ("5 M/s", "mm", "'5 M/s' is amount/length^3/time, but a length in 'mm' is needed here"),
        ("5 foo", "mm", "unknown unit 'foo'"),
        ("5 degc", "mm", "unknown unit 'degc'; did you mean 'degC'?"),
        ("5 MMol", "mm", "unknown unit 'MMol'; did you mean 'mmol'?"),
        ("5 pH", "V", "unknown unit 'pH'"),
        ("5 umol/h H2", "umol/h", "unknown unit 'umol/h H2'"),
        ("hot", "degC", "cannot read 'hot'; write a number and a unit, such as '350 degC' or '10 ms'"),
        ("1,5 mm", "mm", "cannot read '1,5 mm'; write a number and a unit, such as '350 degC' or '10 ms'"),
        ("1e999 mm", "mm", "'1e999 mm' is too large a number"),
        (float("nan"), "mm", "must be a finite number, got nan"),
        ([1], "mm", "must be a number or a quantity such as '5 mm', got a list"),
        (None, "mm", "must be a number or a quantity such as '5 mm', got nothing"),
        (True, "mm", "must be a number or a quantity such as '5 mm', got true"),
    ],
)
def test_says_what_is_wrong(written, unit, message):
    with pytest.raises(units.UnitError) as caught:
        units.read(written, unit)
    assert str(caught.value).startswith(message)


def test_a_label_takes_bare_numbers_and_itself():
    assert units.read(5, "equivalents to C60") == 5.0
    assert units.read("5 equivalents to C60", "equivalents to C60") == 5.0
    assert not units.is_known("equivalents to C60")
    assert units.same_dimension("equivalents to C60", "equivalents to C60")
    with pytest.raises(units.UnknownUnit):
        units.read("5 mg", "equivalents to C60")


@pytest.mark.parametrize(
    ("value", "unit", "ucum", "expected"),
    [
        (350.0, "degC", "Cel", 350.0),
        (350.0, "degC", "K", 623.15),
        (10.0, "ms", "us", 10000.0),
        (2.0, "h", "s", 7200.0),
        (3.0, "um", "mm", 0.003),
        (1.0, "g", "mg", 1000.0),
        (1.0, "L", "mL", 1000.0),
        (1.0, "mmol", "umol", 1000.0),
        (50.0, "%", "1", 0.5),
        (1.0, "mm/s", "m.s-1", 0.001),
        (60.0, "mL/h", "mL/min", 1.0),
        (212.0, "degF", "Cel", 100.0),
        (1.0, "kohm", "Ohm", 1000.0),
        (180.0, "deg", "rad", 3.141592653589793),
    ],
)
def test_converts_to_the_units_of_drivers(value, unit, ucum, expected):
    assert units.to_ucum(value, unit, ucum) == pytest.approx(expected, rel=1e-14)


def test_refuses_a_ucum_code_that_it_cannot_read():
    with pytest.raises(units.UnknownUnit, match="unknown UCUM code 'm//s'"):
        units.to_ucum(1.0, "m", "m//s")


def test_a_measure_prints_so_that_it_reads_back():
    assert str(units.Measure(1300.0, "degC")) == "1300 degC"
    assert str(units.Measure(0.25, "1")) == "0.25"
    assert units.split(str(units.Measure(1 / 3, "mm"))) == units.Measure(1 / 3, "mm")


@given(st.floats(-1e12, 1e12), st.sampled_from(["degC", "degF", "K"]), st.sampled_from(["degC", "degF", "K"]))
def test_conversion_goes_back_and_forth(value, unit, other):
    there = units.convert(value, unit, other)
    assert units.convert(there, other, unit) == pytest.approx(value, rel=1e-12, abs=1e-9)


@given(st.text(max_size=40))
def test_any_text_is_a_quantity_or_an_error_in_words(text):
    try:
        assert isinstance(units.read(text, "mm"), float)
    except units.UnitError as error:
        assert str(error)


@given(st.text(alphabet="abcdefgmkspHCL0123456789/*^ ._-%()", max_size=20))
def test_any_unit_is_known_or_not(text):
    assert units.is_known(text) in (True, False)


def test_common_units_do_not_load_pint():
    code = (
        "import sys; from orchestrator import units; "
        "assert units.read('10 ms', 'us') == 10000.0 and units.read('5 mL/min', 'uL/s') > 0; "
        "assert 'pint' not in sys.modules; units.read('1 furlong', 'm'); assert 'pint' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
