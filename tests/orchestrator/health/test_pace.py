from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.health.finding import Level
from orchestrator.health.pace import EARLIER, RECENT, Timed, pace, slow_devices

some_time = st.floats(1.0, 1e4)


@dataclass
class Step:
    started_s: float
    took_s: float
    arguments: dict = field(default_factory=dict)
    device: str = "arm-1"
    command: str = "transfer"
    state: str = "done"
    attempts: int = 1
    settled_by: str = ""
    command_id: str = ""
    trial: int = 1
    result: dict = field(default_factory=dict)

    @property
    def finished_s(self):
        return self.started_s + self.took_s


def steps(times, **changes):
    return [Step(100.0 * index, took_s, **changes) for index, took_s in enumerate(times)]


@given(st.lists(some_time, max_size=EARLIER + RECENT - 1))
def test_too_few_acts_say_nothing(times):
    assert pace([Timed(took_s=took_s) for took_s in times]) is None


@given(some_time, st.integers(EARLIER + RECENT, 60))
def test_a_device_that_takes_the_same_time_is_not_slow(took_s, n):
    seen = pace([Timed(took_s=took_s)] * n)
    assert seen is not None
    assert not seen.is_slow
    assert seen.usual_s == took_s


@given(st.lists(st.floats(10.0, 11.0), min_size=EARLIER, max_size=60), st.floats(18.0, 100.0))
def test_a_device_that_takes_twice_the_time_is_slow(earlier, now_s):
    seen = pace([Timed(took_s=took_s) for took_s in [*earlier, *[now_s] * RECENT]])
    assert seen is not None
    assert seen.is_slow


@given(st.lists(st.floats(10.0, 11.0), min_size=EARLIER + RECENT, max_size=60), st.data(), st.floats(0.0, 1e6))
def test_one_act_that_hung_makes_nothing_slow(times, data, hung_s):
    times[data.draw(st.integers(0, len(times) - 1))] = hung_s
    seen = pace([Timed(took_s=took_s) for took_s in times])
    assert seen is not None
    assert not seen.is_slow


def test_short_and_long_ways_are_each_held_against_their_like():
    ways = [({"to": "near", "tag": str(i)}, 4.0) if i % 3 else ({"to": "far", "tag": str(i)}, 40.0) for i in range(60)]
    usual = [Step(100.0 * i, took_s, arguments) for i, (arguments, took_s) in enumerate(ways)]
    last = [Step(1e4 + i, 40.0, {"to": "far"}) for i in range(RECENT)]
    (found,) = slow_devices([*usual, *last])
    assert found.level is Level.OK
    late = [Step(1e4 + i, 47.0, {"to": "far"}) for i in range(RECENT)]
    (found,) = slow_devices([*usual, *late])
    assert found.level is Level.WARNING
    assert found.name == "pace of arm-1.transfer"
    assert "7 s longer" in found.text


def test_times_that_were_asked_for_do_not_count():
    asked = [float(10 * i + 60) for i in range(20)]
    acts = [Step(1e3 * i, duration_s + 3.0, {"duration_s": duration_s}) for i, duration_s in enumerate(asked)]
    (found,) = slow_devices(acts)
    assert found.level is Level.OK
    slower = [Step(1e6 + i, 200.0 + i + 150.0, {"duration_s": 200.0 + i}) for i in range(RECENT)]
    (found,) = slow_devices([*acts, *slower])
    assert "2 min 27 s longer" in found.text


@pytest.mark.parametrize(
    "odd", [{"attempts": 2}, {"settled_by": "read back"}, {"state": "failed"}], ids=["repeated", "settled", "failed"]
)
def test_what_was_cut_off_says_nothing_of_speed(odd):
    (found,) = slow_devices([*steps([4.0] * 20), *steps([400.0] * RECENT, **odd)])
    assert found.level is Level.OK
