import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats import columns_table
from surrogate.formats.columns_table import has_table, table_of
from surrogate.formats.errors import NotUnderstood

UNDECIDED = "may part columns or mark decimals"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("10.5 2\n10.6 3", [[10.5, 2], [10.6, 3]]),
        ("10.5\t2\n10.6\t3", [[10.5, 2], [10.6, 3]]),
        ("10.5,2\n10.6,3", [[10.5, 2], [10.6, 3]]),
        ("10.5, 2\n10.6, 3", [[10.5, 2], [10.6, 3]]),
        ("10.5;2;\n10.6;3;", [[10.5, 2], [10.6, 3]]),
        ("10,5 2,3\n10,6 2,4", [[10.5, 2.3], [10.6, 2.4]]),
        ("10,5\t2,3\n10,6\t2,4", [[10.5, 2.3], [10.6, 2.4]]),
        ("10,5;2,3\n10,6;2,4", [[10.5, 2.3], [10.6, 2.4]]),
        ("10,5, 2,3\n10,6, 2,4\n10,7, 2,4", [[10.5, 2.3], [10.6, 2.4], [10.7, 2.4]]),
        ('"400","1,5"\n"401","1,7"', [[400, 1.5], [401, 1.7]]),
        ("1 1e5\n2 1D+3\n3 NaN", [[1, 1e5], [2, 1e3], [3, np.nan]]),
        ("1\t\t3\n2\t5\t6\n3\t5\t7", [[1, np.nan, 3], [2, 5, 6], [3, 5, 7]]),
        ("1 2 ok\n2 3 ok\n3 4 bad", [[1, 2], [2, 3], [3, 4]]),
        ("# a\n1 2\n\n! b\n2 3\n; c\n3 4\n// d\n4 5\n' e", [[1, 2], [2, 3], [3, 4], [4, 5]]),
        ("3\n1 2\n2 3\n3 4", [[1, 2], [2, 3], [3, 4]]),
    ],
)
def test_rows_of_any_dialect(text, rows):
    np.testing.assert_array_equal(table_of(text.split("\n")).values, rows)


def test_even_steps_tell_decimal_commas_from_columns():
    text = "10,00,200,5\n10,02,210,1\n10,04,205,7\n10,06,205,7"
    np.testing.assert_array_equal(table_of(text.split("\n")).values[:, 0], [10.0, 10.02, 10.04, 10.06])
    np.testing.assert_array_equal(table_of(text.split("\n")).values[:, 1], [200.5, 210.1, 205.7, 205.7])


def test_even_steps_tell_columns_from_decimal_commas():
    text = "400,1,2,3\n401,1,2,3\n402,5,5,5"
    assert table_of(text.split("\n")).values.shape == (3, 4)


@pytest.mark.parametrize(("names", "width"), [("x,a,b,c", 4), ("x,y", 2)])
def test_names_tell_columns_from_decimal_commas(names, width):
    text = f"{names}\n400,12,15,13\n407,11,14,12\n412,1,1,2"
    assert table_of(text.split("\n")).values.shape == (3, width)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("400,12,15,13\n407,11,14,12\n412,1,1,2", UNDECIDED),
        ("10,5\n10,7\n11,2", "one column of numbers with decimal commas"),
        ("400 1,234\n401 1,243", "'1,234' may be a thousand or a decimal"),
        ("words\nand more words", "no table of numbers"),
        ("", "no table of numbers"),
        ("1 2\n3 4 5", "no two lines of as many"),
        ("1 2\n2 3\nx\ny\nz\n3 4", "3 lines among 3 rows are of another kind, first line 3"),
    ],
)
def test_what_cannot_be_told_is_refused(text, message):
    with pytest.raises(NotUnderstood, match=message):
        table_of(text.split("\n"))


def test_thousands_are_decimals_where_the_axis_shows_decimal_commas():
    assert table_of(["10,000 1,234", "10,020 1,236"]).values.tolist() == [[10.0, 1.234], [10.02, 1.236]]


