"""Blocking code in step with the event loop, in both kinds of time."""

import asyncio
import threading

import pytest

from drivers.adapters.blocking import THREAD, Abandoned, BlockingCall, Overdue
from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.errors import Unreadable
from drivers.links.framing import Line

LINE = Line()


def in_virtual_time(main):
    loop = VirtualLoop()
    return run_virtual(main(VirtualClock(loop)), loop=loop)


def in_wall_time(main):
    return asyncio.run(main(RealClock()))


both = pytest.mark.parametrize("run", [in_virtual_time, in_wall_time], ids=["virtual", "wall"])


def asking(*questions):
    def work(call):
        replies = []
        for question in questions:
            call.pending += question
            replies.append(call.ask(LINE))
        return replies

    return work


@both
def test_questions_are_served_one_after_the_other(run):
    async def main(clock):
        served = []

        async def serve(question):
            served.append(question.data)
            await clock.sleep(0.01)
            return question.data.upper()

        call = BlockingCall(asking(b"a", b"b"), clock, deadline_s=clock.now_s() + 5.0)
        ended = await call.carry_out(serve)
        return served, ended.value, ended.error

    assert run(main) == ([b"a", b"b"], [b"A", b"B"], None)
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD]


@both
def test_what_the_code_raises_is_returned(run):
    async def main(clock):
        call = BlockingCall(lambda _: 1 / 0, clock, deadline_s=clock.now_s() + 5.0)
        return (await call.carry_out(None)).error

    assert isinstance(run(main), ZeroDivisionError)


@both
def test_after_a_failure_nothing_more_is_asked(run):
    async def main(clock):
        served = []

        def work(call):
            for question in (b"a", b"b"):
                try:
                    call.pending = question
                    call.ask(LINE)
                except Unreadable:
                    pass
            return "all is well"

        async def serve(question):
            served.append(question.data)
            raise Unreadable("noise")

        call = BlockingCall(work, clock, deadline_s=clock.now_s() + 5.0)
        ended = await call.carry_out(serve)
        return served, ended.value, str(call.failure)

    assert run(main) == ([b"a"], "all is well", "noise")


@both
def test_code_that_nobody_waits_for_ends_though_it_catches_all_it_can(run):
    async def main(clock):
        ends = []

        def work(call):
            for _ in range(3):
                try:
                    call.pending = b"a"
                    call.ask(LINE)
                except Exception:  # the habit under test
                    ends.append("caught")
                except Abandoned:
                    ends.append("abandoned")
                    raise

        async def serve(_):
            await clock.sleep(100.0)

        call = BlockingCall(work, clock, deadline_s=clock.now_s() + 500.0)
        task = asyncio.ensure_future(call.carry_out(serve))
        await clock.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for thread in threading.enumerate():
            if thread.name == THREAD:
                thread.join(5.0)
        return ends

    assert run(main) == ["abandoned"]


@both
def test_a_loop_of_questions_ends_at_the_deadline(run):
    async def main(clock):
        def work(call):
            while True:
                call.pending = b"a"
                call.ask(LINE)

        async def serve(_):
            await clock.sleep(0.03)
            return b"not yet"

        began_s = clock.now_s()
        call = BlockingCall(work, clock, deadline_s=began_s + 0.1)
        with pytest.raises(Overdue):
            await call.carry_out(serve)
        return clock.now_s() - began_s

    assert 0.09 <= run(main) < 0.5
