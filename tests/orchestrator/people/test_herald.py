"""The herald: told at once, merged after, retried when down, and nothing lost over a restart."""

import asyncio
from datetime import UTC, datetime

import pytest

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from orchestrator.events import Event
from orchestrator.journal import Journal
from orchestrator.people.herald import Herald
from orchestrator.people.notices import BACK_OFF_S, MOST_WAITING, Mailbox, Notice, merged, notice_of
from orchestrator.people.questions import Choice, Question
from orchestrator.people.sending import Recorder, SendFailed
from orchestrator.people.settings import People, Topic

START = datetime(2026, 1, 1, 10, tzinfo=UTC)
ALL = [str(topic) for topic in Topic]
QUESTION = Question(
    key="fire-1", kind="approval", text="heat?", choices=(Choice(name="no"),), default="no", deadline_s=7200.0
)


def people(**channels):
    """Make settings; by channel, what it is told of and the pause between two messages."""
    return People.model_validate(
        {
            "channels": {
                name: {"url": "json://localhost", "told_of": topics, "at_most_every": f"{pause_s} s"}
                for name, (topics, pause_s) in channels.items()
            },
            "timezone": "Europe/Berlin",
        }
    )


class Wall(VirtualClock):
    """A wall clock whose hours pass at once."""

    is_virtual = False


class Mast:
    """A sender that may be down."""

    def __init__(self, clock=None, down=()):
        self.sent, self.tries, self._clock, self._down = [], [], clock, down

    async def send(self, channel, message):
        now_s = self._clock.now_s()
        self.tries.append(now_s)
        if any(begin <= now_s < end for begin, end in self._down):
            raise SendFailed("connection refused")
        self.sent.append((round(now_s), channel, message))


def live(office, work, settings, *, down=(), kind=Wall, start=START, poll_s=2.0):
    """Run ``work(journal, herald, mast)`` in a controller that dies at its end."""
    loop = VirtualLoop(office.last_s)
    clock = kind(loop, start)
    engine = office.directory.database(fsync=False, migrate=True)
    journal = Journal(engine, clock, epoch=1, boot_id="boot")
    mast = Mast(clock, down)

    async def main():
        herald = Herald(journal, clock, settings, mast, campaign="oxides", poll_s=poll_s)
        running = asyncio.ensure_future(herald.run())
        try:
            await work(journal, herald)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            office.last_s = clock.now_s()

    try:
        run_virtual(main(), loop=loop)
    finally:
        journal.connection.close()
        engine.dispose()
    return mast


def incident(journal, text="t", kind="fault"):
    journal.append("incident", {"kind": kind, "text": text}, durable=True)


def test_the_first_is_told_at_once_and_later_ones_are_merged(office):
    async def work(journal, _):
        for n in range(5):
            incident(journal, f"number {n}")
            await asyncio.sleep(10.0)
        await asyncio.sleep(1000.0)

    mast = live(office, work, people(ada=(ALL, 600)))
    (first_s, _, first), (second_s, _, second) = mast.sent
    assert first_s <= 4
    assert 600 <= second_s - first_s <= 604
    assert (first.n, second.n) == (1, 4)
    assert first.subject == "labpilot oxides: fault"
    assert second.subject == "labpilot oxides: 4 messages: 4 incident"
    assert all(f"number {n}" in second.body for n in (1, 2, 3, 4))


def test_each_channel_is_told_what_it_wants_to_hear(office):
    async def work(journal, _):
        incident(journal)
        incident(journal, "look for s3", kind="intervention")
        journal.append("question_asked", QUESTION.data(), durable=True)
        await asyncio.sleep(30.0)

    mast = live(office, work, people(ada=(["intervention"], 1), bob=(["question"], 1)))
    assert {(channel, message.topics) for _, channel, message in mast.sent} == {
        ("ada", ("intervention",)),
        ("bob", ("question",)),
    }


def test_what_is_not_on_the_disk_is_not_told(office):
    async def work(journal, _):
        journal.append("incident", {"kind": "fault", "text": "t"})
        await asyncio.sleep(60.0)

    assert live(office, work, people(ada=(ALL, 1))).sent == []


