"""The desk's state: folded again from the journal it is what it was live, whatever was ordered and asked."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.events import Event
from orchestrator.people.judging import judge
from orchestrator.people.orders import Kind, new_order
from orchestrator.people.state import DeskState
from tests.orchestrator.people.conftest import FACTS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEVICES, TRIALS = st.sampled_from(["furnace", "arm", "none"]), st.integers(1, 4)
LABELS, AREAS = st.sampled_from(["a", "b"]), st.sampled_from([{"where": "x >= 0.4"}, {"box": {"x": [0, 1]}}])
ARGUMENTS = {
    Kind.SKIP: st.fixed_dictionaries({"trial": TRIALS}),
    Kind.REQUEUE: st.fixed_dictionaries({"trial": TRIALS}),
    Kind.HOLD: st.fixed_dictionaries({"device": DEVICES}),
    Kind.RELEASE: st.fixed_dictionaries({"device": DEVICES}),
    Kind.OVERRIDE: st.fixed_dictionaries({"quarantine": DEVICES}, optional={"withdraw": st.booleans()}),
    Kind.SET_BUDGET: st.fixed_dictionaries({"trials": st.integers(1, 50)}),
    Kind.SET_LIMIT: st.integers(0, 1200).map(lambda c: {"limit": "furnace.fire.target", "high": f"{c} degC"}),
    Kind.SUGGEST: st.just({"point": {"x": 0.5}}),
    Kind.FORBID: st.fixed_dictionaries({"label": LABELS, "area": AREAS}),
    Kind.HINT: st.fixed_dictionaries({"label": LABELS, "area": AREAS, "confidence": st.just(0.8)}),
    Kind.ALLOW: st.fixed_dictionaries({"label": LABELS}),
    Kind.FORGET: st.fixed_dictionaries({"label": LABELS}),
    Kind.ROLLBACK: st.fixed_dictionaries({"version": st.sampled_from(["cold-1", "transfer-1", "rule", "cold-9"])}),
}
GIVEN = st.sampled_from([kind for kind in Kind if kind is not Kind.ANSWER and kind is not Kind.HANDLED]).flatmap(
    lambda kind: st.tuples(st.just(kind), ARGUMENTS.get(kind, st.just({})))
)


def event_of(order, verdict, seq):
    body = {
        "id": order.id,
        "kind": str(order.kind),
        "arguments": dict(order.arguments),
        "user": "ada",
        "name": None,
        "reason": order.reason,
        "is_done": verdict.is_done,
        "text": verdict.text,
    }
    return Event(seq=seq, kind="order", at_s=float(seq), utc=NOW.isoformat(), body=body)


@settings(deadline=None)
@given(st.lists(st.one_of(GIVEN, st.just("ended")), max_size=25))
def test_any_orders_in_any_sequence_fold_and_fold_again_to_the_same(said):
    live, events = DeskState(), []
    for seq, item in enumerate(said, start=1):
        if item == "ended":
            event = Event(seq=seq, kind="campaign_ended", at_s=0.0, utc="", body={"status": "stopped", "reason": "r"})
        else:
            kind, arguments = item
            order = new_order(kind, reason="r", now=NOW, **arguments)
            verdict = judge(order, live, FACTS)
            event = event_of(order, verdict, seq)
        live.apply(event)
        if event.kind == "order" and not event.body["is_done"]:
            before = DeskState.of(events)
            before.orders = live.orders
            assert before == live, "a refused order changes nothing but the list of orders"
        events.append(event)
    assert DeskState.of(events) == live
    assert DeskState.of([event for event in events for _ in range(2 if event.kind == "order" else 1)]) == live
    assert all(trial == 2 for trial in live.skipped), "only an open trial can be skipped"
    assert all(trial == 3 for trial in live.requeues), "only a lost one can be made again"
    highs = [
        float(text.split()[0]) for bounds in [live.limits.get("furnace.fire.target", {})] for text in bounds.values()
    ]
    assert all(20 <= high <= 1100 for high in highs)
