"""Tables of candidates and of earlier results: read in any unit, mistakes named by line, the same after a restart."""

import csv
import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from orchestrator.campaign_knowledge import knowledge_of
from orchestrator.check import check_campaign
from orchestrator.errors import InputError
from orchestrator.execution import Settings, resume, start
from orchestrator.export import export_campaign
from orchestrator.people.judging import judge
from orchestrator.people.orders import Kind, new_order
from orchestrator.people.reading import facts_of
from orchestrator.people.state import DeskState
from orchestrator.points import candidates_of, known_of, pool_for
from orchestrator.reading import open_reading, read_snapshot
from orchestrator.report import write_report
from orchestrator.results import read_result


@pytest.fixture
def kitchen_with(kitchen, tmp_path):
    """Check the kitchen's campaign with files beside it and lines behind it."""
    folder = tmp_path / "kitchen"
    text = (folder / "campaign.yaml").read_text()

    def made(more, *overrides, **files):
        for name, content in files.items():
            path = folder / f"{name}.csv"
            path.write_text(content) if isinstance(content, str) else path.write_bytes(content)
        (folder / "campaign.yaml").write_text(f"{text}\n{more}\n")
        return check_campaign(folder / "campaign.yaml", None, overrides)

    return made


def problems(checked):
    return [f"{problem.path}: {problem.message}" for problem in checked.problems]


POINTS = "volume (uL),heat (K),note\n1000,373.15,a\n2500,473.15,b\n\n4000,573.15,\n1000,373.15,again\n9000,373.15,far\n"


def test_candidates_are_the_only_points_and_come_in_the_units_of_their_columns(kitchen_with):
    checked = kitchen_with("candidates: films.csv", films=POINTS)
    assert problems(checked) == []
    assert {name: column.tolist() for name, column in candidates_of(checked.campaign).items()} == {
        "volume": [1.0, 2.5, 4.0, 1.0, 9.0],
        "heat": [100.0, 200.0, 300.0, 100.0, 100.0],
    }
    assert (checked.summary.points, checked.summary.given.candidates, checked.summary.given.left_out) == (3, 5, 1)


def test_a_column_may_have_another_name_and_unit_and_cells_units_of_their_own(kitchen_with):
    films = "v,T,T (K)\n1 mL,100,9\n500 uL,200,9\n"
    more = "candidates: {table: films.csv, columns: {volume: {column: v}, heat: {column: T}}}"
    checked = kitchen_with(more, films=films)
    assert problems(checked) == []
    found = candidates_of(checked.campaign)
    assert found["volume"].tolist() == [1.0, 0.5]
    assert found["heat"].tolist() == [100.0, 200.0]


def test_parquet_is_read_as_well(kitchen_with, tmp_path):
    table = pa.table({"volume": [1.0, 2.0, None], "heat": pa.array([100, 200, 300], pa.int32())})
    parquet.write_table(table, tmp_path / "kitchen" / "films.parquet")
    checked = kitchen_with("candidates: films.parquet")
    assert problems(checked) == ["candidates: films.parquet: row 3: nothing stands for 'volume'"]
    parquet.write_table(table.slice(0, 2), tmp_path / "kitchen" / "films.parquet")
    assert candidates_of(kitchen_with("candidates: films.parquet").campaign)["heat"].tolist() == [100.0, 200.0]


@pytest.mark.parametrize(
    ("films", "expected"),
    [
        (
            "volume,heat\n1,100\n\n2,hot\n3,\n",
            ["line 4: 'heat': cannot read 'hot'", "line 5: nothing stands for 'heat'"],
        ),
        ("volume,heat\n1,100\n2\n3,100,5\n", ["the header has 2 columns, but not lines 3, 4"]),
        ("volume,heat\n1,100 mL\n", ["line 2: 'heat': '100 mL' is a volume"]),
        ("volume,heat (V)\n1,100\n", ["column 'heat (V)': '100 V' is a voltage"]),
        ("volume,heet\n1,100\n", ["has no column 'heat'; did you mean 'heet'?"]),
        ("volume;heat\n1;100\n", ["separated by semicolons"]),
        ("volume,heat,heat\n1,100,2\n", ["the header has 'heat' twice"]),
        ("volume,heat\n", ["a header and no row below it"]),
        ("", ["films.csv is empty"]),
        ("volume,heat\n1,100\n\u00fc,100\n".encode("latin-1"), ["line 3 holds a byte that is not UTF-8"]),
        ("volume,heat\n9,100\n", ["none of 1 candidates lies within the bounds and constraints"]),
        ("volume,heat\n1,inf\n", ["line 2: 'heat'"]),
        ("volume,heat\n" + "a,1\n" * 9, ["lines 2, 3, 4, 5, 6 and 4 more: 'volume': cannot read 'a'"]),
    ],
    ids=["cells", "ragged", "cell-unit", "unit", "name", "semicolons", "twice", "no-row", "empty", "latin", "outside"]
    + ["infinite", "many"],
)
def test_what_is_wrong_with_candidates_is_said_by_line(kitchen_with, films, expected):
    found = problems(kitchen_with("candidates: films.csv", films=films))
    assert len(found) == len(expected)
    for problem, part in zip(found, expected, strict=True):
        assert problem.startswith("candidates: ")
        assert part in problem


