import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.cli.main import supervise
from orchestrator.health.examination import findings
from orchestrator.health.finding import Level
from orchestrator.journal import read_events
from orchestrator.lab import Lab
from orchestrator.projections import rebuild
from orchestrator.reading import open_reading
from orchestrator.status.looks import Looks, examine, read_findings, read_status
from orchestrator.yaml_source import InvalidSource, read_source
from tests.orchestrator.conftest import BENCH, START

HOUR_S = 3600.0
STOCKED = {"materials": {"BaCO3": "10 g"}, "containers": 50}
RACKS = {
    "labpilot": 1,
    "name": "racks",
    "devices": {name: {"driver": name, "url": f"sim:powder-lab/{name}"} for name in ("doser-1", "arm-1", "balance")},
    "samples": {"kind": "racks", "magazine": "magazine", "materials": {"doser-1": "BaCO3"}},
    "stock": STOCKED,
}


def powder(maker, n=20, *, lab=RACKS, budget=128):
    maker.create({**BENCH, "budget": {"trials": budget}}, lab)
    for number in range(1, n + 1):
        dose(maker, number)
    maker.journal.flush()


def dose(maker, number, *, slow_s=0.0):
    maker.ask([{"number": number, "parameters": {"p10": 1.0}, "proposal_id": None}])
    maker.start(number, sample=f"sample-{number}")
    tag = f"{number:06d}"
    way = {"source": "magazine", "destination": "dosing", "tag": tag}
    maker.step(number, "0", "arm-1", "transfer", 12.0 + slow_s, arguments=way)
    order = {"material": "BaCO3", "amount_mg": 250.0, "tolerance_mg": 5.0, "tag": tag}
    maker.step(number, "1", "doser-1", "dispense", 60.0, arguments=order, result={"amount": 250.4})
    maker.clock.seconds += HOUR_S


def named(found):
    return {finding.name: finding for finding in found}


def test_a_campaign_is_examined_from_its_tables(fabricate):
    maker = fabricate()
    powder(maker)
    found = named(read_findings(maker.path))
    assert found["controller"].level is Level.WARNING
    assert "labpilot resume" in found["controller"].do
    assert found["stock BaCO3"].level is Level.WARNING
    assert "4.99\u00a0g of 10\u00a0g are left" in found["stock BaCO3"].text
    assert "before Monday 2026-01-05 08:00 UTC" in found["stock BaCO3"].text
    assert found["stock magazine"].level is Level.WARNING
    assert "30 of 50 containers are left" in found["stock magazine"].text
    assert found["pace of arm-1.transfer"].level is Level.OK
    assert found["clock"].text == "virtual time does not jump"
    assert found["interventions"].level is Level.OK
    assert "disk" in found


def test_what_the_rest_of_the_campaign_needs_counts(fabricate):
    maker = fabricate()
    powder(maker, budget=30)
    assert named(read_findings(maker.path))["stock BaCO3"].level is Level.OK


def test_a_slow_arm_and_a_filled_magazine_are_seen(fabricate):
    maker = fabricate()
    powder(maker)
    doubt = {"name": "restock-0001", "kind": "restock", "facts": {"place": "magazine"}, "closed": [], "text": "fill"}
    maker.journal.append("doubted", doubt)
    maker.journal.append("seen_to", {"name": "restock-0001", "answer": "filled"})
    for number in range(21, 27):
        dose(maker, number, slow_s=9.0)
    maker.journal.flush()
    found = named(read_findings(maker.path))
    assert "44 of 50 containers are left" in found["stock magazine"].text
    assert found["pace of arm-1.transfer"].level is Level.WARNING
    assert "9 s longer" in found["pace of arm-1.transfer"].text


def test_the_same_is_found_in_tables_that_were_folded_again(fabricate):
    maker = fabricate()
    powder(maker)
    live = read_findings(maker.path)
    with maker.engine.begin() as connection:
        rebuild(connection, list(read_events(connection)))
    assert [one for one in read_findings(maker.path) if one.name != "disk"] == [
        one for one in live if one.name != "disk"
    ]


