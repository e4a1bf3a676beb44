"""A powder laboratory on virtual time, with real drivers on in-memory links, and every command written down first."""

from dataclasses import dataclass, field

import numpy as np

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.instruments.balance import BalanceDriver
from drivers.instruments.diffractometer import DiffractometerDriver
from drivers.instruments.door import DoorDriver
from drivers.instruments.furnace import FurnaceDriver
from drivers.instruments.powder_dispenser import PowderDispenserDriver
from drivers.instruments.robot_arm import RobotArmDriver
from drivers.instruments.shaker import ShakerDriver
from drivers.links.opening import memory_link
from simulators.materials.solid_state.dosing import dose
from simulators.powder_lab.checker import violations, written_of
from simulators.powder_lab.people import PeopleClient
from simulators.powder_lab.world import PowderLab
from simulators.world import WorldFile

KINDS = {
    "doser": PowderDispenserDriver,
    "balance": BalanceDriver,
    "mill": ShakerDriver,
    "grinder": ShakerDriver,
    "arm": RobotArmDriver,
    "box": FurnaceDriver,
    "door": DoorDriver,
    "enclosure": DoorDriver,
    "diffractometer": DiffractometerDriver,
}
RECIPE_MG = {"BaCO3": 592.0, "TiO2": 240.0}
SCAN = {"start_deg": 20.0, "stop_deg": 60.0, "step_deg": 0.05, "count_time_s": 0.2}


def program(target_c=900.0, hold_s=7200.0, rate=20.0):
    return [
        {"target_c": target_c, "rate_k_per_min": rate, "hold_s": hold_s},
        {"target_c": 25.0, "rate_k_per_min": rate, "hold_s": 0.0},
    ]


@dataclass
class Rig:
    options: dict = field(default_factory=dict)
    seed: int = 3
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))
    start_s: float = 0.0
    intents: list = field(default_factory=list)
    n: int = 0

    def __post_init__(self):
        self.loop = VirtualLoop(self.start_s)
        self.clock = VirtualClock(self.loop)
        self.lab = PowderLab(state=self.state, clock=self.clock, seed=self.seed, options=self.options)
        self._drivers = {}

    def run(self, work):
        """Run a coroutine function of this rig to its end; the loop is over then, and the world can be opened again."""

        async def whole():
            try:
                return await work(self)
            finally:
                for driver in self._drivers.values():
                    await driver.close()

        return run_virtual(whole(), loop=self.loop)

    def again(self, **changes):
        """Return the same laboratory after everybody has gone home and come back, with the same file."""
        told = {"options": self.options, "seed": self.seed, "state": self.state, "intents": self.intents, "n": self.n}
        return Rig(**{**told, "start_s": self.clock.now_s(), **changes})

    async def driver(self, name):
        if name not in self._drivers:
            link = memory_link(self.lab.instruments[name], self.clock, name=name)
            kind = KINDS.get(name.split("-")[0])
            self._drivers[name] = PeopleClient(link) if kind is None else kind(link, self.clock, name=name)
            await self._drivers[name].connect()
        return self._drivers[name]

    async def do(self, name, command, **arguments):
        driver = await self.driver(name)
        self.n += 1
        tag = arguments.get("tag", f"c{self.n}")
        self.intents.append({"id": tag, "device": name, "at_s": self.clock.now_s()})
        return await getattr(driver, command)(**arguments)

    async def person(self, act):
        return await (await self.driver("people")).do(act)

    async def look(self):
        return await (await self.driver("people")).look()

    async def carry(self, *way, tag=""):
        """Carry what stands at the first place to the last one."""
        for source, destination in zip(way, way[1:], strict=False):
            arm = "arm-1" if {source, destination} & {"magazine", "dosing", "mill", "chute"} else "arm-2"
            arm = "arm-1" if source.startswith("home") or destination.startswith("home") else arm
            self.n += 1
            await self.do(arm, "transfer", source=source, destination=destination, tag=tag or f"t{self.n}")

    async def fetch(self, place="home-01"):
        await self.carry("magazine", "dosing")
        for number, (material, mass_mg) in enumerate(RECIPE_MG.items(), 1):
            self.n += 1
            order = {"material": material, "amount_mg": mass_mg, "tolerance_mg": 2.0, "tag": f"d{self.n}"}
            await self.do(f"doser-{number}", "dispense", **order)
        await self.carry("dosing", place)

    async def fire(self, box, segments, *, until_c=100.0):
        self.n += 1
        await self.do(box, "run_profile", segments=segments, tag=f"p{self.n}")
        furnace = await self.driver(box)
        while await furnace.program_state() == "run":
            await self.clock.sleep(600.0)
        while await furnace.read_temperature() > until_c:
            await self.clock.sleep(600.0)

    def conjure(self, place, masses_mg=None):
        """Let a crucible with a powder in it stand at a place, without anybody's work."""
        with self.lab.turn():
            container = self.lab.room.fetch()
            self.lab.room.move(container, place)
            if masses_mg:
                self.lab.room.put_powder(container, dose(masses_mg, np.random.default_rng(1)))
            self.lab.room.happened("transfer", container=container, place="magazine", device="arm-1")
            self.lab.room.happened("placed", container=container, place=place, device="arm-1")
        return container

    def acts(self, what=""):
        rows = [self.state.get(key) for key in self.state.keys("act/")]
        return [row for row in rows if not what or row["what"] == what]

    def rules(self):
        return [row["facts"]["rule"] for row in self.acts("unsafe")]

    def check(self):
        return violations(written_of({key: self.state.get(key) for key in list(self.state.keys(""))}), self.intents)

    def truth(self):
        """Return what is so, apart from how an instrument remembers it."""
        kept = ("container/", "powder/", "magazine", "act/", "grinder/residue")
        return {key: self.state.get(key) for key in list(self.state.keys("")) if key.startswith(kept)}


__all__ = ["RECIPE_MG", "SCAN", "Rig", "program"]
