from dataclasses import replace

from orchestrator.status.looks import Looks, read_status


def test_trials_are_counted_by_outcome(fabricate):
    status = read_status(fabricate().sara(6))
    trials = status.trials
    assert (trials.accepted, trials.measured, trials.failed, trials.lost, trials.open) == (6, 4, 1, 1, 0)
    assert trials.budget == 48
    assert status.incidents == {"intervention": 1}
    assert status.state == status.status == "finished"
    assert status.best is None


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


def test_an_empty_campaign_has_a_status(fabricate):
    path = fabricate().sara(0, end=False)
    status = read_status(path)
    assert status.trials.accepted == 0
    assert status.newest_step is None


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
