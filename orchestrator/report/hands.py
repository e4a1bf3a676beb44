"""What people did in a campaign, and how it went without them."""

from __future__ import annotations

from html import escape

from orchestrator.people.interventions import KINDS, Autonomy, autonomy
from orchestrator.people.reading import events_of, read_state
from orchestrator.people.state import DeskState
from orchestrator.reading import Reading
from orchestrator.report.sections import MOST_ROWS, table
from orchestrator.words import duration, moment, number, plural

WHAT_COUNTS = (
    "An intervention is an unplanned act of a person at the hardware, or an edit by hand of what the planner knows; "
    "planned restocks are counted apart."
)


def people(reading: Reading) -> str:
    """Return how often somebody had to step in, what was ordered, and what was asked."""
    counted = autonomy(events_of(reading.connection, KINDS))
    desk = read_state(reading.connection)
    return "".join([_summary(counted), _acts(counted), _orders(desk), _questions(desk)])


def _summary(counted: Autonomy) -> str:
    rate = ""
    if counted.per_100 is not None:
        bounds = f"{number(counted.low_per_100, 2)} to {number(counted.high_per_100, 2)}"
        rate = f", {number(counted.per_100, 2)} per 100 experiments (95 % interval {bounds})"
    parts = [
        f"{plural(len(counted.interventions), 'intervention')} in {plural(counted.completed, 'experiment')}{rate}; "
        f"{plural(len(counted.restocks), 'planned restock')}.",
        f"The longest run without an intervention: {plural(counted.unassisted_experiments, 'experiment')}, "
        f"{duration(counted.unassisted_s)}.",
        WHAT_COUNTS,
    ]
    return f'<p class="about">{escape(" ".join(parts))}</p>'


def _acts(counted: Autonomy) -> str:
    acts = sorted([*counted.interventions, *counted.restocks], key=lambda act: act.seq)
    if not acts:
        return ""
    rows = [[duration(act.at_s), str(act.hand), act.text] for act in acts[:MOST_ROWS]]
    return "<h3>Hands</h3>" + table(["at", "kind", "what"], rows, cut=len(acts), wide=2)


def _orders(desk: DeskState) -> str:
    given = [order for order in desk.orders.values() if order.kind != "answer"]
    if not given:
        return ""
    rows = [
        [moment(order.utc), order.who, order.kind or "no order", order.reason, order.text]
        for order in given[:MOST_ROWS]
    ]
    return "<h3>Orders</h3>" + table(["when", "who", "order", "why", "what came of it"], rows, cut=len(given), wide=4)


def _questions(desk: DeskState) -> str:
    asked = list(desk.questions.values())
    if not asked:
        return ""
    rows = [
        [duration(one.at_s), one.question.text, "open" if one.answer is None else str(one.answer)]
        for one in asked[:MOST_ROWS]
    ]
    return "<h3>Questions</h3>" + table(["asked at", "question", "answer"], rows, cut=len(asked), wide=1)
