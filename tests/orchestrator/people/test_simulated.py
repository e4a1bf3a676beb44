"""The simulated person: the same answers at the same times, whoever is killed meanwhile."""

import asyncio

import pytest

from orchestrator.people.attendant import DeskAttendant
from orchestrator.people.questions import Choice, Question
from orchestrator.people.simulated import Habits, SimulatedPerson

HABITS = Habits(choices={"lost": "found"}, median_s=600.0)


def question(key, kind="lost", deadline_s=1e6):
    choices = (Choice(name="found"), Choice(name="gone"))
    return Question(
        key=key, kind=kind, text="t", choices=choices, default="gone", deadline_s=deadline_s, facts={"sample": key}
    )


def hire(desk, acts, *, habits=HABITS, seed=1):
    async def act(kind, facts):
        acts.append((kind, facts["sample"], facts["choice"]))

    person = SimulatedPerson(clock=desk._clock, seed=seed, habits=habits, act_on_world=act, desk=desk)
    desk._on_asked = person.notice
    return person


def answered(office, keys, *, kill_after_s=(), **options):
    """Ask some questions, with kills in between; return when each was answered and what was done."""
    acts = []

    async def life(desk, until_s):
        person = hire(desk, acts, **options)
        asking = [asyncio.ensure_future(desk.ask(question(key))) for key in keys]
        try:
            async with asyncio.timeout(until_s):
                await asyncio.gather(*asking)
        except TimeoutError:
            pass
        await person.close()
        return {key: asked.answer.at_s for key, asked in desk.state.questions.items() if asked.answer}

    for after_s in kill_after_s:
        office.run(lambda desk, after_s=after_s: life(desk, after_s))
    return office.run(lambda desk: life(desk, 1e6)), acts


def test_answers_and_acts_by_its_rules(office):
    times, acts = answered(office, ["a", "b", "c"])
    assert sorted(acts) == [("lost", key, "found") for key in "abc"]
    assert len(set(times.values())) == 3
    assert all(60.0 < at_s < 6000.0 for at_s in times.values())
    closed = office.events("question_closed")
    assert {(event.body["choice"], event.body["by"]) for event in closed} == {("found", "person")}
    assert closed[0].body["who"] == "simulated person (as simulated)"


def test_a_kill_changes_neither_when_nor_what_it_answers(office, tmp_path):
    kept, _ = answered(office, ["a", "b", "c"])
    other = type(office)(tmp_path / "other")
    killed, acts = answered(other, ["a", "b", "c"], kill_after_s=(100.0, 400.0))
    assert killed == kept
    assert sorted(acts) == [("lost", key, "found") for key in "abc"]


def test_another_seed_is_another_person(office, tmp_path):
    one, _ = answered(office, ["a"])
    two, _ = answered(type(office)(tmp_path / "other"), ["a"], seed=2)
    assert one != two


@pytest.mark.parametrize("habits", [Habits(), Habits(choices={"*": "found"}, never=1.0)])
def test_what_it_has_no_rule_for_it_never_answers(office, habits):
    async def work(desk):
        hire(desk, [], habits=habits)
        return await desk.ask(question("a", deadline_s=1e5))

    assert office.run(work).by == "default"


def test_a_rule_that_is_no_choice_is_told_at_once(office):
    async def work(desk):
        hire(desk, [], habits=Habits(choices={"lost": "burnt"}))
        await desk.ask(question("a"))

    with pytest.raises(KeyError, match="burnt"):
        office.run(work)


class Doubt:
    name, kind, text, closed, facts = "lost-0001", "lost", "look for s1", ("rack/1",), {"sample": "s1"}


def test_what_is_in_doubt_is_asked_again_until_somebody_has_seen_to_it(office):
    async def work(desk):
        person = hire(desk, acts := [], habits=Habits(choices={"*": "seen-to"}, median_s=9e4, spread=1.0))
        attendant = DeskAttendant(desk=desk, clock=desk._clock, remind_s=1e5)
        seen = await attendant.see_to(Doubt())
        await person.close()
        return seen, acts

    seen, acts = office.run(work)
    assert "answered 'seen-to' by simulated person" in seen
    assert acts == [("lost", "s1", "seen-to")]
    assert [event.body["key"] for event in office.events("question_asked")] == ["lost-0001.1"]


def test_a_doubt_that_nobody_sees_to_stays_closed_and_comes_again(office):
    async def work(desk):
        attendant = DeskAttendant(desk=desk, clock=desk._clock, remind_s=1000.0, escalate_s=100.0)
        seeing = asyncio.ensure_future(attendant.see_to(Doubt()))
        await asyncio.sleep(3500.0)
        assert not seeing.done()
        seeing.cancel()

    office.run(work)
    assert [event.at_s for event in office.events("question_asked")] == [0.0, 1000.0, 2000.0, 3000.0]
    assert len(office.events("question_escalated")) == 4
