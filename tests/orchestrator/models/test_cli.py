"""`labpilot models`, and what status and report say of models."""

import json

import pytest

from orchestrator.cli.main import supervise
from orchestrator.execution import Settings, start
from orchestrator.models.comparing import compared
from orchestrator.models.files import FOLDER
from orchestrator.models.standing import read_standing_of_models
from orchestrator.people.orders import Kind
from orchestrator.people.spool import Spool
from orchestrator.reading import open_reading
from orchestrator.report import write_report
from orchestrator.status.looks import read_status
from tests.orchestrator.models.worlds import campaign
from tests.orchestrator.test_direction import following

VIRTUAL = Settings(is_virtual=True, fsync=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "c"
    start(campaign("budget.trials=30"), path, VIRTUAL)
    return path


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    path = tmp_path_factory.mktemp("without") / "c"
    start(campaign("budget.trials=6", policy="random"), path, VIRTUAL)
    return path


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    async def halfway(person):
        while len(person.desk.facts().trials) < 9:
            await person.desk.clock.sleep(600.0)
        assert person.order(Kind.STOP).is_done

    path = tmp_path_factory.mktemp("stopped") / "c"
    start(campaign(), path, following(halfway))
    return path


def said(capsys, *arguments, code=0):
    assert supervise([str(one) for one in arguments]) == code
    found = capsys.readouterr()
    return found.out if code == 0 else found.err


def test_list_says_who_leads_and_names_every_version(finished, capsys):
    text = said(capsys, "models", "list", finished)
    assert text.startswith("models: ") and " leads, " in text and "nats against" in text
    with open_reading(finished) as reading:
        status = read_standing_of_models(reading.connection)
    assert status is not None
    assert f"* {status.version}" in text and "transfer-1" in text and "problem" not in text
    found = json.loads(said(capsys, "models", "list", finished, "--json"))
    assert found["status"]["champion"] == status.champion and all(one["is_on_disk"] for one in found["versions"])
    assert found["problems"] == []


def test_list_names_files_that_are_broken_and_lists_the_others(finished, capsys, tmp_path):
    kept = (finished / FOLDER / "transfer-1.npz").read_bytes()
    (finished / FOLDER / "transfer-1.npz").write_bytes(kept[:100])
    try:
        text = said(capsys, "models", "list", finished)
        shown = said(capsys, "models", "show", finished, "transfer-1")
        refused = said(capsys, "models", "compare", finished, "transfer-1", "cold-1", code=2)
    finally:
        (finished / FOLDER / "transfer-1.npz").write_bytes(kept)
    assert "problem: " in text and "transfer-1.npz is not what transfer-1.json tells of" in text
    assert text.count("(no file)") == 1 and "resumed" in text
    assert "file     none: " in shown and "transfer-1 cannot be used" in refused


def test_show_says_what_a_version_was_made_of(finished, capsys):
    text = said(capsys, "models", "show", finished, "transfer-2")
    for part in ("parent   transfer-1", "source   May: sha256", "range    cysteine:", "mL", "code     labpilot", "key"):
        assert part in text
    found = json.loads(said(capsys, "models", "show", finished, "cold-1", "--json"))
    assert found["said"]["kind"] == "cold/1" and found["arrays"]["target0_X"][1] == 10


def test_compare_of_models_adds_up_what_each_foretold(finished, capsys):
    found = compared(finished, "transfer", "cold")
    again = compared(finished, "cold", "transfer")
    assert found.n == again.n > 8 and found.nats == pytest.approx(-again.nats)
    assert (found.low, found.high) == pytest.approx((-again.high, -again.low))
    assert sum(one.nats for one in found.decisive) == pytest.approx(found.nats)
    assert abs(found.decisive[0].nats) == max(abs(one.nats) for one in found.decisive)
    with open_reading(finished) as reading:
        status = read_standing_of_models(reading.connection)
    assert status is not None and abs(status.gain_nats) == pytest.approx(abs(found.nats))
    text = said(capsys, "models", "compare", finished, "cold", "transfer")
    leads = "cold" if found.nats < 0 else "transfer"
    assert text.startswith(f"{leads} is {abs(found.nats):.1f} nats ahead of")
    assert f"decided by trial {found.decisive[0].trial} (" in text and "foretold before the result was seen" in text
    assert json.loads(said(capsys, "models", "compare", finished, "cold", "transfer", "--json"))["n"] == found.n


def test_compare_of_versions_makes_both_again_and_uses_what_neither_had_seen(finished, capsys):
    found = compared(finished, "transfer-2", "cold-2")
    with open_reading(finished) as reading:
        told = {one["name"]: one for one in json.loads(said(capsys, "models", "list", finished, "--json"))["versions"]}
        measured = sum(trial.outcome == "measured" for trial in reading.trials())
    since = max(told["transfer-2"]["said"]["told"], told["cold-2"]["said"]["told"])
    assert 0 < found.n <= measured - since + 3 and "made again" in found.basis
    assert all(one.trial is not None and one.trial > since for one in found.decisive)
    newest = [name for name in told if name.startswith("cold")][-1]
    text = said(capsys, "models", "compare", finished, newest, "cold-1")
    assert "made again from their files" in text or "no result in common" in text


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("cold", "transfre", "no model or version 'transfre'; did you mean 'transfer'"),
        ("cold", "cold", "against itself"),
        ("cold", "transfer-1", "two models, or two versions"),
        ("cold-1", "transfer-99", "no model or version 'transfer-99'"),
    ],
)
def test_what_cannot_be_compared_is_told(finished, capsys, first, second, message):
    text = said(capsys, "models", "compare", finished, first, second, code=2)
    assert message.split(";")[0] in text


