"""Questions: asked once, answered once, and never waited for beyond their deadline."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.people.orders import Kind, new_order
from orchestrator.people.questions import About, Choice, Hand, Question, approval
from orchestrator.people.spool import Spool

CHOICES = (Choice(name="found", text="put back", hand=Hand.HARDWARE), Choice(name="gone"))


def question(key="lost-1", **changes):
    given = {"kind": "lost", "text": "where is it?", "choices": CHOICES, "default": "gone", "deadline_s": 600.0}
    return Question(key=key, about=About(trial=2, device="arm", places=("rack/1",)), **{**given, **changes})


def answer(choice="found", *, key="lost-1", name=None, reason="looked"):
    return new_order(
        Kind.ANSWER, reason=reason, now=datetime(2026, 1, 1, tzinfo=UTC), name=name, question=key, choice=choice
    )


async def answered_after(desk, seconds, order):
    await asyncio.sleep(seconds)
    return desk.submit(order, user="ada")


def test_an_answer_is_waited_for(office):
    async def work(desk):
        asking = asyncio.ensure_future(desk.ask(question()))
        given = await answered_after(desk, 100.0, answer())
        return given, await asking, desk._clock.now_s()

    given, found, now_s = office.run(work)
    assert given.is_done
    assert (found.choice, found.by, found.who, found.reason) == ("found", "person", "ada", "looked")
    assert found.is_from_person
    assert now_s == 100.0
    assert office.events("question_closed")[0].body["hand"] == "hardware"
    assert office.events("question_closed")[0].trial == 2


def test_a_question_never_answered_takes_its_default_and_says_so(office):
    async def work(desk):
        return await desk.ask(question()), desk._clock.now_s()

    found, now_s = office.run(work)
    assert (found.choice, found.by) == ("gone", "default")
    assert now_s == 600.0
    assert "nobody answered within 600 s" in found.reason
    assert "with the default 'gone': nobody had answered" in str(found)


def test_a_second_answer_is_refused_with_the_first_one_shown(office):
    async def work(desk):
        asking = asyncio.ensure_future(desk.ask(question()))
        await answered_after(desk, 1.0, answer("found", name="Ada"))
        late = desk.submit(answer("gone", name="Bob"), user="bob")
        return late, await asking

    late, found = office.run(work)
    assert not late.is_done
    assert "was answered 'found' by Ada (as ada)" in late.text
    assert "a second answer changes nothing" in late.text
    assert found.choice == "found"


def test_a_late_answer_is_refused_with_the_default_shown(office):
    async def work(desk):
        await desk.ask(question())
        return desk.submit(answer(), user="bob")

    late = office.run(work)
    assert not late.is_done
    assert "closed at its deadline" in late.text


def test_an_unknown_choice_is_refused_and_the_question_stays_open(office):
    async def work(desk):
        asking = asyncio.ensure_future(desk.ask(question()))
        given = await answered_after(desk, 1.0, answer("fuond"))
        assert len(desk.state.open_questions()) == 1
        asking.cancel()
        return given

    assert "did you mean 'found'" in office.run(work).text


def test_a_deadline_goes_on_over_a_restart_and_nobody_is_asked_twice(office):
    async def ask_and_die(desk):
        asking = asyncio.ensure_future(desk.ask(question()))
        await asyncio.sleep(400.0)
        asking.cancel()

    async def ask(desk):
        return await desk.ask(question(text="asked anew")), desk._clock.now_s()

    office.run(ask_and_die)
    found, now_s = office.run(ask, start_s=450.0)
    assert (found.by, now_s) == ("default", 600.0)
    assert len(office.events("question_asked")) == 1
    again, at_s = office.run(ask, start_s=700.0)
    assert (again, at_s) == (found, 700.0)


def test_an_answer_given_while_no_controller_runs_counts(office):
    async def ask_and_die(desk):
        asking = asyncio.ensure_future(desk.ask(question()))
        await asyncio.sleep(1.0)
        asking.cancel()

    async def ask(desk):
        await desk.run()
        return await desk.ask(question()), desk._clock.now_s()

    office.run(ask_and_die)
    Spool(office.path).put(answer())
    found, now_s = office.run(ask, start_s=5.0)
    assert (found.choice, now_s) == ("found", 5.0)


def test_a_deadline_that_passed_while_no_controller_ran_holds_at_once(office):
    async def ask_and_die(desk):
        asking = asyncio.ensure_future(desk.ask(question()))
        await asyncio.sleep(1.0)
        asking.cancel()

    async def sweep(desk):
        desk.close_overdue()
        return desk.state.questions["lost-1"].answer

    office.run(ask_and_die)
    assert office.run(sweep, start_s=9999.0).by == "default"


def test_an_answer_that_lies_in_the_spool_at_the_deadline_comes_before_the_default(office):
    async def ask(desk):
        desk._clock.is_virtual = False  # the loop stays virtual
        asking = asyncio.ensure_future(desk.ask(question()))
        await asyncio.sleep(599.5)
        Spool(office.path).put(answer())
        return await asking, desk._clock.now_s()

    found, now_s = office.run(ask)
    assert (found.choice, found.by, now_s) == ("found", "person", 600.0)


def test_more_people_are_told_after_a_while_and_only_once(office):
    async def ask(desk):
        return await desk.ask(question(escalate_s=100.0))

    async def ask_and_die(desk):
        asking = asyncio.ensure_future(ask(desk))
        await asyncio.sleep(150.0)
        asking.cancel()

    office.run(ask_and_die)
    office.run(ask)
    (event,) = office.events("question_escalated")
    assert event.at_s == 100.0


def test_whoever_is_answered_in_time_is_not_escalated(office):
    async def work(desk):
        asking = asyncio.ensure_future(desk.ask(question(escalate_s=100.0)))
        await answered_after(desk, 50.0, answer())
        await asking

    office.run(work)
    assert office.events("question_escalated") == []


def test_two_who_ask_the_same_hear_the_same(office):
    async def work(desk):
        asking = [asyncio.ensure_future(desk.ask(question())) for _ in range(2)]
        await answered_after(desk, 1.0, answer())
        return await asyncio.gather(*asking)

    first, second = office.run(work)
    assert first == second
    assert len(office.events("question_asked")) == 1


def test_silence_does_not_approve(office):
    async def silence(desk):
        return await desk.approves(approval("fire-1", "heat to 1100 degC?", deadline_s=60.0))

    async def yes(desk):
        asking = asyncio.ensure_future(desk.approves(approval("fire-2", "heat?", deadline_s=60.0)))
        await answered_after(desk, 1.0, answer("approve", key="fire-2"))
        return await asking

    assert office.run(silence) is False
    assert office.run(yes) is True


def test_a_question_that_no_longer_matters_is_withdrawn(office):
    async def work(desk):
        asking = asyncio.ensure_future(desk.ask(question()))
        await asyncio.sleep(1.0)
        desk.withdraw("lost-1", "the sample was seen")
        return await asking

    assert office.run(work).by == "withdrawn"


def test_an_answer_and_its_closing_are_one_commit(office):
    async def work(desk):
        asking = asyncio.ensure_future(desk.ask(question()))
        await asyncio.sleep(1.0)
        before = desk._journal.commits
        desk.submit(answer(), user="ada")
        await asking
        return desk._journal.commits - before

    assert office.run(work) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"default": "maybe"}, "its default 'maybe' is none of"),
        ({"choices": ()}, "distinct names"),
        ({"choices": (Choice(name="gone"), Choice(name="gone"))}, "distinct names"),
        ({"deadline_s": 0.0}, "must be positive"),
        ({"escalate_s": 600.0}, "must come before it"),
    ],
)
def test_a_question_that_makes_no_sense_is_not_made(changes, message):
    with pytest.raises(ValueError, match=message):
        question(**changes)


@given(st.text(), st.none() | st.integers(1, 9), st.lists(st.text(), max_size=3), st.sampled_from(Hand))
def test_questions_survive_the_journal(text, trial, places, hand):
    asked = replace(
        question(text=text, choices=(*CHOICES, Choice(name="x", hand=hand))),
        about=About(trial=trial, places=tuple(places)),
    )
    assert Question.from_data(asked.data()) == asked
