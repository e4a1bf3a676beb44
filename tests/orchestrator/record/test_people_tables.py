"""The tables of orders and questions: folded live over restarts, folded again, and as the desk has it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import SQLModel

from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from orchestrator import projections
from orchestrator.journal import Journal, read_events
from orchestrator.people import tables
from orchestrator.people.desk import Desk
from orchestrator.people.orders import Kind, new_order
from orchestrator.people.questions import About, Choice, Question
from orchestrator.states import IllegalTransition
from tests.orchestrator.people.conftest import FACTS

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def question(key, *, escalate_s=20.0):
    choices = (Choice(name="found", text="put back \N{SNOWMAN}"), Choice(name="gone"))
    about = About(trial=2, device="arm", places=("rack/1", "rack/2"))
    return Question(
        key=key,
        kind="lost",
        text="?",
        choices=choices,
        default="gone",
        deadline_s=50,
        escalate_s=escalate_s,
        about=about,
    )


def order(kind, number, **arguments):
    return new_order(kind, reason="r", now=NOW + timedelta(seconds=number), name="Ada", **arguments)


GIVEN = {
    "pause": {},
    "go-on": {},
    "skip": {"trial": 2},
    "requeue": {"trial": 3},
    "hold": {"device": "arm"},
    "release": {"device": "nobody"},
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*GIVEN, "ask", "answer", "withdraw", "wait", "again", "restart"]), st.sampled_from(["a", "b"])
    ),
    max_size=15,
)


async def play(desk, steps, orders):
    """Do the steps up to the next restart; return those that are left."""
    asking = [asyncio.ensure_future(desk.ask(asked.question)) for asked in desk.state.open_questions()]
    for number, (what, key) in enumerate(steps):
        if what == "restart":
            break
        if what == "ask":
            asking.append(asyncio.ensure_future(desk.ask(question(key))))
        elif what == "wait":
            await asyncio.sleep(15.0)
        elif what == "withdraw" and key in desk.state.questions:
            desk.withdraw(key, "it was seen")
        elif what == "again" and orders:
            desk.submit(orders[-1], user="bob")
        elif what == "answer":
            orders.append(order(Kind.ANSWER, number, question=key, choice="found"))
            desk.submit(orders[-1], user="bob")
        elif what in GIVEN:
            orders.append(order(Kind(what), number, **GIVEN[what]))
            desk.submit(orders[-1], user="bob")
        await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    return steps[number + 1 :] if steps else []


def lives(engine, path, steps):
    """Play the steps; each restart is a new controller whose predecessor was killed. Return the last desk's state."""
    orders, last_s = [], 0.0
    while True:
        loop = VirtualLoop(last_s)
        journal = Journal(engine, VirtualClock(loop), epoch=1, boot_id="boot")
        desk = Desk(journal, VirtualClock(loop), path, facts=lambda: FACTS)
        try:
            steps = run_virtual(play(desk, steps, orders), loop=loop)
        finally:
            last_s = loop.time()
            journal.connection.close()
        if not steps:
            return desk.state


def rows(connection, model):
    table = model.__table__
    return [dict(row) for row in connection.execute(select(table).order_by(table.c.seq)).mappings()]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(STEPS)
def test_tables_rebuilt_equal_live_ones_and_the_desk(make, tmp_path, steps):
    engine = make().database(fsync=False, migrate=True)
    state = lives(engine, tmp_path, steps)
    with engine.connect() as connection:
        orders, questions = (rows(connection, model) for model in tables.PROJECTIONS)
        projections.rebuild(connection, list(read_events(connection)))
        assert [rows(connection, model) for model in tables.PROJECTIONS] == [orders, questions]
    engine.dispose()
    assert [(row["id"], row["is_done"], row["text"], row["arguments"]) for row in orders] == [
        (given.id, given.is_done, given.text, given.arguments) for given in state.orders.values()
    ]
    assert [(row["key"], row["choice"], row["deadline_s"], row["escalated_s"] is not None) for row in questions] == [
        (key, asked.answer and asked.answer.choice, asked.deadline_at_s, asked.is_escalated)
        for key, asked in state.questions.items()
    ]
    is_open = [row["state"] in ("open", "escalated") for row in questions]
    assert is_open == [asked.answer is None for asked in state.questions.values()]


def test_a_question_and_its_answer_are_one_row(make, tmp_path):
    engine = make().database(fsync=False, migrate=True)
    lives(engine, tmp_path, [("ask", "a"), ("wait", "a"), ("wait", "a"), ("answer", "a")])
    with engine.connect() as connection:
        (row,) = rows(connection, tables.QuestionRow)
        (given,) = rows(connection, tables.OrderRow)
    engine.dispose()
    assert (row["state"], row["choice"], row["who"]) == ("answered", "found", "Ada (as bob)")
    assert (row["trial"], row["device"], row["places"]) == (2, "arm", ["rack/1", "rack/2"])
    assert (row["asked_s"], row["escalate_s"], row["escalated_s"], row["deadline_s"]) == (0.0, 20.0, 20.0, 50.0)
    assert row["closed_s"] == given["at_s"] == 30.0
    assert (given["user"], given["name"], given["kind"], given["is_done"]) == ("bob", "Ada", "answer", True)


def test_the_journal_refuses_a_second_closing(make, tmp_path):
    engine = make().database(fsync=False, migrate=True)
    lives(engine, tmp_path, [("ask", "a"), ("answer", "a")])
    journal = Journal(engine, RealClock(), epoch=1, boot_id="boot")
    body = {"key": "a", "choice": "gone", "by": "default", "who": "labpilot", "reason": "r"}
    with pytest.raises(IllegalTransition, match="in state 'answered'"):
        journal.append("question_closed", body)
    journal.close()
    engine.dispose()


def test_the_migration_makes_the_tables_that_the_models_describe(make):
    engine = make().database(fsync=False, migrate=True)
    ours = {model.__tablename__ for model in tables.PROJECTIONS}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        found = [repr(change) for change in compare_metadata(context, SQLModel.metadata)]
    engine.dispose()
    assert [text for text in found if any(f"'{name}'" in text for name in ours)] == []


def test_every_question_can_be_closed_and_none_twice():
    closings = ("person", "default", "withdrawn")
    for state in tables.QuestionState:
        is_open = state in (tables.QuestionState.OPEN, tables.QuestionState.ESCALATED)
        assert [((state, by) in tables.QUESTION) for by in closings] == [is_open] * 3
