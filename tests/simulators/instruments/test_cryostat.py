"""The simulated cryostat: its physics, its controller, and what its IOC makes of what is written."""

import math

import pytest

from simulators.instruments.cryostat import BASE_K, CAPACITY_J_K, CONDUCTANCE_W_K, HIGH_K, Cryostat
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
        self.world = Cryostat(state=self.state, clock=self.time, seed=1, options=self.options)
        self.cryostat = self.world.instruments["cryostat"]

    def put(self, channel, value):
        self.cryostat.put(channel, value, lambda: None)

    def get(self, channel):
        return self.cryostat.value(channel).value

    def heat(self, target_k, *, range=3, rate=None):
        if rate is None:
            self.put("RAMPST_S1", 0)
        else:
            self.put("RAMP_S1", rate)
            self.put("RAMPST_S1", 1)
        self.put("SETP_S1", target_k)
        self.put("RANGE_S1", range)

    def true_k(self):
        return self.cryostat.true_temperature_k()


def test_it_stays_at_base_until_it_is_heated():
    rig = Rig()
    rig.time.s = 1e6
    assert rig.true_k() == BASE_K
    assert rig.get("KRDG0") == pytest.approx(BASE_K, abs=0.02)


def test_at_full_power_it_warms_as_fast_as_its_heat_capacity_lets_it():
    rig = Rig()
    rig.heat(300.0)
    rig.time.s = 60.0
    rate = CONDUCTANCE_W_K / CAPACITY_J_K
    assert rig.true_k() == pytest.approx(BASE_K + 50.0 / CONDUCTANCE_W_K * (1 - math.exp(-60.0 * rate)), rel=1e-6)
    assert rig.get("HTR1") == 100.0


def test_a_low_range_only_gets_as_far_as_its_power():
    rig = Rig()
    rig.heat(100.0, range=2)
    rig.time.s = 20_000.0
    assert rig.true_k() == pytest.approx(BASE_K + 5.0 / CONDUCTANCE_W_K, abs=0.01)


def test_it_holds_its_set_point_and_the_power_is_what_it_loses():
    rig = Rig()
    rig.heat(100.0)
    rig.time.s = 5_000.0
    assert rig.true_k() == pytest.approx(100.0, abs=0.001)
    assert rig.get("HTR1") == pytest.approx(100.0 * 90.0 * CONDUCTANCE_W_K / 50.0, abs=0.1)


def test_off_it_cools_with_its_time_constant():
    rig = Rig()
    rig.heat(100.0)
    rig.time.s = 5_000.0
    rig.put("RANGE_S1", 0)
    rig.time.s += CAPACITY_J_K / CONDUCTANCE_W_K
    assert rig.true_k() - BASE_K == pytest.approx(90.0 / math.e, rel=0.001)


def test_a_ramp_moves_the_set_point_and_the_temperature_follows():
    rig = Rig()
    rig.heat(40.0, rate=6.0)
    rig.time.s = 100.0
    assert rig.get("SETP1") == pytest.approx(20.0)
    assert rig.get("SETP_S1") == 40.0
    assert rig.true_k() == pytest.approx(20.0, abs=2.5)
    rig.time.s = 600.0
    assert rig.get("SETP1") == 40.0
    assert rig.true_k() == pytest.approx(40.0, abs=0.01)


def test_what_is_read_between_changes_nothing():
    often, once = Rig(), Rig()
    for rig in (often, once):
        rig.heat(150.0, rate=20.0)
    for often.time.s in [0.37 * i for i in range(3_000)]:
        often.true_k()
    once.time.s = often.time.s
    assert once.true_k() == pytest.approx(often.true_k(), abs=1e-9)


@pytest.mark.parametrize(
    ("written", "kept"), [(1000.0, HIGH_K), (-5.0, 4.0), (77.0, 77.0)], ids=["above", "below", "between"]
)
def test_the_ioc_clamps_a_set_point_silently(written, kept):
    rig = Rig()
    rig.put("SETP_S1", written)
    assert rig.get("SETP_S1") == kept


def test_a_hidden_clamp_is_lower_than_the_record_admits():
    rig = Rig(clamp_k=200.0)
    rig.put("SETP_S1", 250.0)
    assert (rig.get("SETP_S1"), rig.get("SETP_S1.DRVH")) == (200.0, HIGH_K)


def test_an_open_heater_switches_its_output_off():
    rig = Rig(heater_burnt_out_at_s=100.0)
    rig.heat(100.0)
    rig.time.s = 99.0
    assert (rig.get("HTRST1"), rig.get("RANGE1")) == (0, 3)
    rig.time.s = 101.0
    assert (rig.get("HTRST1"), rig.get("RANGE1"), rig.get("HTR1")) == (1, 0, 0.0)
    rig.time.s = 20_000.0
    assert rig.true_k() == pytest.approx(BASE_K, abs=0.01)


def test_a_drifting_sensor_takes_the_sample_with_it():
    rig = Rig(drift_k_per_h=0.5)
    rig.heat(100.0)
    rig.time.s = 2 * 3600.0
    assert rig.get("KRDG0") == pytest.approx(100.0, abs=0.05)
    assert rig.true_k() == pytest.approx(99.0, abs=0.05)


def test_an_open_sensor_is_invalid_and_says_so():
    rig = Rig(sensor_open_at_s=10.0)
    rig.time.s = 10.0
    assert rig.cryostat.value("KRDG0").severity == 3
    assert rig.get("RDGST0") == 5


def test_after_a_restart_the_ioc_has_the_set_point_of_that_moment():
    rig = Rig()
    rig.heat(40.0, rate=6.0)
    rig.time.s = 100.0
    rig.cryostat.restart()
    assert rig.get("SETP_S1") == pytest.approx(20.0)
    rig.time.s = 1_000.0
    assert rig.true_k() == pytest.approx(40.0, abs=0.01)


def test_somebody_at_the_controller_changes_what_the_ioc_does_not_know():
    rig = Rig()
    rig.heat(40.0)
    rig.cryostat.front_panel()
    assert (rig.get("SETP_S1"), rig.get("SETP1")) == (40.0, 45.0)


def test_in_celsius_the_unit_says_so():
    rig = Rig()
    rig.cryostat.change_unit()
    assert (rig.get("SETP1.EGU"), rig.get("RAMP1.EGU")) == ("C", "K/min")
    rig.put("SETP_S1", 4.0)
    assert (rig.get("SETP_S1"), rig.get("SETP1")) == (4.0, round(BASE_K - 273.15, 3))
    assert rig.cryostat._loop.target_k == pytest.approx(277.15)


def test_stamps_move_once_a_second():
    rig = Rig()
    rig.time.s = 12.7
    assert rig.cryostat.value("KRDG0").stamp_s == 12.0


def test_a_killed_process_goes_on_in_the_middle_of_a_ramp(tmp_path):
    rig = Rig(tmp_path / "world.db")
    rig.heat(40.0, rate=6.0)
    rig.time.s = 50.0
    before = rig.true_k()
    rig.world.close()
    rig.open()
    assert rig.true_k() == before
    rig.world.close()
