"""Wires with one fault, between a pipe and an instrument that answers at once."""

import asyncio
from types import SimpleNamespace

import pytest

from drivers.clock import VirtualLoop, run_virtual
from orchestrator.drill.wires import BadWire, WireFault


class Echo:
    """Answers a request with itself, in capitals."""

    wire = "serial"

    def __init__(self):
        self.send = self.hang_up = None
        self.heard, self.restarts = [], 0

    def receive(self, data):
        if not data:
            return
        self.heard.append(data)
        if self.send is not None:
            self.send(data.upper())

    def restart(self):
        self.restarts += 1


def talked(fault, *, at=2, words=(b"a\n", b"b\n", b"c\n"), pause_s=10.0):
    echo, answers, hung_up, struck = Echo(), [], [], []

    async def main():
        wire = BadWire(echo, fault, at=at, struck=lambda: struck.append(asyncio.get_running_loop().time()))
        wire.send, wire.hang_up = answers.append, lambda: hung_up.append(True)
        link = SimpleNamespace(n_acts_sent=0)
        wire.linked(link)
        for word in words:
            wire.receive(b"")  # a look changes nothing, and is not counted
            link.n_acts_sent += 1
            wire.receive(word)
            await asyncio.sleep(pause_s)

    run_virtual(main(), loop=VirtualLoop())
    assert struck == [10.0 * (at - 1)]
    return echo, answers, len(hung_up)


@pytest.mark.parametrize(
    ("fault", "heard", "answers", "hung_up"),
    [
        (WireFault(), [b"a\n", b"b\n", b"c\n"], [b"A\n", b"B\n", b"C\n"], 0),
        (WireFault(loses_request=True), [b"a\n", b"c\n"], [b"A\n", b"C\n"], 0),
        (WireFault(loses_reply=True), [b"a\n", b"b\n", b"c\n"], [b"A\n", b"C\n"], 0),
        (WireFault(damages_reply=True), [b"a\n", b"b\n", b"c\n"], [b"A\n", b"W\n", b"C\n"], 0),
        (WireFault(repeats_request=True), [b"a\n", b"b\n", b"b\n", b"c\n"], [b"A\n", b"B\n", b"B\n", b"C\n"], 0),
        (WireFault(repeats_reply=True), [b"a\n", b"b\n", b"c\n"], [b"A\n", b"B\n", b"B\n", b"C\n"], 0),
        (WireFault(late_s=15.0), [b"a\n", b"b\n", b"c\n"], [b"A\n", b"C\n", b"B\n"], 0),
        (WireFault(hangs_up=True, loses_reply=True), [b"a\n", b"b\n", b"c\n"], [b"A\n", b"C\n"], 1),
        (WireFault(is_deaf_s=15.0), [b"a\n"], [b"A\n"], 0),
        (WireFault(is_deaf_s=5.0, hangs_up=True), [b"a\n", b"c\n"], [b"A\n", b"C\n"], 1),
    ],
)
def test_one_exchange_goes_wrong_and_the_others_do_not(fault, heard, answers, hung_up):
    echo, heard_back, n_hung_up = talked(fault)
    assert echo.heard == heard
    assert heard_back == answers
    assert n_hung_up == hung_up


def test_a_restart_is_the_instruments_own(tmp_path):
    echo, answers, hung_up = talked(WireFault(restarts=True, hangs_up=True))
    assert echo.restarts == 1 and echo.heard == [b"a\n", b"c\n"] and answers == [b"A\n", b"C\n"] and hung_up == 1


def test_what_the_wire_does_not_know_is_the_instruments():
    assert BadWire(Echo(), WireFault(), at=1, struck=lambda: None).wire == "serial"
