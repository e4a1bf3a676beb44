"""The simulated motor record, field by field as its public document says."""

import pytest

from simulators.instruments.epics_motor import BACKLASH_MM, PLAY_MM, EpicsMotor
from simulators.world import WorldFile


class Time:
    def __init__(self):
        self.s = 0.0

    def now_s(self):
        return self.s


class Rig:
    def __init__(self, path=":memory:", **options):
        self.time, self.path, self.options = Time(), path, options
        self.open()

    def open(self):
        self.state = WorldFile(self.path)
        self.world = EpicsMotor(state=self.state, clock=self.time, seed=1, options=self.options)
        self.motor = self.world.instruments["motor"]

    def put(self, channel, value, after_s=0.0):
        done = []
        self.motor.put(channel, value, lambda: done.append(1))
        assert done == [1]
        self.time.s += after_s

    def get(self, channel):
        return self.motor.value(channel).value

    def acts(self):
        return [self.state.get(key)["what"] for key in self.state.keys("act/")]


def test_a_move_goes_through_the_backlash_point_and_settles():
    rig = Rig()
    rig.put("VAL", 10.0)
    assert (rig.get("DMOV"), rig.get("MOVN"), rig.get("VAL")) == (0, 1, 10.0)
    rig.time.s = 0.6
    assert rig.get("RBV") == pytest.approx(5.0, abs=0.001)
    first_s = 9.9 / 10.0 + 0.2
    second_s = BACKLASH_MM / 2.0 + 2.0 / 50.0
    rig.time.s = first_s + second_s + 0.05
    assert (rig.get("RBV"), rig.get("MOVN"), rig.get("DMOV")) == (10.0, 0, 0)
    rig.time.s += 0.06
    assert rig.get("DMOV") == 1
    assert rig.acts() == ["move"]


def test_from_above_it_goes_below_the_target_and_comes_back():
    rig = Rig()
    rig.put("VAL", 10.0, after_s=5.0)
    rig.put("VAL", 5.0)
    lowest = min(rig.get("RBV") for rig.time.s in [5.0 + 0.002 * i for i in range(700)])
    assert lowest == pytest.approx(5.0 - BACKLASH_MM, abs=0.002)
    rig.time.s = 20.0
    assert rig.get("RBV") == 5.0
    assert rig.motor.true_position_mm() == 5.0


def test_the_carriage_lags_when_the_screw_went_down_last():
    rig = Rig()
    rig.put("VAL", 10.0, after_s=5.0)
    rig.put("VAL", 0.0, after_s=0.5)
    rig.put("STOP", 1, after_s=1.0)
    assert rig.motor.true_position_mm() - rig.motor.position_mm() == pytest.approx(PLAY_MM)


def test_stop_brakes_and_val_becomes_rbv():
    rig = Rig()
    rig.put("VAL", 50.0, after_s=2.0)
    before = rig.get("RBV")
    rig.put("STOP", 1)
    assert rig.get("STOP") == 0
    rig.time.s += 1.0
    assert rig.get("RBV") == pytest.approx(before + 1.0, abs=0.002)
    assert (rig.get("VAL"), rig.get("DMOV")) == (rig.get("RBV"), 1)


@pytest.mark.parametrize("target", [75.01, -25.01, -25.0 + 0.5 * BACKLASH_MM])
def test_outside_the_soft_limits_lvio_is_set_and_val_forgotten(target):
    rig = Rig()
    rig.put("VAL", target, after_s=1.0)
    assert (rig.get("LVIO"), rig.get("VAL"), rig.get("RBV"), rig.get("DMOV")) == (1, 0.0, 0.0, 1)
    rig.put("VAL", 1.0)
    assert rig.get("LVIO") == 0


def test_homing_drives_to_the_switch_and_sets_the_homed_bits():
    rig = Rig()
    rig.put("VAL", 20.0, after_s=5.0)
    assert not rig.get("MSTA") & (1 << 14)
    rig.put("HOMF", 1)
    assert (rig.get("HOMF"), rig.get("DMOV")) == (1, 0)
    rig.time.s += 20.0 / 5.0 + 0.1 + 0.11
    assert (rig.get("HOMF"), rig.get("DMOV"), rig.get("VAL")) == (0, 1, 0.0)
    assert rig.get("MSTA") & (1 << 14) and rig.get("MSTA") & (1 << 7)