def test_a_channel_that_is_down_is_tried_ever_more_seldom_and_then_told_everything(office):
    async def work(journal, _):
        for n in range(3):
            incident(journal, f"number {n}")
            await asyncio.sleep(100.0)
        await asyncio.sleep(4000.0)

    mast = live(office, work, people(ada=(ALL, 10)), down=[(0.0, 1000.0)])
    pauses = [after - before for before, after in zip(mast.tries, mast.tries[1:], strict=False)]
    assert pauses == pytest.approx([BACK_OFF_S, 60.0, 120.0, 240.0, 480.0, 960.0][: len(pauses)], abs=4.0)
    (message,) = [message for _, _, message in mast.sent]
    assert message.n == 3
    assert len(office.events("notify_failed")) == 1


def test_a_channel_that_hangs_delays_no_other(office):
    async def work(journal, herald):
        whole = herald._sender.send

        async def send(channel, message):
            if channel == "ada":
                await asyncio.sleep(1e6)
            await whole(channel, message)

        herald._sender.send = send
        incident(journal)
        await asyncio.sleep(30.0)

    assert [channel for _, channel, _ in live(office, work, people(ada=(ALL, 1), bob=(ALL, 1))).sent] == ["bob"]


def test_what_was_not_sent_before_a_kill_is_sent_after_it_and_nothing_twice(office):
    async def before(journal, _):
        incident(journal, "told")
        await asyncio.sleep(30.0)
        incident(journal, "not told")

    async def after(journal, _):
        await asyncio.sleep(1000.0)

    first = live(office, before, people(ada=(ALL, 600)))
    second = live(office, after, people(ada=(ALL, 600)))
    assert ["told" in message.body for _, _, message in first.sent] == [True]
    ((at_s, _, message),) = second.sent
    assert "not told" in message.body and message.n == 1
    assert at_s >= 600  # the pause goes on over the restart


