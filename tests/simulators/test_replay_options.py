import math

import pytest

from simulators.replay_options import TableProblems, did_you_mean, read_options

GOOD = {
    "table": "t.csv",
    "mode": "emulator",
    "columns": {"time": {"column": "t (s)", "unit": "s"}, "yield": {"column": "y"}},
    "parameters": [
        {"name": "time", "kind": "continuous", "unit": "min", "low": 1.0, "high": 10.0},
        {"name": "base", "kind": "categorical", "levels": ["A", "B"]},
        {"name": "ratio", "kind": "continuous", "unit": "1", "levels": [0.5, 2.0, 1.0], "low": None},
    ],
    "objectives": [{"name": "yield", "unit": "%"}],
    "failure": {"column": "y", "equals": 0},
    "duration_s": 60.0,
    "capacity": 4,
}


def problems_of(**changed) -> list[str]:
    with pytest.raises(TableProblems) as caught:
        read_options({**GOOD, **changed})
    return caught.value.problems


def test_columns_and_units_come_from_the_campaign_where_nothing_else_is_said():
    told = read_options(GOOD)
    time, base, ratio = told.axes
    assert (time.column, time.column_unit, time.unit, time.low, time.high) == ("t (s)", "s", "min", 1.0, 10.0)
    assert (base.column, base.levels, base.is_categorical) == ("base", ("A", "B"), True)
    assert (ratio.low, ratio.high) == (0.5, 2.0), "levels are bounds, too"
    assert (told.targets[0].column, told.targets[0].column_unit) == ("y", "%")
    assert told.failure is not None
    assert told.failure.equals == 0


def test_what_is_left_out_has_a_default():
    told = read_options({key: GOOD[key] for key in ("table", "parameters", "objectives")})
    assert (told.mode, told.duration_s, told.capacity, told.failure) == ("pool", 3600.0, 1, None)
    assert told.axes[0].column == "time"


def test_bounds_may_be_missing():
    told = read_options(
        {**GOOD, "parameters": [{"name": "time", "kind": "continuous", "unit": "min"}]} | {"columns": {}}
    )
    assert (told.axes[0].low, told.axes[0].high) == (-math.inf, math.inf)


def test_no_table_says_how_to_give_one():
    assert "--set replay.table=PATH" in problems_of(table=None)[0]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"mode": "emulater"}, "pool or emulator, not 'emulater'; did you mean 'emulator'?"),
        ({"modus": "pool"}, "replay.modus: unknown key; did you mean 'mode'?"),
        ({"duration_s": 0}, "positive time, not 0 s"),
        ({"duration_s": math.inf}, "positive time"),
        ({"duration_s": math.nan}, "positive time"),
        ({"capacity": 0}, "at least 1"),
        ({"capacity": 1.5}, "whole number"),
        ({"capacity": True}, "whole number"),
        ({"columns": {"tiem": {"column": "t"}}}, "replay.columns.tiem: .*did you mean 'time'?"),
        ({"columns": {"time": {"colum": "t"}}}, "replay.columns.time.colum: unknown key; did you mean 'column'?"),
        ({"failure": {"column": "y"}}, "replay.failure needs 'equals'"),
        ({"parameters": []}, "at least one"),
        ({"objectives": []}, "at least one"),
    ],
)
def test_a_mistake_is_named(changed, match):
    found = problems_of(**changed)
    assert any(match.split(".*")[0] in problem and match.split(".*")[-1] in problem for problem in found), found


def test_all_mistakes_come_at_once():
    found = problems_of(table=None, mode="oracle", capacity=-1, failure={"equals": 1}, surprise=1)
    assert len(found) == 5


def test_a_suggestion_keeps_the_spelling_of_what_is_known():
    assert did_you_mean("toughnes", ["Toughness (J)", "Toughness"]) == "; did you mean 'Toughness'?"
    assert did_you_mean("xyz", ["Toughness"]) == ""
