"""What every link promises, tried in memory, on pyserial over a real pseudo-terminal, and on a real socket."""

import asyncio

import pytest

from drivers.command import Effect
from drivers.errors import Ambiguous, NotConnected, Unreadable
from drivers.links.framing import Block, Line
from drivers.links.tap import Direction

PATIENT_S = 5.0
SHORT_S = 0.1
"""For replies that do not come; only these wait for long on a pseudo-terminal."""
LATE_MAX_S = 0.2
VERY_LATE_S = 0.6
"""For replies that come late, on a machine that may be late itself."""

LOST = pytest.mark.parametrize(
    ("effect", "error"),
    [
        (Effect.READ, Unreadable),
        (Effect.IDEMPOTENT, Ambiguous),
        (Effect.VERIFIABLE, Ambiguous),
        (Effect.OPERATOR, Ambiguous),
    ],
    ids=str,
)


def ask(link, text, *, effect=Effect.READ, framing=None, timeout_s=PATIENT_S, late_max_s=LATE_MAX_S, urgent=False):
    return link.exchange(
        text.encode() + b"\n",
        framing=framing or Line(),
        timeout_s=timeout_s,
        effect=effect,
        late_max_s=late_max_s,
        urgent=urgent,
    )


def echo(line):
    return [(0.0, b"<" + line + b">\n")]


def once(first, then=echo):
    """Answer the first question in one way and the rest in another."""
    answers = iter([first])
    return lambda line: next(answers, then)(line)


async def reached(device, clock, n):
    """Wait until so many questions have reached the device."""
    while len(device.asked) < n:
        await clock.sleep(0.005)


def test_a_reply_in_pieces_is_one_reply(using, device_kind):
    device = device_kind(lambda line: [(0.01 * n, bytes([byte])) for n, byte in enumerate(b"21.50\n")])

    async def use(link, clock):
        assert await ask(link, "T?") == b"21.50"
        assert await ask(link, "T?") == b"21.50"

    using(device, use)


def test_a_long_binary_reply_comes_whole(using, device_kind):
    pixels = bytes(range(256)) * 200
    device = device_kind(lambda line: [(0.0, Block().wrap(pixels))])

    async def use(link, clock):
        assert await ask(link, "READ?", framing=Block()) == pixels

    using(device, use)


@LOST
def test_no_reply_means_what_the_effect_says(using, device_kind, effect, error):
    device = device_kind(once(lambda line: []))

    async def use(link, clock):
        with pytest.raises(error, match="no reply within 0.1 s"):
            await ask(link, "a", effect=effect, timeout_s=SHORT_S)
        assert await ask(link, "b") == b"<b>"
        assert device.asked == [b"a", b"b"]

    using(device, use)


@LOST
def test_a_cut_reply_is_never_a_value(using, device_kind, effect, error):
    device = device_kind(once(lambda line: [(0.0, b"123")]))

    async def use(link, clock):
        with pytest.raises(error, match="half a reply") as caught:
            await ask(link, "T?", effect=effect, timeout_s=SHORT_S)
        assert "'123'" in caught.value.wire
        assert await ask(link, "b") == b"<b>"

    using(device, use)


@LOST
def test_garbage_is_never_a_value(using, device_kind, effect, error):
    device = device_kind(once(lambda line: [(0.0, b"\x00\xffgarbage\n")]))

    async def use(link, clock):
        with pytest.raises(error, match="starts with '#'"):
            await ask(link, "READ?", framing=Block(), effect=effect)
        assert await ask(link, "b") == b"<b>"

    using(device, use)


def test_a_late_reply_is_not_the_answer_to_the_next_question(using, device_kind):
    device = device_kind(once(lambda line: [(SHORT_S + 0.2, b"<late>\n")]))

    async def use(link, clock):
        with pytest.raises(Unreadable):
            await ask(link, "a", timeout_s=SHORT_S, late_max_s=VERY_LATE_S)
        assert await ask(link, "b") == b"<b>"
        assert await ask(link, "c") == b"<c>"
        assert [one.data for one in link.tap if one.direction is Direction.DISCARDED] == [b"<late>\n"]

    using(device, use)