@pytest.mark.parametrize(
    ("row", "written"),
    [("12;1.478", "1.478"), ("12,5;1.478,5", "1.478,5"), ("12.5;3", "12.5"), ("12;1'478", "1'478")],
)
def test_rows_that_write_numbers_in_another_way_are_refused(row, written):
    lines = ["x;y", "10,0;5,5", "10,5;6,5", "11,0;7,5", row, "13,0;8,5", "13,5;9,5"]
    with pytest.raises(NotUnderstood, match=f"line 5, .{row}., writes .{written}. in another way"):
        table_of(lines)


@pytest.mark.parametrize("lacking", ["", "n.a.", "#NV", "#N/A", "-", "***", "NaN", "null"])
def test_a_field_may_lack_its_number_in_any_row(lacking):
    table = table_of(["x;y", f"10,0;{lacking}", "10,5;6,5", "11,0;7,5", f"11,5;{lacking}", "12,0;8,5"])
    np.testing.assert_array_equal(table.values[:, 0], [10.0, 10.5, 11.0, 11.5, 12.0])
    np.testing.assert_array_equal(table.values[:, 1], [np.nan, 6.5, 7.5, np.nan, 8.5])
    assert (table.above, table.warnings) == (("x;y",), ())


def test_lines_left_out_are_told():
    table = table_of(["x y", "1 2", "2 3", "oops", "3 4", "4 5", "5"])
    assert table.warnings == (
        "line 4, 'oops', is no row of the table and was left out",
        "line 7, '5', is no row of the table and was left out",
    )
    assert table.above == ("x y",)


@pytest.mark.parametrize(("end", "cut"), [("5 2.55", False), ("5 2.5", True), ("5 2", True), ("5 2.5\n", False)])
def test_a_last_row_that_may_be_cut_is_told(end, cut):
    table = table_of(f"1 2.25\n2 3.25\n3 4.25\n4 7.00\n{end}".split("\n"))
    assert len(table.values) == 5
    assert table.warnings == ((f"the file ends in the row {end!r}, which may be cut",) if cut else ())


def test_too_many_columns_are_refused(monkeypatch):
    monkeypatch.setattr(columns_table, "MOST_COLUMNS", 3)
    with pytest.raises(NotUnderstood, match="rows of 4 numbers"):
        table_of(["1 2 3 4", "2 3 4 5"])


@pytest.mark.parametrize(
    ("text", "found"), [("a\n1 2\n2 3", True), ("1 2", False), ("a b\nc d", False), ("1 2\nx\n2 3", False)]
)
def test_a_table_begins_with_two_rows(text, found):
    assert has_table(text.split("\n")) is found


values = st.floats(-1e6, 1e6).map(lambda value: round(value, 4))


@given(
    y=st.lists(st.tuples(values, values), min_size=3, max_size=20),
    delimiter=st.sampled_from([";", "\t"]),
    decimal=st.sampled_from([".", ","]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_is_read_as_pandas_reads_it(y, delimiter, decimal, end):
    frame = pd.DataFrame({"x": 10 + 0.5 * np.arange(len(y)), "a": [a for a, _ in y], "b": [b for _, b in y]})
    text = frame.to_csv(sep=delimiter, decimal=decimal, index=False, lineterminator=end, float_format="%.4f")
    expected = pd.read_csv(io.StringIO(text), sep=delimiter, decimal=decimal).to_numpy()
    np.testing.assert_array_equal(table_of(text.replace("\r\n", "\n").split("\n")).values, expected)


@given(rows=st.lists(st.lists(values, min_size=3, max_size=3), min_size=2, max_size=20))
def test_a_quoted_csv_is_read_back(rows):
    target = io.StringIO()
    csv.writer(target, quoting=csv.QUOTE_ALL).writerows([f"{value:.4f}" for value in row] for row in rows)
    np.testing.assert_array_equal(table_of(target.getvalue().replace("\r\n", "\n").split("\n")).values, rows)


@given(st.lists(st.text(alphabet="0123456789.,;\t -+eE#x", max_size=20), max_size=12))
def test_any_lines_are_a_table_or_refused(lines):
    try:
        table = table_of(lines)
    except NotUnderstood:
        return
    assert table.values.ndim == 2 and len(table.values) >= 2
