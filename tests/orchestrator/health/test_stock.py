from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import units
from orchestrator.consumables import Use, doses, fetched
from orchestrator.events import Event
from orchestrator.health.finding import Level
from orchestrator.health.stock import Filling, Outlook, fillings, per_s, shelves, stock

DAY_S = 86_400.0
HELD = {"doser-1": "BaCO3", "doser-2": "TiO2"}
GRAVITY = {Level.OK: 0, Level.NOTE: 1, Level.WARNING: 2}


@dataclass
class Step:
    arguments: dict
    state: str = "done"
    result: dict = field(default_factory=dict)
    command: str = "dispense"
    device: str = "doser-1"
    command_id: str = "000001.0"
    trial: int = 1
    started_s: float = 5.0
    finished_s: float | None = 9.0
    attempts: int = 1
    settled_by: str = ""


def use(amount_mg, at_s, material="BaCO3"):
    return Use(material=material, amount=amount_mg, unit="mg", trial=1, device="doser-1", at_s=at_s)


def outlook(now_s=7 * DAY_S, horizon_s=None, **changes):
    told = {
        "now_utc": datetime(2026, 11, 27, tzinfo=UTC), "horizon": "Monday", "trials_begun": 0, "trials_left": None,
        "is_over": False,
    }  # fmt: skip
    return Outlook(now_s=now_s, horizon_s=now_s + 3 * DAY_S if horizon_s is None else horizon_s, **{**told, **changes})


def shelf(uses, full: str | None = "200 g"):
    (found,) = shelves(uses, {} if full is None else {"BaCO3": units.measure(full)})
    return found


def event(kind, body, at_s=0.0):
    return Event(seq=1, kind=kind, at_s=at_s, utc="", body=body)


def test_doses_count_what_came_out_and_what_may_have():
    order = {"material": "BaCO3", "amount_mg": 100.0, "tag": "a"}
    steps = [
        Step(order, result={"amount": 99.5}),
        Step(order, state="failed"),
        Step(order, state="ambiguous"),
        Step(order, state="rejected"),
        Step({"volume_ml": 2.0}, device="pump", result={"amount": 2.0}),
        Step(order, command="weigh"),
    ]
    found = list(doses(steps))
    assert [one.amount for one in found] == [99.5, 100.0, 100.0, 2.0]
    assert [(one.material, one.unit) for one in found][-2:] == [("BaCO3", "mg"), ("pump", "mL")]


def test_containers_are_counted_where_they_come_from():
    way = {"source": "magazine", "destination": "dosing"}
    steps = [
        Step(way, command="transfer"),
        Step({"source": "dosing", "destination": "magazine"}, command="transfer"),
        Step(way, command="transfer", state="rejected"),
    ]
    assert [one.material for one in fetched(steps, "magazine")] == ["magazine"]


@given(st.lists(st.tuples(st.floats(0.0, 7 * DAY_S), st.floats(0.0, 5e4)), max_size=20), st.floats(0.0, 7 * DAY_S))
def test_what_is_left_is_what_was_filled_less_what_was_used_since(uses, filled_s):
    given_out = [use(amount_mg, at_s) for at_s, amount_mg in uses]
    found = stock(shelf(given_out), [Filling(at_s=filled_s, material="BaCO3")], outlook(is_over=True))
    left_g = max(0.0, 200.0 - sum(amount_mg for at_s, amount_mg in uses if at_s >= filled_s) / 1000)
    said = found.text.split("\u00a0")
    assert float(said[0]) == pytest.approx(left_g if said[1].startswith("g") else left_g * 1000, rel=6e-3, abs=6e-3)


@given(st.floats(1.0, 4e5), st.floats(1.0, 4e5))
def test_less_stock_is_never_better(full_mg, other_mg):
    given_out = [use(1000.0, day * DAY_S) for day in (1, 2, 3, 4, 5, 6)]
    less, more = sorted([full_mg, other_mg])
    graver, milder = (stock(shelf(given_out, f"{mg} mg"), [], outlook()) for mg in (less, more))
    assert GRAVITY[graver.level] >= GRAVITY[milder.level]


