"""Sources of a campaign: read in any unit, what cannot be used said by line, the same after a restart."""

import csv
import os
import shutil
import signal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from orchestrator import scoring
from orchestrator.campaign_knowledge import knowledge_of
from orchestrator.check import check_campaign
from orchestrator.earlier_campaign import SD_OF, read_earlier
from orchestrator.errors import InputError
from orchestrator.execution import Settings, resume, start
from orchestrator.explaining import explained
from orchestrator.export import export_campaign
from orchestrator.history import read_standing
from orchestrator.reading import open_reading, read_snapshot
from orchestrator.report import write_report
from orchestrator.source_use import as_option
from orchestrator.sources import sources_of
from orchestrator.status.looks import read_status
from surrogate.transfer.sources import MOST

RNG = np.random.default_rng(0)
VOLUMES, HEATS = RNG.uniform(0.5, 5.0, 30), RNG.uniform(50.0, 400.0, 30)
WEIGHTS = 2.0 + VOLUMES - (HEATS - 200.0) ** 2 / 1e4
ROWS = list(zip(VOLUMES, HEATS, WEIGHTS, strict=True))


def table(header="volume,heat,weigh", rows=None):
    """Return thirty rows as CSV, or others."""
    cells = ROWS if rows is None else rows
    return "\n".join([header, *(",".join(map(str, row)) for row in cells)]) + "\n"


GOOD = table()


@pytest.fixture
def kitchen_with(kitchen, tmp_path):
    """Check the kitchen's campaign by policy transfer, with files beside it and lines behind it."""
    folder = tmp_path / "kitchen"
    text = (folder / "campaign.yaml").read_text().replace("policy: random", "policy: transfer")

    def made(more, *overrides, **files):
        for name, content in files.items():
            (folder / f"{name}.csv").write_text(content)
        (folder / "campaign.yaml").write_text(f"{text}\n{more}\n")
        return check_campaign(folder / "campaign.yaml", None, overrides)

    return made


def problems(checked):
    return [f"{problem.path}: {problem.message}" for problem in checked.problems]


def read(checked):
    assert problems(checked) == []
    return sources_of(checked.campaign)


MAY = "sources: [{name: May, table: may.csv}]"


def test_columns_are_those_of_the_names_and_in_the_campaign_s_units(kitchen_with):
    cells = zip(1000.0 * VOLUMES, HEATS + 273.15, 1000.0 * WEIGHTS, strict=True)
    (found,) = read(kitchen_with(MAY, may=table("volume (uL),heat (K),weigh (mg)", cells)))
    assert found.points["volume"] == pytest.approx(VOLUMES)
    assert found.points["heat"] == pytest.approx(HEATS)
    assert found.values == pytest.approx(WEIGHTS)
    assert (found.noise, found.usable, found.notes) == (None, 30, ())


def test_a_column_may_have_another_name_and_unit_and_say_how_uncertain_values_are(kitchen_with):
    columns = "{volume: {column: v, unit: uL}, weigh: {column: w}}"
    more = f"sources: [{{name: May, table: may.csv, columns: {columns}, noise: {{column: sd, unit: mg}}}}]"
    cells = zip(1000.0 * VOLUMES, HEATS, WEIGHTS, [200.0] * 30, strict=True)
    (found,) = read(kitchen_with(more, may=table("v,heat,w,sd", cells)))
    assert found.points["volume"] == pytest.approx(VOLUMES)
    assert found.noise == pytest.approx([0.2] * 30)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    unit=st.sampled_from([("mL", 1.0), ("uL", 1e3), ("L", 1e-3)]),
    sd=st.floats(0.0, 9.0),
    sd_unit=st.sampled_from([("g", 1.0), ("mg", 1e3), ("kg", 1e-3)]),
)
def test_one_standard_deviation_of_all_is_read_in_any_unit(kitchen_with, unit, sd, sd_unit):
    name, factor = unit
    written = f"{sd * sd_unit[1]!r} {sd_unit[0]}"
    rows = zip(factor * VOLUMES, HEATS, WEIGHTS, strict=True)
    more = f"sources: [{{name: May, table: may.csv, noise: '{written}'}}]"
    checked = kitchen_with(more, may=table(f"volume ({name}),heat,weigh", rows))
    (found,) = read(checked)
    assert found.points["volume"] == pytest.approx(VOLUMES)
    assert found.noise == pytest.approx([sd] * 30)
    again = type(checked.campaign).from_data(checked.campaign.data())
    assert again.sources == checked.campaign.sources


