"""The simulated furnace on its own: its physics in numbers, and that nobody's looking changes it."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.constants import ExcCodes

from simulators.instruments.furnace import Furnace
from simulators.instruments.furnace_heat import (
    COMPLETE,
    DWELL,
    END,
    POWER_W,
    RAMP_RATE,
    RESET,
    ROOM_C,
    RUN,
    Heat,
    Leg,
    Settings,
    advance,
    as_row,
    begin,
    remaining_s,
)
from simulators.instruments.modbus import ModbusError
from simulators.world import WorldFile


def running(*legs, start_c=ROOM_C, **settings_):
    heat = Heat(heater_c=start_c, load_c=start_c, working_c=start_c, status=RUN)
    told = Settings(setpoint_c=20.0, rate_k_s=None, legs=(*legs, Leg(kind=END)), **settings_)
    begin(heat, told, 0)
    return heat, told


def ramp(target_c, rate_k_min):
    return Leg(kind=RAMP_RATE, target_c=target_c, rate_k_s=rate_k_min / 60.0)


def history(heat, told, until, every=10):
    temperatures = []
    for step in range(0, until + 1, every):
        advance(heat, told, step)
        temperatures.append(heat.load_c)
    return np.array(temperatures)


def test_full_power_warms_by_some_20_k_a_minute_and_less_when_hot():
    told = Settings(setpoint_c=1200.0, rate_k_s=None)
    heat = Heat()
    temperatures = history(heat, told, 9000, 60)
    rates = np.diff(temperatures)
    assert 19.0 < rates.max() < 23.0
    at_1100 = rates[np.searchsorted(temperatures, 1100.0)]
    assert 7.0 < at_1100 < 11.0
    assert temperatures[-1] == pytest.approx(1200.0, abs=0.5)
    loss_w = POWER_W * heat.output
    assert 1500.0 < loss_w < 2000.0


def test_it_cools_by_radiation_when_hot_and_slower_when_cold():
    told = Settings(setpoint_c=20.0, rate_k_s=None)
    temperatures = history(Heat(heater_c=1200.0, load_c=1200.0), told, 30_000, 60)
    rates = -np.diff(temperatures)
    assert 12.0 < rates[10] < 18.0
    near_300 = rates[np.searchsorted(-temperatures, -300.0)]
    assert 1.0 < near_300 < 3.0


@pytest.mark.parametrize(
    ("target_c", "rate", "low", "high"), [(300.0, 5.0, 2.0, 5.0), (800.0, 10.0, 3.0, 6.0), (1100.0, 5.0, 0.5, 3.0)]
)
def test_a_ramp_overshoots_by_a_few_kelvin_and_settles(target_c, rate, low, high):
    heat, told = running(ramp(target_c, rate), Leg(kind=DWELL, hold_s=7200.0))
    ramp_s = (target_c - ROOM_C) * 60.0 / rate
    temperatures = history(heat, told, int(ramp_s) + 7000)
    assert low < temperatures.max() - target_c < high
    assert temperatures[-1] == pytest.approx(target_c, abs=0.1)
    half = temperatures[int(ramp_s / 2 / 10)]
    assert half == pytest.approx(ROOM_C + (target_c - ROOM_C) / 2, abs=3.0)


def test_a_program_takes_its_time_and_then_holds():
    heat, told = running(ramp(100.0, 5.2), Leg(kind=DWELL, hold_s=600.0), ramp(50.0, 2.5))
    assert remaining_s(heat, told) == pytest.approx(900.0 + 600.0 + 1200.0, abs=1.0)
    advance(heat, told, 1400)
    assert remaining_s(heat, told) == pytest.approx(1300.0, abs=2.0)
    advance(heat, told, 2702)
    assert heat.status == COMPLETE and remaining_s(heat, told) == 0.0
    advance(heat, told, 20_000)
    assert heat.status == COMPLETE and heat.load_c == pytest.approx(50.0, abs=0.1)


@given(looks=st.lists(st.integers(0, 6000), max_size=12))
@settings(max_examples=40, deadline=None)
def test_how_often_anybody_looks_changes_nothing(looks):
    def outcome(at):
        heat, told = running(ramp(150.0, 6.0), Leg(kind=DWELL, hold_s=900.0), ramp(60.0, 4.0), burns_at=5000)
        for step in [*sorted(at), 6000]:
            advance(heat, told, step)
        return as_row(heat)

    assert outcome(looks) == outcome([])


def test_a_year_without_anybody_looking_costs_nothing():
    began_s = time.process_time()
    for setpoint_c in (20.0, 600.0):
        heat = Heat()
        advance(heat, Settings(setpoint_c=setpoint_c, rate_k_s=0.1), 365 * 86_400)
        assert heat.step == 365 * 86_400 and heat.status == RESET
        assert heat.load_c == pytest.approx(max(setpoint_c, ROOM_C), abs=0.01)
    assert time.process_time() - began_s < 2.0


def test_a_thermocouple_that_drifts_misleads_the_controller():
    heat = Heat(heater_c=700.0, load_c=700.0, working_c=700.0)
    advance(heat, Settings(setpoint_c=700.0, rate_k_s=None, drift_k_step=2.0 / 86_400.0), 86_400)
    assert heat.load_c == pytest.approx(698.0, abs=0.2)


def test_a_burnt_out_element_heats_no_more_in_a_long_jump_either():
    heat = Heat(heater_c=600.0, load_c=600.0, working_c=600.0)
    advance(heat, Settings(setpoint_c=600.0, rate_k_s=None, burns_at=200_000), 400_000)
    assert heat.load_c == pytest.approx(ROOM_C, abs=1.0) and heat.output == 1.0


class Hand:
    """A clock that is set by hand."""

    def __init__(self):
        self.at_s = 1e9

    def now_s(self):
        return self.at_s


def build(state=None, clock=None, seed=5, **options):
    clock = clock or Hand()
    state = state or WorldFile(":memory:")
    return Furnace(state=state, clock=clock, seed=seed, options=options).controller, clock, state


def counts(controller, register=1):
    word = controller.read_register(register)
    return word - 65_536 if word & 0x8000 else word


def test_readings_scatter_by_a_tenth_of_a_kelvin_and_the_seed_says_how():
    def readings(seed):
        controller, clock, _ = build(seed=seed, start_c=22.0)
        taken = []
        for _ in range(400):
            clock.at_s += 1.0
            taken.append(counts(controller) / 10)
        return np.array(taken)

    values = readings(1)
    assert 0.07 < values.std() < 0.14 and abs(values.mean() - 22.0) < 0.03
    assert np.array_equal(values, readings(1)) and not np.array_equal(values, readings(2))


def test_degrees_below_zero_and_in_fahrenheit():
    controller, _, _ = build(start_c=-12.3, noise_k=0.0)
    assert counts(controller) == -123
    controller.change_unit()
    assert counts(controller) == round((-12.3 * 1.8 + 32.0) * 10)
    controller.write_register(24, 2120)
    controller.change_unit()
    assert counts(controller, 24) == 2120 and controller.read_register(516) == 1


@pytest.mark.parametrize(
    ("register", "value", "code"),
    [
        (1, 5, ExcCodes.ILLEGAL_ADDRESS),
        (4000, 5, ExcCodes.ILLEGAL_ADDRESS),
        (24, 12_001, ExcCodes.ILLEGAL_VALUE),
        (24, 0xFFFF, ExcCodes.ILLEGAL_VALUE),
        (23, 8, ExcCodes.ILLEGAL_VALUE),
        (525, 0, ExcCodes.ILLEGAL_VALUE),
        (3, 500, ExcCodes.ILLEGAL_VALUE),
    ],
    ids=["read only", "no such", "too hot", "below the low limit", "holdback", "configuration", "not in manual"],
)
def test_what_it_refuses(register, value, code):
    controller, _, state = build()
    with pytest.raises(ModbusError) as caught:
        controller.write_register(register, value)
    assert caught.value.code == code and not list(state.keys("act/"))


def test_a_program_cannot_be_changed_while_it_runs():
    controller, clock, _ = build()
    controller.write_register(8336, RAMP_RATE)
    controller.write_register(8337, 1000)
    with pytest.raises(ModbusError):
        controller.write_register(23, 2)  # a ramp without a rate
    controller.write_register(8338, 50)
    controller.write_register(23, 2)
    clock.at_s += 10.0
    with pytest.raises(ModbusError):
        controller.write_register(8337, 2000)
    controller.write_register(23, 4)
    before = controller.read_register(5)
    clock.at_s += 100.0
    assert controller.read_register(5) == before
    controller.write_register(23, 2)
    clock.at_s += 60.0
    assert controller.read_register(5) == pytest.approx(before + 50, abs=1)


def test_a_world_that_is_restored_goes_on_as_if_nothing_had_been(tmp_path):
    def outcome(restores):
        path = tmp_path / f"world-{len(restores)}"
        controller, clock, state = build(WorldFile(path), noise_k=0.0)
        controller.write_register(24, 4000)
        for at_s in [*restores, 5000.0]:
            clock.at_s = 1e9 + at_s
            temperature = counts(controller)
            if at_s in restores:
                state.close()
                controller, _, state = build(WorldFile(path), clock, noise_k=0.0)
                assert counts(controller) == temperature
        state.close()
        return temperature

    assert outcome([]) == outcome([17.0, 900.0, 901.0, 3000.0]) == pytest.approx(4000, abs=60)


def test_manual_output_is_a_persons():
    controller, clock, _ = build()
    controller.write_register(273, 1)
    controller.write_register(3, 300)
    clock.at_s += 600.0
    assert controller.read_register(3) == 300 and controller.read_register(75) & 0x10
    assert controller.true_c > 60.0