def test_a_table_that_is_not_there_is_said_once(kitchen_with):
    (found,) = problems(kitchen_with("candidates: nowhere.csv"))
    assert "there is no file" in found
    assert "nowhere.csv" in found


def test_a_hash_in_the_file_holds(kitchen_with):
    (found,) = problems(kitchen_with(f"candidates: {{table: films.csv, sha256: {'a' * 64}}}", films=POINTS))
    assert found.startswith("candidates.sha256: the SHA-256 of films.csv is ")


def test_words_of_a_table_must_be_levels(bakery, tmp_path):
    bakery()
    file = tmp_path / "bakery" / "campaign.yaml"
    file.write_text(file.read_text() + "candidates: breads.csv\n")
    (file.parent / "breads.csv").write_text("flour,heat\nrye,100\noats,300\n")
    assert problems(check_campaign(file)) == [
        "candidates: breads.csv: line 3: 'oats' is no level of 'flour'; known: wheat, rye"
    ]


KNOWN = (
    "volume,heat (K),weigh (mg),sd (mg),ok,humidity\n"
    "1,373.15,2000,100,yes,0.4\n2,473.15,,,no,\n8,373.15,1500,,yes,0.5\n"
)
WITH_KNOWN = """
known:
  table: known.csv
  failure: {column: ok, equals: no}
  noise: {weigh: {column: sd (mg)}}
  context: [humidity]
"""


def test_earlier_results_come_in_the_campaigns_units(kitchen_with):
    checked = kitchen_with(WITH_KNOWN, known=KNOWN)
    assert problems(checked) == []
    first, second, third = known_of(checked.campaign)
    assert first.data() == {
        "parameters": {"volume": 1.0, "heat": 100.0},
        "values": {"weigh": 2.0},
        "sd": {"weigh": 0.1},
        "failure": None,
        "context": {"humidity": 0.4},
    }
    assert second.failure == "known to fail (known.csv, line 3)"
    assert (second.values, second.context) == ({}, {})
    assert third.noise == {}
    given = checked.summary.given
    assert (given.known, given.known_failures, given.known_outside) == (3, 1, ("line 4",))


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ("volume,heat,weigh,sd (mg),ok,humidity\n1,100,,,yes,\n", "line 2: neither a value nor a failure"),
        ("volume,heat,weigh,sd (mg),ok,humidity\n1,100,3,,no,\n", "line 2: a value and a failure"),
        ("volume,heat,weigh,sd (mg),ok,humidity\n1,100,3,-1,yes,\n", "line 2: a negative standard deviation"),
        ("volume,heat,weigh,sd (mg),ok\n1,100,3,1,yes\n", "has no column 'humidity'"),
        ("volume,heat,sd (mg),okay,humidity\n1,100,1,yes,2\n", "has no column 'ok'; did you mean 'okay'?"),
    ],
    ids=["nothing", "both", "negative", "context", "failure"],
)
def test_what_is_wrong_with_earlier_results_is_said_by_line(kitchen_with, known, message):
    found = problems(kitchen_with(WITH_KNOWN, known=known))
    assert any(message in problem for problem in found), found


def test_a_table_without_an_objective_teaches_nothing(kitchen_with):
    (found,) = problems(kitchen_with("known: known.csv", known="volume,heat\n1,100\n"))
    assert "has no column of an objective ('weigh')" in found


def run(task, path):
    start(task, path, Settings(is_virtual=True, fsync=False))


