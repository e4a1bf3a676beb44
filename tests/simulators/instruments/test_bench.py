import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.instruments.bench import MAX_TAG_CHARACTERS, BenchInstrument, Outcome
from simulators.world import WorldFile


@dataclass
class Hands:
    """A clock that the test turns."""

    time_s: float = 0.0

    def now_s(self) -> float:
        return self.time_s


@dataclass
class Oven:
    """A bench model that doubles `x`, and counts how often it was asked to."""

    capacity: int = 2
    analysis_s: float = 0.0
    identity: dict[str, str] = field(
        default_factory=lambda: {"maker": "test", "model": "oven", "serial": "7", "firmware": "1"}
    )
    provenance: dict[str, Any] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)

    def refusal(self, parameters):
        return None if set(parameters) == {"x"} else "this oven needs x and nothing else"

    def run(self, parameters, *, tag, started_s):
        self.runs.append(tag)
        state = parameters["x"] if isinstance(parameters["x"], str) else "done"
        values = {"y": 2.0 * parameters["x"]} if state == "done" else {}
        reason = "" if state == "done" else f"it was {state}"
        return Outcome(state=state, duration_s=100.0, analysis_s=self.analysis_s, values=values, reason=reason)


class Wire:
    """The other end of the instrument's wire."""

    def __init__(self, model, state, clock):
        self.instrument = BenchInstrument(model, name="robot", state=state, clock=clock)
        self.received = b""
        self.instrument.send = self._take

    def _take(self, data):
        self.received += data

    def send(self, data: bytes) -> list[dict[str, Any]]:
        self.received = b""
        self.instrument.receive(data)
        assert self.received == b"" or self.received.endswith(b"\n")
        return [json.loads(line) for line in self.received.splitlines()]

    def ask(self, **request) -> dict[str, Any]:
        (answer,) = self.send(json.dumps(request).encode() + b"\n")
        return answer

    def start(self, tag, x: Any = 1.0):
        return self.ask(do="start", tag=tag, parameters={"x": x})

    def result(self, tag):
        return self.ask(do="result", tag=tag)


@pytest.fixture
def state(tmp_path) -> Iterator[WorldFile]:
    file = WorldFile(tmp_path / "world.sqlite")
    yield file
    file.close()


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def oven() -> Oven:
    return Oven()


@pytest.fixture
def wire(oven, state, clock) -> Wire:
    return Wire(oven, state, clock)


def test_it_says_who_it_is_and_where_its_answers_come_from(wire, oven):
    assert wire.ask(do="identify") == oven.identity
    oven.provenance = {"table": "t.csv"}
    assert wire.ask(do="identify") == {**oven.identity, "provenance": {"table": "t.csv"}}


def test_a_run_takes_its_time_and_then_has_its_values(wire, clock):
    clock.time_s = 50.0
    assert wire.start("a", 3.0) == {"ok": True, "ready_s": 100.0}
    clock.time_s = 149.0
    assert wire.result("a") == {"state": "running", "values": {}, "reason": "", "remaining_s": 1.0}
    clock.time_s = 150.0
    assert wire.result("a") == {"state": "done", "values": {"y": 6.0}, "reason": "", "remaining_s": 0.0}


@pytest.mark.parametrize("state_name", ["failed", "lost"])
def test_a_run_without_values_says_why_but_only_at_its_end(wire, clock, state_name):
    wire.start("a", state_name)
    assert wire.result("a")["state"] == "running"
    clock.time_s = 100.0
    assert wire.result("a") == {"state": state_name, "values": {}, "reason": f"it was {state_name}", "remaining_s": 0.0}


def test_what_was_never_started_is_absent(wire):
    assert wire.result("nobody") == {"state": "absent", "values": {}, "reason": "", "remaining_s": 0.0}


def test_rounding_of_the_clock_does_not_leave_a_run_unfinished(wire, clock):
    clock.time_s = 0.1
    wire.start("a")
    clock.time_s = 0.1 + 100.0 - 1e-9
    assert wire.result("a")["state"] == "done"