@pytest.mark.parametrize(
    ("rows", "notes", "usable"),
    [
        ([(1, 100, 2), (2, 200, ""), (3, 300, "NaN")], ["2 rows without 'weigh' left out (lines 33, 34)"], 31),
        ([(1, "", 2)], ["1 row without 'heat' left out (line 32)"], 30),
        ([(9, 100, 2)], ["1 row outside the bounds (first: line 32), used where they lie"], 31),
    ],
    ids=["no value", "no parameter", "outside"],
)
def test_rows_that_tell_nothing_are_left_out_and_said(kitchen_with, rows, notes, usable):
    (found,) = read(kitchen_with(MAY, may=GOOD + table("", rows).lstrip()))
    assert (list(found.notes), found.usable) == (notes, usable)


def test_failed_results_are_left_out_and_counted(kitchen_with):
    more = "sources: [{name: May, table: may.csv, failure: {column: ok, equals: false}}]"
    cells = [(*row, index % 10 > 0) for index, row in enumerate(ROWS)]
    (found,) = read(kitchen_with(more, may=table("volume,heat,weigh,ok", cells)))
    assert found.notes == ("3 failed results left out (lines 2, 12, 22)",)
    assert found.usable == 27


def test_a_value_without_its_standard_deviation_lets_the_noise_be_learnt(kitchen_with):
    cells = [(*row, 0.1 if index else "") for index, row in enumerate(ROWS)]
    may = table("volume,heat,weigh,sd", cells)
    (found,) = read(kitchen_with("sources: [{name: May, table: may.csv, noise: {column: sd}}]", may=may))
    assert found.noise is None
    assert found.notes == ("no standard deviation in line 2, so that the noise of all is learnt from the values",)


WRONG = [
    (table("volume,weigh", [(1, 2)]), "may.csv has no column 'heat'; known: volume, weigh. Where it has another name"),
    (table("volume,heat (mL),weigh"), "column 'heat (mL)': "),
    (table("volume,heat,weigh (K)"), "column 'weigh (K)': "),
    (table(rows=[(1, 100, "n/a")]), "may.csv: line 2: 'weigh': cannot read 'n/a'"),
    (table(rows=[(1, 100, "")]), "may.csv: no row is left: 1 row without 'weigh' left out (line 2)"),
    (table(rows=[(1, 1000, 2), (2, 900, 1)]), "'heat' runs from 900 degC to 1000 degC there, and from 50 degC to 400"),
    ("volume,heat,weigh\n", "there is a header and no row below it"),
    ("volume;heat;weigh\n1;2;3\n", "separated by semicolons"),
]


@pytest.mark.parametrize(("may", "message"), WRONG, ids=[message[:24] for _, message in WRONG])
def test_what_is_wrong_with_a_table_is_said_where_it_is_named(kitchen_with, may, message):
    (found,) = problems(kitchen_with(MAY, may=may))
    assert found.startswith("sources.0.table: ") and message in found


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 100, 2)], "it has 1 value; 4 are needed"),
        ([(v, h, 5) for v, h in zip(VOLUMES, HEATS, strict=True)], "its values are constant"),
    ],
    ids=["one point", "equal values"],
)
def test_a_source_that_tells_nothing_is_a_mistake_alone_and_a_remark_beside_others(kitchen_with, rows, message):
    (found,) = problems(kitchen_with(MAY, may=table(rows=rows)))
    assert found.startswith("sources.0: ") and message in found
    both = kitchen_with("sources: [{name: May, table: may.csv}, {name: June, table: june.csv}]", june=GOOD)
    assert problems(both) == []
    may, june = both.summary.given.sources
    assert message in may.refused and not june.refused