def test_two_replies_to_one_question_are_none(using, device_kind):
    device = device_kind(once(lambda line: [(0.0, b"<a>\n<a>\n")]))

    async def use(link, clock):
        with pytest.raises(Unreadable, match="4 bytes more than one reply"):
            await ask(link, "a")
        assert await ask(link, "b") == b"<b>"

    using(device, use)


def test_what_comes_unasked_is_thrown_away(using, device_kind):
    device = device_kind(echo)

    async def use(link, clock):
        assert await ask(link, "a") == b"<a>"
        device.after(0.0, b"<hello>\n")
        await clock.sleep(0.05)
        assert await ask(link, "b") == b"<b>"

    using(device, use)


def test_a_reply_that_the_driver_cannot_read_is_distrusted(using, device_kind):
    device = device_kind(once(lambda line: [(0.0, b"oz 3.2\n"), (0.1, b"g 1.0\n")]))

    async def use(link, clock):
        assert await ask(link, "a") == b"oz 3.2"
        error = link.distrust("weight in oz", effect=Effect.VERIFIABLE)
        assert isinstance(error, Ambiguous) and "weight in oz" in str(error)
        assert await ask(link, "b") == b"<b>"

    using(device, use)


def test_a_cancelled_exchange_ends_by_itself_and_leaves_the_bus_in_step(using, device_kind):
    device = device_kind(once(lambda line: [(0.1, b"<a>\n")]))

    async def use(link, clock):
        task = asyncio.ensure_future(ask(link, "a"))
        await reached(device, clock, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        began_s = clock.now_s()
        assert await ask(link, "b") == b"<b>"
        assert clock.now_s() - began_s < 2.0  # it waited for the reply, not for the deadline
        assert device.asked == [b"a", b"b"]

    using(device, use)


def test_a_cancelled_exchange_without_reply_does_not_poison_the_next(using, device_kind):
    device = device_kind(once(lambda line: [(SHORT_S + 0.2, b"<late>\n")]))

    async def use(link, clock):
        task = asyncio.ensure_future(ask(link, "a", timeout_s=SHORT_S, late_max_s=VERY_LATE_S))
        await reached(device, clock, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await ask(link, "b") == b"<b>"

    using(device, use)


def test_what_is_cancelled_while_it_waits_for_its_turn_is_never_sent(using, device_kind):
    device = device_kind(once(lambda line: [(0.1, b"<a>\n")]))

    async def use(link, clock):
        first = asyncio.ensure_future(ask(link, "a"))
        await reached(device, clock, 1)
        second = asyncio.ensure_future(ask(link, "never", effect=Effect.OPERATOR))
        await clock.sleep(0.02)
        second.cancel()
        assert await first == b"<a>"
        with pytest.raises(asyncio.CancelledError):
            await second
        assert await ask(link, "b") == b"<b>"
        assert device.asked == [b"a", b"b"]

    using(device, use)


def test_many_tasks_get_their_own_answers(using, device_kind):
    device = device_kind(lambda line: [(0.001 * (len(line) % 3), b"<" + line + b">\n")])

    async def use(link, clock):
        async def worker(name):
            for step in range(5):
                text = f"{name}{'x' * step}"
                assert await ask(link, text) == f"<{text}>".encode()

        async with asyncio.TaskGroup() as group:
            for name in "abcdef":
                group.create_task(worker(name))

    using(device, use)


def test_a_stop_does_not_wait_for_a_distrusted_link(using, device_kind):
    device = device_kind(once(lambda line: []))

    async def use(link, clock):
        with pytest.raises(Unreadable):
            await ask(link, "a", timeout_s=SHORT_S, late_max_s=VERY_LATE_S)
        began_s = clock.now_s()
        task = asyncio.ensure_future(ask(link, "STOP", effect=Effect.IDEMPOTENT, urgent=True))
        await reached(device, clock, 2)
        assert device.asked == [b"a", b"STOP"]
        assert clock.now_s() - began_s < VERY_LATE_S / 2  # long before the link is in step again
        assert await task == b"<STOP>"
        assert clock.now_s() - began_s >= VERY_LATE_S - 0.001
        assert device.asked == [b"a", b"STOP", b"STOP"]
        assert await ask(link, "b") == b"<b>"

    using(device, use)


def test_closing_ends_an_exchange_in_flight(using, device_kind):
    device = device_kind(lambda line: [])

    async def use(link, clock):
        task = asyncio.ensure_future(ask(link, "a", effect=Effect.OPERATOR, timeout_s=60.0))
        await clock.sleep(0.05)
        await link.close()
        with pytest.raises(Ambiguous, match="the link was closed"):
            await task
        with pytest.raises(NotConnected, match="call connect"):
            await ask(link, "b")
        assert device.asked == [b"a"]

    using(device, use)


def test_closing_while_the_link_gets_in_step_sends_nothing(using, device_kind):
    device = device_kind(once(lambda line: []))

    async def use(link, clock):
        with pytest.raises(Unreadable):
            await ask(link, "a", timeout_s=SHORT_S, late_max_s=VERY_LATE_S)
        task = asyncio.ensure_future(ask(link, "b"))
        await clock.sleep(0.05)
        await link.close()
        with pytest.raises(NotConnected):
            await task
        assert device.asked == [b"a"]

    using(device, use)


def test_a_link_can_be_closed_twice_and_opened_again(using, device_kind):
    device = device_kind(echo)

    async def use(link, clock):
        assert await ask(link, "a") == b"<a>"
        await link.open()
        await link.close()
        await link.close()
        assert not link.is_open
        await link.open()
        assert link.is_open
        assert await ask(link, "b") == b"<b>"

    using(device, use)


def test_the_tap_sees_every_byte_both_ways(using, device_kind):
    async def use(link, clock):
        await ask(link, "a")
        passed = [(one.direction, one.data) for one in link.tap]
        assert passed == [(Direction.SENT, b"a\n"), (Direction.RECEIVED, b"<a>\n")]
        link.tap = None
        assert await ask(link, "b") == b"<b>"

    using(device_kind(echo), use)


def test_a_stop_goes_before_all_that_wait(using, device_kind):
    device = device_kind(once(lambda line: [(0.1, b"<a>\n")]))

    async def use(link, clock):
        first = asyncio.ensure_future(ask(link, "a"))
        await reached(device, clock, 1)
        waiting = [asyncio.ensure_future(ask(link, text)) for text in "bcd"]
        await clock.sleep(0.02)
        assert await ask(link, "STOP", effect=Effect.IDEMPOTENT, urgent=True) == b"<STOP>"
        assert await first == b"<a>"
        assert await asyncio.gather(*waiting) == [b"<b>", b"<c>", b"<d>"]
        assert device.asked == [b"a", b"STOP", b"b", b"c", b"d"]

    using(device, use)


def test_a_stop_does_not_wait_for_another_that_waits_for_a_distrusted_link(using, device_kind):
    device = device_kind(once(lambda line: []))

    async def use(link, clock):
        with pytest.raises(Unreadable):
            await ask(link, "a", timeout_s=SHORT_S, late_max_s=VERY_LATE_S)
        began_s = clock.now_s()
        other = asyncio.ensure_future(ask(link, "b"))
        await clock.sleep(0.02)
        stop = asyncio.ensure_future(ask(link, "STOP", effect=Effect.IDEMPOTENT, urgent=True))
        await reached(device, clock, 2)
        assert clock.now_s() - began_s < VERY_LATE_S / 2
        assert await other == b"<b>"
        assert await stop == b"<STOP>"
        assert clock.now_s() - began_s >= VERY_LATE_S - 0.001
        assert device.asked == [b"a", b"STOP", b"b", b"STOP"]

    using(device, use)


def test_what_a_stop_is_answered_while_the_link_waits_is_nobodys_answer(using, device_kind):
    first_stop = iter([[(0.3, b"<stopped>\n")]])
    answers = {b"a": list, b"STOP": lambda: next(first_stop, echo(b"STOP"))}
    device = device_kind(lambda line: answers.get(line, lambda: echo(line))())

    async def use(link, clock):
        with pytest.raises(Unreadable):
            await ask(link, "a", timeout_s=SHORT_S, late_max_s=0.2)
        other = asyncio.ensure_future(ask(link, "b"))
        await clock.sleep(0.02)
        stop = asyncio.ensure_future(ask(link, "STOP", effect=Effect.IDEMPOTENT, urgent=True, late_max_s=VERY_LATE_S))
        assert await other == b"<b>"  # although the stop's first answer came after the link should have been quiet
        assert await stop == b"<STOP>"

    using(device, use)


def test_distrust_is_not_lost_when_the_next_question_has_left_already(using, device_kind):
    device = device_kind(lambda line: [(0.05, b"<" + line + b">\n")])

    async def use(link, clock):
        first = asyncio.ensure_future(ask(link, "a"))
        await reached(device, clock, 1)
        second = asyncio.ensure_future(ask(link, "b", effect=Effect.OPERATOR))
        await first
        await reached(device, clock, 2)
        link.distrust("that was the answer to another question", effect=Effect.READ)
        with pytest.raises(Ambiguous, match="may not be either"):
            await second
        assert await ask(link, "c") == b"<c>"

    using(device, use)


def test_two_tasks_may_open_a_link(using, device_kind):
    device = device_kind(echo)

    async def use(link, clock):
        await link.close()
        await asyncio.gather(link.open(), link.open(), link.open())
        assert await ask(link, "a") == b"<a>"

    using(device, use)


def test_a_link_that_is_closed_while_it_opens_stays_closed(using, device_kind):
    device = device_kind(echo)

    async def use(link, clock):
        await link.close()
        opening = asyncio.ensure_future(link.open())
        await asyncio.sleep(0)
        await link.close()
        await asyncio.wait([opening])
        assert not link.is_open
        assert opening.exception() is None or isinstance(opening.exception(), NotConnected)
        await link.open()  # and its lease was given back
        assert await ask(link, "a") == b"<a>"

    using(device, use)


def test_a_link_whose_opening_was_cancelled_can_be_opened(using, device_kind):
    device = device_kind(echo)

    async def use(link, clock):
        await link.close()
        opening = asyncio.ensure_future(link.open())
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        await link.open()
        assert await ask(link, "a") == b"<a>"

    using(device, use)


def test_opening_anew_does_not_forget_what_is_on_its_way(using, device_kind):
    device = device_kind(once(lambda line: [(SHORT_S + 0.2, b"<late>\n")]))

    async def use(link, clock):
        with pytest.raises(Unreadable):
            await ask(link, "a", timeout_s=SHORT_S, late_max_s=VERY_LATE_S)
        await link.close()
        await link.open()
        assert await ask(link, "b") == b"<b>"
        assert await ask(link, "c") == b"<c>"

    using(device, use)


def test_opening_anew_after_success_waits_for_nothing(using, device_kind):
    device = device_kind(echo)

    async def use(link, clock):
        assert await ask(link, "a", timeout_s=60.0) == b"<a>"
        await link.close()
        await link.open()
        began_s = clock.now_s()
        assert await ask(link, "b", timeout_s=60.0) == b"<b>"
        assert clock.now_s() - began_s < 5.0

    using(device, use)


def test_an_exchange_in_flight_does_not_live_on_in_the_next_connection(using, device_kind):
    device = device_kind(once(lambda line: []))

    async def use(link, clock):
        task = asyncio.ensure_future(ask(link, "a", effect=Effect.OPERATOR, timeout_s=60.0, late_max_s=0.0))
        await reached(device, clock, 1)
        await link.close()
        await link.open()
        with pytest.raises(Ambiguous, match="the link was closed"):
            await task
        assert await ask(link, "b") == b"<b>"

    using(device, use)


def test_what_is_closed_before_it_has_left_never_leaves(using, device_kind):
    device = device_kind(echo)

    async def use(link, clock):
        task = asyncio.ensure_future(ask(link, "a", effect=Effect.OPERATOR))
        await asyncio.sleep(0)
        await link.close()
        with pytest.raises(NotConnected):
            await task
        await clock.sleep(0.05)
        assert device.asked == []

    using(device, use)


def test_what_nobody_asked_for_is_not_kept(using, device_kind):
    device = device_kind(echo)

    async def use(link, clock):
        assert await ask(link, "a") == b"<a>"
        device.after(0.0, b"<hello>\n")
        await clock.sleep(0.1)
        assert await ask(link, "b") == b"<b>"
        passed = [(one.direction, one.data) for one in link.tap]
        assert passed.count((Direction.DISCARDED, b"<hello>\n")) == 1
        assert (Direction.RECEIVED, b"<hello>\n") not in passed

    using(device, use)
