"""Campaigns that plan ahead: in virtual time, killed and resumed, and on real ports."""

import json
import os
import signal
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.ahead.metrics import PLANS
from orchestrator.check import check_campaign
from orchestrator.execution import Settings, resume, start
from orchestrator.history import read_standing
from orchestrator.journal import Journal
from orchestrator.people.orders import Kind
from orchestrator.reading import open_reading
from orchestrator.results import read_result
from tests.orchestrator.test_direction import following

VIRTUAL = Settings(is_virtual=True, fsync=False)
FOREIGN = ("wall_s", "cpu_s")
"""What no rerun repeats."""


def run(task, path, settings=VIRTUAL):
    assert start(task, path, settings).status == "finished"
    return read_result(path, wall_s=0.0, score=False)


def asked(found):
    return [body for kind, _, _, body in found if kind == "asked"]


def plain(found):
    return [
        (kind, trial, at_s, {name: part for name, part in body.items() if name not in FOREIGN})
        for kind, trial, at_s, body in found
    ]


def test_plans_come_from_short_lists_and_the_instrument_hardly_waits(hill, events, tmp_path):
    result = run(hill(), tmp_path / "ahead")
    asks = asked(events(tmp_path / "ahead"))
    assert [ask["planning"]["how"] for ask in asks] == ["full"] + ["short lists"] * 9
    assert [ask["charged_s"] for ask in asks] == [20.0] + [1.0] * 9
    assert all("thought of ahead" in ask["trials"][0]["proposal_reason"] for ask in asks[1:])
    assert result["compute"]["idle_s"][PLANS] == pytest.approx(29.0)
    assert result["compute"]["hits"] == result["compute"]["speculated"] == 9
    waiting = run(hill("planning.ahead=false"), tmp_path / "waiting")
    assert waiting["compute"]["idle_s"][PLANS] == pytest.approx(200.0)
    assert waiting["compute"]["speculated"] == 0
    assert waiting["virtual_s"] - result["virtual_s"] == pytest.approx(171.0)


def test_what_is_chosen_is_of_the_lists_and_untried(hill, events, tmp_path):
    run(hill(), tmp_path / "c")
    listed, tried = [], []
    for kind, _, _, body in events(tmp_path / "c"):
        if kind == "speculated":
            listed.append((body["ask"], body["points"]))
            assert len(body["points"]) == 5
        if kind == "asked":
            (trial,) = body["trials"]
            lists = [points for ask, points in listed if ask == body["index"]]
            if body["planning"]["how"] == "short lists":
                assert len(lists) == body["planning"]["lists"]
                assert any(trial["parameters"] in points for points in lists)
            assert trial["parameters"] not in tried
            tried.append(trial["parameters"])
    assert len(tried) == 10


def test_equal_seeds_give_equal_journals(hill, events, tmp_path):
    for name in ("a", "b"):
        run(hill("planning.workers=2", "in_flight=2"), tmp_path / name)
    assert plain(events(tmp_path / "a")) == plain(events(tmp_path / "b"))


def test_a_campaign_that_does_not_plan_ahead_has_the_journal_that_it_had(hill, events, tmp_path):
    run(hill("planning.ahead=false"), tmp_path / "off")
    run(hill("planning=null"), tmp_path / "without")
    off, without = (
        [one for one in plain(events(tmp_path / name)) if one[0] != "campaign_created"] for name in ("off", "without")
    )
    assert off == without
    assert not any(kind == "speculated" or "planning" in body for kind, _, _, body in off)


def test_where_other_trials_keep_the_instrument_busy_there_is_time_for_a_full_plan(hill, events, tmp_path):
    run(hill("in_flight=2", "budget.trials=12"), tmp_path / "c")
    asks = asked(events(tmp_path / "c"))
    late = [ask["planning"] for ask in asks[4:]]
    assert all(one["how"] == "full" and one["why"] == "there was time for a full plan" for one in late)
    with open_reading(tmp_path / "c") as reading:
        compute = reading.compute(reading.journal_facts())
    assert compute is not None and compute.idle_s[PLANS] <= 25.0  # the first plan, and the beginning of the second


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        (["planner.policy=sobol", "planner.options={}"], "policy 'sobol' does not choose from a list"),
        (["planner.policy=random", "planner.options={}"], "policy 'random' does not choose from a list"),
        (["batch=2", "shared=[x]"], "trials of one ask share parameters"),
    ],
    ids=["sobol", "random", "shared"],
)
def test_who_cannot_choose_from_a_list_is_asked_when_there_is_room(hill, events, tmp_path, overrides, why):
    run(hill("budget.trials=6", *overrides), tmp_path / "c")
    found = events(tmp_path / "c")
    assert all(ask["planning"]["how"] == "full" and why in ask["planning"]["why"] for ask in asked(found))
    assert not any(kind == "speculated" for kind, *_ in found)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "ahead for 3 outcomes, 5 points each"),
        (["planning.ahead=false"], ""),
        (["planner.policy=random", "planner.options={}"], "not ahead, as this policy does not choose from a list"),
        (["batch=2", "shared=[x]"], "not ahead, as trials of one ask share parameters"),
    ],
    ids=["ahead", "off", "random", "shared"],
)
def test_a_check_says_whether_plans_are_made_ahead(hill, tmp_path, overrides, said):
    hill(*overrides)
    summary = check_campaign(tmp_path / "campaign.yaml", None, overrides).summary
    assert summary is not None and summary.ahead == said