def test_starting_a_known_tag_changes_nothing_and_gets_the_same_answer(wire, oven, clock):
    first = wire.start("a", 3.0)
    clock.time_s = 60.0
    assert wire.start("a", 3.0) == first
    assert oven.runs == ["a"]
    assert wire.result("a")["remaining_s"] == 40.0
    clock.time_s = 1000.0
    assert wire.start("a", 3.0) == first, "also when it is over"


def test_a_known_tag_with_other_parameters_is_refused(wire, oven):
    wire.start("a", 3.0)
    answer = wire.start("a", 4.0)
    assert answer["ok"] is False
    assert "other parameters" in answer["error"]
    assert oven.runs == ["a"]


def test_a_full_bench_is_busy_until_a_place_is_free(wire, clock):
    wire.start("a")
    clock.time_s = 30.0
    wire.start("b")
    answer = wire.start("c")
    assert answer == {"ok": False, "error": "busy: all 2 places are taken; the next is free in 70 s"}
    assert wire.result("c")["state"] == "absent"
    clock.time_s = 100.0
    assert wire.start("c")["ok"] is True


def test_a_known_tag_is_answered_on_a_full_bench_too(wire):
    first = wire.start("a")
    wire.start("b")
    assert wire.start("a") == first


def test_runs_queue_for_the_one_analyser(state, clock):
    wire = Wire(Oven(capacity=3, analysis_s=10.0), state, clock)
    assert [wire.start(tag)["ready_s"] for tag in "abc"] == [110.0, 120.0, 130.0]
    clock.time_s = 1000.0
    assert wire.start("d")["ready_s"] == 110.0, "the queue is empty by now"


def test_runs_outlive_the_instrument(tmp_path, oven, clock):
    file = WorldFile(tmp_path / "w.sqlite")
    wire = Wire(oven, file, clock)
    first = wire.start("a", 3.0)
    wire.start("b", 4.0)
    file.close()
    clock.time_s = 40.0
    file = WorldFile(tmp_path / "w.sqlite")
    again = Wire(oven, file, clock)
    assert again.start("a", 3.0) == first
    assert oven.runs == ["a", "b"]
    assert again.start("c")["error"].startswith("busy")
    assert again.result("a")["remaining_s"] == 60.0
    clock.time_s = 100.0
    assert again.result("b")["values"] == {"y": 8.0}
    file.close()


def test_a_run_is_in_the_file_before_the_answer_goes_out(oven, state, clock):
    instrument = BenchInstrument(oven, name="robot", state=state, clock=clock)
    seen = []

    def look(_data):
        file = WorldFile(state.path, read_only=True)
        seen.extend(file.keys("robot/run/"))
        file.close()

    instrument.send = look
    instrument.receive(b'{"do":"start","tag":"a","parameters":{"x":1}}\n')
    assert seen == ["robot/run/a"]


def test_an_answer_that_nobody_hears_is_lost_but_the_run_is_not(oven, state, clock):
    instrument = BenchInstrument(oven, name="robot", state=state, clock=clock)
    instrument.receive(b'{"do":"start","tag":"a","parameters":{"x":1}}\n')
    assert Wire(oven, state, clock).result("a")["state"] == "running"


