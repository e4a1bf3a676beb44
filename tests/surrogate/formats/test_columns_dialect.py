"""How rows are parted, and which mark is the decimal one."""

import math

import pytest

from surrogate.formats.columns_dialect import DIALECTS, dialect_of, is_comment, row_of
from surrogate.formats.errors import NotUnderstood

BY_NAME = {(dialect.name, dialect.comma): dialect for dialect in DIALECTS}


@pytest.mark.parametrize(
    ("lines", "name", "comma", "width"),
    [
        (["10.0\t5", "10.5\t6", "11.0\t7"], "tabs", False, 2),
        (["10,0;5,5", "10,5;6,5", "11,0;7,5"], "semicolons", True, 2),
        (["10.0,5.5", "10.5,6.5", "11.0,7.5"], "commas", False, 2),
        (["10,0 5,5", "10,5 6,5", "11,0 7,5"], "spaces", True, 2),
        (["10.0, 5.5, 1", "10.5, 6.5, 1", "11.0, 7.5, 1"], "commas", False, 3),
    ],
    ids=["tabs", "semicolons", "commas", "spaces", "commas and blanks"],
)
def test_dialects_are_told_by_the_rows(lines, name, comma, width):
    dialect, found = dialect_of(lines, 0)
    assert (dialect.name, dialect.comma, found) == (name, comma, width)


def test_names_above_decide_what_commas_part():
    lines = ["10,5,200,7", "11,6,300,8", "12,5,400,9"]
    assert dialect_of(lines, 4)[1] == 4
    with pytest.raises(NotUnderstood, match="may part columns or mark decimals"):
        dialect_of(["400,12,15,13", "407,11,14,12", "412,1,1,2"], 0)


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("1;2,5;note", [1.0, 2.5]),
        ("1;note;2", []),
        ("note;1", []),
        (";1", []),
        ("1;n.a.;3", [1.0, math.nan, 3.0]),
        ('"1";"2,5"', [1.0, 2.5]),
    ],
)
def test_a_row_begins_with_numbers_and_has_none_after_text(line, row):
    assert row_of(line, BY_NAME["semicolons", True]) == pytest.approx(row, nan_ok=True)


def test_fields_that_are_empty_count_as_far_as_the_width():
    dialect = BY_NAME["semicolons", False]
    assert [len(row_of("1;;", dialect, width)) for width in (0, 2, 3, 9)] == [1, 2, 3, 3]


@pytest.mark.parametrize(("line", "is_one"), [("", True), ("  # x", True), ("REM x", True), ("1 2", False)])
def test_comments(line, is_one):
    assert is_comment(line) is is_one