def test_a_list_that_is_not_ready_is_waited_for_only_where_that_pays(hill, events, tmp_path):
    # lists take 40 s, trials 30 s: 10 s are left to wait; at 100 s a plan that knows the result is no worse
    run(hill("planner.charge=40 s", "budget.trials=6"), tmp_path / "pays")
    asks = asked(events(tmp_path / "pays"))
    assert [ask["planning"]["how"] for ask in asks[1:]] == ["short lists"] * 5
    run(hill("planner.charge=100 s", "budget.trials=6"), tmp_path / "pays not")
    asks = asked(events(tmp_path / "pays not"))
    assert [ask["planning"]["why"] for ask in asks[1:]] == ["no short list was ready"] * 5


def test_a_plan_that_results_have_overtaken_is_recorded_as_stale(hill, events, tmp_path):
    # a plan takes longer than trials: what is under way as it is begun has ended before it is made
    overrides = ["in_flight=3", "lab.devices.robot.capacity=3", "planner.charge=100 s", "planning.s_max=0"]
    result = run(hill(*overrides, "budget.trials=9"), tmp_path / "c")
    planning = [ask["planning"] for ask in asked(events(tmp_path / "c"))]
    assert [one["is_stale"] for one in planning] == [one["unseen"] > 0 for one in planning]
    compute = result["compute"]
    assert compute["stale"] == sum(one["is_stale"] for one in planning) > 0
    assert compute["mean_unseen"] == pytest.approx(sum(one["unseen"] for one in planning) / len(planning))


@pytest.mark.parametrize(
    ("kind", "nth"),
    [("asked", 5), ("speculated", 10), ("speculated", 11), ("measured", 5), ("analysed", 5), ("told", 5)],
)
def test_a_campaign_that_is_killed_and_resumed_ends_as_if_it_had_not_been(hill, events, in_child, tmp_path, kind, nth):
    """Also between a short list and the result that it is for: the lists are in the journal."""
    three_lists = "planner.charge=8 s"
    run(hill(three_lists), tmp_path / "whole")
    append, seen = Journal.append, []

    def watched(journal, what, body, **more):
        event = append(journal, what, body, **more)
        seen.append(what)
        if what == kind and seen.count(kind) == nth:
            journal.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return event

    def work():
        Journal.append = watched
        start(hill(three_lists), tmp_path / "c", VIRTUAL)

    assert in_child(work) == signal.SIGKILL
    assert resume(tmp_path / "c").status == "finished"
    whole, killed = (read_result(tmp_path / name, wall_s=0.0, score=False) for name in ("whole", "c"))
    assert [trial["parameters"] for trial in killed["trials"]] == [trial["parameters"] for trial in whole["trials"]]
    lists = [json.dumps(body["points"]) for what, _, _, body in events(tmp_path / "c") if what == "speculated"]
    assert lists == [
        json.dumps(body["points"]) for what, _, _, body in events(tmp_path / "whole") if what == "speculated"
    ]


def test_only_lists_for_the_next_ask_are_kept_in_mind(hill, events, in_child, tmp_path):
    append, seen = Journal.append, []

    def watched(journal, what, body, **more):
        event = append(journal, what, body, **more)
        seen.append(what)
        if seen.count("speculated") == 10:
            journal.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return event

    def work():
        Journal.append = watched
        start(hill("planner.charge=8 s"), tmp_path / "c", VIRTUAL)

    assert in_child(work) == signal.SIGKILL
    lists = [body for what, _, _, body in events(tmp_path / "c") if what == "speculated"]
    with open_reading(tmp_path / "c") as reading:
        history = read_standing(reading.connection).history
    assert len(lists) == 10 and 0 < len(history.speculated) < 4
    assert list(history.speculated) == [body for body in lists if body["ask"] == history.asks]


def test_a_stop_leaves_what_is_thought_of_and_resume_goes_on(hill, events, tmp_path):
    acts = []

    def interrupt(trial, _act):
        acts.append(trial)
        if trial == 6:
            os.kill(os.getpid(), signal.SIGINT)

    settings = Settings(is_virtual=True, fsync=False, on_step=interrupt)
    assert start(hill(), tmp_path / "c", settings).status == "stopped"
    assert resume(tmp_path / "c").status == "finished"
    assert len(asked(events(tmp_path / "c"))) == 10


