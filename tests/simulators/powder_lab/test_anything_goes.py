"""Controllers and people who do anything at any time: the laboratory refuses, notes, and never contradicts itself."""

import asyncio
import random
from contextlib import suppress

import pytest

from drivers.errors import DriverError
from simulators.powder_lab.people import NotDone
from tests.simulators.powder_lab.rig import Rig, program

REACH = {
    "arm-1": ["home-01", "home-02", "magazine", "dosing", "mill", "bridge", "chute"],
    "arm-2": ["bridge", "box-1-1", "box-1-2", "grinder", "xrd-1", "xrd-2"],
}
FAULTS = {
    "dosing_error": 0.01,
    "clogged_per_dose": 0.05,
    "swapped_vial_per_dose": 0.05,
    "overshoot_per_run": 0.3,
    "power_loss_per_run": 0.2,
    "wrong_hold_per_run": 0.3,
    "dropped_per_transfer": 0.03,
    "not_gripped_per_transfer": 0.03,
    "misplaced_per_transfer": 0.03,
    "jammed_per_travel": 0.05,
    "carry_over": 0.003,
    "melt_through_per_firing": 0.1,
}
PERSONS = (
    *("clear floor", "free arm-1", "free arm-2", "free door-1", "free doser-1", "take home-01", "take box-1-1"),
    *("take dosing", "put crucible-000001 home-02", "put crucible-000002 home-01", "straighten home-01", "take inside"),
    *("fill magazine 3", "restock BaCO3 1000", "close enclosure", "open enclosure", "take xrd-1"),
)
MAY_HAPPEN = {"collision", "firing with an open door", "two samples in one place"}
"""What a controller that heeds nothing brings about."""


class Anything:
    """People and a controller without sense."""

    def __init__(self, rig, seed):
        self.rig = rig
        self.chance = random.Random(seed)
        self.done = 0

    async def do(self, device, command, **arguments):
        with suppress(DriverError):
            await self.rig.do(device, command, **arguments)
            self.done += 1

    def tag(self):
        self.rig.n += 1
        return f"g{self.rig.n}"

    async def rest(self, *choices_s):
        await self.rig.clock.sleep(self.chance.choice(choices_s))

    async def arm(self, name, times):
        for _ in range(times):
            source, to = self.chance.sample(REACH[name], 2)
            await self.do(name, "transfer", source=source, destination=to, tag=self.tag())
            if self.chance.random() < 0.2:
                await self.do(name, self.chance.choice(["stop", "home", "power_on", "unlock_protective_stop"]))
            await self.rest(0, 5, 60)

    async def doser(self, times):
        for _ in range(times):
            order = {"material": "BaCO3", "amount_mg": self.chance.choice([50.0, 500.0]), "tolerance_mg": 2.0}
            await self.do("doser-1", "dispense", **order, tag=self.tag())
            await self.rest(0, 60)

    async def shaker(self, name, times):
        for _ in range(times):
            await self.do(name, "run", duration_s=30.0, frequency_hz=5.0, tag=self.tag())
            await self.rest(0, 30, 300)

    async def box(self, times):
        for _ in range(times):
            await self.do("door-1", self.chance.choice(["open_door", "close_door", "home"]))
            if self.chance.random() < 0.3:
                await self.do("box-1", "run_profile", segments=program(900.0, 600.0, 50.0), tag=self.tag())
            await self.rest(0, 60, 900)
            if self.chance.random() < 0.3:
                await self.do("box-1", "stop")

    async def diffractometer(self, times):
        for _ in range(times):
            place, tag = self.chance.choice([1, 2]), self.tag()
            await self.do("diffractometer", "load_sample", position=place, tag=tag)
            scan = {"start_deg": 25.0, "stop_deg": 27.0, "step_deg": 0.1, "count_time_s": 0.5}
            await self.do("diffractometer", "scan", **scan, tag=tag)
            await self.do("diffractometer", "unload_sample", position=place)
            await self.rest(0, 200)

    async def people(self, times):
        for _ in range(times):
            with suppress(NotDone):
                await self.rig.person(self.chance.choice(PERSONS))
            await self.rest(60, 600)

    async def work(self, rig):
        await asyncio.gather(
            *(self.arm(name, 90) for name in REACH),
            *(self.shaker(name, 30) for name in ("mill", "grinder")),
            *(self.doser(30), self.box(50), self.diffractometer(20), self.people(30)),
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_is_done_the_laboratory_agrees_with_its_own_log(seed):
    openings = [[3000.0 * k, 100.0 + k] for k in range(1, 20)]
    rig = Rig(seed=seed, options={"faults": FAULTS, "crucibles": 60, "enclosure_opens": openings})
    anything = Anything(rig, seed)
    rig.run(anything.work)
    assert anything.done > 100
    assert {violation.rule for violation in rig.check()} <= MAY_HAPPEN
    moved = {row["facts"]["container"] for row in rig.acts("transfer")}
    assert len(moved) == rig.state.get("magazine")["fetched"] > 2
