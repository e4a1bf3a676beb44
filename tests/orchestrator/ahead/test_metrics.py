import pytest

from orchestrator.ahead.lists import SPECULATED
from orchestrator.ahead.metrics import ANALYSES, PLANS, Places, compute_status
from orchestrator.ahead.words import figures
from orchestrator.events import Event

SERIAL = Places(lanes=1, room=1)


class Journal:
    def __init__(self):
        self.events = []

    def add(self, kind, at_s, body=None, trial=None):
        seq = len(self.events) + 1
        self.events.append(Event(seq=seq, kind=kind, at_s=at_s, utc="", body=body or {}, trial=trial))

    def asked(self, asked_s, took_s, number, *, planning=None, fallback=""):
        body = {"asked_s": asked_s, "charged_s": took_s, "fallback_reason": fallback, "trials": [{"number": number}]}
        self.add("asked", asked_s + took_s, body if planning is None else {**body, "planning": planning})

    def trial(self, number, started_s, measured_s, ended_s, kind="analysed"):
        self.add("trial_started", started_s, trial=number)
        self.add("plan_finished", measured_s, trial=number)
        self.add(kind, ended_s, trial=number)

    def status(self, places=SERIAL, elapsed_s=100.0):
        found = compute_status(sorted(self.events, key=lambda one: one.at_s), places=places, elapsed_s=elapsed_s)
        assert found is not None
        return found


def planning(how="full", **more):
    return {"how": how, "why": "", "begun": 0, **more}


def test_nothing_asked_is_nothing_to_say():
    assert compute_status([], places=SERIAL, elapsed_s=0.0) is None


def test_one_instrument_waits_for_each_plan_and_each_analysis_that_a_plan_needs():
    journal = Journal()
    journal.asked(0.0, 5.0, 1)
    journal.trial(1, 5.0, 35.0, 37.0)
    journal.asked(37.0, 5.0, 2)
    journal.trial(2, 42.0, 72.0, 74.0)  # nothing is asked for after it: nobody waits for its analysis
    found = journal.status()
    assert found.idle_s == {PLANS: 10.0, ANALYSES: 2.0}
    assert (found.planned_s, found.analysed_s, found.ahead_s) == (10.0, 4.0, 0.0)
    assert found.hidden == pytest.approx(1.0 - 12.0 / 14.0)
    assert (found.plans, found.in_time, found.how) == (2, 0, {"in full": 2})
    assert found.idle_share == pytest.approx(0.12)


def test_nothing_waits_while_every_place_for_a_trial_is_taken():
    journal = Journal()
    journal.asked(0.0, 0.0, 1)
    journal.trial(1, 0.0, 30.0, 30.0)
    journal.asked(10.0, 5.0, 2)
    found = journal.status()
    assert found.idle_s[PLANS] == 0.0 and found.hidden == 1.0 and found.in_time == 2
    assert journal.status(Places(lanes=2, room=2)).idle_s[PLANS] == 5.0


def test_a_hundredth_of_a_trial_is_no_delay():
    journal = Journal()
    journal.asked(0.0, 0.0, 1)
    journal.trial(1, 0.0, 40.0, 40.0)
    journal.asked(40.0, 0.39, 2)
    journal.trial(2, 40.39, 80.0, 80.0)
    journal.asked(80.0, 0.41, 3)
    assert (journal.status().in_time, journal.status().plans) == (2, 3)


def test_an_analysis_in_a_batch_is_waited_for_only_where_no_other_trial_of_it_is_measured():
    journal = Journal()
    journal.asked(0.0, 0.0, 1)
    journal.trial(1, 0.0, 10.0, 20.0)
    journal.trial(2, 0.0, 15.0, 16.0)
    journal.asked(20.0, 0.0, 3)
    assert journal.status(Places(lanes=2, room=1)).idle_s[ANALYSES] == pytest.approx(5.0)


def test_unseen_results_are_those_that_came_before_a_plan_was_carried_out_less_what_was_imagined():
    journal = Journal()
    journal.asked(0.0, 1.0, 1)
    journal.trial(1, 1.0, 31.0, 31.0)
    journal.asked(1.0, 1.0, 2)  # made while trial 1 runs, and carried out once that has ended
    journal.trial(2, 31.0, 61.0, 61.0)
    journal.asked(31.0, 40.0, 3)  # trial 2 ends while it is made
    journal.trial(3, 71.0, 99.0, 99.0)
    journal.asked(71.0, 1.0, 4, planning=planning("short lists", begun=3, missed=2, s_max=1))
    found = journal.status(Places(lanes=1, room=1))
    assert found.unseen == {"0": 1, "1": 2, "2": 1}
    assert found.mean_unseen == pytest.approx(1.0) and found.stale == 1
    said = {name: why for name, _, why in figures(found)}["Unseen results"]
    assert said.endswith("imagined: 2 plans missed 1, 1 plan missed 2; 1 plan missed more than they may")


def test_that_no_plan_missed_a_result_is_said():
    journal = Journal()
    journal.asked(0.0, 1.0, 1)
    figure = {name: why for name, _, why in figures(journal.status(Places(lanes=1, room=1)))}
    assert figure["Unseen results"].endswith("imagined: no plan missed any")


def test_hits_and_fallbacks_are_counted_with_their_reasons():
    journal = Journal()
    journal.asked(0.0, 1.0, 1, planning=planning(why="nothing was under way"))
    journal.asked(10.0, 1.0, 2, planning=planning("short lists", begun=3))
    journal.asked(20.0, 1.0, 3, planning=planning(begun=3, why="no short list was ready"))
    journal.asked(30.0, 1.0, 4, planning=planning(begun=3, why="there was time for a full plan"))
    journal.asked(40.0, 1.0, 5, planning=planning(), fallback="policy 'x' raised")
    journal.add(SPECULATED, 45.0, {"busy_s": 7.0})
    found = journal.status()
    assert (found.speculated, found.hits, found.ahead_s) == (3, 1, 7.0)
    assert found.fallbacks == {"no short list was ready: a full plan": 1, "the planner failed: random points": 1}
    assert found.how == {"in full": 3, "from short lists": 1, "random points": 1}


def test_a_trial_under_way_and_a_damaged_row_do_no_harm():
    journal = Journal()
    journal.asked(0.0, 5.0, 1)
    journal.add("trial_started", 5.0, trial=1)
    journal.add("asked", 6.0)
    assert journal.status(elapsed_s=50.0).idle_s[PLANS] == 5.0


def test_the_line_is_short():
    journal = Journal()
    journal.asked(0.0, 5.0, 1, planning=planning("short lists", begun=3))
    text = str(journal.status())
    assert text == "0% hidden, instruments waited 5 s (5.0%); 0 of 1 plan in time, 1 of 1 from short lists"
