"""The simulated gripper on its own: where the fingers are, what they feel, and what survives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.constants import ExcCodes

from simulators.instruments.gripper import CAUGHT, DROPPED, MOVING, OPEN, REACHED, Fingers, Gripper
from simulators.instruments.modbus import ModbusError
from simulators.world import WorldFile


class Hand:
    """A clock that is set by hand."""

    def __init__(self):
        self.at_s = 100.0

    def now_s(self):
        return self.at_s


def build(state=None, clock=None, seed=5, **options):
    clock = clock or Hand()
    state = state or WorldFile(":memory:")
    return Gripper(state=state, clock=clock, seed=seed, options=options).device, clock, state


def ready(**options):
    device, clock, state = build(**options)
    device.write_register(0x0100, 1)
    clock.at_s += 2.0
    return device, clock, state


def test_the_whole_way_takes_half_a_second_and_the_speed_counts():
    device, clock, _ = ready(object_mm=0.0)
    device.write_register(0x0103, 0)
    clock.at_s += 0.25
    assert (device.read_register(0x0202), device.read_register(0x0201)) == (500, MOVING)
    clock.at_s += 0.25
    assert (device.read_register(0x0202), device.read_register(0x0201)) == (0, REACHED)
    device.write_register(0x0104, 50)
    device.write_register(0x0103, OPEN)
    clock.at_s += 0.5
    assert (device.read_register(0x0202), device.read_register(0x0201)) == (500, MOVING)


def test_it_stops_at_what_lies_between_and_not_when_it_opens():
    device, clock, _ = ready(object_mm=13.0)
    device.write_register(0x0103, 0)
    clock.at_s += 1.0
    assert (device.read_register(0x0202), device.read_register(0x0201)) == (500, CAUGHT)
    device.write_register(0x0103, OPEN)
    clock.at_s += 1.0
    assert (device.read_register(0x0202), device.read_register(0x0201)) == (OPEN, REACHED)
    device.write_register(0x0103, 600)
    clock.at_s += 1.0
    assert (device.read_register(0x0202), device.read_register(0x0201)) == (600, REACHED)


def test_fingers_that_are_closed_already_catch_nothing():
    device, clock, _ = ready(object_mm=0.0)
    device.write_register(0x0103, 0)
    clock.at_s += 1.0
    device.place_object(13.0)
    device.write_register(0x0103, 100)
    device.write_register(0x0103, 0)
    clock.at_s += 1.0
    assert device.read_register(0x0201) == REACHED


def test_what_falls_is_felt_as_fallen_and_stays_away():
    device, clock, _ = ready(object_mm=13.0, slips=1.0, slips_after_s=2.0)
    device.write_register(0x0103, 0)
    clock.at_s += 2.0  # closed after 0.25 s, falls 2 s later
    assert device.read_register(0x0201) == CAUGHT and device.object_mm == 13.0
    clock.at_s += 0.3
    assert device.read_register(0x0201) == MOVING and device.object_mm == 0.0
    clock.at_s += 0.5
    assert (device.read_register(0x0201), device.read_register(0x0202)) == (DROPPED, 0)
    device.write_register(0x0103, OPEN)
    clock.at_s += 1.0
    device.write_register(0x0103, 0)
    clock.at_s += 1.0
    assert device.read_register(0x0201) == REACHED


def test_chance_is_the_seeds():
    def outcomes(seed):
        device, clock, _ = build(seed=seed, misses=0.5)
        device.write_register(0x0100, 1)
        felt = []
        for _ in range(40):
            clock.at_s += 2.0
            device.write_register(0x0103, 0)
            clock.at_s += 2.0
            felt.append(device.read_register(0x0201))
            device.write_register(0x0103, OPEN)
        return felt

    assert outcomes(1) == outcomes(1) != outcomes(2)
    assert 10 < outcomes(1).count(CAUGHT) < 30


def test_it_moves_only_once_it_is_initialised():
    device, clock, state = build()
    assert device.read_register(0x0200) == 0
    device.write_register(0x0103, 0)
    assert device.read_register(0x0103) == 500 and not list(state.keys("act/"))
    device.write_register(0x0100, 0xA5)
    clock.at_s += 1.0
    assert device.read_register(0x0200) == 2
    clock.at_s += 0.5
    assert (device.read_register(0x0200), device.read_register(0x0202)) == (1, OPEN)
    device.restart()
    assert (device.read_register(0x0200), device.read_register(0x0202)) == (0, OPEN)


@pytest.mark.parametrize(
    ("address", "value", "code"),
    [
        (0x0100, 2, ExcCodes.ILLEGAL_VALUE),
        (0x0101, 19, ExcCodes.ILLEGAL_VALUE),
        (0x0101, 101, ExcCodes.ILLEGAL_VALUE),
        (0x0103, 1001, ExcCodes.ILLEGAL_VALUE),
        (0x0104, 0, ExcCodes.ILLEGAL_VALUE),
        (0x0201, 1, ExcCodes.ILLEGAL_ADDRESS),
        (0x0999, 1, ExcCodes.ILLEGAL_ADDRESS),
    ],
)
def test_what_it_refuses(address, value, code):
    device, _, state = ready()
    before = state.get("gripper")
    with pytest.raises(ModbusError) as caught:
        device.write_register(address, value)
    assert caught.value.code == code and state.get("gripper") == before


def test_a_world_that_is_restored_in_the_middle_goes_on(tmp_path):
    state = WorldFile(tmp_path / "world")
    device, clock, _ = build(state)
    device.write_register(0x0100, 1)
    clock.at_s += 2.0
    device.write_register(0x0103, 0)
    clock.at_s += 0.1
    before = device.read_register(0x0202)
    state.close()
    again, _, _ = build(WorldFile(tmp_path / "world"), clock)
    assert again.read_register(0x0202) == before == 800
    clock.at_s += 1.0
    assert again.read_register(0x0201) == CAUGHT and again.is_holding


@given(
    start=st.floats(0.0, 1000.0),
    reference=st.integers(0, 1000),
    times=st.lists(st.floats(0.0, 2.0), min_size=2, max_size=6),
)
def test_fingers_never_leave_their_way_and_never_turn_back(start, reference, times):
    fingers = Fingers(start=start, reference=reference, began_s=0.0)
    places = [fingers.at(time_s) for time_s in sorted(times)]
    assert all(min(start, reference) <= place <= max(start, reference) for place in places)
    assert places == sorted(places, reverse=reference < start)
    assert fingers.at(fingers.end_s(0.0) + 1e-6) == pytest.approx(reference, abs=0.01)
