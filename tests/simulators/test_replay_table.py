from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.replay_options import ReplayOptions, TableProblems, read_options
from simulators.replay_table import Table, read_table

HEADER = "time,base,yield\n"
ROWS = "1,A,10\n2,A,20\n1,A,12\n2,B,30\n3,B,31\n"


def options(path: Path, **changed: Any) -> ReplayOptions:
    told: dict[str, Any] = {
        "table": str(path),
        "parameters": [
            {"name": "time", "kind": "continuous", "unit": "min", "low": 0.0, "high": 10.0},
            {"name": "base", "kind": "categorical", "levels": ["A", "B"]},
        ],
        "objectives": [{"name": "yield", "unit": "%"}],
    }
    return read_options({**told, **changed})


@pytest.fixture
def write(tmp_path):
    def make(content: str | bytes) -> Path:
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def problems_of(path: Path, **changed: Any) -> list[str]:
    with pytest.raises(TableProblems) as caught:
        read_table(options(path, **changed))
    assert all(problem.startswith(f"table {path}: ") for problem in caught.value.problems)
    return [problem.removeprefix(f"table {path}: ") for problem in caught.value.problems]


def numbers_only(name: str, **more: Any) -> dict[str, Any]:
    return {"parameters": [{"name": name, "kind": "continuous", "unit": "min", **more}]}


def test_repeats_of_a_condition_are_found(write):
    table = read_table(options(write(HEADER + ROWS)))
    assert table.conditions == (
        {"time": 1.0, "base": "A"},
        {"time": 2.0, "base": "A"},
        {"time": 2.0, "base": "B"},
        {"time": 3.0, "base": "B"},
    )
    assert [rows.tolist() for rows in table.rows_of] == [[0, 2], [1], [3], [4]]
    assert table.means[:, 0].tolist() == [11.0, 20.0, 30.0, 31.0]
    assert table.numbers.tolist() == [2, 3, 4, 5, 6]


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from("AB"), st.integers(0, 99)), min_size=5, max_size=40))
def test_every_row_belongs_to_the_condition_with_its_settings(tmp_path_factory, rows):
    rows += [(1, "A", 0), (2, "B", 0)]
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_text(HEADER + "".join(f"{time},{base},{value}\n" for time, base, value in rows))
    table = read_table(options(path))
    assert len(table.conditions) == len({row[:2] for row in rows})
    for i, (time, base, value) in enumerate(rows):
        assert table.conditions[table.condition_of_row[i]] == {"time": time, "base": base}
        assert i in table.rows_of[table.condition_of_row[i]]
        assert table.values[i, 0] == value
    for i, condition in enumerate(table.conditions):
        mine = [row[2] for row in rows if row[:2] == (condition["time"], condition["base"])]
        assert table.means[i, 0] == pytest.approx(np.mean(mine))


def test_columns_are_converted_to_the_campaigns_units(write):
    path = write("t (s),base,y\n60,A,0.5\n120,B,0.25\n")
    columns = {"time": {"column": "t (s)", "unit": "s"}, "yield": {"column": "y", "unit": "1"}}
    table = read_table(options(path, columns=columns))
    assert [point["time"] for point in table.conditions] == pytest.approx([1.0, 2.0])
    assert table.values[:, 0] == pytest.approx([50.0, 25.0])


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order mark"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["unix", "windows"])
def test_spreadsheets_write_utf8_in_several_ways(write, prefix, newline):
    path = write(prefix + (HEADER + ROWS).encode().replace(b"\n", newline) + b",,\n" + newline)
    assert len(read_table(options(path)).failed) == 5


def test_quoted_cells_and_blanks_are_read(write):
    path = write('time , base,"yield"\n 1 ,"A", 1e1 \n+.2e1,B,-3.\n')
    table = read_table(options(path))
    assert table.values[:, 0].tolist() == [10.0, -3.0]


def test_failed_rows_need_no_value_and_do_not_count_in_the_mean(write):
    path = write(HEADER + ROWS + "1,A,failed\n9,B,failed\n")
    table = read_table(options(path, failure={"column": "yield", "equals": "Failed"}))
    assert table.failed.tolist() == [False] * 5 + [True] * 2
    assert table.means[0, 0] == 11.0
    assert table.good_counts.tolist() == [2, 1, 1, 1, 0]
    assert np.isnan(table.means[4, 0])


@pytest.mark.parametrize(("mark", "cell"), [(0, "0.0"), (0.0, "0"), ("none", "None"), ("", "")])
def test_a_failure_is_marked_by_a_number_or_a_word(write, mark, cell):
    table = read_table(options(write(HEADER + ROWS + f"7,A,{cell}\n"), failure={"column": "yield", "equals": mark}))
    assert table.failed.tolist() == [False] * 5 + [True]