MISWRITTEN = [
    ("[{name: May}]", "sources.0.table: missing key: give table: FILE, or campaign: DIRECTORY"),
    ("[{name: May, table: may.csv, campaign: x}]", "sources.0.campaign: give table or campaign, not both"),
    ("[{name: May, table: may.csv}, {name: May, table: may.csv}]", "sources.1.name: the name 'May' is taken"),
    ("[{name: May, table: may.csv, noise: -1 g}]", "sources.0.noise: must be a standard deviation, from 0 up"),
    ("[{name: May, table: may.csv, noise: 1 K}]", "sources.0.noise: '1 K' is a temperature"),
    ("[{name: May, table: may.csv, noise: {}}]", "sources.0.noise: give a standard deviation"),
    ("[{name: May, table: may.csv, noise: {sd: 1 g, unit: g}}]", "sources.0.noise.unit: is the unit of a column"),
    ("[{name: May, table: may.csv, columns: {hea: {column: T}}}]", "did you mean 'heat'?"),
    ("[{name: May, campaign: x, failure: {column: a, equals: b}}]", "sources.0.failure: a campaign knows itself"),
    ("[{name: May, campaign: x, noise: {column: sd}}]", "sources.0.noise.column: a campaign has no columns"),
    ("[{name: May, campaign: x, columns: {heat: {column: T, unit: K}}}]", "heat.unit: a campaign knows its units"),
    (f"[{{name: May, table: may.csv, sha256: {'a' * 64}}}]", "sources.0.sha256: the SHA-256 of may.csv is"),
]


@pytest.mark.parametrize(("sources", "message"), MISWRITTEN, ids=[message[:40] for _, message in MISWRITTEN])
def test_what_is_written_wrongly_is_said_at_its_key(kitchen_with, sources, message):
    (found,) = problems(kitchen_with(f"sources: {sources}", may=GOOD))
    assert message in found


@pytest.mark.parametrize("policy", ["auto", "logei"])
def test_a_policy_that_takes_nothing_from_sources_is_a_mistake(kitchen_with, policy):
    assert problems(kitchen_with(MAY, f"planner.policy={policy}", may=GOOD)) == [
        f"sources: policy '{policy}' takes nothing from sources; write policy: transfer, or leave them out"
    ]


def test_a_policy_without_its_sources_is_told_where_they_stand(kitchen_with):
    (found,) = problems(kitchen_with(""))
    assert found.startswith("planner.policy: policy 'transfer' needs sources")
    assert "sources: [{name: May, table: may.csv}]" in found and "columns volume, heat, weigh" in found
    inline = "planner.options={sources: [{name: May, points: [], values: []}]}"
    (found,) = problems(kitchen_with(MAY, inline, may=GOOD))
    assert found.startswith("planner.options.sources: sources of a campaign file are files")
    assert "sources: [{name: May, table: may.csv}]" in found


def test_words_that_are_none_here_are_left_out_and_named(kitchen_with, tmp_path):
    flour = "{kind: categorical, name: flour, levels: [wheat, rye]}"
    rows = [(*row, ("wheat", "rye", "oats")[index % 3]) for index, row in enumerate(ROWS)]
    parameters = (
        f"parameters=[{flour}, {{kind: continuous, name: volume, unit: mL, low: 0.5 mL, high: 5 mL}}, "
        "{kind: continuous, name: heat, unit: degC, low: 50 degC, high: 400 degC}]"
    )
    (found,) = read(kitchen_with(MAY, parameters, may=table("volume,heat,weigh,flour", rows)))
    assert set(found.points["flour"]) == {"wheat", "rye"}
    assert "10 rows with a level of 'flour' that is none here, 'oats'" in found.notes[0]


CONDITIONAL = """parameters=[{kind: categorical, name: additive, levels: [none, salt]},
  {kind: continuous, name: volume, unit: mL, low: 0.5 mL, high: 5 mL},
  {kind: continuous, name: heat, unit: degC, low: 50 degC, high: 400 degC},
  {kind: integer, name: spoons, low: 1, high: 5, when: {additive: [salt]}}]"""


