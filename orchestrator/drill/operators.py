"""Drills: what operators order, answer, or do by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from orchestrator.drill.catalogue import Drill, all_of, no_hand, none_lost, starts
from orchestrator.drill.ground import NotOffered, Outcome, Play
from orchestrator.execution import resume
from orchestrator.people.desk import Desk
from orchestrator.people.orders import Kind, new_order
from orchestrator.people.questions import Choice, Question
from orchestrator.people.state import Given
from orchestrator.seams import Seams

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class _Operator:
    """Somebody who gives orders when it is time."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.middle_s = play.ground.undisturbed().outcome.events[-1].at_s / 2.0
        self.given: list[Given] = []

    def order(self, desk: Desk, kind: Kind, **arguments: Any) -> Given:
        """Give an order."""
        order = new_order(kind, reason="a drill", now=NOON, **arguments)
        self.given.append(desk.submit(order, user="operator"))
        return self.given[-1]

    def seams(self, script: Callable[[Desk, Any], Awaitable[None]]) -> Seams:
        """Return seams through which a script is followed at the desk from the middle of the campaign on."""

        async def orders(desk: Desk) -> None:
            clock: Any = desk.clock
            await clock.sleep_until(self.middle_s)
            self.play.strike(clock.now_s())
            await script(desk, clock)

        return Seams(orders=orders)


def _ends(kind: Kind) -> Callable[[Play], None]:
    def act(play: Play) -> None:
        operator = _Operator(play)

        async def script(desk: Desk, _clock: Any) -> None:
            operator.order(desk, kind)

        play.start(seams=operator.seams(script))
        play.finish()

    return act


PAUSED_S = 3600.0


def _pause(play: Play) -> None:
    operator = _Operator(play)

    async def script(desk: Desk, clock: Any) -> None:
        operator.order(desk, Kind.PAUSE)
        await clock.sleep(PAUSED_S)
        operator.order(desk, Kind.GO_ON)

    play.start(seams=operator.seams(script))
    play.finish()


def _paused_quietly(outcome: Outcome) -> str:
    orders = {event.body["kind"]: event.at_s for event in outcome.of("order")}
    began = [event.at_s for event in outcome.of("step_intended") if orders["pause"] < event.at_s < orders["go-on"]]
    return f"{len(began)} steps began during the pause" if began else ""


def _skip(play: Play) -> None:
    operator = _Operator(play)

    async def script(desk: Desk, _clock: Any) -> None:
        trials = [number for number, state in desk.facts().trials.items() if number not in desk.facts().outcomes]
        if not trials:
            raise NotOffered("no trial was open in the middle of the campaign")
        operator.order(desk, Kind.SKIP, trial=trials[-1])

    play.start(seams=operator.seams(script))
    play.finish()


def _one_given_up(outcome: Outcome) -> str:
    reasons = [event.body["reason"] for event in outcome.of("trial_lost")]
    return "" if any("given up" in reason for reason in reasons) else "no trial was given up"


def _question(key: str) -> Question:
    choices = (Choice(name="yes"), Choice(name="no"))
    return Question(key=key, kind="drill", text="a drill?", choices=choices, default="no", deadline_s=600.0)


def _asks(answer: Callable[[_Operator, Desk, Any], Awaitable[None]]) -> Callable[[Play], None]:
    def act(play: Play) -> None:
        operator = _Operator(play)

        async def script(desk: Desk, clock: Any) -> None:
            import asyncio

            asking = asyncio.ensure_future(desk.ask(_question("drill")))
            await answer(operator, desk, clock)
            play.said.append(f"answered {(await asking).choice} by {(await asking).by}")

        play.start(seams=operator.seams(script))
        play.finish()

    return act


async def _late(operator: _Operator, desk: Desk, clock: Any) -> None:
    await clock.sleep(700.0)
    operator.play.said.append(operator.order(desk, Kind.ANSWER, question="drill", choice="yes").text)


async def _twice(operator: _Operator, desk: Desk, clock: Any) -> None:
    await clock.sleep(60.0)
    operator.order(desk, Kind.ANSWER, question="drill", choice="yes")
    operator.play.said.append(operator.order(desk, Kind.ANSWER, question="drill", choice="no").text)


