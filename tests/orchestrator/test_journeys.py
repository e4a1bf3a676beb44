from collections import Counter

import pytest

from orchestrator.directory import CampaignDirectory
from orchestrator.execution import Settings, start
from orchestrator.journal import read_events
from simulators.world import WorldFile

VIRTUAL = Settings(is_virtual=True, fsync=False)


def events_of(path):
    engine = CampaignDirectory.open(path).database(migrate=False)
    with engine.connect() as connection:
        events = list(read_events(connection))
    engine.dispose()
    return events


def acts(path):
    world = WorldFile(path / "world/bakery.sqlite", read_only=True)
    found = [world.get(key) for key in world.keys("act/")]
    world.close()
    return found


def trays(path):
    world = WorldFile(path / "world/bakery.sqlite", read_only=True)
    found = {key: world.get(key) for key in world.keys("tray/")}
    world.close()
    return found


def unsafe(path):
    return [act["facts"]["what"] for act in acts(path) if act["what"] == "unsafe"]


def test_every_sample_goes_through_its_whole_plan_and_leaves(bakery, tmp_path):
    ending = start(bakery(), tmp_path / "out", VIRTUAL)
    assert ending.status == "finished"
    assert unsafe(tmp_path / "out") == []
    made = trays(tmp_path / "out")
    assert len(made) == 12
    assert {tray["place"] for tray in made.values()} == {"bin"}
    assert all(len(tray["doses"]) == 1 and tray["milled"] == 2 and len(tray["bakes"]) == 1 for tray in made.values())
    kinds = Counter(event.kind for event in events_of(tmp_path / "out"))
    assert kinds["analysed"] == 12 and kinds["sample_left"] == 12 and kinds["trial_lost"] == 0


def test_the_same_seed_gives_the_same_journal(bakery, tmp_path):
    journals = []
    for name in ("one", "two"):
        start(bakery(), tmp_path / name, VIRTUAL)
        journals.append([(event.kind, event.trial, event.at_s) for event in events_of(tmp_path / name)])
    assert journals[0] == journals[1]


def test_trials_are_asked_for_while_others_run(bakery, tmp_path):
    start(bakery(), tmp_path / "out", VIRTUAL)
    events = events_of(tmp_path / "out")
    second_ask = [event.at_s for event in events if event.kind == "asked"][1]
    assert second_ask < min(event.at_s for event in events if event.kind == "analysed")


def test_a_lost_trial_is_made_again_as_often_as_the_campaign_says(bakery, tmp_path):
    task = bakery("budget.trials=16", "remakes=2", lab="simulation: {bakery: {drop: 0.05}}\n")
    assert start(task, tmp_path / "out", VIRTUAL).status == "finished"
    events = events_of(tmp_path / "out")
    lost = {event.trial for event in events if event.kind == "trial_lost"}
    remade = {event.body["trial"]: event.body["as_trial"] for event in events if event.kind == "requeued"}
    asked = {trial["number"]: trial for event in events if event.kind == "asked" for trial in event.body["trials"]}
    assert remade and set(remade) <= lost
    assert all(asked[after]["parameters"] == asked[before]["parameters"] for before, after in remade.items())
    assert all(asked[after]["proposal_reason"].endswith("as it was lost") for after in remade.values())
    assert not any(remade.get(remade.get(after, 0), 0) in remade for after in remade.values()), "tried a third time"
    assert len(asked) == 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("recipe.0.dose.mixture=oats",), "no mixture 'oats'"),
        (("recipe.0.dose.mixture=$heat",), "a mixture is chosen by a categorical one"),
        (("recipe.3.fire.station=oven-3",), "no station 'oven-3'; did you mean 'oven-"),
        (("recipe.3.fire.station=mill",), "needs a ProfileHeater, and no device of station 'mill' is one"),
    ],
)
def test_a_recipe_that_the_lab_cannot_do_is_refused(bakery, change, message):
    with pytest.raises(Exception, match=message):
        bakery(*change)
