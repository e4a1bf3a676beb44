import hashlib
import json

import pytest

from orchestrator.ahead.recording import record
from orchestrator.check import check_campaign
from orchestrator.cli.main import supervise
from orchestrator.errors import InputError
from orchestrator.execution import Settings, resume, start
from orchestrator.reading import open_reading
from orchestrator.results import read_result
from surrogate.compute import CostModel

VIRTUAL = Settings(is_virtual=True, fsync=False)
MEASURED = ["planner.charge=measured", "planning.charge=measured", "analysis.charge=measured", "planning.wait=0"]


@pytest.fixture
def measured(hill, tmp_path):
    start(hill(*MEASURED), tmp_path / "measured", VIRTUAL)
    return tmp_path / "measured"


def test_a_simulation_is_charged_by_what_another_campaign_took(hill, measured, tmp_path, events):
    file = tmp_path / "durations.json"
    with open_reading(measured) as reading:
        found = record(reading, file)
    assert found.counts["short lists of policy 'logei'"] > 5 and found.counts["analyses 'reading'"] == 10
    assert CostModel.load(file).sha256 == hashlib.sha256(file.read_bytes()).hexdigest() == found.costs.sha256
    given = [f"durations={file}", *(f"{part}.charge=recorded" for part in ("planner", "planning", "analysis"))]
    for name in ("a", "b"):
        start(hill(*given), tmp_path / name, VIRTUAL)
    a, b = (read_result(tmp_path / name, wall_s=0.0, score=False) for name in ("a", "b"))
    assert a["trials"] == b["trials"] and a["compute"] == b["compute"] and a["compute"]["planned_s"] > 0.0
    assert a["provenance"]["durations"]["sha256"] == found.costs.sha256
    charged = [body["charged_s"] for kind, _, _, body in events(tmp_path / "a") if kind == "asked"]
    assert len(set(charged)) > 3


def test_a_file_that_lacks_what_is_charged_or_was_changed_is_refused(hill, measured, tmp_path):
    file = tmp_path / "durations.json"
    with open_reading(measured) as reading:
        record(reading, file)
    given = [f"durations={file}", "planner.charge=recorded"]
    (problem,) = check_campaign(tmp_path / "campaign.yaml", None, [*given, "planner.policy=auto"]).problems
    assert "none of asks of policy 'auto'" in str(problem)
    acts = []

    def stop(trial, _act):
        acts.append(trial)
        if trial == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(hill(*given), tmp_path / "c", Settings(is_virtual=True, fsync=False, on_step=stop))
    file.write_text(file.read_text().replace("\n", "\n "))
    with pytest.raises(InputError, match=r"durations: .* was changed since this campaign began"):
        resume(tmp_path / "c")


def test_a_campaign_that_has_asked_for_nothing_has_nothing_to_record(fabricate, tmp_path):
    with open_reading(fabricate().sara(0)) as reading, pytest.raises(InputError, match="has taken time to plan"):
        record(reading, tmp_path / "none.json")
    assert not (tmp_path / "none.json").exists()


def test_the_command_tells_and_writes(measured, tmp_path, capsys):
    assert supervise(["compute", str(measured), "--durations", str(tmp_path / "d.json")]) == 0
    told = capsys.readouterr().out
    assert "Hidden" in told and "short lists of policy 'logei'" in told and "SHA-256" in told
    assert supervise(["compute", str(measured), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plans"] == 10
    assert supervise(["compute", str(measured), "--durations", "/proc/none/d.json"]) == 6
    assert "cannot be written" in capsys.readouterr().err


def test_status_report_and_metrics_say_it_too(measured, tmp_path, capsys):
    assert supervise(["status", str(measured)]) == 0
    assert "hidden" in capsys.readouterr().out
    assert supervise(["metrics", str(measured)]) == 0
    told = capsys.readouterr().out
    assert "labpilot_plans_total{" in told and "labpilot_compute_hidden_ratio" in told
    assert supervise(["report", str(measured), "--out", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text()
    assert "part of it for which no instrument waited" in page and 'id="computing"' in page
