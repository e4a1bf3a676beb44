"""Models of running campaigns: journalled before trials run, closed when told, whole after a kill, pinned by people."""

import json
import os
import shutil
import signal

import numpy as np
import pytest

from orchestrator.execution import Settings, resume, start
from orchestrator.explaining import explained
from orchestrator.history import read_standing
from orchestrator.models.book import REPLAYED
from orchestrator.models.files import FOLDER, ModelFiles
from orchestrator.people.orders import Kind
from orchestrator.reading import open_reading
from planner.live import made_again
from surrogate.registry import folder, ledger
from surrogate.registry.folder import Registry
from surrogate.registry.ledger import Forecast, Result
from tests.orchestrator.models.worlds import campaign, table
from tests.orchestrator.test_direction import following, of
from tests.orchestrator.test_execution import killed
from tests.orchestrator.test_journeys import events_of

VIRTUAL = Settings(is_virtual=True, fsync=False)


def book_of(path):
    with open_reading(path) as reading:
        return read_standing(reading.connection).history.book


def points(path):
    return [trial["parameters"] for event in of(events_of(path), "asked") for trial in event.body["trials"]]


def files(path):
    found = {one.name: one.read_bytes() for one in (path / FOLDER).iterdir() if one.suffix != ".npz"}
    arrays = {one.name: np.load(one) for one in (path / FOLDER).glob("*.npz")}
    return found, {name: {key: one[key].tolist() for key in one.files} for name, one in arrays.items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "c"
    assert start(campaign(), path, VIRTUAL).status == "finished"
    return path


def test_every_trial_is_foretold_by_all_live_models_before_its_result(finished):
    asks = of(events_of(finished), "asked")
    told = {event.body["trials"][0]: event.seq for event in of(events_of(finished), "told")}
    for event in asks:
        forecasts = event.body["models"]["forecasts"]
        assert sorted(map(int, forecasts)) == [trial["number"] for trial in event.body["trials"]]
        assert all(set(models) == set(event.body["models"]["live"]) for models in forecasts.values())
        assert all(event.seq < told[int(number)] for number in forecasts if int(number) in told)
    assert list(asks[0].body["models"]["live"]) == ["transfer"]
    assert set(asks[-1].body["models"]["live"]) == {"cold", "transfer"}


def test_the_ledger_is_that_of_the_journal(finished):
    found = ledger.read(finished / FOLDER / folder.LEDGER)
    assert found.problems == [] and list(found.lines) == book_of(finished).ledger.lines
    assert sum(isinstance(line, Result) for line in found.lines) >= 6
    assert {line.version for line in found.lines if isinstance(line, Forecast)} == set(book_of(finished).versions)


def test_versions_that_were_kept_foretell_what_the_journal_says(finished):
    from orchestrator.check import Ready
    from orchestrator.space import search_space

    registry, book = Registry(finished / FOLDER), book_of(finished)
    assert registry.versions().refused == {}
    assert {one.version for one in registry.versions().manifests} == set(book.versions)
    with open_reading(finished) as reading:
        row = reading.campaign()
    space = search_space(Ready.from_data(row.config, row.lab).campaign, None)
    asks = {event.body["index"]: event.body for event in of(events_of(finished), "asked")}
    for version in book.versions.values():
        manifest, arrays = registry.read(version.name)
        model = made_again(manifest.kind, manifest.layout, arrays)["hydrogen"]
        body = asks[version.ask]
        for trial in body["trials"]:
            mean, sd = model.forecast(space.encode([trial["parameters"]]))
            said = body["models"]["forecasts"][str(trial["number"])][version.model]["hydrogen"]
            assert said == pytest.approx([mean[0], sd[0]], rel=1e-12)
    assert manifest.calibration is None or manifest.calibration["n"] >= 8
    assert registry.pointer().champion in book.versions


@pytest.mark.parametrize("step", [1, 3, 6])
def test_a_kill_loses_and_doubles_nothing(tmp_path, finished, step):
    def die(trial, _step):
        if trial == step:
            os.kill(os.getpid(), signal.SIGKILL)

    killed(campaign(), tmp_path / "c", die)
    assert resume(tmp_path / "c").status == "finished"
    assert points(tmp_path / "c") == points(finished)
    assert book_of(tmp_path / "c").ledger.lines == book_of(finished).ledger.lines
    assert set(book_of(tmp_path / "c").versions) == set(book_of(finished).versions)
    assert list(ledger.read(tmp_path / "c" / FOLDER / folder.LEDGER).lines) == book_of(finished).ledger.lines
    assert files(tmp_path / "c")[1] == files(finished)[1]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["add", "keep", "point"])