def test_jumps_of_a_wall_clock_are_found_in_the_journal(fabricate, monkeypatch):
    maker = fabricate()
    maker.mode = "wall"
    maker.create(BENCH, RACKS)
    monkeypatch.setattr(
        maker.clock, "utc", lambda: START + timedelta(seconds=maker.clock.seconds - HOUR_S), raising=False
    )
    maker.clock.seconds += 30.0
    maker.journal.append("incident", {"kind": "fault", "text": "x"}, durable=True)
    found = named(read_findings(maker.path))["clock"]
    assert found.level is Level.WARNING
    assert "the last by 1 h backwards" in found.text


def test_a_wall_clock_goes_on_while_a_controller_is_alive(fabricate):
    maker = fabricate()
    maker.mode = "wall"
    powder(maker, 2)
    with maker.directory.controlled(), open_reading(maker.path) as reading:
        seen = examine(reading, reading.journal_facts(), is_alive=True)
    status = read_status(maker.path)
    last = datetime.fromisoformat(status.last_event_utc)
    assert seen.outlook.now_utc - last == timedelta(seconds=seen.outlook.now_s - status.elapsed_s)
    assert seen.outlook.now_utc > last
    assert named(findings(seen))["progress"].level is Level.NOTE


def test_the_status_shows_warnings_only(fabricate, capsys):
    maker = fabricate()
    powder(maker)
    warned = [finding.name for finding in read_status(maker.path).health]
    assert warned == ["controller", "stock BaCO3", "stock magazine"]
    assert supervise(["status", str(maker.path), "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["health"]] == warned
    assert supervise(["status", str(maker.path)]) == 0
    assert "warning stock BaCO3: 4.99" in capsys.readouterr().out.replace("\u00a0", " ")


def test_looks_examine_once_a_minute(fabricate):
    maker = fabricate()
    powder(maker)
    looks = Looks(maker.path)
    looks.look()
    first = looks.findings
    for number in range(21, 24):
        dose(maker, number)
    maker.journal.flush()
    assert looks.look().trials.accepted == 23
    assert looks.findings is first


def test_the_command_shows_everything_gravest_first(fabricate, capsys):
    maker = fabricate()
    powder(maker)
    assert supervise(["health", str(maker.path)]) == 0
    said = capsys.readouterr().out
    assert said.index("warning stock BaCO3") < said.index("ok      clock")
    assert supervise(["health", str(maker.path), "--json", "--until", "2026-01-01 23:00"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["stock BaCO3"]["level"] == "note"
    assert supervise(["health", str(maker.path), "--until", "yesterday"]) == 2


def test_a_lab_may_only_stock_what_a_dispenser_holds(powder_lab):
    lab = Lab.from_data({**powder_lab, "stock": {"materials": {"BaCO3": "0.2 kg"}, "containers": 40}})
    assert lab.data()["stock"] == {"materials": {"BaCO3": "0.2 kg"}, "containers": 40}
    assert Lab.from_data(lab.data()) == lab
    assert "stock" not in Lab.from_data({**powder_lab, "stock": None}).data()


@pytest.mark.parametrize(
    ("stock", "said"),
    [
        ({"materials": {"BaC03": "200 g"}}, "no dispenser holds 'BaC03'; did you mean 'BaCO3'"),
        ({"materials": {"BaCO3": "200 mm"}}, "must be a mass such as '200 g' or a volume"),
        ({"materials": {"BaCO3": "0 g"}}, "must be more than nothing"),
        ({"materials": {"BaCO3": 200}}, "a mass such as"),
        ({"containers": 0}, "greater than or equal to 1|at least 1"),
    ],
)
def test_a_stock_that_is_none_is_refused(powder_lab, stock, said):
    with pytest.raises(InvalidSource, match=said):
        Lab.from_data({**powder_lab, "stock": stock})


@pytest.fixture(scope="module")
def powder_lab():

    return read_source(Path(__file__).parents[3] / "examples" / "powder_lab" / "lab.yaml").data
