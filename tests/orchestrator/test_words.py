import math

import pytest

from orchestrator.words import duration, label, moment, number, plural, quantity, size, unit_sign


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (12.34, "12.3 s"),
        (61.0, "1 min 1 s"),
        (600.0, "10 min"),
        (3600.0, "1 h"),
        (5977.6, "1 h 40 min"),
        (172_800.0, "2 d"),
        (2_592_000.0 + 7200, "30 d 2 h"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (0.123456, "0.1235"),
        (1e-7, "1e-07"),
        (1730.6, "1731"),
        (123.456, "123.5"),
        (12345, "12\u2009345"),
        (None, "–"),
        (math.inf, "–"),
        ("water", "water"),
        (True, "True"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_units_are_printed_as_people_write_them():
    assert quantity(350.0, "degC") == "350\u00a0°C"
    assert quantity(1.5, "1") == "1.5"
    assert quantity(None, "mL") == "–"
    assert unit_sign("umol") == "µmol"
    assert unit_sign(None) == ""
    assert unit_sign("furlong") == "furlong"
    assert unit_sign("uL/min") == "µL/min"
    assert unit_sign("degC") == "°C"


def test_counts_sizes_and_labels():
    assert plural(1, "trial") == "1 trial"
    assert plural(2, "trial") == "2 trials"
    assert size(999) == "999 B"
    assert size(4_930_000) == "4.93 MB"
    assert size(2.5e9) == "2.5 GB"
    assert label("peak_temperature") == "peak temperature"


def test_moments_are_printed_to_the_second():
    assert moment("2026-01-01T01:39:37.600000+00:00") == "2026-01-01 01:39:37 UTC"
    assert moment("") == "–"
