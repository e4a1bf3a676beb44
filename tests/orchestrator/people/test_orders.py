"""Orders as values: what each must say, and that what is written is read back."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.people.orders import MOST_BYTES, BadOrder, Kind, Order, new_order

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EXAMPLES = {
    Kind.PAUSE: {},
    Kind.GO_ON: {},
    Kind.STOP: {},
    Kind.ABORT: {},
    Kind.SKIP: {"trial": 3},
    Kind.REQUEUE: {"trial": 3},
    Kind.OVERRIDE: {"quarantine": "furnace"},
    Kind.ANSWER: {"question": "q", "choice": "yes"},
    Kind.HOLD: {"device": "furnace"},
    Kind.RELEASE: {"step_kind": "fire"},
    Kind.SET_BUDGET: {"trials": 5, "duration_s": 2.5},
    Kind.SET_LIMIT: {"limit": "furnace.fire.target", "high": "900 degC"},
    Kind.HANDLED: {"what": "hardware"},
    Kind.SUGGEST: {"point": {"x": 1.0}},
    Kind.FORBID: {"label": "hot", "area": {"where": "x >= 1"}},
    Kind.ALLOW: {"label": "hot"},
    Kind.HINT: {"label": "mild", "area": {"box": {"x": [0, 1]}}, "confidence": 0.8},
    Kind.FORGET: {"label": "mild"},
    Kind.ROLLBACK: {"version": "cold-2"},
}


@given(st.sampled_from(Kind), st.text(min_size=1).filter(str.strip), st.none() | st.text())
def test_what_is_written_is_read_back(kind, reason, name):
    order = new_order(kind, reason=reason, now=NOW, name=name, **EXAMPLES[kind])
    assert Order.decoded(order.encoded()) == order


def test_ids_sort_by_time_and_differ():
    first, second = (new_order(Kind.PAUSE, reason="r", now=NOW) for _ in range(2))
    later = new_order(Kind.PAUSE, reason="r", now=NOW.replace(microsecond=1))
    assert first.id != second.id
    assert max(first.id, second.id) < later.id


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (Kind.SKIP, {}, "skip needs 'trial'"),
        (Kind.SKIP, {"trial": True}, "trial cannot be True"),
        (Kind.SKIP, {"trial": 10**30}, "trial cannot be"),
        (Kind.PAUSE, {"trial": 1}, "pause has no argument 'trial'"),
        (Kind.HOLD, {"device": "a", "step_kind": "b"}, "exactly one of device and step_kind"),
        (Kind.OVERRIDE, {}, "exactly one of limit and quarantine"),
        (Kind.SET_BUDGET, {}, "needs trials or duration_s"),
        (Kind.SET_BUDGET, {"duration_s": float("nan")}, "duration_s cannot be nan"),
        (Kind.SET_LIMIT, {"limit": "a.b.c", "high": "900 parsnips"}, "high cannot be"),
        (Kind.SET_LIMIT, {"limit": "furnace", "high": "9 degC"}, "named device.command.argument"),
        (Kind.HANDLED, {"what": "magic"}, "what cannot be 'magic'"),
        (Kind.SUGGEST, {"point": [1.0]}, "point cannot be"),
        (Kind.FORBID, {"label": "hot"}, "needs 'area'"),
        (Kind.HINT, {"label": "a", "area": {"where": "x >= 1"}, "confidence": 1}, "confidence cannot be 1"),
    ],
)
def test_an_order_that_says_too_little_or_nonsense_is_refused(kind, arguments, message):
    with pytest.raises(BadOrder, match=message):
        new_order(kind, reason="r", now=NOW, **arguments)


def test_every_order_needs_a_reason():
    with pytest.raises(BadOrder, match="an order to abort needs a reason"):
        new_order(Kind.ABORT, reason="  ", now=NOW)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 50_000, "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "'id' must be text"),
        (b" " * (MOST_BYTES + 1), "at most 64000 bytes"),
        (json.dumps({"id": "a/b", "kind": "pause", "reason": "r"}).encode(), "letters, digits"),
        (json.dumps({"id": "a", "kind": "pase", "reason": "r"}).encode(), "did you mean 'pause'"),
        (json.dumps({"id": "a", "kind": "pause", "reason": "r", "arguments": []}).encode(), "must be an object"),
        (json.dumps({"id": "a", "kind": "pause", "reason": "r", "sudo": 1}).encode(), "has no 'sudo'"),
    ],
)
def test_what_is_no_order_says_why(data, message):
    with pytest.raises(BadOrder, match=message):
        Order.decoded(data)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_garbage_is_refused_and_never_raises_anything_else(data):
    with pytest.raises(BadOrder):
        Order.decoded(data.encode() if isinstance(data, str) else data)