def test_a_parameter_that_exists_in_some_rows_only_is_asked_for_there(kitchen_with):
    words: list[tuple[str, object]] = [("none", 7) if index % 2 else ("salt", 2) for index in range(30)]
    rows = [(*row, *word) for row, word in zip(ROWS, words, strict=True)]
    rows[0] = (*rows[0][:4], "")  # salt, but no spoons
    (found,) = read(kitchen_with(MAY, CONDITIONAL, may=table("volume,heat,weigh,additive,spoons", rows)))
    assert found.notes == ("1 row without 'spoons' left out (line 2)",)
    assert [number is None for number in found.points["spoons"]] == [word == "none" for word, _ in words[1:]]


def test_what_has_no_place_on_a_log_scale_is_left_out(kitchen_with):
    log = "parameters.volume.scale=log"
    (found,) = read(kitchen_with(MAY, log, may=GOOD + "0,100,2\n"))
    assert found.notes == ("1 row with 'volume' of 0 or less, which has no place on its log scale, left out (line 32)",)


def test_of_a_large_table_a_selection_is_kept_and_said(kitchen_with, tmp_path):
    rng = np.random.default_rng(1)
    columns = {"volume": rng.uniform(0.5, 5, 10_000), "heat": rng.uniform(50, 400, 10_000)}
    parquet.write_table(pa.table({**columns, "weigh": columns["volume"]}), tmp_path / "kitchen" / "theory.parquet")
    checked = kitchen_with("sources: [{name: theory, table: theory.parquet}]")
    (found,) = read(checked)
    assert (len(found.values), found.usable) == (MOST, 10_000)
    assert found.notes == (f"{MOST} of 10000 rows, spread over the space, make its model",)
    assert found.points["volume"] == pytest.approx(found.values)
    knowledge = knowledge_of(checked.campaign, pool=None, sources=[found.data()])
    assert f"(by {MOST} of its 10000 values)" in knowledge.ask(1).proposals[0].reason


def run(task, path, **more):
    return start(task, path, Settings(is_virtual=True, fsync=False, **more))


def trials(path):
    return [(trial.parameters, trial.values, trial.proposal_reason) for trial in read_snapshot(path).trials]


def test_a_campaign_that_was_stopped_goes_on_by_what_it_had_read(kitchen_with, tmp_path):
    task = kitchen_with(MAY, may=GOOD).require()
    run(task, tmp_path / "whole")
    steps = []

    def stop(_trial, act):
        steps.append(act)
        if len(steps) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    assert run(task, tmp_path / "c", on_step=stop).status == "stopped"
    (tmp_path / "kitchen" / "may.csv").write_text(table(rows=[(1, 100, 2)] * 5))
    assert resume(tmp_path / "c").status == "finished"
    found, whole = trials(tmp_path / "c"), trials(tmp_path / "whole")
    assert len(found) == len(whole) == 9
    assert found == whole
    (tmp_path / "kitchen" / "may.csv").unlink()
    assert "takes from 'May'" in explained(tmp_path / "c", 4)


def test_a_table_that_changes_between_check_and_start_is_refused(kitchen_with, tmp_path):
    campaign = kitchen_with(MAY, may=GOOD).campaign
    (tmp_path / "kitchen" / "may.csv").write_text(GOOD + "1,100,2\n")
    changed = campaign.model_copy(update={"name": "other", "constraints": ("volume <= 5 mL",)})
    with pytest.raises(InputError, match="source 'May': may.csv was changed since it was checked"):
        sources_of(changed)


