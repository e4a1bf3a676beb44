"""Whole counts behind stored intensities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.formats.intensities import by_evidence, detected, gathered, multiplied, per_second

COUNTS = st.lists(st.integers(0, 200_000), min_size=5, max_size=40)


@given(COUNTS, st.floats(1.5, 300.0), st.integers(0, 3))
def test_counts_come_back_from_rounded_products(counts, factor, places):
    counts, factors = np.array(counts, dtype=float), np.where(np.arange(len(counts)) % 3, 1.0, factor)
    fields, _ = multiplied(np.round(counts * factors, places), factors)
    if fields["counts"] is not None:
        np.testing.assert_array_equal(fields["counts"], counts)


@given(COUNTS)
def test_counts_in_single_precision_come_back(counts):
    stored = np.array(counts, dtype=np.float32).astype(float)
    fields, warnings = multiplied(stored, None)
    np.testing.assert_array_equal(fields["counts"], counts)
    assert warnings == []


@pytest.mark.parametrize(
    "values", [[-1.0, 2.0, 3.0], [1e308, 2.0, 3.0], [np.nan, 2.0, 3.0], [0.5, 0.25, 3.0], [1.37, 8.21, 4.443]]
)
def test_what_is_no_count_is_told(values):
    fields, warnings = detected(np.array(values), None)
    assert (fields["counts"], fields["sigma"]) == (None, None)
    assert warnings


def test_counts_by_tens_behind_a_factor_of_ten_were_multiplied():
    counts = np.array([120.0, 80.0, 31.0, 7.0, 55.0, 9.0])
    factors = np.array([10.0, 10.0, 10.0, 1.0, 1.0, 1.0])
    fields, _ = by_evidence(counts * factors, factors)
    np.testing.assert_array_equal(fields["counts"], counts)
    raw, _ = by_evidence(counts + 0.0, factors)
    np.testing.assert_array_equal(raw["values"][:3], [1200.0, 800.0, 310.0])


@pytest.mark.parametrize(("factor", "points"), [(2.0, 1), (2.0, 8), (10.0, 2), (100.0, 1)])
def test_whole_numbers_that_may_be_multiples_by_chance_are_refused(factor, points):
    factors = np.r_[np.full(points, factor), np.ones(9)]
    with pytest.raises(NotUnderstood, match="do not tell"):
        by_evidence(400.0 + 0.0 * factors, factors)


def test_products_with_decimals_were_multiplied_though_they_be_few():
    fields, _ = by_evidence(np.array([12.0, 352784.32, 11.0]), np.array([1.0, 24.16, 1.0]))
    np.testing.assert_array_equal(fields["counts"], [12.0, 14602.0, 11.0])


def test_rates_times_their_time_are_counts_where_these_are_whole():
    fields, warnings = per_second(np.array([0.5, 1.25, 4.0]), None, np.full(3, 4.0))
    np.testing.assert_array_equal(fields["counts"], [2.0, 5.0, 16.0])
    np.testing.assert_allclose(fields["sigma"], np.sqrt([3.0, 6.0, 17.0]) / 4.0)
    assert (fields["unit"], warnings) == ("counts/s", [])


@pytest.mark.parametrize("time_s", [None, np.full(3, 0.7), np.full(3, 1e300)], ids=["unknown", "not whole", "huge"])
def test_other_rates_have_no_counts(time_s):
    fields, warnings = per_second(np.array([0.5, 1.25, 1e10]), None, time_s)
    assert (fields["counts"], fields["sigma"]) == (None, None)
    assert warnings


def test_numbers_that_are_whole_neither_way_are_refused():
    with pytest.raises(NotUnderstood, match="do not tell"):
        by_evidence(np.array([1.37, 8.21, 4.443]), np.array([1.0, 7.3, 1.0]))


def test_warnings_of_many_scans_are_told_once():
    assert gathered([["a", "a"], ["a"]]) == ("a",)
    assert gathered([["a"], ["a", "b"]]) == ("a", "scan 2: b")
    assert gathered([["c"]] * 5 + [[]]) == ("scans 1, 2, 3 and 2 more: c",)
