"""What is observed beside a trial but not chosen reaches the planner, also of failed trials, and after a restart."""

import sqlite3
from contextlib import closing

import pytest

from orchestrator.campaign import Campaign
from orchestrator.check import check_campaign
from orchestrator.context import ContextEntry, context_of
from orchestrator.execution import Settings, start
from orchestrator.measurements import MeasurementFile
from orchestrator.reading import open_reading, read_snapshot
from orchestrator.records import TrialRecord, observations_of, read_observations, read_trials
from orchestrator.report import write_report

WITH_CONTEXT = """
context:
  lot: {value: B-17}
  room: {reading: scale.weigh}
"""


def reading(value, role="hygrometer.read"):
    return MeasurementFile(kind="reading", arrays={}, metadata={"role": role, "value": value})


def test_the_last_reading_counts_and_what_was_not_read_is_left_out():
    entries = {
        "humidity": ContextEntry(reading="hygrometer.read"),
        "pressure": ContextEntry(reading="gauge.read"),
        "lot": ContextEntry(value="B-17"),
    }
    taken = [reading(0.4), reading(0.5), reading(7.0, "scale.weigh")]
    found = context_of(entries, taken, started_s=5400.0, batch=2)
    assert found == {"started_h": 1.5, "batch": 2, "humidity": 0.5, "lot": "B-17"}


def test_what_an_analysis_found_besides_is_context_as_well():
    trial = TrialRecord(number=1, parameters={}, ask=0, is_control=False, proposal_id=None, outcome="measured")
    finding = {"parameters": {}, "values": {"y": 1.0, "phase:rutile": 0.2, "width": 3.0}, "sd": {"width": 0.1}}
    (told,) = observations_of(trial, [finding], {"y"})
    assert (dict(told.values), dict(told.noise)) == ({"y": 1.0}, {})
    assert told.context == {"phase:rutile": 0.2, "width": 3.0}


@pytest.fixture
def told(kitchen, tmp_path):
    """Run the kitchen with context, and return its directory."""
    file = tmp_path / "kitchen" / "campaign.yaml"
    file.write_text(file.read_text() + WITH_CONTEXT)
    start(check_campaign(file).require(), tmp_path / "c", Settings(is_virtual=True, fsync=False))
    return tmp_path / "c"


def test_a_campaign_tells_time_batch_constants_and_readings(told):
    with open_reading(told) as reading:
        trials, findings = read_trials(reading.connection), read_observations(reading.connection)
    for trial in trials:
        (one,) = observations_of(trial, findings[trial.number], {"weigh"})
        assert one.context["started_h"] == pytest.approx(trial.started_s / 3600.0, abs=1e-8)
        assert one.context["batch"] == trial.ask
        assert one.context["lot"] == "B-17"
        assert one.context["room"] == one.values["weigh"]


def test_a_failed_trial_has_a_context_too():
    failed = TrialRecord(
        number=1, parameters={}, ask=0, is_control=False, proposal_id="0-0", outcome="failed", context={"batch": 0}
    )
    (told,) = observations_of(failed, [], {"y"})
    assert told.context == {"batch": 0}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("context: {room: {reading: scale.wiegh}}", "no step of the recipe reads 'scale.wiegh'; did you mean"),
        ("context: {batch: {value: 1}}", "the name 'batch' is taken"),
        ("context: {weigh: {value: 1}}", "the name 'weigh' is taken"),
        ("context: {room: {}}", "give either value or reading"),
        ("context: {room: {value: 1, reading: scale.weigh}}", "give either value or reading"),
    ],
)
def test_what_is_wrong_with_a_context_is_said(kitchen, tmp_path, more, message):
    file = tmp_path / "kitchen" / "campaign.yaml"
    file.write_text(f"{file.read_text()}\n{more}\n")
    found = check_campaign(file).problems
    assert len(found) == 1
    assert message in found[0].message
    assert found[0].path.startswith("context.")


def test_what_was_recorded_is_read_again(kitchen):
    assert Campaign.from_data(kitchen.campaign.data()).context == kitchen.campaign.context


def test_a_directory_of_an_earlier_version_is_read_as_it_is(told):
    with closing(sqlite3.connect(told / "journal.sqlite")) as db:
        db.execute("ALTER TABLE trial DROP COLUMN context")
        db.execute("ALTER TABLE observation DROP COLUMN fingerprints")
        db.execute("UPDATE alembic_version SET version_num = '0003'")
        db.commit()
    before = (told / "journal.sqlite").read_bytes()
    snapshot = read_snapshot(told)
    assert {trial.outcome for trial in snapshot.trials} == {"measured"}
    assert [trial.context for trial in snapshot.trials] == [{}] * len(snapshot.trials)
    assert write_report(told).size_bytes > 1_000_000
    assert (told / "journal.sqlite").read_bytes() == before