def test_the_planner_is_told_first_and_the_journal_keeps_it(kitchen_with, tmp_path):
    task = kitchen_with(WITH_KNOWN + "candidates: films.csv", films=POINTS, known=KNOWN).require()
    run(task, tmp_path / "c")
    snapshot = read_snapshot(tmp_path / "c")
    assert [result["values"] for result in snapshot.known] == [{"weigh": 2.0}, {}, {"weigh": 1.5}]
    # of three candidates one is known already
    tried = sorted(trial.parameters["volume"] for trial in snapshot.trials)
    assert tried == [2.5, 4.0]
    assert snapshot.asks[0].diagnostics["outside_space"] == 2  # one is beyond a bound, one is no candidate
    assert "no untried point is left" in snapshot.campaign.reason


def test_what_is_known_is_no_trial_and_never_the_best(kitchen_with, tmp_path):
    better = KNOWN.replace("2000", "99000")
    run(kitchen_with(WITH_KNOWN, known=better).require(), tmp_path / "c")
    result = read_result(tmp_path / "c", wall_s=0.0)
    assert len(result["trials"]) == 9
    assert result["best"]["values"]["weigh"] < 50
    page = write_report(tmp_path / "c").path.read_text()
    assert "3 known beforehand" in page
    assert "known to fail (known.csv, line 3)" in page


def test_a_planner_that_is_rebuilt_needs_no_file_of_earlier_results(kitchen_with, tmp_path):
    task = kitchen_with(WITH_KNOWN, "planner.policy=logei", known=KNOWN).require()
    run(task, tmp_path / "c")
    (tmp_path / "kitchen" / "known.csv").unlink()
    with open_reading(tmp_path / "c") as reading:
        rows = reading.snapshot().known
    rebuilt = knowledge_of(task.campaign, pool=pool_for(task.campaign, {}), known=rows)
    assert [one.values for one in rebuilt.planner.observations] == [{"weigh": 2.0}, {}, {"weigh": 1.5}]
    assert write_report(tmp_path / "c").notices == ()


def test_what_is_known_is_exported(kitchen_with, tmp_path):
    run(kitchen_with(WITH_KNOWN, known=KNOWN).require(), tmp_path / "c")
    exported = export_campaign(tmp_path / "c", to="csv")
    with (exported.path / "known.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["value_weigh"] for row in rows] == ["2.0", "", "1.5"]
    assert rows[0]["context_humidity"] == "0.4"
    assert rows[1]["failure"] == "known to fail (known.csv, line 3)"


@pytest.mark.parametrize("name", ["films", "known"])
def test_a_table_that_was_changed_is_refused_on_resume(kitchen_with, tmp_path, name):
    files = {"films": POINTS, "known": KNOWN}
    task = kitchen_with(WITH_KNOWN + "candidates: films.csv", **files).require()
    run(task, tmp_path / "c")
    (tmp_path / "kitchen" / f"{name}.csv").write_text(files[name] + "3,373.15,1,,yes,\n")
    key = {"films": "candidates", "known": "known"}[name]
    with pytest.raises(InputError, match=rf"^{key}: .*{name}.csv was changed since this campaign began"):
        resume(tmp_path / "c")
    (tmp_path / "kitchen" / f"{name}.csv").write_text(files[name])
    with pytest.raises(InputError, match="nothing is left to resume"):
        resume(tmp_path / "c")


def test_a_million_candidates_are_read_in_seconds(kitchen_with, tmp_path):
    rng = np.random.default_rng(0)
    columns = {"volume": rng.uniform(0.5, 5.0, 1_000_000), "heat": rng.uniform(50, 400, 1_000_000)}
    parquet.write_table(pa.table(columns), tmp_path / "kitchen" / "films.parquet")
    checked = kitchen_with("candidates: films.parquet")
    assert checked.summary.points == 1_000_000
    assert json.dumps(checked.campaign.data()["candidates"]["sha256"])


CONDITIONAL = """
parameters:
  - {kind: categorical, name: additive, levels: [none, salt]}
  - {kind: continuous, name: volume, unit: mL, low: 0.5 mL, high: 5 mL}
  - {kind: continuous, name: heat, unit: degC, low: 50 degC, high: 400 degC}
  - {kind: integer, name: spoons, low: 1, high: 5, when: {additive: [salt]}}
"""
PARTLY = "additive,volume,heat,spoons\nnone,1,100,\nsalt,2,200,3\nsalt,3,300,4\n"


@pytest.fixture
def salted(kitchen_with, tmp_path):
    """Check the kitchen's campaign with an additive that not every dish has."""
    file = tmp_path / "kitchen" / "campaign.yaml"

    def made(more, *overrides, **files):
        declared = json.dumps(yaml.safe_load(CONDITIONAL)["parameters"])
        return kitchen_with(more, f"parameters={declared}", *overrides, **files)

    assert file.exists()
    return made


def test_cells_are_empty_where_a_parameter_does_not_exist(salted):
    checked = salted("candidates: dishes.csv\nknown: known.csv", dishes=PARTLY, known=PARTLY_KNOWN)
    assert problems(checked) == []
    assert candidates_of(checked.campaign)["spoons"].tolist() == [None, 3, 4]
    assert checked.summary.points == 3
    assert [dict(one.parameters) for one in known_of(checked.campaign)] == [
        {"additive": "none", "volume": 1.0, "heat": 100.0},
        {"additive": "salt", "volume": 2.0, "heat": 200.0, "spoons": 3},
    ]


PARTLY_KNOWN = "additive,volume,heat,spoons,weigh\nnone,1,100,,3\nsalt,2,200,3,4\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("salt,1,100,", "line 2: nothing stands for 'spoons', which exists where additive is salt"),
        ("none,1,100,2", "line 2: 'spoons' exists only where additive is salt; leave the cell empty"),
        (",1,100,", "line 2: nothing stands for 'additive'"),
        ("salt,1,100,2.5", "line 2: 'spoons' is no whole number"),
    ],
    ids=["missing", "stray", "deciding", "whole"],
)
def test_what_tables_say_beside_conditions_is_refused_by_line(salted, row, message):
    found = problems(salted("candidates: dishes.csv", dishes=f"additive,volume,heat,spoons\n{row}\n"))
    assert any(message in problem for problem in found), found


