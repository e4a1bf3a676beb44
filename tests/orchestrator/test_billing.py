import json
import re
from pathlib import Path

import pytest

from orchestrator.check import check_campaign
from orchestrator.cli.main import supervise
from orchestrator.execution import Settings, resume, start
from orchestrator.export_tables import table_builders
from orchestrator.lab import Lab
from orchestrator.reading import open_reading, read_snapshot
from orchestrator.report import write_report
from orchestrator.report.timeline import busy_share, pack_timeline
from orchestrator.status.looks import read_status
from orchestrator.yaml_source import InvalidSource, read_source
from tests.orchestrator.conftest import BENCH

EXAMPLES = Path(__file__).parents[2] / "examples"
COSTS = {
    "currency": "CHF",
    "per_kwh": 1.0,
    "per_sample": 5.0,
    "per_g": {"BaCO3": 2.0},
    "devices": {"box-1": {"power": "1 kW", "per_hour": 10}, "doser-1": {"per_hour": 60}},
}
LAB = {
    "labpilot": 1,
    "name": "lab",
    "devices": {name: {"driver": name, "url": f"sim:lab/{name}"} for name in ("doser-1", "box-1")},
    "costs": COSTS,
}
HOUR_S = 3600.0


def fired(maker, lab=LAB):
    """Two doses of half a minute, then a furnace run of both samples that takes ten hours."""
    maker.create(BENCH, lab)
    maker.ask([{"number": n, "parameters": {"p10": 1.0}, "proposal_id": None} for n in (1, 2)])
    for number in (1, 2):
        maker.start(number, sample=f"sample-{number}")
        admitted = {"sample": f"sample-{number}", "home": f"home-{number}", "at": "magazine"}
        maker.journal.append("sample_admitted", admitted, trial=number)
        order = {"material": "BaCO3", "amount_mg": 250.0, "tolerance_mg": 5.0, "tag": f"t{number}"}
        maker.step(number, "0", "doser-1", "dispense", 30.0, arguments=order, result={"amount": 500.0})
    maker.journal.append("batch_formed", batch("batch-00001", {"1": "a", "2": "b"}))
    maker.journal.append("batch_loaded", {"batch": "batch-00001"})
    maker.step(0, "0", "box-1", "run_profile", 0.0, arguments={"tag": "batch-00001.2"})
    maker.clock.seconds += 10 * HOUR_S
    maker.journal.flush()


def batch(name, places):
    return {"batch": name, "station": "box-1", "path": "3", "key": "", "places": places}


def test_a_bill_is_read_from_the_journal(fabricate):
    maker = fabricate()
    fired(maker)
    maker.journal.append("batch_fired", {"batch": "batch-00001"})
    maker.clock.seconds += HOUR_S  # unloading is the arm's
    maker.journal.append("batch_ended", {"batch": "batch-00001"}, durable=True)
    bill = read_snapshot(maker.path).bill
    assert bill.hours == pytest.approx({"box-1": 10.0, "doser-1": 60 / HOUR_S})
    assert bill.energy_kwh == pytest.approx(10.0)
    first, second = bill.lines
    assert (first.trial, second.trial) == (1, 2)
    assert first.total == second.total == pytest.approx(5 * 10 + 0.5 + 5 * 1.0 + 0.5 * 2.0 + 5.0)
    assert bill.unknown == ["no power is given for doser-1"]


def test_a_furnace_that_still_burns_counts_so_far(fabricate):
    maker = fabricate()
    fired(maker)
    maker.journal.append("incident", {"kind": "fault", "text": "a while later"}, durable=True)
    assert read_snapshot(maker.path).bill.hours["box-1"] == pytest.approx(10.0)


def test_a_batch_that_failed_and_one_that_never_burnt(fabricate):
    maker = fabricate()
    fired(maker)
    maker.journal.append("batch_failed", {"batch": "batch-00001", "text": "door"})
    maker.journal.append("batch_formed", batch("batch-00002", {"1": "a"}))
    maker.clock.seconds += HOUR_S
    maker.journal.append("batch_ended", {"batch": "batch-00002"}, durable=True)
    assert read_snapshot(maker.path).bill.hours["box-1"] == pytest.approx(10.0)


