"""What people order, carried out in whole campaigns in virtual time: each order of docs/operating.md."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from orchestrator.execution import Settings, resume, start
from orchestrator.people.orders import Kind, new_order
from orchestrator.seams import Seams
from tests.orchestrator.test_journeys import events_of, trays, unsafe

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BUSY_S = 2000.0
"""By then samples are dosed and milled, and the first oven may be hot."""


def following(script):
    """Return settings under which somebody does what a script says at the desk."""

    async def orders(desk):
        await script(Person(desk))

    return Settings(is_virtual=True, fsync=False, seams=Seams(orders=orders))


class Person:
    def __init__(self, desk):
        self.desk = desk

    async def at(self, seconds):
        await self.desk.clock.sleep_until(seconds)

    def order(self, kind, **arguments):
        return self.desk.submit(new_order(kind, reason="a test", now=NOW, **arguments), user="ada")


def of(events, kind):
    return [event for event in events if event.kind == kind]


def began(events, *, after_s, before_s):
    return [event for event in of(events, "step_intended") if after_s < event.at_s < before_s]


def outcomes(events):
    return Counter(event.kind for event in events if event.kind in ("analysed", "trial_failed", "trial_lost"))


def test_nothing_begins_and_nothing_is_asked_for_during_a_pause(bakery, tmp_path):
    async def script(person):
        await person.at(BUSY_S)
        assert person.order(Kind.PAUSE).is_done
        await person.at(BUSY_S + 20_000.0)
        assert person.order(Kind.GO_ON).is_done

    assert start(bakery(), tmp_path / "out", following(script)).status == "finished"
    events = events_of(tmp_path / "out")
    assert began(events, after_s=BUSY_S, before_s=BUSY_S + 20_000.0) == []
    assert [e for e in of(events, "asked") if BUSY_S < e.at_s < BUSY_S + 20_000.0] == []
    assert began(events, after_s=BUSY_S + 19_999.0, before_s=BUSY_S + 20_100.0)
    assert outcomes(events) == {"analysed": 12} and unsafe(tmp_path / "out") == []


def test_a_stop_says_who_and_a_resume_goes_on(bakery, tmp_path):
    async def script(person):
        await person.at(BUSY_S)
        person.order(Kind.STOP)

    ending = start(bakery(), tmp_path / "out", following(script))
    assert ending.status == "stopped"
    assert "stopped by ada at" in ending.reason and "(a test)" in ending.reason
    assert resume(tmp_path / "out").status == "finished"
    assert outcomes(events_of(tmp_path / "out")) == {"analysed": 12}


def test_an_abort_makes_safe_and_is_over_with_the_next_start(bakery, tmp_path):
    async def script(person):
        await person.at(8000.0)  # an oven is hot
        person.order(Kind.ABORT)

    ending = start(bakery(), tmp_path / "out", following(script))
    assert ending.status == "stopped" and ending.reason.startswith("aborted by ada")
    events = events_of(tmp_path / "out")
    (safe,) = of(events, "made_safe")
    assert safe.body["failed"] == {}
    assert of(events, "campaign_ended")[-1].body["reason"] == ending.reason
    assert resume(tmp_path / "out").status == "finished"
    events = events_of(tmp_path / "out")
    assert not [e for e in of(events, "incident") if e.body["kind"] == "intervention"], (
        "nobody is needed for our own stop"
    )
    assert unsafe(tmp_path / "out") == []


@pytest.mark.parametrize("at_s", [100.0, BUSY_S, 8000.0])
def test_a_skipped_trial_is_lost_with_the_reason_and_its_sample_put_away(bakery, tmp_path, at_s):
    async def script(person):
        await person.at(at_s)
        assert person.order(Kind.SKIP, trial=2).is_done
        assert "skipped already" in person.order(Kind.SKIP, trial=2).text

    assert start(bakery(), tmp_path / "out", following(script)).status == "finished"
    events = events_of(tmp_path / "out")
    (lost,) = of(events, "trial_lost")
    assert lost.trial == 2 and lost.body["reason"].startswith("given up by ada") and not lost.body["is_fault"]
    assert outcomes(events)["analysed"] == 11
    assert {tray["place"] for tray in trays(tmp_path / "out").values()} == {"bin"}
    assert unsafe(tmp_path / "out") == []


def test_a_skip_that_a_stop_left_undone_is_done_after_it(bakery, tmp_path):
    async def script(person):
        await person.at(BUSY_S)
        person.order(Kind.SKIP, trial=3)
        person.order(Kind.STOP)

    start(bakery(), tmp_path / "out", following(script))
    assert resume(tmp_path / "out").status == "finished"
    assert [event.trial for event in of(events_of(tmp_path / "out"), "trial_lost")] == [3]


def test_a_requeued_trial_is_made_again_with_the_same_parameters(bakery, tmp_path):
    async def script(person):
        await person.at(BUSY_S)
        person.order(Kind.SKIP, trial=2)
        while person.desk.facts().outcomes.get(2) is None:
            await person.desk.clock.sleep(60.0)
        assert person.order(Kind.REQUEUE, trial=2).is_done
        assert not person.order(Kind.REQUEUE, trial=2).is_done

    assert start(bakery(), tmp_path / "out", following(script)).status == "finished"
    events = events_of(tmp_path / "out")
    (again,) = of(events, "requeued")
    asked = {trial["number"]: trial for event in of(events, "asked") for trial in event.body["trials"]}
    assert asked[again.body["as_trial"]]["parameters"] == asked[2]["parameters"]
    assert "as ordered by ada" in asked[again.body["as_trial"]]["proposal_reason"]
    assert len(asked) == 12, "the budget counts it"


@pytest.mark.parametrize(("what", "of_it"), [({"device": "mill"}, "mill"), ({"step_kind": "mill"}, "mill")])
def test_what_is_held_begins_nothing_and_the_rest_goes_on(bakery, tmp_path, what, of_it):
    async def script(person):
        await person.at(10.0)
        assert person.order(Kind.HOLD, **what).is_done
        await person.at(5000.0)
        assert person.order(Kind.RELEASE, **what).is_done

    assert start(bakery(), tmp_path / "out", following(script)).status == "finished"
    events = events_of(tmp_path / "out")
    meanwhile = began(events, after_s=10.0, before_s=5000.0)
    assert of_it not in {event.body["device"] for event in meanwhile}
    assert "doser" in {event.body["device"] for event in meanwhile}
    assert outcomes(events) == {"analysed": 12}


def test_a_budget_that_is_raised_while_the_last_trials_run_is_used(bakery, tmp_path):
    async def script(person):
        while len(person.desk.facts().trials) < 6:
            await person.desk.clock.sleep(100.0)
        assert not person.order(Kind.SET_BUDGET, trials=5).is_done
        assert person.order(Kind.SET_BUDGET, trials=9).is_done

    ending = start(bakery("budget.trials=6"), tmp_path / "out", following(script))
    assert ending.reason == "the budget of 9 trials is spent"
    assert outcomes(events_of(tmp_path / "out")) == {"analysed": 9}


def test_a_narrower_limit_fails_what_lies_outside_and_overriding_it_lets_it_pass(bakery, tmp_path):
    lab = "limits: {doser.dispense: {amount: {high: 900 mg}}}\n"

    async def narrow(person):
        assert not person.order(Kind.SET_LIMIT, limit="doser.dispense.amount", high="1000 mg").is_done
        assert person.order(Kind.SET_LIMIT, limit="doser.dispense.amount", high="200 mg").is_done

    task = bakery("budget.trials=3", lab=lab)
    start(task, tmp_path / "narrow", following(narrow))
    failed = [e for e in events_of(tmp_path / "narrow") if e.kind in ("trial_failed", "trial_lost", "batch_failed")]
    assert failed

    async def override(person):
        await narrow(person)
        assert person.order(Kind.OVERRIDE, limit="doser.dispense.amount").is_done

    assert start(task, tmp_path / "over", following(override)).status == "finished"
    assert outcomes(events_of(tmp_path / "over")) == {"analysed": 3}


def test_an_overridden_quarantine_is_over_at_once_and_its_question_withdrawn(bakery, tmp_path):
    async def script(person):
        while not person.desk.state.open_questions():
            await person.desk.clock.sleep(30.0)
        asked = person.desk.state.open_questions()[0]
        for device in ("arm-1", "arm-2"):
            person.order(Kind.OVERRIDE, quarantine=device)
        assert asked.answer is not None and asked.answer.by == "withdrawn"

    task = bakery("budget.trials=6", lab="simulation: {bakery: {drop: 0.05}}\n")
    start(task, tmp_path / "out", following(script))
    seen = [event.body["answer"] for event in of(events_of(tmp_path / "out"), "seen_to")]
    assert any(answer.startswith("overridden by ada") for answer in seen)


APPROVAL = """
approvals:
  oven-1.run_profile: {why: it gets hot, deadline: 1 h}
  oven-2.run_profile: {why: it gets hot, deadline: 1 h}
