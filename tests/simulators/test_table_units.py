import math

import pytest

from simulators.table_units import contradiction, conversion


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("mL", "mL", 0.1, 0.1),
        ("struts", "struts", 6.0, 6.0),
        ("a.u.", "a.u.", 1.5, 1.5),
        ("min", "s", 2.0, 120.0),
        ("uL/min", "mL/min", 250.0, 0.25),
        ("K", "degC", 300.0, 26.85),
        ("degC", "K", 0.0, 273.15),
        ("Cel", "K", 10.0, 283.15),
        ("%", "1", 45.0, 0.45),
        ("mg", "g", 1.0, 0.001),
    ],
)
def test_values_are_converted(source, target, value, expected):
    assert conversion(source, target)(value) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_equal_units_leave_a_value_as_it_is():
    assert conversion("degC", "degC")(math.pi) == math.pi


@pytest.mark.parametrize(
    ("source", "target", "match"),
    [
        ("s", "degC", "another kind of quantity"),
        ("struts", "mm", "'struts' is no known unit"),
        ("mm", "struts", "'struts' is no known unit"),
        ("mL/(", "mL", "no known unit"),
        ("", "mL", "no known unit"),
    ],
)
def test_what_cannot_be_converted_says_so(source, target, match):
    with pytest.raises(ValueError, match=match):
        conversion(source, target)


@pytest.mark.parametrize(
    ("header", "declared", "is_odd"),
    [
        ("flow (uL/min)", "uL/min", False),
        ("flow (uL/min)", "mL/min", True),
        ("flow [uL/min]", "s", True),
        ("time (min)", "minute", False),
        ("Q(%)", "%", False),
        ("temperature", "K", False),
        ("yield (isolated)", "%", False),
        ("n (struts)", "count", False),
        ("temperature (K)", "degC", True),
    ],
)
def test_a_header_may_contradict_the_declared_unit(header, declared, is_odd):
    assert (contradiction(header, declared) is not None) == is_odd
