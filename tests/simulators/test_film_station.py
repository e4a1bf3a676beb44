import struct
from dataclasses import dataclass, field

import numpy as np
import pytest

from drivers.links.framing import Block, Packet, SealedLine
from simulators.film_station import FilmStation
from simulators.world import WorldFile


@dataclass
class Station:
    """The world, spoken to in bytes, with a clock that the test turns."""

    options: dict = field(default_factory=dict)
    seed: int = 1
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))
    time_s: float = 0.0

    def __post_init__(self):
        self.restart()

    def restart(self):
        self.world = FilmStation(state=self.state, clock=self, seed=self.seed, options=self.options)

    def now_s(self):
        return self.time_s

    def ask(self, instrument, request):
        heard = []
        self.world.instruments[instrument].send = heard.append
        self.world.instruments[instrument].receive(request)
        return b"".join(heard)

    def move(self, x_mm, y_mm=0.0):
        reply = self.ask("stage", b"/1 0 1 move abs %d %d\n" % (1000 * x_mm, 1000 * y_mm))
        self.time_s += int(reply.split()[-1]) / 1e6

    def laser(self, text):
        return SealedLine().take(self.ask("laser", SealedLine().wrap(text.encode())))[0].decode()

    def fire(self, tag, peak_c=900.0, dwell_us=1000.0):
        self.laser(f"SET,{peak_c},{dwell_us}")
        self.laser(f"FIRE,{tag}")
        self.time_s += 5.0
        return self.laser("SHOT?").split(",")

    def spectrum(self, tag, exposure_s=0.05):
        self.ask("spectrometer", f'SENS:EXP {exposure_s};:ACQ:STAR "{tag}"\n'.encode())
        self.time_s += exposure_s + 0.1
        return self.frame(tag)

    def frame(self, tag):
        data, _ = Block().take(self.ask("spectrometer", f'READ? "{tag}"\n'.encode()))
        return np.frombuffer(data, "<f4", 1200)

    def picture(self, tag):
        self.ask("camera", Packet().wrap(struct.pack("<BH", 3, 0) + tag.encode()))
        self.time_s += 0.2
        reply, _ = Packet().take(self.ask("camera", Packet().wrap(struct.pack("<BH", 5, 0) + tag.encode())))
        return np.frombuffer(reply[4:], np.uint8).reshape(8, 800, 3)


CALM = {
    "failures": False,
    "misalignment": False,
    "noise": False,
    "drift": False,
    "spikes": False,
    "focus_blur": False,
    "thickness_variation": False,
}


def test_a_shot_falls_where_the_stage_is_when_it_fires_not_when_it_was_asked_for():
    station = Station(options=CALM)
    station.laser("SET,900.0,1000.0")
    station.laser("FIRE,t1")
    station.time_s = 1.0
    station.move(10.0)
    station.time_s = 10.0
    assert station.laser("SHOT?").startswith("SHOT,1,t1,")
    shot = station.state.get("shot/1")
    assert (shot["x_um"], shot["y_um"], shot["time_s"]) == (10_000, 0, 2.0)


def test_a_move_that_begins_after_the_shot_does_not_change_where_it_fell():
    station = Station(options=CALM)
    station.laser("SET,900.0,1000.0")
    station.laser("FIRE,t1")
    station.time_s = 2.5  # fired half a second ago, and nobody has asked the laser since
    station.move(10.0)
    assert station.state.get("shot/1")["x_um"] == 0


def test_a_moving_stage_smears_nothing_but_the_place_is_the_true_one():
    station = Station(options=CALM)
    station.laser("SET,900.0,1000.0")
    station.laser("FIRE,t1")
    station.time_s = 1.9
    station.ask("stage", b"/1 0 1 move abs 40000 0\n")
    station.time_s = 10.0
    station.laser("SHOT?")
    assert 1900 < station.state.get("shot/1")["x_um"] < 2100  # 0.1 s of speeding up


