import copy
import errno
import hashlib
import os
import re
import sqlite3

import numpy as np
import pytest

from orchestrator import report as report_module
from orchestrator.cli.main import supervise
from orchestrator.errors import InputError, NewerVersion, StorageError
from orchestrator.reading import read_snapshot
from orchestrator.report import write_report

pytestmark = pytest.mark.usefixtures("no_posterior")


def text_of(path, **options):
    return write_report(path, **options).path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["sara", "bench"])
def test_the_embedded_data_equal_the_tables(fabricate, embedded, kind):
    path = getattr(fabricate(), kind)(2)
    data, snapshot = embedded(text_of(path)), read_snapshot(path)
    names = [item["name"] for item in data["parameters"]]
    assert [trial["n"] for trial in data["trials"]] == [trial.number for trial in snapshot.trials]
    for mine, trial in zip(data["trials"], snapshot.trials, strict=True):
        assert mine["o"] == trial.outcome
        assert mine["p"] == pytest.approx([trial.parameters[name] for name in names], rel=1e-6)
        assert mine["v"] == pytest.approx(trial.values, rel=1e-6)
        assert (mine["why"], mine["r"], mine["c"], mine["a"]) == (
            trial.reason,
            trial.proposal_reason,
            trial.is_control,
            trial.ask,
        )
        for name, found in trial.predictions.items():
            assert mine["e"][name] == pytest.approx([found["mean"], found["sd"]], rel=1e-6)
    target = data["objectives"][0]["name"]
    told = [(row.trial, row.values[target], row.sd[target]) for row in snapshot.observations]
    shown = [
        (int(trial), value, sd)
        for trial, one in data["observations"].items()
        for name in one["v"]
        for value, sd in zip(one["v"][name], one["sd"][name], strict=True)
    ]
    assert len(shown) == len(told) > 0
    for mine, row in zip(shown, told, strict=True):
        assert mine[0] == row[0]
        assert mine[1] == pytest.approx(row[1], rel=1e-6)
        assert mine[2] == pytest.approx(row[2], rel=1e-6)
    assert data["asks"]["at"] == pytest.approx([ask.asked_s for ask in snapshot.asks])
    assert sum(len(curves) for curves in data["spectra"]["curves"].values()) == sum(
        row.kind == "spectrum" for row in snapshot.measurements
    )


def test_the_report_says_what_the_campaign_was(fabricate):
    text = text_of(fabricate().sara(6))
    for words in ("Simulated laboratory", "the budget of 6 trials is spent", "peak temperature", "virtual time"):
        assert words in text
    assert "<b>finished</b>" in text


def test_real_hardware_is_marked(fabricate):
    maker = fabricate(mode="wall")
    from_lab = {"name": "bench", "devices": {"robot": {"driver": "bench", "url": "serial:/dev/ttyUSB0"}}}
    config = {"name": "x", "seed": 0, "planner": {"policy": "random"}, "objectives": [], "parameters": []}
    maker.create(config, from_lab)
    maker.end()
    text = text_of(maker.path)
    assert '<span class="badge real">Real hardware</span>' in text
    assert "wall time" in text


def test_names_and_reasons_with_markup_stay_text(fabricate, embedded):
    evil = '</script><script>alert("1")</script><img src=x onerror=alert(2)>'
    maker = fabricate()
    from_config = copy.deepcopy(CONFIG)
    from_config["name"] = from_config["description"] = evil
    maker.create(from_config, {"name": evil, "devices": {evil: {"url": "sim:x/y"}}}, versions={evil: evil})
    maker.ask([{"number": 1, "parameters": {evil: 1.0}, "proposal_id": "p", "proposal_reason": evil}])
    maker.start(1, sample=evil)
    maker.step(1, "0", evil, evil, 1.0, end="step_failed", error=evil, settled_by=evil, label=evil)
    maker.journal.append("incident", {"kind": evil, "device": evil, "text": evil}, trial=1)
    maker.journal.append("trial_failed", {"reason": evil}, trial=1)
    maker.end(reason=evil)
    text = text_of(maker.path)
    assert "<img src=x" not in text
    assert '<script>alert("1")' not in text
    assert "onerror=alert(2)&gt;" in text
    assert embedded(text)["trials"][0]["why"] == evil


