import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.links.framing import Packet, SealedLine
from simulators.instruments.base import PAUSE_S, FramedInstrument


class Echo(FramedInstrument):
    def __init__(self, framing, desk, settle=None):
        super().__init__(framing, state=desk.state, clock=desk, settle=settle)

    def answer(self, request):
        return None if request == b"hush" else b"<" + request + b">"

    def answer_damaged(self):
        return b"?"


class Desk:
    state = None
    time_s = 0.0

    def now_s(self):
        return self.time_s


@given(
    requests=st.lists(st.binary(max_size=12).filter(lambda data: b"\n" not in data and b"\r" not in data), max_size=5),
    cuts=st.lists(st.integers(0, 1000), max_size=10),
)
def test_requests_are_answered_however_their_bytes_arrive(requests, cuts):
    stream = b"".join(SealedLine().wrap(request) for request in requests)
    at = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    heard = []
    echo = Echo(SealedLine(), Desk())
    echo.send = heard.append
    for begin, end in zip(at, at[1:], strict=False):
        echo.receive(stream[begin:end])
    assert heard == [b"<" + request + b">" for request in requests if request != b"hush"]


def test_nobody_listens(desk):
    Echo(SealedLine(), desk).receive(SealedLine().wrap(b"hello"))


def test_a_damaged_request_is_answered_as_one_and_forgotten(desk):
    echo = Echo(SealedLine(), desk)
    assert desk.ask(echo, b"hello*00\r\n") == b"?"
    assert desk.ask(echo, SealedLine().wrap(b"hello")) == b"<hello>"


def test_a_request_that_breaks_off_does_not_swallow_the_next(desk):
    echo = Echo(Packet(), desk)
    whole = Packet().wrap(b"hello")
    assert desk.ask(echo, whole[:4] + b"\xff\x00") == b""
    desk.time_s += PAUSE_S + 0.01
    assert desk.ask(echo, whole) == b"<hello>"


def test_a_short_pause_within_a_request_is_none(desk):
    echo = Echo(Packet(), desk)
    whole = Packet().wrap(b"hello")
    assert desk.ask(echo, whole[:6]) == b""
    desk.time_s += PAUSE_S - 0.01
    assert desk.ask(echo, whole[6:]) == b"<hello>"


def test_the_world_settles_before_each_answer(desk):
    order = []
    echo = Echo(SealedLine(), desk, settle=lambda: order.append("settle"))
    echo.send = order.append
    echo.receive(SealedLine().wrap(b"a") + SealedLine().wrap(b"b"))
    assert order == ["settle", b"<a>", "settle", b"<b>"]


@pytest.mark.parametrize(("end_s", "left_s"), [(1.0, 1.0), (0.0, 0.0), (-1.0, 0.0), (5e-7, 0.0), (2e-6, 2e-6)])
def test_what_ends_within_a_microsecond_is_over(desk, end_s, left_s):
    assert Echo(SealedLine(), desk)._remaining_s(end_s) == left_s