def test_the_readback_tells_the_photodiode_and_not_the_truth():
    station = Station(options={**CALM, "misfires": True})
    for number in range(400):
        *_, energy = station.fire(f"t{number}")
        truth = station.state.get(f"shot/{number + 1}")["truth"]
        assert float(energy) == pytest.approx(truth["energy_fraction"], abs=1e-6)
        if truth["event"] == "misfire":
            assert float(energy) == 0.0
            return
    pytest.fail("no misfire in 400 shots")


def test_mirror_film_and_blank_are_what_they_are_called():
    station = Station(options=CALM)
    seen = {}
    for name, x_mm in (("mirror", -74.0), ("film", 0.0), ("blank", 74.0)):
        station.move(x_mm)
        seen[name] = station.spectrum(name)
    assert (seen["blank"] < seen["film"]).all() and (seen["film"] < seen["mirror"]).all()
    reflectance = (seen["film"] - seen["blank"]) / (seen["mirror"] - seen["blank"])
    expected = station.world._wafer.reflectance(0, 0, 0)
    assert np.abs(reflectance - expected).max() < 2e-4


def test_a_kept_frame_does_not_see_what_was_done_later():
    station = Station(options=CALM)
    before = station.spectrum("before")
    picture = station.picture("before")
    station.fire("t1")
    assert np.array_equal(station.frame("before"), before)
    assert np.array_equal(station.picture("before"), picture)
    assert not np.array_equal(station.spectrum("after"), before)
    assert not np.array_equal(station.picture("after"), picture)


def test_chance_is_keyed_by_what_happens_and_not_by_the_order():
    def campaign(sites):
        station = Station()
        for x_mm in sites:
            station.move(x_mm)
            station.fire(f"t{x_mm}")
            station.spectrum(f"s{x_mm}")
        return station

    forwards, backwards = campaign([0.0, 4.0, 8.0]), campaign([8.0, 4.0, 0.0])
    for n, m in ((1, 3), (2, 2), (3, 1)):
        assert forwards.state.get(f"shot/{n}")["truth"] == backwards.state.get(f"shot/{m}")["truth"]


def test_two_seeds_are_two_wafers_and_one_seed_is_one():
    seen = [Station(seed=seed).spectrum("s") for seed in (1, 1, 2)]
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])


def test_two_tags_are_two_honest_replicates():
    station = Station()
    first, second = station.spectrum("s1"), station.spectrum("s2")
    spread = np.abs(first - second) / first.max()
    assert 0.0005 < np.median(spread) < 0.02


def test_a_restored_station_goes_on(tmp_path):
    station = Station(state=WorldFile(tmp_path / "world.db"))
    station.move(4.0)
    station.fire("t1")
    spectrum, picture = station.spectrum("s1"), station.picture("p1")
    station.laser("FIRE,t2")
    station.world.close()
    again = Station(state=WorldFile(tmp_path / "world.db"), time_s=station.time_s + 2.0)
    assert np.array_equal(again.frame("s1"), spectrum)
    assert np.array_equal(again.picture("p1"), picture)
    assert again.laser("SHOT?").startswith("SHOT,2,t2,")
    again.world.close()


def test_a_file_of_another_seed_or_other_options_is_refused():
    station = Station()
    station.seed = 2
    with pytest.raises(ValueError, match="seed 1, not 2"):
        station.restart()
    station.seed, station.options = 1, {"noise": False}
    with pytest.raises(ValueError, match="options"):
        station.restart()


def test_options_are_checked_before_anything_starts():
    assert FilmStation.check({}) == []
    assert FilmStation.check({"failures": True}) == []
    (problem,) = FilmStation.check({"failure": True})
    assert "did you mean" in problem
    with pytest.raises(ValueError, match="did you mean"):
        Station(options={"failure": True})
    assert FilmStation.pool({}) is None


def test_it_is_the_installed_world():
    from simulators.serve import world_class

    assert world_class("film-station") is FilmStation
    assert sorted(Station().world.instruments) == ["camera", "laser", "spectrometer", "stage"]
