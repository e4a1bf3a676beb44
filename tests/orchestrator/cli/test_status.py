import json

from orchestrator.cli.main import supervise
from orchestrator.errors import InputError
from orchestrator.status.looks import read_status


def test_the_command_prints_json_that_a_program_can_read(fabricate, capsys):
    path = fabricate().sara(6)
    assert supervise(["status", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["trials"]["measured"] == 4
    assert said["latest_incidents"][0]["device"] == "laser"
    assert said["problems"] == []


def test_what_the_planner_says_of_the_results_is_told_while_it_says_it(fabricate, capsys):
    maker = fabricate()
    path = maker.bench(1, end=False)
    assert read_status(path).alarms == []
    alarm = "hydrogen is 0.70 +- 0.03 times what it was before ask 6 (p = 2e-05)"
    maker.ask([{"number": 99, "parameters": {}, "proposal_id": "9-0"}], diagnostics={"alarms": [alarm]})
    maker.journal.flush()
    assert read_status(path).alarms == [alarm]
    assert supervise(["status", str(path)]) == 0
    assert "alarm" in (said := capsys.readouterr().out) and "0.70 +- 0.03" in said
    maker.ask([{"number": 100, "parameters": {}, "proposal_id": "10-0"}])
    maker.journal.flush()
    assert read_status(path).alarms == []


def test_the_command_tells_a_person(fabricate, capsys):
    maker = fabricate()
    path = maker.bench(1, end=False)
    maker.journal.append("incident", {"kind": "fault", "device": "robot", "text": "[bold]no answer"}, trial=3)
    maker.journal.flush()
    assert supervise(["status", str(path)]) == 0
    said = capsys.readouterr().out
    assert "16 of 128: 15 measured, 1 failed" in said
    assert "interrupted" in said
    assert "[bold]no answer" in said
    assert f"labpilot resume {path}" in said.replace("\n", "")


def test_the_command_refuses_a_directory_without_campaign(tmp_path, capsys):
    assert supervise(["status", str(tmp_path)]) == InputError.exit_code
    assert "no campaign directory" in capsys.readouterr().err