def test_a_measured_condition_is_found_again_through_rounding(write):
    table = read_table(options(write(HEADER + ROWS)))
    assert table.find({"time": 2.0 + 1e-9, "base": "B"}) == 2
    assert table.find({"time": 2.01, "base": "B"}) is None
    assert table.find({"time": 1.0, "base": "B"}) is None


def test_the_nearest_of_close_conditions_is_found(write):
    table = read_table(options(write(HEADER + "1,A,1\n1.0000001,A,2\n2,A,3\n")))
    assert [table.find(point) for point in table.conditions] == [0, 1, 2]


def test_conditions_outside_the_search_space_are_not_admissible(write):
    parameters = [
        {"name": "time", "kind": "continuous", "unit": "min", "levels": [1.0, 2.0]},
        {"name": "base", "kind": "categorical", "levels": ["A", "B"]},
    ]
    assert read_table(options(write(HEADER + ROWS), parameters=parameters)).admissible == (0, 1, 2)


def test_bounds_include_their_ends(write):
    parameters = [
        {"name": "time", "kind": "continuous", "unit": "min", "low": 1.0, "high": 2.0},
        {"name": "base", "kind": "categorical", "levels": ["A", "B"]},
    ]
    assert read_table(options(write(HEADER + ROWS), parameters=parameters)).admissible == (0, 1, 2)


def test_integers_are_integers(write):
    parameters = [{"name": "time", "kind": "integer", "unit": "1", "low": 1, "high": 3}]
    table = read_table(options(write("time,yield\n1.0,1\n3,2\n"), parameters=parameters))
    assert [point["time"] for point in table.conditions] == [1, 3]
    assert all(type(point["time"]) is int for point in table.conditions)


ONE_MISTAKE = {
    "empty file": ("", "the file is empty"),
    "header only": (HEADER, "a header and no row below it"),
    "blank rows only": (HEADER + ",,\n\n", "a header and no row below it"),
    "missing column": ("time,base,Yeild\n1,A,1\n", "; columns are time, base, Yeild; did you mean 'Yeild'?"),
    "duplicated header": ("time,base,yield,time\n1,A,1,2\n", "the header has 'time' 2 times (columns 1, 4)"),
    "semicolons": ("time;base;yield\n1;A;1\n", "separated by semicolons"),
    "tabs": ("time\tbase\tyield\n1\tA\t1\n", "separated by tabs"),
    "ragged rows": (HEADER + "1,A\n1,A,1\n1,A,1,4\n", "the header has 3 columns, but not rows 2, 4"),
    "open quote": (HEADER + '1,"A,1\n', "line 2 is no CSV"),
    "Latin-1": ((HEADER + "1,\xb5,1\n").encode("latin-1"), "row 2 holds the byte 0xb5, which is not UTF-8"),
    "UTF-16": ((HEADER + ROWS).encode("utf-16"), "UTF-16; save it as CSV in UTF-8"),
    "NaN": (HEADER + ROWS + "1,A,NaN\n", "column 'yield': empty or NaN in row 7"),
    "empty cells": (HEADER + "1,A,\n2,A,\n", "'yield': empty or NaN in rows 2, 3; complete or delete them"),
    "text": (HEADER + ROWS + "1,A,broken\n", "column 'yield' must hold finite numbers, not 'broken' in row 7"),
    "text in a parameter": (
        HEADER + ROWS + "soon,A,1\n",
        "column 'time' must hold finite numbers, not 'soon' in row 7",
    ),
    "decimal comma": (HEADER + '1,A,"1,5"\n', "not '1,5' in row 2; write decimals with a point"),
    "underscore": (HEADER + ROWS + "1,A,1_0\n", "not '1_0' in row 7"),
    "infinity": (HEADER + ROWS + "1,A,inf\n", "not 'inf' in row 7"),
    "overflow": (HEADER + ROWS + "1,A,1e999\n", "not '1e999' in row 7"),
    "unknown level": (
        HEADER + ROWS + "1,C,1\n2,C,1\n",
        "'C' in rows 7, 8 is no level of parameter 'base'; levels are A, B",
    ),
    "misspelt level": (HEADER + ROWS + "1,a,1\n", "'a' in row 7 is no level of parameter 'base'; did you mean 'A'?"),
    "empty level": (HEADER + ROWS + "1,,1\n", "column 'base': empty in row 7"),
    "nowhere in the space": (
        HEADER + "300,A,1\n310,B,2\n",
        "runs from 300 to 310 min, but parameter 'time' runs from 0 to 10 min: no row lies there; is",
    ),
    "a pool of one": (HEADER + "1,A,1\n1,A,2\n99,A,3\n", "1 of 2 measured conditions lie in the campaign's"),
}