BAD = {
    "no JSON": b"start a\n",
    "half an object": b'{"do":"identify"\n',
    "a list": b"[1, 2]\n",
    "not UTF-8": b'{"do":"\xff"}\n',
    "nested beyond reason": b"[" * 60_000 + b"\n",
    "no do": b"{}\n",
    "do of another type": b'{"do":["start"]}\n',
    "unknown do": b'{"do":"explode"}\n',
    "start without tag": b'{"do":"start","parameters":{"x":1}}\n',
    "start without parameters": b'{"do":"start","tag":"a"}\n',
    "result without tag": b'{"do":"result"}\n',
    "empty tag": b'{"do":"result","tag":""}\n',
    "tag of another type": b'{"do":"result","tag":5}\n',
    "tag with control characters": b'{"do":"result","tag":"a\\u0000b"}\n',
    "tag with half a character": b'{"do":"result","tag":"\\ud800"}\n',
    "endless tag": b'{"do":"result","tag":"%b"}\n' % (b"x" * (MAX_TAG_CHARACTERS + 1)),
    "parameters as a list": b'{"do":"start","tag":"a","parameters":[1]}\n',
    "unknown parameter": b'{"do":"start","tag":"a","parameters":{"x":1,"z":1}}\n',
    "missing parameter": b'{"do":"start","tag":"a","parameters":{}}\n',
    "NaN": b'{"do":"start","tag":"a","parameters":{"x":NaN}}\n',
    "infinity": b'{"do":"start","tag":"a","parameters":{"x":-Infinity}}\n',
    "overflow": b'{"do":"start","tag":"a","parameters":{"x":1e999}}\n',
    "huge integer": b'{"do":"start","tag":"a","parameters":{"x":%b}}\n' % (b"9" * 400),
    "integer beyond what Python reads": b'{"do":"start","tag":"a","parameters":{"x":%b}}\n' % (b"9" * 6000),
    "true": b'{"do":"start","tag":"a","parameters":{"x":true}}\n',
    "null": b'{"do":"start","tag":"a","parameters":{"x":null}}\n',
    "nested value": b'{"do":"start","tag":"a","parameters":{"x":{"y":1}}}\n',
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD.keys())
def test_what_cannot_be_done_is_refused_in_a_sentence(wire, oven, state, line):
    (answer,) = wire.send(line)
    assert set(answer) == {"ok", "error"}
    assert answer["ok"] is False
    assert len(answer["error"]) > 10
    assert oven.runs == []
    assert list(state.keys()) == []


def test_empty_lines_get_no_reply(wire):
    assert wire.send(b"\n\r\n  \n") == []


def test_it_goes_on_after_nonsense(wire):
    answers = wire.send(b'nonsense\n{"do":"identify"}\r\n')
    assert [answer.get("model") for answer in answers] == [None, "oven"]


def test_an_endless_line_is_dropped(wire):
    assert [answer["ok"] for answer in wire.send(b"x" * 70_000)] == [False]
    assert wire.ask(do="identify")["model"] == "oven"


REQUESTS = st.lists(
    st.sampled_from(
        [
            b'{"do":"identify"}\n',
            b'{"do":"start","tag":"a","parameters":{"x":1.5}}\n',
            b'{"do":"start","tag":"b","parameters":{"x":2}}\n',
            b'{"do":"start","tag":"c","parameters":{"x":3}}\n',
            b'{"do":"result","tag":"a"}\n',
            b"oops\n",
        ]
    ),
    max_size=12,
)


@given(requests=REQUESTS, cuts=st.lists(st.integers(0, 600), max_size=12))
def test_pieces_of_any_size_get_the_same_answers(requests, cuts):
    stream = b"".join(requests)
    whole = Wire(Oven(), WorldFile(":memory:"), Hands())
    pieces = Wire(Oven(), WorldFile(":memory:"), Hands())
    expected = whole.send(stream)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    found = [answer for a, b in zip(places, places[1:], strict=False) for answer in pieces.send(stream[a:b])]
    assert found == expected
    assert len(found) == len(requests)
    whole.instrument._state.close()
    pieces.instrument._state.close()


@given(
    steps=st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0.0, 60.0)), max_size=30),
    capacity=st.integers(1, 3),
)
def test_never_more_runs_than_places_and_none_twice(steps, capacity):
    clock, oven, state = Hands(), Oven(capacity=capacity), WorldFile(":memory:")
    wire = Wire(oven, state, clock)
    for tag, wait_s in steps:
        clock.time_s += wait_s
        known = wire.result(tag)["state"] != "absent"
        running = sum(wire.result(other)["state"] == "running" for other in "abcdef")
        accepted = wire.start(tag)["ok"]
        assert accepted == (known or running < capacity)
    assert len(oven.runs) == len(set(oven.runs))
    state.close()