async def _never(_operator: _Operator, _desk: Desk, clock: Any) -> None:
    await clock.sleep(700.0)


def _said(*words: str) -> Callable[[Outcome], str]:
    def check(outcome: Outcome) -> str:
        missing = [word for word in words if not any(word in text for text in outcome.said)]
        return f"{missing[0]!r} was not said" if missing else ""

    return check


def _odd_file(play: Play) -> None:
    """Put something into the spool that is no order, and one order twice, while nobody reads it."""
    operator = _Operator(play)

    async def script(desk: Desk, _clock: Any) -> None:
        operator.order(desk, Kind.STOP)

    play.start(seams=operator.seams(script))
    spool = play.path / "orders"
    spool.mkdir(exist_ok=True)
    (spool / "nonsense.json").write_text("{not json")
    order = new_order(Kind.HANDLED, reason="swept the floor", now=NOON, what="hardware")
    for name in (f"{order.id}.json", f"copy-{order.id}.json"):
        (spool / name).write_bytes(order.encoded())
    play.finish()


def _read_once(outcome: Outcome) -> str:
    done = [event for event in outcome.of("order") if event.body["kind"] == "handled" and event.body["is_done"]]
    refused = [event for event in outcome.of("order") if not event.body["is_done"]]
    if len(done) != 1:
        return f"one order was carried out {len(done)} times"
    return "" if refused else "what is no order was not refused"


def _other_lab(play: Play) -> None:
    """Stop, change what was asked for, resume, put it back, and resume again."""
    operator = _Operator(play)

    async def script(desk: Desk, _clock: Any) -> None:
        operator.order(desk, Kind.STOP)

    play.start(seams=operator.seams(script))
    request = play.path / "campaign.json"
    before = request.read_text()
    request.write_text(before.replace('"seed":', '"seed": 1') if '"seed":' in before else before + " ")
    try:
        resume(play.path)
    except Exception as error:  # the supervisor of a mistake that is made on purpose
        play.said.append(f"refused: {error}")
    request.write_text(before)
    play.finish()


DRILLS = (
    Drill(
        name="stop",
        fault="operator presses stop",
        right="steps under way are finished, then it ends; resume goes on, nothing is lost",
        act=_ends(Kind.STOP),
        wrong=all_of(starts(2), none_lost),
    ),
    Drill(
        name="abort",
        fault="operator aborts",
        right="all is made safe at once (what a furnace held is lost); resume goes on, and needs nobody",
        act=_ends(Kind.ABORT),
        wrong=all_of(starts(2), no_hand),
    ),
    Drill(
        name="pause",
        fault="operator pauses for an hour",
        right="no step begins in between; then everything goes on",
        act=_pause,
        wrong=all_of(_paused_quietly, none_lost),
    ),
    Drill(
        name="skip",
        fault="operator gives a trial up",
        right="its sample is put away, its trial is lost with who and why, no other is touched",
        act=_skip,
        wrong=all_of(_one_given_up, starts(1)),
    ),
    Drill(
        name="answer-late",
        fault="operator answers after the deadline",
        right="the default holds, the late answer is refused and told which",
        act=_asks(_late),
        wrong=all_of(_said("answered no by default", "was closed at its deadline"), none_lost),
    ),
    Drill(
        name="answer-twice",
        fault="operator answers twice",
        right="the first answer holds",
        act=_asks(_twice),
        wrong=all_of(_said("answered yes by person", "a second answer changes nothing"), none_lost),
    ),
    Drill(
        name="answer-never",
        fault="operator never answers",
        right="the default holds at the deadline",
        act=_asks(_never),
        wrong=all_of(_said("answered no by default"), none_lost),
    ),
    Drill(
        name="odd-orders",
        fault="a file that is no order, and one order delivered twice",
        right="the first is refused and put aside, the second carried out once",
        act=_odd_file,
        wrong=all_of(_read_once, none_lost),
    ),
    Drill(
        name="changed-campaign",
        fault="campaign changed while it runs, then resumed",
        right="refused with what was changed; with the file put back it goes on",
        act=_other_lab,
        wrong=all_of(_said("refused: "), none_lost),
    ),
)
