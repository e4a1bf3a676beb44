from orchestrator.execution import start
from tests.orchestrator.test_journeys import VIRTUAL, events_of, unsafe


def test_samples_that_agree_share_a_run(bakery, tmp_path):
    task = bakery("parameters.1.low=500 degC", "parameters.1.step=100 K")
    assert start(task, tmp_path / "out", VIRTUAL).status == "finished"
    runs = [event.body for event in events_of(tmp_path / "out") if event.kind == "batch_formed"]
    assert sum(len(run["places"]) for run in runs) == 12
    assert any(len(run["places"]) == 2 for run in runs)
    assert len(runs) < 12


def test_runs_are_planned_where_a_campaign_asks_for_it_and_the_same_seed_gives_the_same_plans(bakery, tmp_path):
    journals = []
    for name in ("one", "two"):
        task = bakery("scheduling.optimise=true", "budget.trials=24")
        assert start(task, tmp_path / name, VIRTUAL).status == "finished"
        journals.append([(event.kind, event.trial, event.at_s, event.body) for event in events_of(tmp_path / name)])
    assert unsafe(tmp_path / "one") == []
    formed = [[body for kind, _, _, body in journal if kind == "batch_formed"] for journal in journals]
    assert any(body.get("by") == "optimiser" for body in formed[0])
    assert formed[0] == formed[1]
    assert [event[:3] for event in journals[0]] == [event[:3] for event in journals[1]]