def test_a_kill_around_the_writing_of_files_loses_and_doubles_nothing(tmp_path, finished, monkeypatch, what, when):
    calls, writes = [], getattr(ModelFiles, what)

    def dying(self, *given, **more):
        calls.append(what)
        if len(calls) == 3 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        writes(self, *given, **more)
        if len(calls) == 3 and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(ModelFiles, what, dying)
        killed(campaign(), tmp_path / "c", lambda *_: None)
    assert resume(tmp_path / "c").status == "finished"
    assert points(tmp_path / "c") == points(finished)
    assert list(ledger.read(tmp_path / "c" / FOLDER / folder.LEDGER).lines) == book_of(finished).ledger.lines
    assert files(tmp_path / "c")[1] == files(finished)[1]


@pytest.mark.parametrize("damage", ["absent", "torn", "changed", "no versions", "half a version"])
def test_files_are_made_again_from_the_journal(tmp_path, damage):
    async def halfway(person):
        while len(person.desk.facts().trials) < 6:
            await person.desk.clock.sleep(600.0)
        assert person.order(Kind.STOP).is_done

    path = tmp_path / "c"
    assert start(campaign(), path, following(halfway)).status == "stopped"
    before, lines = files(path), book_of(path).ledger.lines
    models = path / FOLDER
    if damage == "absent":
        shutil.rmtree(models)
    elif damage == "torn":
        (models / "ledger.jsonl").write_bytes((models / "ledger.jsonl").read_bytes()[:-30])
    elif damage == "changed":
        text = (models / "ledger.jsonl").read_text().replace('"trial": 2', '"trial": 3', 1)
        (models / "ledger.jsonl").write_text(text)
    elif damage == "no versions":
        for one in models.glob("*-*.*"):
            one.unlink()
    else:
        (models / "transfer-1.npz").write_bytes(b"PK")
    assert resume(path).status == "finished"
    after = files(path)
    assert list(ledger.read(models / "ledger.jsonl").lines)[: len(lines)] == lines
    assert all(after[0][name] == text for name, text in before[0].items() if "-" in name)
    assert all(after[1][name] == arrays for name, arrays in before[1].items())
    assert Registry(models).versions().refused == {}


def test_a_version_that_other_code_made_is_not_forged(tmp_path, monkeypatch):
    async def halfway(person):
        while len(person.desk.facts().trials) < 6:
            await person.desk.clock.sleep(600.0)
        assert person.order(Kind.STOP).is_done

    start(campaign(), tmp_path / "c", following(halfway))
    (tmp_path / "c" / FOLDER / "transfer-1.json").unlink()
    monkeypatch.setattr("planner.live.code_version", lambda: "labpilot of tomorrow")
    assert resume(tmp_path / "c").status == "finished"
    texts = [event.body["text"] for event in of(events_of(tmp_path / "c"), "incident")]
    assert any("transfer-1 was lost and cannot be made again" in text for text in texts)
    assert "transfer-1.npz" in Registry(tmp_path / "c" / FOLDER).versions().refused
    code = [one.said["code"] for one in book_of(tmp_path / "c").versions.values()]
    assert code[0] != code[-1] == "labpilot of tomorrow"


def test_a_folder_that_cannot_be_written_ends_no_campaign(tmp_path, monkeypatch):
    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("surrogate.registry.folder.store", full)
    assert start(campaign(), tmp_path / "c", VIRTUAL).status == "finished"
    texts = [event.body["text"] for event in of(events_of(tmp_path / "c"), "incident")]
    assert sum("files of the models could not be written" in text for text in texts) == 1
    assert Registry(tmp_path / "c" / FOLDER).versions().manifests == []


def test_a_later_registry_is_left_as_it_is(tmp_path):
    path = tmp_path / "c" / FOLDER
    path.mkdir(parents=True)
    (path / "registry.json").write_text('{"format": 9}')
    problems = []
    tended = ModelFiles(tmp_path / "c", fsync=False, report=problems.append)
    tended.add([Result(trial=1, target="y", value=1.0)])
    tended.add([Result(trial=2, target="y", value=1.0)])
    assert sorted(one.name for one in path.iterdir()) == ["registry.json"]
    assert len(problems) == 1 and "update labpilot" in problems[0]


@pytest.mark.parametrize("policy", ["random", "logei"])
def test_a_campaign_without_a_challenger_goes_on_as_ever(tmp_path, policy):
    assert start(campaign("budget.trials=8", policy=policy), tmp_path / "c", VIRTUAL).status == "finished"
    book = book_of(tmp_path / "c")
    assert book.models == ([] if policy == "random" else ["cold"])
    assert ("models" in of(events_of(tmp_path / "c"), "asked")[-1].body) == (policy != "random")
    assert (tmp_path / "c" / FOLDER).exists() == (policy != "random")


