import json

import pytest

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.errors import Ambiguous, Rejected, Unreadable
from drivers.instruments.bench import BenchDriver
from drivers.links.memory import MemoryLink

WHO = {"maker": "labpilot", "model": "B-1", "serial": "1", "firmware": "1"}


class Robot:
    """A bench that needs an hour for everything, written here as the module's docstring has the protocol."""

    def __init__(self, clock):
        self.clock = clock
        self.runs = {}
        self.looks = 0
        self.ends_early_s = None

    def answer(self, line):
        asked = json.loads(line)
        return [(0.0, json.dumps(getattr(self, asked["do"])(asked)).encode() + b"\n")]

    def identify(self, asked):
        return WHO

    def start(self, asked):
        if asked["parameters"].get("x") == "bad":
            return {"ok": False, "error": "x must be a number"}
        self.runs.setdefault(asked["tag"], (self.clock.now_s() + 3600.0, asked["parameters"]))
        return {"ok": True, "ready_s": self.runs[asked["tag"]][0] - self.clock.now_s()}

    def result(self, asked):
        self.looks += 1
        if asked["tag"] not in self.runs:
            return {"state": "absent", "values": {}, "reason": "", "remaining_s": 0.0}
        ends_s, parameters = self.runs[asked["tag"]]
        if self.ends_early_s is not None and self.clock.now_s() >= self.ends_early_s:
            return {"state": "lost", "values": {}, "reason": "gripper missed", "remaining_s": 0.0}
        left = ends_s - self.clock.now_s()
        if left > 1e-6:
            return {"state": "running", "values": {}, "reason": "", "remaining_s": left}
        return {"state": "done", "values": {"yield": 2.0 * parameters["x"]}, "reason": "", "remaining_s": 0.0}


def on_robot(use, device_kind, *, start_s=0.0):
    loop = VirtualLoop(start_s)
    clock = VirtualClock(loop)
    robot = Robot(clock)
    device = device_kind(robot.answer)
    bench = BenchDriver(MemoryLink(device, clock, name="sim:test/robot"), clock, name="robot")

    async def main():
        await bench.connect()
        await use(bench, robot, clock)

    run_virtual(main(), loop=loop)


def test_it_says_who_it_is(device_kind):
    async def use(bench, robot, clock):
        assert (await bench.identify()).model == "B-1"

    on_robot(use, device_kind)


def test_a_run_is_started_waited_for_and_collected(device_kind):
    async def use(bench, robot, clock):
        await bench.start(parameters={"x": 3.0}, tag="t1")
        assert (await bench.result(tag="t1")).state == "running"
        result = await bench.collect(tag="t1")
        assert clock.now_s() == pytest.approx(3600.0)
        assert (result.tag, result.state, dict(result.values)) == ("t1", "done", {"yield": 6.0})
        assert robot.looks <= 18  # every ten minutes and at the end, twice each

    on_robot(use, device_kind)


def test_a_run_that_ends_before_its_time_is_noticed(device_kind):
    async def use(bench, robot, clock):
        robot.ends_early_s = 700.0
        await bench.start(parameters={"x": 3.0}, tag="t1")
        result = await bench.collect(tag="t1")
        assert (result.state, result.reason) == ("lost", "gripper missed")
        assert clock.now_s() == 1200.0

    on_robot(use, device_kind)


def test_the_read_back_knows_what_was_started(device_kind):
    async def use(bench, robot, clock):
        assert not await bench.has_started(parameters={"x": 3.0}, tag="t1")
        await bench.start(parameters={"x": 3.0}, tag="t1")
        assert await bench.has_started(parameters={"x": 3.0}, tag="t1")
        assert (await bench.collect(tag="never")).state == "absent"

    on_robot(use, device_kind)


def test_a_refusal_is_the_benchs_own_words(device_kind):
    async def use(bench, robot, clock):
        with pytest.raises(Rejected, match="x must be a number"):
            await bench.start(parameters={"x": "bad"}, tag="t1")

    on_robot(use, device_kind)


@pytest.mark.parametrize("parameters", [{"x": float("nan")}, {"x": float("inf")}, {"x": object()}])
def test_what_json_cannot_carry_is_not_sent(device_kind, parameters):
    async def use(bench, robot, clock):
        with pytest.raises(Rejected, match="nothing was sent"):
            await bench.start(parameters=parameters, tag="t1")
        assert robot.runs == {}

    on_robot(use, device_kind)


def answering(reply, device_kind, use):
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    device = device_kind(lambda line: [(0.0, reply + b"\n")])
    bench = BenchDriver(MemoryLink(device, clock, name="sim:test/robot"), clock)

    async def main():
        await bench._link.open()
        await use(bench)

    run_virtual(main(), loop=loop)


DONE = {"state": "done", "values": {"y": 1.0}, "reason": "", "remaining_s": 0.0}


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        (json.dumps({**DONE, "values": {"y": float("nan")}}).encode(), "NaN is no number"),
        (json.dumps({**DONE, "values": {"y": float("inf")}}).encode(), "Infinity is no number"),
        (b'{"state": "done", "values": {"y": 1e999}}', "y of run 't1' is no finite number"),
        (b'{"state": "done", "values": {"y": 1' + b"0" * 400 + b"}}", "is no finite number"),
        (json.dumps({**DONE, "values": {"y": "high"}}).encode(), "is no finite number"),
        (json.dumps({**DONE, "values": {"y": True}}).encode(), "is no finite number"),
        (json.dumps({**DONE, "state": "dne"}).encode(), "is no result"),
        (json.dumps({**DONE, "values": [1]}).encode(), "is no result"),
        (json.dumps({**DONE, "remaining_s": "soon"}).encode(), "is no result"),
        (json.dumps({**DONE, "tag": "t2"}).encode(), "about run 't2'"),
        (b'{"ok": false, "error": "not a line of JSON"}', "cannot tell about run 't1': not a line of JSON"),
        (b"[1, 2]", "is no answer"),
        (b"{", "is no JSON"),
        (b"\xff", "is no text"),
        (b"[" * 50_000, "is no JSON"),
    ],
)
def test_results_that_are_none(device_kind, reply, match):
    async def use(bench):
        with pytest.raises(Unreadable, match=match):
            await bench.result(tag="t1")

    answering(reply, device_kind, use)


def test_a_start_without_a_clear_answer_is_ambiguous(device_kind):
    async def use(bench):
        with pytest.raises(Ambiguous, match="is no answer to start"):
            await bench.start(parameters={}, tag="t1")

    answering(b'{"okay": 1}', device_kind, use)


def test_an_identity_that_is_none(device_kind):
    async def use(bench):
        with pytest.raises(Unreadable, match="is no identity"):
            await bench.identify()

    answering(b'{"maker": "labpilot"}', device_kind, use)