def test_a_space_that_runs_out_ends_the_campaign_as_it_would_have(hill, tmp_path):
    result = run(hill("parameters.x.high=1", "parameters.z.high=0.5"), tmp_path / "c")
    assert len(result["trials"]) == 6 and "no untried point is left" in result["reason"]


def test_lists_that_cannot_be_made_cost_nothing(hill, events, tmp_path, monkeypatch):
    from planner import speculation

    def broken(document, imagined, n):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(speculation, "short_list", broken)
    run(hill("budget.trials=5"), tmp_path / "c")
    found = events(tmp_path / "c")
    assert [ask["planning"]["why"] for ask in asked(found)[1:]] == ["no short list was ready"] * 4
    assert not any(kind in ("speculated", "incident") for kind, *_ in found)


def test_what_people_say_is_followed_at_the_next_ask(hill, events, tmp_path):
    wish = {"x": 1.0, "z": 9.5}

    async def script(person):
        await person.at(140.0)
        assert person.order(Kind.FORBID, label="low", area={"box": {"z": [0.0, 4.75]}}).is_done
        assert person.order(Kind.SUGGEST, point=wish).is_done

    assert start(hill("budget.trials=8"), tmp_path / "c", following(script)).status == "finished"
    found = events(tmp_path / "c")
    asks = [ask for ask in asked(found) if ask["asked_s"] > 140.0]
    assert asks[0]["trials"][0]["parameters"] == wish
    assert asks[0]["planning"]["why"] == "people have said something that the short lists do not know"
    assert all(ask["trials"][0]["parameters"]["z"] > 4.75 for ask in asks)
    assert [ask["planning"]["how"] for ask in asks[1:]] == ["short lists"] * (len(asks) - 1)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batch=st.integers(1, 2),
    more=st.integers(0, 2),
    capacity=st.integers(1, 3),
    ask_s=st.sampled_from([0.5, 10.0, 45.0]),
    outcomes=st.integers(1, 3),
    s_max=st.integers(0, 2),
    workers=st.integers(1, 3),
)
def test_whatever_the_pace_every_trial_is_another_admissible_point(hill, events, **drawn):
    overrides = [
        "budget.trials=7",
        "planning.charge=0.2 s",
        f"batch={drawn['batch']}",
        f"in_flight={drawn['batch'] + drawn['more']}",
        f"lab.devices.robot.capacity={drawn['capacity']}",
        f"planner.charge={drawn['ask_s']} s",
        *(f"planning.{name}={drawn[name]}" for name in ("outcomes", "s_max", "workers")),
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "c"
        result, found = run(hill(*overrides), path), events(path)
    points = [json.dumps(trial["parameters"], sort_keys=True) for trial in result["trials"]]
    assert len(set(points)) == 7 and {trial["outcome"] for trial in result["trials"]} == {"measured"}
    planning = [ask["planning"] for ask in asked(found)]
    assert all(one["missed"] <= drawn["s_max"] and one["points"] <= 25 for one in planning)
    compute = result["compute"]
    assert compute["hits"] <= compute["speculated"] <= compute["plans"] == len(planning)
    assert 0.0 <= compute["hidden"] <= 1.0 and compute["idle_s"][PLANS] <= compute["planned_s"] + 1e-6
    assert sum(compute["how"].values()) == sum(compute["unseen"].values()) == compute["plans"]


def test_on_real_ports_workers_plan_while_the_robot_works(hill, events, tmp_path):
    overrides = ["replay.duration=4 s", "planning.wait=0", "budget.trials=8", "planner.deadline=60 s"]
    result = run(hill(*overrides), tmp_path / "c", Settings(is_virtual=False))
    found = events(tmp_path / "c")
    asks = asked(found)
    assert len(result["trials"]) == 8 and all(trial["outcome"] == "measured" for trial in result["trials"])
    from_lists = [ask for ask in asks if ask["planning"]["how"] == "short lists"]
    assert from_lists and not any(ask["fallback_reason"] for ask in asks)
    lists = {}
    for kind, _, _, body in found:
        if kind == "speculated":
            lists.setdefault(body["ask"], []).extend(body["points"])
            assert body["busy_s"] > 0.0
    assert all(ask["trials"][0]["parameters"] in lists[ask["index"]] for ask in from_lists)
    points = [json.dumps(trial["parameters"], sort_keys=True) for trial in result["trials"]]
    assert len(set(points)) == 8
    assert all(a["asked_s"] < b["asked_s"] for a, b in pairwise(asks))