def test_powder_that_ends_before_monday_is_a_warning():
    given_out = [use(10_000.0, day * DAY_S) for day in (1, 2, 3, 4, 5, 6)]
    found = stock(shelf(given_out, "80 g"), [], outlook())
    assert found.level is Level.WARNING
    assert "20\u00a0g of 80\u00a0g are left" in found.text
    assert "8.57\u00a0g a day" in found.text
    assert "2 d 8 h, until 2026-11-29 08:00:00 UTC, before Monday" in found.text
    assert "handled restock DIR --reason 'BaCO3 filled'" in found.do
    soon = stock(shelf(given_out, "110 g"), [], outlook())
    assert soon.level is Level.NOTE
    assert stock(shelf(given_out, "2 kg"), [], outlook()).level is Level.OK


def test_powder_that_outlasts_the_campaign_is_well():
    given_out = [use(10_000.0, day * DAY_S) for day in (1, 2, 3, 4, 5, 6)]
    found = stock(shelf(given_out, "80 g"), [], outlook(trials_begun=60, trials_left=10))
    assert found.level is Level.OK
    assert "the rest of the campaign takes 11\u00a0g" in found.text


def test_an_amount_that_nobody_knows_is_said_to_be_unknown():
    found = stock(shelf([use(500.0, 10.0)], None), [], outlook())
    assert found.level is Level.NOTE
    assert "unknown, as the lab file does not say; 500\u00a0mg were used" in found.text
    assert "stock: {materials: {BaCO3: 200 g}}" in found.do
    other = stock(shelf([use(500.0, 10.0)]), [Filling(at_s=5.0, material=None)], outlook())
    assert "restocked at 5 s without saying what" in other.text
    assert other.level is Level.NOTE


def test_what_is_stocked_in_another_dimension_is_unknown():
    assert shelf([use(500.0, 10.0)], "3 mL").stocked is None


def test_what_ran_out_is_a_warning_until_it_is_filled():
    empty = Filling(at_s=9.0, material="BaCO3", is_empty=True)
    assert stock(shelf([use(1.0, 1.0)]), [empty], outlook()).level is Level.WARNING
    filled = Filling(at_s=10.0, material="BaCO3")
    assert stock(shelf([use(1.0, 1.0)]), [empty, filled], outlook()).level is Level.OK


def test_doubts_and_orders_tell_what_was_filled():
    handled = {"kind": "handled", "is_done": True, "arguments": {"what": "restock"}}
    events = [
        event("doubted", {"name": "r1", "kind": "restock", "facts": {"place": "magazine"}}, 1.0),
        event("doubted", {"name": "d1", "kind": "device", "facts": {"code": "empty", "device": "doser-1"}}, 2.0),
        event("doubted", {"name": "d2", "kind": "device", "facts": {"code": "clogged", "device": "doser-1"}}, 3.0),
        event("seen_to", {"name": "d2", "answer": ""}, 4.0),
        event("seen_to", {"name": "d1", "answer": ""}, 5.0),
        event("order", {**handled, "reason": "filled TiO2, and the magazine."}, 6.0),
        event("order", {**handled, "reason": "as every Friday"}, 7.0),
        event("order", {**handled, "reason": "doser-2"}, 8.0),
        event("order", {**handled, "reason": "TiO2", "is_done": False}, 9.0),
        event("order", {"kind": "pause", "is_done": True, "arguments": {}, "reason": "TiO2"}, 10.0),
    ]
    found = [(one.at_s, one.material, one.is_empty) for one in fillings(events, HELD, "magazine")]
    assert found == [
        (1.0, "magazine", True),
        (2.0, "BaCO3", True),
        (5.0, "BaCO3", False),
        (6.0, "magazine", False),
        (6.0, "TiO2", False),
        (7.0, None, False),
        (8.0, "TiO2", False),
    ]


def test_a_rate_needs_time():
    assert per_s([use(5.0, 1.0)], 60.0) is None
    assert per_s([use(5.0, 1.0)], 1000.0) == pytest.approx(0.005)
    assert per_s([use(5.0, 1.0)], 30 * DAY_S) is None