@pytest.mark.parametrize(("content", "expected"), ONE_MISTAKE.values(), ids=ONE_MISTAKE.keys())
def test_a_mistake_is_one_sentence(write, content, expected):
    (problem,) = problems_of(write(content))
    assert expected in problem


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert problems_of(tmp_path / "nowhere.csv") == ["there is no such file"]


def test_a_folder_is_no_table(tmp_path):
    assert problems_of(tmp_path)[0].startswith("cannot be read")


def test_all_mistakes_come_at_once(write):
    found = problems_of(write("time,base,yeild\nx,A,1\n2,Q,2\n,B,3\n"))
    assert len(found) == 4, found
    assert [problem.split(" ")[0] for problem in found] == ["no", "column", "column", "column"]


def test_many_bad_rows_are_counted_not_listed(write):
    (problem,) = problems_of(write(HEADER + "1,A,\n" * 20))
    assert "rows 2, 3, 4, 5, 6 and 15 more" in problem


@pytest.mark.parametrize(
    ("equals", "expected"), [(-1, "no row has 'yield' equal to -1"), (5, "every row has 'yield' equal to 5")]
)
def test_a_failure_mark_that_tells_nothing_apart_is_refused(write, equals, expected):
    found = problems_of(write(HEADER + "1,A,5\n2,A,5\n"), failure={"column": "yield", "equals": equals})
    assert found == [f"replay.failure: {expected}"]


def test_a_missing_failure_column_is_named(write):
    found = problems_of(write(HEADER + ROWS), failure={"column": "status", "equals": "bad"})
    assert found[0].startswith("no column 'status' (wanted for replay.failure)")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("degC", "cannot be converted"), ("laps", "'laps' is no known unit, so it must be written alike on both sides")],
)
def test_a_unit_that_cannot_be_what_is_declared_is_refused(write, unit, expected):
    (problem,) = problems_of(write(HEADER + ROWS), columns={"time": {"column": "time", "unit": unit}})
    assert problem.startswith("column 'time': ")
    assert expected in problem


def test_a_header_with_another_unit_is_refused(write):
    columns = {"time": {"column": "t (s)", "unit": "min"}}
    (problem,) = problems_of(write("t (s),base,yield\n1,A,1\n2,A,2\n"), columns=columns)
    assert problem == "column 't (s)' is declared in 'min', but the header says 's'"


def test_broken_integers_are_named(write):
    parameters = [{"name": "time", "kind": "integer", "unit": "1", "low": 1, "high": 3}]
    (problem,) = problems_of(write("time,yield\n1.5,1\n3,2\n"), parameters=parameters)
    assert problem == "column 'time': parameter 'time' is an integer, but not in row 2"


MANY = "".join(f"{i},{'AB'[i % 2]},{i * i}\n" for i in range(1, 11))


def emulate(**changed: Any) -> dict[str, Any]:
    parameters = [
        {"name": "time", "kind": "continuous", "unit": "min", "low": 1.0, "high": 10.0},
        {"name": "base", "kind": "categorical", "levels": ["A", "B"]},
    ]
    return {"mode": "emulator", "parameters": parameters, **changed}


def test_an_emulator_takes_a_table_that_covers_the_space(write):
    table = read_table(options(write(HEADER + MANY), **emulate()))
    assert isinstance(table, Table)
    assert table.spans == {"time": (1.0, 10.0)}


def test_too_few_conditions_for_an_emulator(write):
    few = "".join(MANY.splitlines(keepends=True)[:-1]) + "9,B,1\n"
    parameters = [{**emulate()["parameters"][0], "high": 9.0}, emulate()["parameters"][1]]
    (problem,) = problems_of(write(HEADER + few), **emulate(parameters=parameters))
    assert problem == "9 distinct conditions with a result; an emulator needs at least 10"


def test_a_constant_target_teaches_nothing(write):
    (problem,) = problems_of(write(HEADER + "".join(f"{i},{'AB'[i % 2]},7\n" for i in range(1, 11))), **emulate())
    assert "same value in every row" in problem


def test_an_emulator_does_not_reach_beyond_what_was_measured(write):
    parameters = emulate()["parameters"]
    parameters[0] = {**parameters[0], "high": 12.0}
    parameters[1] = {**parameters[1], "levels": ["A", "B", "C"]}
    found = problems_of(write(HEADER + MANY), **emulate(parameters=parameters))
    assert found == [
        "parameter 'time' may go to 12 min, but column 'time' was measured from 1 to 10: narrow the bounds, "
        "an emulator knows nothing beyond",
        "column 'base' was never measured at C; leave out those levels of parameter 'base'",
    ]


def test_a_changed_file_is_read_again(write):
    path = write(HEADER + ROWS)
    before = read_table(options(path))
    write(HEADER + ROWS + "4,A,1\n")
    after = read_table(options(path))
    assert (len(before.failed), len(after.failed)) == (5, 6)
    assert before.sha256 != after.sha256
