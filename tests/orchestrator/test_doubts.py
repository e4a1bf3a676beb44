import math
from pathlib import Path

import pytest

from orchestrator.check import check_campaign
from orchestrator.cli.telling import told
from orchestrator.execution import Settings, start
from orchestrator.explaining import explained
from orchestrator.reading import open_reading
from orchestrator.report import write_report
from orchestrator.status.looks import read_status
from orchestrator.store import AskRow

CAMPAIGN = """
labpilot: 1
name: wrong-label
lab: lab.yaml
parameters:
  - {name: t, kind: continuous, unit: degC, low: 20 degC, high: 80 degC, step: 1 degC}
objectives:
  - {name: y, direction: maximize, unit: g}
recipe:
  - perform: {device: robot}
analysis: {kind: reading}
planner: {policy: auto, charge: 1 s, options: {robust: ROBUST, start: 10}}
budget: {trials: 24}
seed: 3
replay: {table: table.csv, mode: pool, duration: 1 h}
"""
LAB = """
labpilot: 1
name: robots
devices:
  robot: {driver: bench, url: "sim:replay/robot"}
"""


def campaign(folder: Path, *, robust: bool) -> Path:
    """Run a campaign on a table, one place of which tells 95 g in place of 1."""
    (folder / "campaign.yaml").write_text(CAMPAIGN.replace("ROBUST", str(robust).lower()))
    (folder / "lab.yaml").write_text(LAB)
    yields = {t: 10.0 * math.exp(-(((t - 61) / 12) ** 2)) for t in range(20, 81)}
    first = first_point(folder, yields)
    yields[first] = 95.0
    (folder / "table.csv").write_text("t,y\n" + "\n".join(f"{t},{y:.4f}" for t, y in yields.items()) + "\n")
    start(check_campaign(folder / "campaign.yaml").require(), folder / "c", Settings(is_virtual=True, fsync=False))
    return folder / "c"


def first_point(folder: Path, yields: dict[int, float]) -> int:
    """Return where the first trial of the campaign is: it does not hang on values."""
    (folder / "table.csv").write_text("t,y\n" + "\n".join(f"{t},{y:.4f}" for t, y in yields.items()) + "\n")
    task = check_campaign(folder / "campaign.yaml", None, ["budget.trials=1"]).require()
    start(task, folder / "once", Settings(is_virtual=True, fsync=False))
    best = read_status(folder / "once").best
    assert best is not None
    return round(best.parameters["t"])


@pytest.fixture(scope="module")
def robust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return campaign(tmp_path_factory.mktemp("robust"), robust=True)


def test_a_wrong_result_is_named_and_is_not_the_best(robust: Path) -> None:
    status = read_status(robust)
    (doubt,) = status.doubted
    assert (doubt.trial, doubt.target, doubt.value, doubt.unit) == (1, "y", 95.0, "g")
    assert doubt.mean < 11.0
    assert status.best is not None and status.best.trial != 1 and 9.9 < status.best.value <= 10.0
    assert status.as_json()["doubted"][0]["trial"] == 1
    assert str(doubt).startswith("trial 1 is not believed: y 95\N{NO-BREAK SPACE}g at t ")


def test_status_report_and_reasons_say_so(robust: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    Console(width=200).print(told(read_status(robust)))
    assert "trial 1 is not believed: y 95\N{NO-BREAK SPACE}g at t" in capsys.readouterr().out
    write_report(robust)
    text = (robust / "report.html").read_text(encoding="utf-8")
    assert "<h3>Not believed</h3>" in text and "Trial 1 is not believed: y 95\N{NO-BREAK SPACE}g at t" in text
    assert "y 95 at t" in explained(robust, 24) and "is not believed" in explained(robust, 24)


def test_without_the_option_everything_is_believed(tmp_path: Path) -> None:
    path = campaign(tmp_path, robust=False)
    status = read_status(path)
    assert status.doubted == []
    assert status.best is not None and status.best.value == 95.0
    with open_reading(path) as reading:
        assert not any("doubted" in ask.diagnostics for ask in reading.rows(AskRow, AskRow.index))
    write_report(path)
    assert "Not believed" not in (path / "report.html").read_text(encoding="utf-8")