def test_the_daily_word_comes_at_its_local_time_each_day(office):
    async def work(journal, _):
        journal.append("campaign_created", {"name": "n", "mode": "wall", "seed": 1, "planner": "p"}, durable=True)
        await asyncio.sleep(3 * 86_400.0)

    start = datetime(2026, 3, 28, 10, tzinfo=UTC)  # the clocks change in the night after
    mast = live(office, work, people(ada=(["all_is_well"], 600)), start=start, poll_s=30.0)
    assert [at_s // 60 for at_s, _, _ in mast.sent] == [20 * 60, 44 * 60, 68 * 60]
    assert all(message.subject == "labpilot oxides: all is well" for _, _, message in mast.sent)


def test_the_daily_word_says_when_all_is_not_well(office):
    async def work(journal, _):
        journal.append("campaign_created", {"name": "n", "mode": "wall", "seed": 1, "planner": "p"}, durable=True)
        incident(journal, "look", kind="intervention")
        await asyncio.sleep(86_400.0)
        journal.append("question_asked", QUESTION.data(), durable=True)
        await asyncio.sleep(86_400.0)

    mast = live(office, work, people(ada=(["all_is_well"], 1)), poll_s=60.0)
    first, second = [message for _, _, message in mast.sent]
    assert "somebody was needed" in first.subject
    assert "1 that needed a hand" in first.body
    assert "1 questions wait for an answer" in second.subject
    assert "fire-1" in second.body
    assert "0 that needed a hand" in second.body


def test_a_restart_neither_repeats_nor_forgets_the_daily_word(office):
    async def begin(journal, _):
        journal.append("campaign_created", {"name": "n", "mode": "wall", "seed": 1, "planner": "p"}, durable=True)
        await asyncio.sleep(22 * 3600.0)

    async def go_on(journal, _):
        await asyncio.sleep(3600.0)

    settings = people(ada=(["all_is_well"], 1))
    assert len(live(office, begin, settings, poll_s=60.0).sent) == 1
    assert len(live(office, go_on, settings, poll_s=60.0).sent) == 0
    office.last_s += 40 * 3600.0  # nobody ran at the next two
    assert len(live(office, go_on, settings, poll_s=60.0).sent) == 1


def test_a_clock_that_was_years_ahead_silences_nothing(office):
    async def work(journal, herald):
        journal.append("campaign_created", {"name": "n", "mode": "wall", "seed": 1, "planner": "p"}, durable=True)
        await asyncio.sleep(10.0)
        herald._last_word = datetime(2036, 1, 1, tzinfo=UTC)
        await asyncio.sleep(86_400.0)

    assert len(live(office, work, people(ada=(["all_is_well"], 1)), poll_s=60.0).sent) == 1


def test_the_end_is_told_before_the_process_ends(office):
    async def work(journal, herald):
        incident(journal)
        await asyncio.sleep(5.0)
        journal.append("incident", {"kind": "fault", "text": "last"}, durable=True)
        await herald.drain()

    mast = live(office, work, people(ada=(ALL, 3600)))
    assert ["last" in message.body for _, _, message in mast.sent] == [False, True]


def test_in_virtual_time_messages_are_recorded_with_the_times_that_they_would_have(office):
    async def work(journal, herald):
        journal.append("campaign_created", {"name": "n", "mode": "virtual", "seed": 1, "planner": "p"}, durable=True)
        for n in range(3):
            incident(journal, f"number {n}")
            await asyncio.sleep(100.0)
        await asyncio.sleep(2 * 86_400.0)
        herald.record()
        herald.record()
        journal.flush()

    mast = live(office, work, people(ada=(ALL, 600)), kind=VirtualClock)
    assert mast.sent == []
    told = [
        (event.body["sent_s"], event.body["n"], event.body["is_recorded_only"]) for event in office.events("notified")
    ]
    assert told == [
        (0.0, 1, True),
        (600.0, 2, True),
        (pytest.approx(21 * 3600.0), 1, True),
        (pytest.approx(45 * 3600.0), 1, True),
    ]


def test_a_recorder_keeps_what_would_be_sent():
    recorder = Recorder()
    message = merged("c", [notice()])
    asyncio.run(recorder.send("ada", message))
    assert recorder.messages == [("ada", message)]


def notice(n=1, **changes):
    values = {
        "topic": Topic.INCIDENT,
        "subject": "fault",
        "text": f"t{n}",
        "seq": n,
        "at_s": 0.0,
        "utc": "2026-01-01T00:00:00",
    }
    return Notice(**{**values, **changes})


def test_a_line_break_in_a_text_makes_no_header():
    message = merged("c\r\nBcc: x@y", [notice(subject="a\nSubject: b")])
    assert "\n" not in message.subject and "\r" not in message.subject


def test_a_mailbox_that_is_full_counts_what_it_drops():
    box = Mailbox(at_most_every_s=1.0)
    for n in range(MOST_WAITING + 7):
        box.put(notice(n))
    message = box.message("c")
    assert message.n == MOST_WAITING + 7
    assert "7 older messages could not be sent" in message.body
    assert "and 950 more" in message.body


def test_what_comes_while_a_message_is_on_its_way_waits_for_the_next():
    box = Mailbox(at_most_every_s=10.0)
    box.put(notice(1))
    message = box.message("c")
    box.put(notice(2))
    box.sent(message, 5.0)
    assert [item.seq for item in box.waiting] == [2]
    assert box.due_s() == 15.0


@pytest.mark.parametrize(
    ("kind", "body", "topic"),
    [
        ("question_asked", QUESTION.data(), "question"),
        ("question_escalated", QUESTION.data(), "escalation"),
        ("question_closed", {"key": "k", "by": "default", "choice": "no", "reason": "r"}, "question"),
        ("question_closed", {"key": "k", "by": "person", "choice": "no", "reason": "r"}, None),
        ("incident", {"kind": "intervention", "text": "t"}, "intervention"),
        ("incident", {"kind": "fault", "text": "t", "device": "arm"}, "incident"),
        ("campaign_ended", {"status": "finished", "reason": "r"}, "finished"),
        ("campaign_ended", {"status": "faulted", "reason": "r"}, "faulted"),
        ("measured", {}, None),
    ],
)
def test_what_is_told_of_an_event(kind, body, topic):
    found = notice_of(Event(seq=1, kind=kind, at_s=0.0, utc="", body=body, trial=4))
    assert (found.topic if found else None) == topic
    assert found is None or "(trial 4)" in found.subject