def test_without_a_model_everything_says_so(without, capsys):
    assert "no model has foretold anything" in said(capsys, "models", "list", without)
    assert json.loads(said(capsys, "models", "list", without, "--json"))["status"] is None
    assert "no model has foretold anything" in said(capsys, "models", "show", without, "cold-1", code=2)
    assert "nothing to compare" in said(capsys, "models", "compare", without, "cold", "transfer", code=2)
    assert "keeps no versions" in said(
        capsys, "models", "rollback", without, "--to", "cold-1", "--reason", "why not", code=2
    )
    assert read_status(without).models is None
    assert "No model has foretold anything" in write_report(without).path.read_text(encoding="utf-8")


def test_status_and_report_say_who_leads(finished, capsys):
    status = read_status(finished).models
    assert status is not None and status.over > 8
    assert json.loads(said(capsys, "status", finished, "--json"))["models"]["champion"] == status.champion
    assert f"{status.champion} leads" in said(capsys, "status", finished)
    page = write_report(finished).path.read_text(encoding="utf-8")
    section = page[page.index('<section id="models">') : page.index('<section id="people">')]
    assert "nats against" in section and "<polyline" in section and "How sure, and how rightly" in section
    assert all(one.newest in section for one in status.models)
    assert section.count("Calibration: ") == len(status.alarms)


def test_health_says_how_well_each_model_is_calibrated(finished, capsys):
    found = {one["name"]: one for one in json.loads(said(capsys, "health", finished, "--json"))}
    status = read_status(finished).models
    assert status is not None
    for one in status.models:
        assert one.calibration is not None
        told = found[f"model {one.model}"]
        assert f"{one.calibration['coverage_90']:.0%} of the last {one.calibration['n']} results" in told["text"]
        assert told["level"] == ("note" if one.calibration["alarms"] else "ok")
        assert ("standard deviations are told" in told["do"]) == bool(one.calibration["alarms"])


def test_a_rollback_waits_in_the_spool_until_the_campaign_goes_on(stopped, capsys):
    text = said(capsys, "models", "rollback", stopped, "--to", "cold-1", "--reason", "May was mislabelled")
    assert "no controller runs: it is read at the next start" in text
    (waiting,) = Spool(stopped).delivered()
    assert waiting.order is not None and waiting.order.arguments == {"version": "cold-1"}
    for to, why in (("cold-1", "already"), ("cold-77", "no version 'cold-77'")):
        assert why in said(capsys, "models", "rollback", stopped, "--to", to, "--reason", "again", code=2)


def test_a_rollback_without_a_reason_is_a_usage_error(stopped, capsys):
    assert "--reason" in said(capsys, "models", "rollback", stopped, "--to", "cold-1", code=2)


def test_a_registry_of_a_later_labpilot_is_listed_with_a_word_of_it(finished, capsys):
    path = finished / FOLDER / "registry.json"
    kept = path.read_bytes()
    path.write_text('{"format": 7}')
    try:
        text = said(capsys, "models", "list", finished)
    finally:
        path.write_bytes(kept)
    assert "problem: " in text and "format 7" in text and "update labpilot" in text and "transfer-1" in text