def test_report_status_and_export_say_what_is_taken(kitchen_with, tmp_path):
    sources = "sources: [{name: May, table: may.csv}, {name: flat, table: flat.csv}]"
    flat = table(rows=[(v, h, 5) for v, h in zip(VOLUMES, HEATS, strict=True)])
    run(kitchen_with(sources, may=GOOD, flat=flat).require(), tmp_path / "c")
    taken = read_status(tmp_path / "c").sources
    assert taken is not None
    assert taken.weights.keys() == {"May"} and "constant" in taken.refused["flat"]
    assert taken.weights["May"] + taken.all + taken.nothing == pytest.approx(1.0)
    page = write_report(tmp_path / "c").path.read_text()
    assert "<h3>Sources</h3>" in page and "not used: its values are constant" in page
    with (export_campaign(tmp_path / "c", to="csv").path / "sources.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == ["May"] * 30 + ["flat"] * 30
    assert [float(row["value"]) for row in rows[:30]] == pytest.approx(WEIGHTS)


def test_a_campaign_without_sources_says_nothing_of_them(kitchen, tmp_path):
    run(kitchen, tmp_path / "c")
    assert read_status(tmp_path / "c").sources is None
    assert "<h3>Sources</h3>" not in write_report(tmp_path / "c").path.read_text()
    assert not (export_campaign(tmp_path / "c", to="csv").path / "sources.csv").exists()


@pytest.fixture
def winter(kitchen, tmp_path):
    """Run the kitchen's campaign at random, as an earlier one."""
    run(kitchen, tmp_path / "winter")
    return tmp_path / "winter"


WINTER = "sources: [{name: last winter, campaign: ../winter}]"


def test_an_earlier_campaign_tells_its_observations(kitchen_with, winter):
    snapshot = read_snapshot(winter)
    (found,) = read(kitchen_with(WINTER))
    assert found.values == [one.values["weigh"] for one in snapshot.observations]
    assert found.points["heat"] == [one.parameters["heat"] for one in snapshot.observations]
    assert found.at == str(winter)


def test_an_earlier_campaign_may_have_other_units_and_names(kitchen_with, winter):
    (here,) = read(kitchen_with(WINTER))
    renamed = (
        "parameters=[{name: volume, kind: continuous, unit: uL, low: 500 uL, high: 5 mL}, "
        "{name: baking, kind: continuous, unit: K, low: 50 degC, high: 400 degC}]"
    )
    step = "recipe.2.command.arguments.target_c=$baking"
    more = "sources: [{name: last winter, campaign: ../winter, columns: {baking: {column: heat}}}]"
    (found,) = read(kitchen_with(more, renamed, step, "objectives.0.unit=mg"))
    assert found.points["volume"] == pytest.approx([1000.0 * value for value in here.points["volume"]])
    assert found.points["baking"] == pytest.approx([value + 273.15 for value in here.points["heat"]])
    assert found.values == pytest.approx([1000.0 * value for value in here.values])


def test_what_an_earlier_campaign_varied_besides_is_said(kitchen_with, winter):
    fixed = "parameters=[{name: volume, kind: continuous, unit: mL, low: 0.5 mL, high: 5 mL}]"
    (found,) = read(kitchen_with(WINTER, fixed, "recipe.2.command.arguments.target_c=100 degC"))
    assert found.notes == ("'heat' was varied there and is no parameter here: what it did counts as noise",)


def test_an_earlier_campaign_lacks_a_parameter(kitchen_with, winter):
    more = "sources: [{name: last winter, campaign: ../winter, columns: {heat: {column: heet}}}]"
    assert problems(kitchen_with(more)) == [
        "sources.0.campaign: campaign winter has no column 'heet'; did you mean 'heat'?"
    ]


def test_a_directory_without_a_campaign_is_refused(kitchen_with, tmp_path):
    (found,) = problems(kitchen_with(WINTER))
    assert found.startswith("sources.0.campaign: ") and "is no campaign directory" in found


def test_what_an_earlier_campaign_found_has_a_digest_that_changes_with_it(kitchen_with, winter, tmp_path):
    before = kitchen_with(WINTER).campaign.sources[0].sha256
    assert before == read_earlier(winter).digest == kitchen_with(WINTER).campaign.sources[0].sha256
    shutil.move(winter, tmp_path / "other")
    assert read_earlier(tmp_path / "other").digest == before


def test_a_campaign_helped_by_an_earlier_one_outlives_it(kitchen_with, winter, tmp_path):
    run(kitchen_with(WINTER).require(), tmp_path / "c")
    shutil.rmtree(winter)
    assert "last winter" in explained(tmp_path / "c", 1)
    assert write_report(tmp_path / "c").notices == ()


def test_an_earlier_campaign_tells_its_failures_and_how_uncertain_its_values_are(fabricate):
    fabricator = fabricate()
    path = fabricator.sara()
    found = read_earlier(path)
    assert found.failed == 1
    rows = [row for row in read_snapshot(path).observations if row.failure is None]
    assert found.table.numbers.tolist() == [row.trial for row in rows]
    assert found.table.at([0, -1]) == f"trials {rows[0].trial}, {rows[-1].trial}"
    assert found.table.columns[SD_OF + "optical_gradient"].to_pylist() == [row.sd["optical_gradient"] for row in rows]
    assert found.units["peak_temperature"] == "degC"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.one_of(st.none(), st.integers(-9, 9)), st.text(max_size=3)), min_size=1)
)
def test_what_the_journal_keeps_becomes_the_planner_s_option_again(rows):
    numbers, sometimes, words = (list(column) for column in zip(*rows, strict=True))
    kept = {
        "name": "May",
        "points": {"a": numbers, "b": sometimes, "c": words},
        "values": numbers,
        "noise": None,
        "usable": len(rows),
    }
    (option,) = as_option([kept], "g")
    expected = [{name: value for name, value in zip("abc", row, strict=True) if value is not None} for row in rows]
    assert option["points"] == expected
    assert (option["values"], option["unit"], option["of"]) == (numbers, "g", len(rows))