def test_status_report_and_export_say_what_it_cost(fabricate, capsys):
    maker = fabricate()
    fired(maker)
    maker.journal.append("batch_fired", {"batch": "batch-00001"}, durable=True)
    assert read_status(maker.path).costs.total == pytest.approx(123.0)
    assert supervise(["status", str(maker.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["costs"]
    assert (told["currency"], told["energy_kwh"]) == ("CHF", pytest.approx(10.0))
    assert supervise(["status", str(maker.path)]) == 0
    assert "123.00 CHF, 10.00 kWh" in capsys.readouterr().out
    assert supervise(["metrics", str(maker.path)]) == 0
    assert 'currency="CHF"} 123' in capsys.readouterr().out
    text = write_report(maker.path).path.read_text()
    assert "<dt>Cost</dt>" in text
    busiest = re.search(r"Busiest instrument</dt><dd class=\"value\">(\d+)<.*?class=\"note\">([\w-]+)", text)
    assert busiest is not None and busiest[2] == "box-1" and int(busiest[1]) > 50
    assert "123.00\u00a0CHF in all." in text
    assert "Not counted: no power is given for doser-1." in text
    table = table_builders()["trial_costs"](read_snapshot(maker.path)).block()
    assert table["trial"] == [1, 2]
    assert table["cost_total"] == pytest.approx([61.5, 61.5])


def test_a_furnace_is_busy_while_it_runs_its_program(fabricate):
    maker = fabricate()
    fired(maker)
    maker.journal.append("batch_fired", {"batch": "batch-00001"}, durable=True)
    snapshot = read_snapshot(maker.path)
    share = 3600.0 * snapshot.bill.hours["box-1"] / snapshot.journal.last_s
    assert share > 0.9 and busy_share(snapshot)["box-1"] == pytest.approx(share)
    packed = [one["busy"] for one in pack_timeline(snapshot)["devices"] if one["name"] == "box-1"]
    assert packed == [pytest.approx(share)]


def test_without_prices_there_are_hours_and_no_money(fabricate, capsys):
    maker = fabricate()
    fired(maker, {name: value for name, value in LAB.items() if name != "costs"})
    assert read_status(maker.path).costs.total is None
    assert "<dt>Cost</dt>" not in (text := write_report(maker.path).path.read_text())
    assert "Not counted: the lab file names no prices (costs)." in text
    table = table_builders()["trial_costs"](read_snapshot(maker.path)).block()
    assert table["cost_total"] == [None, None]
    assert supervise(["status", str(maker.path)]) == 0
    assert "CHF" not in capsys.readouterr().out


VIRTUAL = Settings(is_virtual=True, fsync=False)
OVERRIDES = ["budget.trials=40", "batch=4", "planner.policy=random"]


def priced(tmp_path, stopping="[{cost: {most: 30}}]", costs="{currency: EUR, per_sample: 2.5}"):
    """The photocatalysis bench with prices."""
    lab = (EXAMPLES / "photocatalysis" / "lab.yaml").read_text()
    campaign = (EXAMPLES / "photocatalysis" / "campaign.yaml").read_text()
    (tmp_path / "lab.yaml").write_text(f"{lab}\ncosts: {costs}\n" if costs else lab)
    (tmp_path / "campaign.yaml").write_text(f"{campaign}\nstopping: {stopping}\n")
    return check_campaign(tmp_path / "campaign.yaml", None, OVERRIDES)


def test_a_campaign_ends_when_it_has_cost_enough(tmp_path):
    ending = start(priced(tmp_path).require(), tmp_path / "c", VIRTUAL)
    assert ending.status == "finished"
    assert ending.reason == "the campaign has cost 30.00 EUR, and may cost 30 EUR"
    assert read_status(tmp_path / "c").trials.accepted == 12


def test_a_campaign_that_was_stopped_ends_where_it_would_have(tmp_path):
    task = priced(tmp_path).require()

    def stop_at(trial, _act):
        if trial == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(task, tmp_path / "c", Settings(is_virtual=True, fsync=False, on_step=stop_at))
    assert "30.00 EUR" in resume(tmp_path / "c").reason
    assert read_status(tmp_path / "c").trials.accepted == 12


def test_the_rule_needs_prices_and_a_sum(tmp_path):
    assert any("names no prices (costs)" in str(problem) for problem in priced(tmp_path, costs="").problems)
    for sum_ in ("0", "-5", "'30 EUR'"):
        assert priced(tmp_path, stopping=f"[{{cost: {{most: {sum_}}}}}]").problems


def test_the_rule_is_written_as_it_was_read(tmp_path):
    campaign = priced(tmp_path).require().campaign
    assert campaign.data()["stopping"] == [{"cost": {"most": 30.0}}]
    assert type(campaign).from_data(campaign.data()) == campaign


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ({"currency": "EUR", "devices": {"box-9": {}}}, "no device 'box-9'; did you mean 'box-"),
        ({"currency": "EUR", "devices": {"box-1": {"power": 3000}}}, "needs a unit"),
        ({"currency": "EUR", "devices": {"box-1": {"power": "3 kg"}}}, "kg"),
        ({"currency": "EUR", "per_g": {"TiO3": 1.0}}, "no dispenser holds 'TiO3'; did you mean 'TiO2'"),
        ({"currency": "EUR", "per_kwh": -1}, "0"),
        ({}, "currency"),
    ],
)
def test_prices_that_mean_nothing_are_refused(costs, said):
    data = read_source(EXAMPLES / "powder_lab" / "lab.yaml").data
    with pytest.raises(InvalidSource, match=said):
        Lab.from_data({**data, "costs": costs})


def test_the_bill_of_a_reading_is_that_of_its_snapshot(fabricate):
    maker = fabricate()
    fired(maker)
    with open_reading(maker.path) as reading:
        assert reading.bill(reading.journal_facts()) == reading.snapshot().bill
