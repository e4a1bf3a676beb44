import json
from dataclasses import replace

import pytest
from filelock import FileLock, Timeout

from orchestrator import controllers
from orchestrator.cli.main import supervise
from orchestrator.errors import InputError
from orchestrator.status import Looks, best_trial, controller_is_alive, lab_kind, read_status


def test_trials_are_counted_by_outcome(fabricate):
    status = read_status(fabricate().sara(6))
    trials = status.trials
    assert (trials.accepted, trials.measured, trials.failed, trials.lost, trials.open) == (6, 4, 1, 1, 0)
    assert trials.budget == 48
    assert status.incidents == {"intervention": 1}
    assert status.state == status.status == "finished"
    assert status.best is None


def test_the_best_is_the_greatest_or_the_least_as_the_objective_wants(fabricate):
    maker = fabricate()
    path = maker.bench(2)
    values = {t.number: t.values["hydrogen"] for t in _trials(path) if t.outcome == "measured"}
    best = read_status(path).best
    assert best is not None
    assert (best.trial, best.value) == max(values.items(), key=lambda item: item[1])
    assert best.unit == "umol"
    least = {"objectives": [{"name": "hydrogen", "direction": "minimize"}]}
    found = best_trial(_trials(path), least)
    assert found is not None
    assert found.value == min(values.values())


def _trials(path):
    from orchestrator.reading import read_snapshot

    return read_snapshot(path).trials


def test_open_intents_and_the_newest_step_are_told(fabricate):
    maker = fabricate()
    path = maker.sara(1, end=False)
    maker.ask([{"number": 2, "parameters": {"peak_temperature": 700.0, "dwell": 1000.0}, "proposal_id": "p2"}])
    maker.start(2)
    maker.step(2, "0", "laser", "anneal", 5.0, end="", label="anneal")
    maker.journal.flush()
    status = read_status(path)
    assert [step.command_id for step in status.open_intents] == ["000002.0"]
    assert status.newest_step is not None
    assert (status.newest_step.device, status.newest_step.state) == ("laser", "intended")
    assert status.trials.open == 1


def test_a_campaign_without_a_controller_is_interrupted(fabricate):
    maker = fabricate()
    path = maker.sara(1, end=False)
    assert read_status(path).state == "interrupted"
    with maker.directory.controlled():
        status = read_status(path)
        assert status.controller_alive
        assert status.state == "running"


def test_looking_at_the_lock_makes_none_and_keeps_none(fabricate):
    maker = fabricate()
    path = maker.sara(1)
    assert not controller_is_alive(path)
    assert not (path / "controller.lock").exists()
    with maker.directory.controlled():
        assert controller_is_alive(path)
    assert not controller_is_alive(path)
    with FileLock(path / "controller.lock", timeout=0):
        pass


def test_looking_at_the_lock_works_where_the_kernel_lists_none(fabricate, monkeypatch):
    monkeypatch.setattr(controllers, "_held_by_the_kernels_list", lambda _lock: None)
    path = fabricate().sara(1)
    lock = FileLock(path / "controller.lock", timeout=0)
    with lock:
        content = (path / "controller.lock").read_bytes()
        assert controller_is_alive(path)
        assert (path / "controller.lock").read_bytes() == content
        with pytest.raises(Timeout):
            FileLock(path / "controller.lock", timeout=0, is_singleton=False).acquire()
    assert not controller_is_alive(path)


@pytest.mark.parametrize(
    ("urls", "kind"),
    [
        (["sim:film-station/laser", "sim:film-station/stage"], "simulated"),
        (["sim:replay/robot"], "replayed"),
        (["serial:/dev/ttyUSB0"], "real"),
        (["serial:/dev/ttyUSB0", "sim:film-station/stage"], "partly simulated"),
        ([], "simulated"),
    ],
)
def test_only_sim_addresses_are_no_hardware(urls, kind):
    assert lab_kind({"devices": {str(i): {"url": url} for i, url in enumerate(urls)}}) == kind


def test_an_empty_campaign_has_a_status(fabricate):
    path = fabricate().sara(0, end=False)
    status = read_status(path)
    assert status.trials.accepted == 0
    assert status.newest_step is None


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


def test_looks_go_on_from_where_the_last_one_ended_and_forget_no_damage(fabricate):
    maker = fabricate()
    path = maker.sara(1, end=False)
    with maker.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE journal SET body = '{}' WHERE seq = 3")
    looks = Looks(path)
    assert "rows 3 were changed" in looks.look().problems[0]
    maker.stripe(2, points=2, pixels=8)
    maker.journal.flush()
    second = looks.look()
    assert second.trials.accepted == 2
    anew = read_status(path)
    assert replace(second, costs=anew.costs, compute=anew.compute) == anew  # which are added up once a minute