def test_pause_holds_a_move_and_go_takes_it_up():
    rig = Rig()
    rig.put("VAL", 50.0, after_s=2.0)
    rig.put("SPMG", 1, after_s=5.0)
    assert (rig.get("DMOV"), rig.get("VAL")) == (1, 50.0)
    assert 19.0 < rig.get("RBV") < 22.0
    rig.put("SPMG", 3, after_s=10.0)
    assert rig.get("RBV") == 50.0


def test_stop_mode_forgets_the_move_and_holds_back_the_next():
    rig = Rig()
    rig.put("VAL", 50.0, after_s=2.0)
    rig.put("SPMG", 0, after_s=5.0)
    assert rig.get("VAL") == rig.get("RBV")
    rig.put("VAL", 5.0, after_s=5.0)
    assert 19.0 < rig.get("RBV") < 22.0


def test_a_new_target_on_the_way_brakes_first():
    rig = Rig()
    rig.put("VAL", 50.0, after_s=2.0)
    rig.put("VAL", 0.0)
    furthest = max(rig.get("RBV") for rig.time.s in [2.0 + 0.01 * i for i in range(400)])
    assert furthest == pytest.approx(19.0 + 1.0, abs=0.05)
    rig.time.s = 30.0
    assert rig.get("RBV") == 0.0


def test_the_plus_switch_stops_it_and_it_can_be_driven_off():
    rig = Rig(plus_switch_at_mm=30.0)
    rig.put("VAL", 50.0, after_s=20.0)
    assert (rig.get("RBV"), rig.get("DMOV"), rig.get("HLS"), rig.get("VAL")) == (30.0, 1, 1, 50.0)
    assert rig.get("MSTA") & (1 << 2)
    rig.put("VAL", 10.0, after_s=20.0)
    assert (rig.get("RBV"), rig.get("HLS")) == (10.0, 0)


def test_an_obstacle_stalls_it():
    rig = Rig(obstacle_at_mm=12.0)
    rig.put("VAL", 50.0, after_s=20.0)
    assert rig.get("RBV") == 12.0
    assert rig.get("MSTA") & (1 << 6) and rig.get("MSTA") & (1 << 9)


def test_without_its_controller_the_readings_are_invalid():
    rig = Rig(controller_off_at_s=5.0)
    assert rig.motor.value("RBV").severity == 0
    rig.time.s = 5.0
    assert rig.motor.value("RBV").severity == 3
    assert rig.get("MSTA") & (1 << 12)


def test_a_restart_of_the_ioc_forgets_the_record_and_not_the_motion():
    rig = Rig()
    rig.put("VELO", 20.0)
    rig.put("VAL", 50.0, after_s=1.0)
    rig.motor.restart()
    assert (rig.get("VELO"), rig.get("DMOV")) == (10.0, 0)
    rig.time.s = 20.0
    assert (rig.get("RBV"), rig.get("VAL")) == (50.0, 50.0)


def test_a_killed_process_goes_on_in_the_middle_of_a_move(tmp_path):
    rig = Rig(tmp_path / "world.db")
    rig.put("VAL", 50.0, after_s=2.0)
    before = rig.get("RBV")
    rig.world.close()
    rig.open()
    assert rig.get("RBV") == before
    rig.time.s = 20.0
    assert rig.get("RBV") == 50.0
    rig.world.close()


def test_in_micrometres_every_length_is_a_thousand_times_as_much():
    rig = Rig()
    rig.motor.change_unit()
    rig.put("VAL", 5000.0, after_s=5.0)
    assert (rig.get("EGU"), rig.get("RBV"), rig.get("HLM")) == ("um", 5000.0, 75000.0)
    assert rig.motor.position_mm() == 5.0


def test_what_only_reads_forgets_what_is_written():
    rig = Rig()
    rig.put("RBV", 7.0)
    assert rig.get("RBV") == 0.0
    with pytest.raises(KeyError):
        rig.put("NOPE", 1)
