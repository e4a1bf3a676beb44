"""Interventions: what counts, per how many experiments, and how sure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from orchestrator.events import Event
from orchestrator.people.interventions import autonomy, poisson_interval
from orchestrator.people.orders import Kind, new_order
from orchestrator.people.questions import Hand
from orchestrator.people.spool import Spool


def journal(*told):
    """Make events of (kind, body) one hour apart."""
    return [
        Event(seq=index + 1, kind=kind, at_s=3600.0 * index, utc="", body=body)
        for index, (kind, body) in enumerate(told)
    ]


DONE = ("analysed", {})
HAND = ("incident", {"kind": "intervention", "text": "look for sample 3"})
RESTOCK = ("incident", {"kind": "restock", "text": "crucibles"})


def closed(by="person", hand="hardware"):
    return ("question_closed", {"key": "q", "by": by, "hand": hand, "choice": "found", "reason": "r"})


def order(kind, *, is_done=True, **arguments):
    return ("order", {"kind": kind, "is_done": is_done, "reason": "r", "arguments": arguments})


def test_a_campaign_without_people_has_none_and_still_an_upper_bound():
    found = autonomy(journal(("campaign_created", {}), *[DONE] * 100))
    assert found.interventions == ()
    assert (found.per_100, found.low_per_100) == (0.0, 0.0)
    assert found.high_per_100 == pytest.approx(3.689, abs=1e-3)  # the "rule of three", exactly
    assert found.unassisted_experiments == 100
    assert found.unassisted_s == 3600.0 * 100


def test_rates_are_per_100_completed_experiments():
    found = autonomy(journal(*[DONE] * 150, HAND, HAND, HAND, ("trial_lost", {}), *[DONE] * 50))
    assert found.completed == 200
    assert found.per_100 == pytest.approx(1.5)
    assert (found.low_per_100, found.high_per_100) == pytest.approx((0.309, 4.384), abs=1e-3)
    assert found.unassisted_experiments == 150


def test_planned_restocks_are_counted_apart_and_break_no_run():
    found = autonomy(journal(DONE, RESTOCK, DONE, order("handled", what="restock"), closed(hand="restock"), DONE))
    assert found.interventions == ()
    assert len(found.restocks) == 3
    assert found.unassisted_experiments == 3


@pytest.mark.parametrize(
    ("told", "hand"),
    [
        (HAND, Hand.HARDWARE),
        (closed(), Hand.HARDWARE),
        (closed(hand="planner"), Hand.PLANNER),
        (order("skip", trial=1), Hand.PLANNER),
        (order("requeue", trial=1), Hand.PLANNER),
        (order("override", quarantine="arm"), Hand.HARDWARE),
        (order("handled", what="hardware"), Hand.HARDWARE),
    ],
)
def test_acts_of_people_count(told, hand):
    (act,) = autonomy(journal(DONE, told)).interventions
    assert (act.hand, act.completed) == (hand, 1)


@pytest.mark.parametrize(
    "told",
    [
        ("incident", {"kind": "fault", "text": "t"}),
        closed(by="default"),
        closed(hand="none"),
        order("skip", is_done=False, trial=1),
        order("pause"),
        order("hold", device="arm"),
        order("set-budget", trials=3),
        order(""),
    ],
)
def test_decisions_refusals_and_faults_that_settle_themselves_do_not_count(told):
    assert autonomy(journal(DONE, told)).interventions == ()


def test_an_empty_journal_says_nothing():
    found = autonomy([])
    assert (found.completed, found.per_100, found.high_per_100, found.unassisted_s) == (0, None, None, 0.0)


@given(st.integers(0, 500), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_is_where_the_count_becomes_improbable(count, level):
    low, high = poisson_interval(count, level)
    tail = (1 - level) / 2
    assert low <= count <= high
    assert poisson.cdf(count, high) == pytest.approx(tail, rel=1e-6)
    if count:
        assert poisson.sf(count - 1, low) == pytest.approx(tail, rel=1e-6)


@given(st.lists(st.sampled_from([DONE, HAND, RESTOCK])))
def test_the_longest_run_is_what_a_plain_count_finds(told):
    runs, run = [0], 0
    for item in told:
        run = 0 if item is HAND else run + (item is DONE)
        runs.append(run)
    assert autonomy(journal(*told)).unassisted_experiments == max(runs)


def test_real_orders_are_found(office):
    from datetime import UTC, datetime

    Spool(office.path).put(new_order(Kind.REQUEUE, reason="broke", now=datetime.now(UTC), trial=3))

    async def work(desk):
        await desk.run()

    office.run(work)
    assert [act.hand for act in autonomy(office.events("order")).interventions] == [Hand.PLANNER]
