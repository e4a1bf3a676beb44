import itertools
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.instruments.bench import BenchDriver
from drivers.links.memory import MemoryLink
from simulators.replay import ReplayLab, ReplayTruth
from simulators.replay_options import TableProblems
from simulators.world import WorldFile

EXAMPLES = Path(__file__).parents[2] / "examples"
DATA = Path(os.environ.get("LABPILOT_DATA", "/nonexistent"))


@dataclass
class Hands:
    """A clock that the test turns."""

    time_s: float = 0.0

    def now_s(self) -> float:
        return self.time_s


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("table") / "t.csv"
    points = list(itertools.product([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "AB"))
    lines = [f"{time},{base},{time + rng.standard_normal():.6f},ok" for time, base in points for _ in range(3)]
    path.write_text("time,base,yield,status\n" + "\n".join([*lines, "1.0,A,,broken"]) + "\n")
    return path


@pytest.fixture
def options(table) -> dict[str, Any]:
    return {
        "table": str(table),
        "mode": "pool",
        "parameters": [
            {"name": "time", "kind": "continuous", "unit": "min", "low": 1.0, "high": 6.0},
            {"name": "base", "kind": "categorical", "levels": ["A", "B"]},
        ],
        "objectives": [{"name": "yield", "unit": "%"}],
        "failure": {"column": "status", "equals": "broken"},
        "duration_s": 60.0,
        "capacity": 1000,
    }


@pytest.fixture
def opened(tmp_path) -> Iterator[Any]:
    files = []

    def build(options, *, seed=0, clock=None, name="world"):
        state = WorldFile(tmp_path / f"{name}.sqlite")
        files.append(state)
        return ReplayLab(state=state, clock=clock or Hands(), seed=seed, options=options)

    yield build
    for file in files:
        file.close()


def ask(lab: ReplayLab, **request: Any) -> dict[str, Any]:
    robot = lab.instruments["robot"]
    received = []
    robot.send = received.append
    robot.receive(json.dumps(request).encode() + b"\n")
    return json.loads(b"".join(received))


def outcome(lab: ReplayLab, clock: Hands, tag: str, **parameters: Any) -> dict[str, Any]:
    assert ask(lab, do="start", tag=tag, parameters=parameters)["ok"]
    clock.time_s += 60.0
    return ask(lab, do="result", tag=tag)


def rows_of(options: dict[str, Any], **parameters: Any) -> set[str]:
    lines = [line.split(",") for line in Path(options["table"]).read_text().splitlines()[1:]]
    return {line[2] for line in lines if (float(line[0]), line[1]) == tuple(parameters.values())}


def test_a_pool_answers_with_real_repeats_only_and_with_each_of_them(options, opened):
    clock = Hands()
    lab = opened(options, clock=clock)
    results = [outcome(lab, clock, f"t{i}", time=2.0, base="B") for i in range(40)]
    assert {f"{result['values']['yield']:.6f}" for result in results} == rows_of(options, time=2.0, base="B")


def test_a_failed_row_is_a_failed_run_that_names_the_row(options, opened):
    clock = Hands()
    lab = opened(options, clock=clock)
    results = [outcome(lab, clock, f"t{i}", time=1.0, base="A") for i in range(60)]
    failed = [result for result in results if result["state"] == "failed"]
    assert 4 < len(failed) < 30, "one row of four failed"
    assert {result["reason"] for result in failed} == {"row 38 of the table gave no result"}
    assert all(result["values"] == {} for result in failed)


def test_chance_depends_on_seed_and_tag_and_on_nothing_else(options, opened):
    tags = [f"t{i}" for i in range(12)]

    def run(name, seed, order):
        clock = Hands()
        lab = opened(options, seed=seed, clock=clock, name=name)
        found = {tag: outcome(lab, clock, tag, time=3.0, base="A")["values"] for tag in order}
        return [found[tag] for tag in tags]

    first = run("a", 7, tags)
    assert run("b", 7, reversed(tags)) == first
    assert run("c", 8, tags) != first


def test_what_was_never_measured_is_refused(options, opened):
    answer = ask(opened(options), do="start", tag="a", parameters={"time": 2.5, "base": "A"})
    assert answer["ok"] is False
    assert answer["error"].startswith("time = 2.5, base = A was never measured")


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"time": 2.0, "bass": "A"}, "unknown parameter 'bass'; did you mean 'base'?"),
        ({"time": 2.0}, "missing parameter 'base'"),
        ({"time": "2", "base": "A"}, "'time' must be a number"),
        ({"time": 2.0, "base": 1}, "'base' must be a word"),
    ],
)
def test_parameters_of_another_kind_are_refused(options, opened, parameters, match):
    assert match in ask(opened(options), do="start", tag="a", parameters=parameters)["error"]


