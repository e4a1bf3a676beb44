"""A laboratory whose process dies again and again: the truth is the one of a laboratory that never did."""

import pytest

from simulators.powder_lab.world import PowderLab
from simulators.world import WorldFile
from tests.simulators.powder_lab.rig import Rig, program


class Reborn:
    """A port whose whole world is opened anew, from its file, before some exchanges."""

    def __init__(self, worlds, name):
        first = worlds.lab.instruments[name]
        self.wire, self.unit = first.wire, first.unit
        self.send = self.hang_up = None
        self._worlds = worlds
        self._name = name

    def receive(self, data):
        port = self._worlds.now().instruments[self._name]
        port.send, port.hang_up = self.send, self.hang_up
        port.receive(data)

    def greet(self):
        port = self._worlds.lab.instruments[self._name]
        port.send, port.hang_up = self.send, self.hang_up
        port.greet()


class Worlds:
    """The life of a world in many processes."""

    def __init__(self, rig, path, every):
        self._rig = rig
        self._path = path
        self._every = every
        self._n = 0
        self.lives = 0
        self.lab = self._opened()

    def _opened(self):
        self.file = WorldFile(self._path)
        self.lives += 1
        rig = self._rig
        return PowderLab(state=self.file, clock=rig.clock, seed=rig.seed, options=rig.options)

    def now(self):
        self._n += 1
        if self._n % self._every == 0:
            self.file.close()
            self.lab = self._opened()
        return self.lab


class MortalRig(Rig):
    """A rig whose world dies before every n-th exchange."""

    def mortal(self, path, every):
        self.worlds = Worlds(self, path, every)
        return self

    async def driver(self, name):
        if name not in self._drivers:
            self.lab.instruments = {name: Reborn(self.worlds, name) for name in self.worlds.lab.instruments}
        return await super().driver(name)


FAULTS = {
    "dosing_error": 0.01,
    "overshoot_per_run": 0.5,
    "wrong_hold_per_run": 0.5,
    "carry_over": 0.003,
    "misplaced_per_transfer": 0.01,
    "height_error_mm": 0.1,
}
SCAN = {"start_deg": 25.0, "stop_deg": 35.0, "step_deg": 0.1, "count_time_s": 0.1}


async def life(rig):
    for number in (1, 2):
        await rig.fetch(f"home-0{number}")
        await rig.carry(f"home-0{number}", "mill")
        await rig.do("mill", "run", duration_s=120.0, frequency_hz=5.0, tag=f"mill-{number}")
        await rig.carry("mill", f"home-0{number}")
    await rig.do("door-3", "open_door")
    for number in (1, 2):
        await rig.carry(f"home-0{number}", "bridge", f"box-3-{number}")
    await rig.do("door-3", "close_door")
    await rig.fire("box-3", program(hold_s=3600.0))
    await rig.do("door-3", "open_door")
    patterns = []
    for number in (1, 2):
        await rig.carry(f"box-3-{number}", "grinder")
        await rig.do("grinder", "run", duration_s=60.0, frequency_hz=2.0, tag=f"grind-{number}")
        await rig.carry("grinder", "xrd-1")
        await rig.do("diffractometer", "load_sample", position=1, tag=f"load-{number}")
        patterns.append(await rig.do("diffractometer", "scan", **SCAN, tag=f"scan/{number}"))
        await rig.do("diffractometer", "unload_sample", position=1)
        await rig.carry("xrd-1", "bridge", "chute")
    await rig.person("restock BaCO3 150000")
    await rig.do("door-3", "close_door")
    return [pattern.counts.tolist() for pattern in patterns]


@pytest.fixture(scope="module")
def immortal():
    rig = Rig(options={"faults": FAULTS})
    return rig, rig.run(life)


@pytest.mark.parametrize("every", [5, 23])
def test_a_laboratory_that_dies_between_exchanges_has_the_same_truth(immortal, tmp_path, every):
    one, patterns = immortal
    rig = MortalRig(options={"faults": FAULTS}).mortal(tmp_path / "world.sqlite", every)
    assert rig.run(life) == patterns
    assert rig.worlds.lives > 10
    rig.state = rig.worlds.file
    assert rig.truth() == one.truth()
    assert rig.check() == []