def test_a_window_is_hit_at_a_cost_among_candidates_that_lack_a_parameter(salted, tmp_path):
    dishes = "additive,volume,heat,spoons\n" + "".join(
        f"{'salt' if n % 2 else 'none'},{0.5 + n / 8},{100 + n},{1 + n % 5 if n % 2 else ''}\n" for n in range(30)
    )
    task = salted(
        "candidates: dishes.csv\nknown: known.csv",
        "objectives=[{name: weigh, direction: window, unit: g, low: 1 g, high: 2 g}]",
        "planner.policy=logei",
        "planner.options={cost: 1 + spoons, start: 2}",
        dishes=dishes,
        known=PARTLY_KNOWN,
    ).require()
    run(task, tmp_path / "c")
    snapshot = read_snapshot(tmp_path / "c")
    assert all(("spoons" in trial.parameters) == (trial.parameters["additive"] == "salt") for trial in snapshot.trials)
    assert any("costs 1" in trial.proposal_reason for trial in snapshot.trials if "spoons" not in trial.parameters)
    assert "for the window 1 to 2" in snapshot.trials[-1].proposal_reason
    assert "2 known beforehand" in write_report(tmp_path / "c").path.read_text()
    exported = export_campaign(tmp_path / "c", to="csv")
    with (exported.path / "known.csv").open(newline="") as file:
        assert [row["parameter_spoons"] for row in csv.DictReader(file)] == ["", "3.0"]


def test_what_was_known_beforehand_makes_no_hint_fade(kitchen_with):
    task = kitchen_with(WITH_KNOWN, "planner.policy=logei", known=KNOWN).require()
    rows = [result.data() for result in known_of(task.campaign)]
    knowledge = knowledge_of(task.campaign, pool=None, known=rows)
    area = {"box": {"volume": [1.0, 2.0]}}
    said = knowledge.advise("1", "hint", {"label": "a", "area": area, "confidence": 0.9}, since=knowledge.n_told)
    assert said == ""
    assert knowledge.planner.said.likely["a"].since == len(knowledge.planner.observations) == 3


def test_only_candidates_can_be_suggested(kitchen_with):
    task = kitchen_with("candidates: films.csv", films=POINTS).require()
    facts = facts_of(task.campaign.data(), task.lab.data(), [], elapsed_s=0.0)
    points = {"volume": 2.5, "heat": 200.0}, {"volume": 2.5, "heat": 201.0}
    orders = [
        new_order(Kind.SUGGEST, reason="a guess", now=datetime(2026, 1, 1, tzinfo=UTC), point=one) for one in points
    ]
    judged = [judge(order, DeskState(), facts) for order in orders]
    assert [verdict.is_done for verdict in judged] == [True, False]
    assert "none of the measured pool" in judged[1].text