CONFIG = {
    "name": "c",
    "seed": 0,
    "planner": {"policy": "random"},
    "parameters": [{"name": "x", "kind": "continuous", "low": 0.0, "high": 1.0}],
    "objectives": [{"name": "y", "direction": "maximize", "unit": "1"}],
}
LAB = {"name": "lab", "devices": {"robot": {"driver": "bench", "url": "sim:b/robot"}}}


def test_a_campaign_without_trials_has_a_report(fabricate, embedded):
    maker = fabricate()
    maker.create(CONFIG, LAB)
    maker.end(status="faulted", reason="no device answered")
    text = text_of(maker.path)
    assert "No trial was accepted yet" in text
    assert "No device has done anything yet" in text
    assert embedded(text)["trials"] == []


def test_a_campaign_of_failures_only_has_a_report(fabricate, embedded):
    maker = fabricate()
    maker.create(CONFIG, LAB)
    for number in range(1, 8):
        maker.ask([{"number": number, "parameters": {"x": 0.1 * number}, "proposal_id": f"p{number}"}])
        maker.start(number)
        maker.step(number, "0", "robot", "start", 10.0, end="step_rejected", error="no")
        maker.journal.append("trial_lost", {"reason": "the robot is broken"}, trial=number)
    maker.end(status="faulted", reason="3 trials in a row were lost")
    text = text_of(maker.path)
    assert "7 trials gave no result: the robot is broken (7)" in text
    assert {trial["o"] for trial in embedded(text)["trials"]} == {"lost"}


def test_values_that_are_no_numbers_become_null(fabricate, embedded):
    maker = fabricate()
    maker.sara(1, end=False, points=1)
    maker.measure(
        1, "8", "spectrum", "film", {"wavelength_nm": np.array([1.0, 2.0]), "counts": np.array([np.nan, 1.0])}
    )
    maker.end()
    embedded(text_of(maker.path))


def test_what_the_planner_says_of_the_results_stands_on_top(fabricate):
    maker = fabricate()
    maker.sara(1, end=False)
    asked = [{"number": 9, "parameters": {}, "proposal_id": "9-0"}]
    maker.ask(asked, diagnostics={"alarms": ["y is <0.7> times what it was"]})
    now = write_report(maker.path).path.read_text(encoding="utf-8")
    assert re.search(r'class="notice">the planner, first at ask \d+: y is &lt;0.7&gt; times', now)
    maker.ask([{"number": 10, "parameters": {}, "proposal_id": "10-0"}])
    maker.end()
    later = write_report(maker.path).path.read_text(encoding="utf-8")
    assert re.search(r"the planner at ask \d+, not since, first at ask \d+: y is", later)


def test_a_running_campaign_is_shown_as_of_now(fabricate):
    maker = fabricate()
    path = maker.sara(2, end=False)
    with maker.directory.controlled():
        report = write_report(path)
    assert "still running" in report.notices[0]
    assert "2026-01-01 00:0" in report.notices[0]
    assert "<b>running</b>" in report.path.read_text()


def test_an_interrupted_campaign_says_how_to_go_on(fabricate):
    path = fabricate().sara(1, end=False)
    text = text_of(path)
    assert "interrupted" in text
    assert f"labpilot resume {path}" in text


def test_a_damaged_journal_is_reported_with_its_rows(fabricate):
    path = fabricate().sara(2)
    with sqlite3.connect(path / "journal.sqlite") as connection:
        connection.execute("UPDATE journal SET body = '{\"x\": 1}' WHERE seq = 9")
    connection.close()
    report = write_report(path)
    assert any("journal rows 9 were changed" in notice for notice in report.notices)
    assert "journal rows 9 were changed" in report.path.read_text()