"""


def test_a_person_is_asked_before_each_hazardous_step(bakery, tmp_path):
    assert (
        start(bakery("budget.trials=4", lab=APPROVAL), tmp_path / "out", Settings(is_virtual=True)).status == "finished"
    )
    events = events_of(tmp_path / "out")
    runs = len(of(events, "batch_fired"))
    assert len(of(events, "question_asked")) >= runs > 0
    assert outcomes(events)["analysed"] + outcomes(events)["trial_lost"] == 4


def test_what_is_not_approved_is_not_done_and_nobodys_furnace_is_closed_for_it(bakery, tmp_path):
    async def script(person):
        while True:
            for asked in person.desk.state.open_questions():
                person.order(Kind.ANSWER, question=asked.question.key, choice="refuse")
            await person.desk.clock.sleep(5.0)

    start(bakery("budget.trials=4", lab=APPROVAL), tmp_path / "out", following(script))
    events = events_of(tmp_path / "out")
    assert outcomes(events) == {"trial_lost": 4}
    assert all(
        "was not approved: answered 'refuse' by ada" in event.body["reason"] for event in of(events, "trial_lost")
    )
    assert "run_profile" not in {event.body["command"] for event in of(events, "step_intended")}
    assert of(events, "doubted") == []


def test_within_its_limits_a_step_needs_no_approval(bakery, tmp_path):
    lab = "approvals: {doser.dispense: {why: dust, unless: {amount: {high: 900 mg}}}}\n"
    assert start(bakery("budget.trials=3", lab=lab), tmp_path / "out", Settings(is_virtual=True)).status == "finished"
    assert of(events_of(tmp_path / "out"), "question_asked") == []
    beyond = lab.replace("900 mg", "500 mg")
    assert (
        start(bakery("budget.trials=3", lab=beyond), tmp_path / "two", Settings(is_virtual=True)).status == "finished"
    )
    asked = of(events_of(tmp_path / "two"), "question_asked")
    assert 0 < len(asked) < 3 and all("dose 700 mg of flour" in event.body["text"] for event in asked)


@pytest.mark.parametrize(
    ("lab", "message"),
    [
        ("approvals: {oven-9.run_profile: {why: hot}}\n", "no device 'oven-9'; did you mean"),
        ("approvals: {oven-1.run_profil: {why: hot}}\n", "no command 'run_profil'; did you mean 'run_profile'"),
        ("approvals: {oven-1.run_profile: {why: hot, unless: {tarjet: {high: 3 degC}}}}\n", "limits no 'tarjet'"),
        ("approvals: {oven-1.run_profile: {}}\n", "missing key"),
    ],
)
def test_approvals_that_name_what_the_lab_has_not_are_refused(bakery, lab, message):
    with pytest.raises(Exception, match=message):
        bakery(lab=lab)


def test_a_paused_campaign_in_virtual_time_says_what_to_do(bakery, tmp_path):
    async def script(person):
        await person.at(BUSY_S)
        person.order(Kind.PAUSE)
        person.order(Kind.STOP)

    start(bakery(), tmp_path / "out", following(script))  # a stop ends the pause as well
    assert resume(tmp_path / "out").status == "finished"

    async def pause_and_break(person):
        await person.at(BUSY_S)
        person.order(Kind.PAUSE)
        raise RuntimeError("the desk is on fire")

    ending = start(bakery(), tmp_path / "two", following(pause_and_break))
    assert ending.status == "stopped" and "the desk is on fire" in ending.reason
    with pytest.raises(Exception, match="labpilot orders go-on"):
        resume(tmp_path / "two")
