import asyncio

import pytest

from drivers.clock import RealClock, VirtualClock, VirtualLoop
from drivers.links.memory import MemoryLink
from drivers.links.opening import open_link
from drivers.links.serial import SerialLink
from drivers.links.tap import Tap
from drivers.links.url import BadURL
from drivers.registry import DriverNotFound, driver_class, driver_names

MINE = """
from dataclasses import dataclass
from drivers.command import Effect, command


@dataclass
class Setting:
    target_c: float


class MyFurnace:
    def __init__(self, link, clock, *, name="furnace"):
        self.name = name

    async def connect(self): ...
    async def identify(self): ...
    async def close(self): ...


class NoFurnace:
    async def connect(self): ...


class Careless(MyFurnace):
    @command(Effect.VERIFIABLE, verify="missing")
    async def heat(self): ...
"""


class OneWorld:
    def __init__(self, clock):
        self.clock = clock
        self.asked = []

    def resolve(self, world, instrument):
        self.asked.append((world, instrument))
        return MemoryLink(object(), self.clock, name=f"sim:{world}/{instrument}")  # type: ignore[arg-type]


@pytest.fixture
def virtual():
    loop = VirtualLoop()
    yield VirtualClock(loop)
    loop.close()


def test_the_drivers_of_the_built_in_worlds_are_installed():
    names = driver_names()
    assert {"bench", "camera", "laser-annealer", "reflectance-spectrometer", "xy-stage"} <= set(names)
    assert names == sorted(names)


def test_an_unknown_driver_names_the_nearest():
    with pytest.raises(DriverNotFound, match="did you mean 'camera'"):
        driver_class("camra")
    with pytest.raises(DriverNotFound, match=r"installed are .*bench, .*camera.*\. A file of your own is .*Class\.$"):
        driver_class("zzz")


def test_a_driver_of_ones_own_needs_no_package(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    found = driver_class("./mine.py:MyFurnace", base=tmp_path)
    assert found.__name__ == "MyFurnace"
    assert driver_class("./mine.py:MyFurnace", base=tmp_path) is found


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("./absent.py:MyFurnace", "there is no file"),
        ("./mine.py:Furnace", "has Setting, MyFurnace, NoFurnace, Careless"),
        ("./mine.py", "write ./mine.py:Class"),
        ("./mine.py:NoFurnace", "lacks async close, identify"),
        ("./mine.py:Effect.READ", "write ./mine.py:Class"),
        ("./mine.py:command", "is no class"),
        ("./mine.py:Careless", "verified by 'missing'"),
        ("./broken.py:Any", "cannot be imported"),
    ],
)
def test_what_is_wrong_with_a_driver_file_is_said(tmp_path, name, match):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "broken.py").write_text("import a_package_that_is_not_there")
    with pytest.raises(DriverNotFound, match=match):
        driver_class(name, base=tmp_path)


def test_a_sim_address_is_resolved_by_the_worlds(virtual):
    worlds = OneWorld(virtual)
    link = open_link("sim:film-station/stage", virtual, worlds)
    assert worlds.asked == [("film-station", "stage")]
    assert link.name == "sim:film-station/stage" and not link.is_open
    assert isinstance(link.tap, Tap)


def test_the_tap_that_is_given_is_used(virtual):
    tap = Tap(virtual)
    assert open_link("sim:a/b", virtual, OneWorld(virtual), tap=tap).tap is tap


def test_a_sim_address_needs_worlds(virtual):
    with pytest.raises(BadURL, match="nobody here runs"):
        open_link("sim:a/b", virtual)


def test_a_real_port_is_out_of_reach_in_virtual_time(virtual):
    with pytest.raises(BadURL, match="virtual time"):
        open_link("serial:///dev/ttyUSB0", virtual)


def test_a_serial_address_gives_a_closed_serial_link():
    link = open_link("serial:///dev/ttyUSB7?baud=115200", RealClock())
    assert isinstance(link, SerialLink) and not link.is_open
    assert "baud=115200" in link.name
    asyncio.run(link.close())
