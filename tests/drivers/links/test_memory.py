import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect
from drivers.errors import DriverError, NotConnected
from drivers.links.framing import Line
from drivers.links.memory import MemoryLink

TIMEOUT_S = 1.0
LATE_MAX_S = 0.5


def virtually(main):
    loop = VirtualLoop()
    return run_virtual(main(VirtualClock(loop)), loop=loop)


def ask(link, text, effect=Effect.READ):
    return link.exchange(
        text.encode() + b"\n", framing=Line(), timeout_s=TIMEOUT_S, effect=effect, late_max_s=LATE_MAX_S
    )


def test_one_link_at_a_time_holds_an_instrument(device_kind):
    device = device_kind(lambda line: [(0.0, line + b"\n")])

    async def main(clock):
        first, second = (MemoryLink(device, clock, name="sim:a/b") for _ in range(2))
        await first.open()
        with pytest.raises(NotConnected, match="in use"):
            await second.open()
        await second.close()
        assert await ask(first, "still mine") == b"still mine"
        await first.close()
        await second.open()
        assert await ask(second, "mine") == b"mine"

    virtually(main)


def test_questions_take_no_virtual_time(device_kind):
    device = device_kind(lambda line: [(0.0, line + b"\n")])

    async def main(clock):
        link = MemoryLink(device, clock, name="sim:a/b")
        await link.open()
        for _ in range(100):
            await ask(link, "x")
        assert clock.now_s() == 0.0

    virtually(main)


def test_an_exchange_is_cheap(device_kind):
    """The budget is 40 us with the driver; ten times that fails here, so that a busy machine does not."""
    device = device_kind(lambda line: [(0.0, line + b"\n")])

    async def main(clock):
        link = MemoryLink(device, clock, name="sim:a/b")
        await link.open()
        await ask(link, "x")
        began = time.perf_counter()
        for _ in range(2000):
            await ask(link, "x")
        assert (time.perf_counter() - began) / 2000 < 400e-6

    virtually(main)


FAULTS = {
    "well": lambda line: [(0.0, line + b"\n")],
    "pieces": lambda line: [(0.0, line[:1]), (0.2, line[1:]), (0.4, b"\n")],
    "slow": lambda line: [(0.9, line + b"\n")],
    "silent": lambda line: [],
    "cut": lambda line: [(0.0, line[:-1])],
    "late": lambda line: [(1.3, line + b"\n")],
    "half late": lambda line: [(0.5, line), (1.4, b"\n")],
    "twice": lambda line: [(0.0, line + b"\n" + line + b"\n")],
    "endless": lambda line: [(0.0, b"\xff" * 70_000)],
}


@given(st.lists(st.tuples(st.sampled_from(sorted(FAULTS)), st.booleans()), max_size=12))
def test_no_question_ever_gets_the_answer_to_another(device_kind, plan):
    """Whatever happens to replies within the declared lateness, an answer is one's own or there is none."""
    todo = iter([FAULTS[fault] for fault, _ in plan])
    device = device_kind(lambda line: next(todo)(line))

    async def main(clock):
        link = MemoryLink(device, clock, name="sim:a/b")
        await link.open()
        for number, (fault, is_hurried) in enumerate(plan):
            text = f"question {number}"
            try:
                assert await ask(link, text) == text.encode()
                assert fault in ("well", "pieces", "slow")
            except DriverError:
                assert fault not in ("well", "pieces", "slow")
            if not is_hurried:
                await clock.sleep(10.0)
        assert device.asked == [b"question %d" % number for number in range(len(plan))]

    virtually(main)