def test_results_from_before_the_campaign_are_replayed_once(tmp_path):
    task = campaign(f"known={table(n=12, seed=5)}")

    async def halfway(person):
        while len(person.desk.facts().trials) < 6:
            await person.desk.clock.sleep(600.0)
        assert person.order(Kind.STOP).is_done

    start(task, tmp_path / "c", following(halfway))
    assert resume(tmp_path / "c").status == "finished"
    (event,) = of(events_of(tmp_path / "c"), REPLAYED)
    assert len(event.body["results"]) == 12
    replayed = [one for one in book_of(tmp_path / "c").ledger.results if one.is_replayed]
    assert len(replayed) == 12 and set(replayed[0].scores) == {"transfer"}
    assert all(set(one.scores) == {"cold", "transfer"} for one in replayed[1:])


def test_a_model_that_people_go_back_to_plans_from_the_next_ask_on(tmp_path, finished):
    told = {}

    async def script(person):
        told["early"] = person.order(Kind.ROLLBACK, version="transfer-1")
        while len(person.desk.facts().trials) < 6:
            await person.desk.clock.sleep(600.0)
        told["wrong"] = person.order(Kind.ROLLBACK, version="transfer-99")
        told["rule"] = person.order(Kind.ROLLBACK, version="rule")
        told["right"] = person.order(Kind.ROLLBACK, version="transfer-1")
        told["again"] = person.order(Kind.ROLLBACK, version="transfer-1")

    assert start(campaign(), tmp_path / "c", following(script)).status == "finished"
    assert not told["early"].is_done and "has one model so far" in told["early"].text
    assert not told["wrong"].is_done and "no version 'transfer-99'" in told["wrong"].text
    assert not told["rule"].is_done and "decides already" in told["rule"].text
    assert told["right"].is_done and "with model 'transfer' from the next ask on" in told["right"].text
    assert not told["again"].is_done and "already" in told["again"].text
    trials = [trial for event in of(events_of(tmp_path / "c"), "asked") for trial in event.body["trials"]]
    pinned = [trial["number"] for trial in trials if trial["proposal_reason"].endswith("'transfer' as ordered")]
    assert pinned == list(range(min(pinned), len(trials) + 1)) and 6 < min(pinned) <= 12
    pointer = json.loads((tmp_path / "c" / FOLDER / "registry.json").read_text())["pointer"]
    assert pointer["pinned"] == "transfer-1" and pointer["champion"] in book_of(tmp_path / "c").versions
    assert points(tmp_path / "c")[:6] == points(finished)[:6]


def test_a_pin_stands_after_a_stop_and_the_points_are_the_same(tmp_path):
    async def with_versions(person):
        while "cold-1" not in person.desk.facts().versions:
            await person.desk.clock.sleep(600.0)
        assert person.order(Kind.ROLLBACK, version="cold-1").is_done

    async def with_a_stop(person):
        await with_versions(person)
        while len(person.desk.facts().trials) < 12:
            await person.desk.clock.sleep(600.0)
        assert person.order(Kind.STOP).is_done

    start(campaign(), tmp_path / "whole", following(with_versions))
    assert start(campaign(), tmp_path / "parts", following(with_a_stop)).status == "stopped"
    assert resume(tmp_path / "parts").status == "finished"
    assert points(tmp_path / "parts") == points(tmp_path / "whole")
    last = of(events_of(tmp_path / "parts"), "asked")[-1].body["trials"][-1]["proposal_reason"]
    assert last.endswith("planned with model 'cold' as ordered")


def test_a_planner_that_is_to_follow_the_champion_does_and_an_explanation_stands_where_it_stood(tmp_path):
    path = tmp_path / "c"
    assert start(campaign("budget.trials=24", follow=True), path, VIRTUAL).status == "finished"
    book = book_of(path)
    (change,) = book.standing.changes
    assert change.model == "cold"
    asks = of(events_of(path), "asked")
    led = [event.body["models"]["champion"] for event in asks]
    assert led[0] is None and set(led[1:]) == {"transfer", "cold"} and led[-1] == "cold"
    for event, leads in zip(asks, led, strict=True):
        for trial in event.body["trials"]:
            assert trial["proposal_reason"].endswith("foretold results worse") == (leads == "cold")
    text = explained(path, asks[-1].body["trials"][0]["number"])
    assert "sources are left alone" in text and "would have asked for" in text


def test_a_campaign_with_one_model_has_nothing_to_go_back_to(tmp_path):
    told = []

    async def script(person):
        while not person.desk.facts().versions:
            await person.desk.clock.sleep(600.0)
        told.append(person.order(Kind.ROLLBACK, version="cold-1"))

    start(campaign("budget.trials=18", policy="logei"), tmp_path / "c", following(script))
    assert not told[0].is_done and "has one model so far, 'cold'" in told[0].text