def test_a_planner_in_a_process_of_its_own_is_given_the_same_sources(kitchen_with):
    checked = kitchen_with(MAY, may=GOOD)
    rows = [source.data() for source in read(checked)]
    here = knowledge_of(checked.campaign, pool=None, sources=rows)
    there = knowledge_of(checked.campaign, pool=None, sources=rows, deadline_s=120.0)
    try:
        first, second = here.ask(3), there.ask(3)
        assert not first.fallback_reason and not second.fallback_reason
        assert [one.parameters for one in first.proposals] == [one.parameters for one in second.proposals]
        assert there.diagnostics()["sources"] == here.diagnostics()["sources"]
    finally:
        there.close()


def test_an_earlier_campaign_of_something_else_is_refused(kitchen_with, winter):
    found = problems(kitchen_with(WINTER, "objectives.0.name=crumb", "analysis.options={values: {weigh: crumb}}"))
    assert (
        "sources.0.campaign: campaign winter has no column 'crumb'; known: volume, heat, weigh. Where it has another "
        "name there, write columns: {crumb: {column: NAME}}"
    ) in found


def test_an_earlier_campaign_that_is_still_at_work_changes_nothing_later(kitchen_with, kitchen, tmp_path):
    steps = []

    def stop(_trial, act):
        steps.append(act)
        if len(steps) == 26:
            os.kill(os.getpid(), signal.SIGINT)

    assert run(kitchen, tmp_path / "winter", on_step=stop).status == "stopped"
    task = kitchen_with(WINTER, "budget.trials=3").require()
    (before,) = sources_of(task.campaign)
    run(task, tmp_path / "c")
    assert resume(tmp_path / "winter").status == "finished"
    assert len(read(kitchen_with(WINTER))[0].values) > len(before.values)
    (kept,) = read_snapshot(tmp_path / "c").sources
    assert kept["values"] == list(before.values)


def test_a_scorer_is_told_what_the_planner_knew_with_its_sources(kitchen_with, tmp_path):
    task = kitchen_with(MAY, may=GOOD).require()
    run(task, tmp_path / "c")
    with open_reading(tmp_path / "c") as reading:
        trials = read_standing(reading.connection).history.trials
        scored = scoring._run(reading.connection, task, trials)
    points = [{**trial.parameters} for trial in trials[:2]]
    told = scored.predict(len(trials), points)
    assert told is not None
    mean, sd = told
    assert mean.shape == sd.shape == (2,) and (sd > 0).all()