def test_the_pool_is_what_was_measured_in_the_search_space(options):
    assert ReplayLab.pool(options) == [
        {"time": time, "base": base} for time, base in itertools.product([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "AB")
    ]
    options["parameters"][0]["high"] = 2.0
    assert {point["time"] for point in ReplayLab.pool(options) or ()} == {1.0, 2.0}
    options["mode"] = "emulator"
    assert ReplayLab.pool(options) is None


def test_every_point_of_the_pool_can_be_started(options, opened):
    lab = opened(options)
    for i, point in enumerate(ReplayLab.pool(options) or ()):
        assert ask(lab, do="start", tag=str(i), parameters=point)["ok"]


def test_an_emulator_answers_between_the_rows_and_not_beyond(options, opened):
    lab = opened({**options, "mode": "emulator"})
    assert ask(lab, do="start", tag="a", parameters={"time": 2.5, "base": "A"})["ok"]
    beyond = ask(lab, do="start", tag="b", parameters={"time": 9.0, "base": "A"})
    assert beyond["error"] == "time = 9.0 min lies outside the emulator's range, 0.75 to 6.25 min"
    stranger = ask(lab, do="start", tag="c", parameters={"time": 2.0, "base": "C"})
    assert stranger["error"] == "parameter 'base' was never measured at 'C'"


def test_an_emulator_scatters_and_fails_as_the_table_does(options, opened):
    clock = Hands()
    lab = opened({**options, "mode": "emulator"}, clock=clock)
    results = [outcome(lab, clock, f"t{i}", time=3.5, base="A") for i in range(300)]
    values = [result["values"]["yield"] for result in results if result["state"] == "done"]
    stated = lab.provenance["targets"]["yield"]
    assert np.std(values) == pytest.approx(stated["noise_sd"], rel=0.15)
    truth = ReplayTruth({**options, "mode": "emulator"}).values([{"time": 3.5, "base": "A"}])[0]["yield"]
    assert np.mean(values) == pytest.approx(truth, abs=4 * stated["noise_sd"] / 17)
    assert {result["reason"] for result in results if result["state"] == "failed"} <= {
        "no result, as in some rows of the table"
    }
    assert 0 < 300 - len(values) < 30, "1 of 37 rows failed"


@pytest.mark.parametrize("mode", ["pool", "emulator"])
def test_the_provenance_goes_with_the_identity(options, opened, mode):
    options["mode"] = mode
    answer = ask(opened(options), do="identify")
    assert answer["model"] == f"replay {mode}"
    assert answer["provenance"] == ReplayLab.describe(options) == json.loads(json.dumps(ReplayLab.describe(options)))
    assert answer["provenance"]["rows"] == 37
    assert answer["provenance"]["conditions"] == 12
    assert answer["provenance"]["failures"]["rate"] == pytest.approx(1 / 37)
    assert ("cross-validated RMSE" in answer["provenance"]["summary"][1]) == (mode == "emulator")


def test_a_check_lists_what_is_wrong_and_nothing_else(options):
    assert ReplayLab.check(options) == []
    assert ReplayLab.check({**options, "mode": "emulator"}) == []
    assert "--set replay.table=PATH" in ReplayLab.check({**options, "table": None})[0]
    assert len(ReplayLab.check({**options, "table": options["table"] + "x"})) == 1


def test_a_wrong_table_makes_no_world(options, tmp_path):
    with pytest.raises(TableProblems, match="no such file"):
        ReplayLab.open(tmp_path / "w.sqlite", clock=Hands(), seed=0, options={**options, "table": "nowhere.csv"})


def test_a_world_goes_on_with_its_own_table_only(options, tmp_path):
    path, clock = tmp_path / "w.sqlite", Hands()
    options["table"] = shutil.copy(options["table"], tmp_path)
    lab = ReplayLab.open(path, clock=clock, seed=0, options=options)
    ask(lab, do="start", tag="a", parameters={"time": 2.0, "base": "A"})
    lab.close()
    again = ReplayLab.open(path, clock=clock, seed=0, options=options)
    clock.time_s = 60.0
    assert ask(again, do="result", tag="a")["state"] == "done"
    again.close()
    table = Path(options["table"])
    table.write_text(table.read_text() + "1.0,A,99,ok\n")
    with pytest.raises(TableProblems, match="is not the one that this campaign began with"):
        ReplayLab.open(path, clock=clock, seed=0, options=options)
    assert ReplayLab.check(options) == []
    WorldFile(path, lock_wait_s=0).close()  # a world that was not opened holds no file


def test_the_truth_of_a_pool_is_the_mean_of_its_good_repeats(options):
    truth = ReplayTruth(options)
    good = [float(cell) for cell in rows_of(options, time=1.0, base="A") if cell]
    unknown = {"time": 1.5, "base": "A"}
    values = truth.values([{"time": 1.0, "base": "A"}, unknown])
    assert values == [{"yield": pytest.approx(np.mean(good))}, {}]
    assert len(truth.measured()) == 12


def test_the_real_driver_runs_it_in_virtual_time(options, tmp_path):
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    lab = ReplayLab.open(tmp_path / "w.sqlite", clock=clock, seed=0, options=options)

    async def experiment():
        robot = BenchDriver(MemoryLink(lab.instruments["robot"], clock, name="robot"), clock)
        identity = await robot.connect()
        await robot.start(parameters={"time": 2.0, "base": "B"}, tag="t1")
        result = await robot.collect(tag="t1")
        await robot.close()
        return identity, result

    identity, result = run_virtual(experiment(), loop=loop)
    lab.close()
    assert identity.model == "replay pool"
    assert result.state == "done"
    assert clock.now_s() == pytest.approx(60.0, abs=0.01)


def example_options(name: str, table: Path, mode: str | None = None) -> dict[str, Any]:
    """Return what the campaign file of an example says, as its world is told."""
    campaign = YAML(typ="safe").load((EXAMPLES / name / "campaign.yaml").read_text())
    replay = campaign["replay"]
    assert replay["table"] is None, "nobody's results are shipped"
    return {
        "table": str(table),
        "mode": mode or replay["mode"],
        "columns": replay.get("columns", {}),
        "parameters": campaign["parameters"],
        "objectives": [{"name": item["name"], "unit": item["unit"]} for item in campaign["objectives"]],
    }


REAL = {
    "crossed_barrel": ("crossed_barrel/crossed_barrel.csv", 1800, 600, 5.303, 0.75),
    "fullerene_flow": ("fullerene_flow/fullerenes.csv", 246, 216, 0.01147, 0.97),
    "suzuki_flow": ("suzuki_flow_mixed/suzuki_i.csv", 89, 74, 7.302, 0.75),
    "agnp_flow": ("agnp_flow/agnp.csv", 3295, 164, 0.04584, 0.90),
}
"""Rows, conditions and pooled noise as the tables' own descriptions say, and the least R2 of an emulator."""


def invented(name: str, path: Path) -> Path:
    """Write a small table with the columns that an example asks for."""
    campaign = YAML(typ="safe").load((EXAMPLES / name / "campaign.yaml").read_text())
    columns = {key: said["column"] for key, said in campaign["replay"].get("columns", {}).items()}
    rng = np.random.default_rng(0)
    names = [columns.get(item["name"], item["name"]) for item in (*campaign["parameters"], *campaign["objectives"])]
    lines = [",".join(names)]
    for i in range(40):
        settings = [_setting(parameter, i, 40, rng) for parameter in campaign["parameters"]]
        lines.append(",".join([*settings, *(f"{rng.random():.3f}" for _ in campaign["objectives"])]))
    path.write_text("\n".join(lines) + "\n")
    return path


def _setting(parameter: dict[str, Any], i: int, n: int, rng: np.random.Generator) -> str:
    if "levels" in parameter:
        return str(parameter["levels"][i % len(parameter["levels"])])
    share = i / (n - 1) if i in (0, n - 1) else float(rng.random())
    return repr(parameter["low"] + share * (parameter["high"] - parameter["low"]))


@pytest.mark.parametrize("mode", ["pool", "emulator"])
@pytest.mark.parametrize("name", REAL)
def test_the_example_takes_a_table_with_its_columns(name, mode, tmp_path):
    assert ReplayLab.check(example_options(name, invented(name, tmp_path / "t.csv"), mode)) == []


@pytest.mark.skipif(not DATA.is_dir(), reason="LABPILOT_DATA names no directory with the real tables")
@pytest.mark.parametrize("name", REAL)
def test_the_real_table_is_what_its_description_says(name):
    file, n_rows, n_conditions, noise_sd, _ = REAL[name]
    options = example_options(name, DATA / file, "pool")
    assert ReplayLab.check(options) == []
    facts = ReplayLab.describe(options)
    assert (facts["rows"], facts["conditions"], facts["conditions_in_space"]) == (n_rows, n_conditions, n_conditions)
    assert len(ReplayLab.pool(options) or ()) == n_conditions
    (target,) = facts["targets"].values()
    assert target["noise_sd"] == pytest.approx(noise_sd, rel=1e-3)


@pytest.mark.skipif(not DATA.is_dir(), reason="LABPILOT_DATA names no directory with the real tables")
@pytest.mark.parametrize("name", REAL)
def test_the_emulator_of_the_real_table_is_no_worse_than_documented(name):
    file, _, _, _, least_r2 = REAL[name]
    (target,) = ReplayLab.describe(example_options(name, DATA / file, "emulator"))["targets"].values()
    assert target["cv_r2"] > least_r2