def test_missing_files_are_said(fabricate):
    path = fabricate().sara(2)
    for file in (path / "measurements" / "000002").iterdir():
        file.unlink()
    assert any("measurement files are missing" in notice for notice in write_report(path).notices)


def test_a_thousand_trials_with_ten_spectra_each_stay_small(fabricate, embedded):
    maker = fabricate()
    maker.create({**CONFIG, "budget": {"trials": 1000}}, LAB)
    rng = np.random.default_rng(0)
    arrays = {"wavelength_nm": np.linspace(350, 900, 600), "counts": rng.normal(1000, 100, 600)}
    maker.ask([{"number": n, "parameters": {"x": n / 1000}, "proposal_id": f"p{n}"} for n in range(1, 1001)])
    for number in range(1, 1001):
        maker.start(number)
        maker.step(number, "0", "robot", "start", 10.0)
        if number == 1:
            maker.measure(1, "0.0", "spectrum", "film", arrays, offset_mm=0.0)
        maker.journal.append("plan_finished", {}, trial=number)
        finding = {"parameters": {"x": number / 1000}, "values": {"y": number}, "sd": {"y": 0.1}, "failure": None}
        body = {"values": {"y": number}, "findings": [finding], "details": {}, "analysis": "a 1"}
        maker.journal.append("analysed", body, trial=number)
    share_one_file(maker)
    maker.end()
    report = write_report(maker.path)
    assert report.size_bytes < 12e6
    assert any("4000 of 10000 spectra" in notice for notice in report.notices)
    data = embedded(report.path.read_text())
    assert len(data["trials"]) == 1000
    assert "1000" in data["spectra"]["curves"]
    assert sum(len(curves) for curves in data["spectra"]["curves"].values()) == 4000


def share_one_file(maker):
    """Let all measurements be one file; ten thousand of them would only take time."""
    maker.journal.flush()
    with maker.engine.connect() as connection:
        one = connection.exec_driver_sql("SELECT path, sha256, size_bytes FROM measurement").one()
    body = {"kind": "spectrum", "role": "film", "path": one[0], "sha256": one[1], "size_bytes": one[2]}
    for number in range(1, 1001):
        for i in range(int(number == 1), 10):
            facts = {"offset_mm": 0.1 * i}
            command_id = f"{number:06d}.0.{i}"
            maker.journal.append("measured", {**body, "facts": facts}, trial=number, command_id=command_id)


def test_the_report_is_replaced_whole_or_not_at_all(fabricate, tmp_path, monkeypatch):
    path = fabricate().sara(1, points=1)
    target = tmp_path / "reports" / "one.html"
    write_report(path, target)
    before = target.read_bytes()

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(report_module.os, "replace", full)
    with pytest.raises(StorageError, match="No space left"):
        write_report(path, target)
    assert target.read_bytes() == before
    assert [entry.name for entry in target.parent.iterdir()] == ["one.html"]


def test_a_report_is_as_readable_as_any_new_file(fabricate):
    report = write_report(fabricate().sara(1, points=1))
    umask = os.umask(0)
    os.umask(umask)
    assert report.path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_the_journal_is_not_touched(fabricate):
    path = fabricate().sara(1, points=1)
    before = hashlib.sha256((path / "journal.sqlite").read_bytes()).hexdigest()
    write_report(path)
    assert hashlib.sha256((path / "journal.sqlite").read_bytes()).hexdigest() == before


def test_no_campaign_and_a_later_version_are_refused(fabricate, tmp_path):
    with pytest.raises(InputError, match="no campaign directory"):
        write_report(tmp_path)
    path = fabricate().sara(1, points=1)
    with sqlite3.connect(path / "journal.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(NewerVersion):
        write_report(path)
    assert not (path / "report.html").exists()


def test_the_command_says_where_the_report_is(fabricate, tmp_path, capsys):
    path = fabricate().sara(1, points=1, end=False)
    assert supervise(["report", str(path), "--out", str(tmp_path / "r.html")]) == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "r.html") in said
    assert "note: This campaign was interrupted" in said
    assert supervise(["report", str(tmp_path)]) == 2
