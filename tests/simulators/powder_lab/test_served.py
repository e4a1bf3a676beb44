"""The laboratory on real ports, in a process of its own that is killed while an arm holds a crucible."""

import asyncio
import json
import signal
import subprocess
import sys

import pytest

from drivers.clock import RealClock
from drivers.links.opening import open_link
from simulators.powder_lab.checker import check
from simulators.serve import EpochClock
from simulators.world import WorldFile
from tests.simulators.powder_lab.rig import KINDS

WAY = {"source": "magazine", "destination": "dosing", "tag": "first"}


class Served:
    """A served laboratory; on exit its standard input closes."""

    def __init__(self, state):
        command = [sys.executable, "-m", "simulators.serve", "--world", "powder-lab", "--state", str(state)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.urls = json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=10.0)

    def driver(self, name):
        clock = RealClock()
        return KINDS[name.split("-")[0]](open_link(self.urls[name], clock), clock, name=name)


async def connected(drivers):
    return [await driver.connect() for driver in drivers]


async def closed(drivers):
    for driver in drivers:
        await driver.close()


async def give_up_while_it_carries(served):
    drivers = [served.driver(name) for name in sorted(served.urls) if name.split("-")[0] in KINDS]
    known = await connected(drivers)
    arm = next(driver for driver in drivers if driver.name == "arm-1")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5.0):
            await arm.transfer(**WAY)
    await closed(drivers)
    return dict(zip([driver.name for driver in drivers], known, strict=True))


async def finish(served):
    arm, balance = served.driver("arm-1"), served.driver("balance")
    await connected([arm, balance])
    await arm.transfer(**WAY)
    grams = await balance.weigh()
    await closed([arm, balance])
    return grams


def test_a_transfer_outlives_the_death_of_the_laboratory(tmp_path):
    path, clock = tmp_path / "world.db", EpochClock()
    intents = [{"id": "first", "device": "arm-1", "at_s": clock.now_s()}]
    served = Served(path)
    known = asyncio.run(give_up_while_it_carries(served))
    assert {"arm-1", "arm-2", "box-1", "box-4", "door-3", "diffractometer", "grinder", "doser-2"} <= set(known)
    assert len({identity.serial for name, identity in known.items() if name.startswith(("arm", "box", "door"))}) == 10
    served.process.send_signal(signal.SIGKILL)
    served.process.communicate()
    with Served(path) as again:
        grams = asyncio.run(finish(again))
    file = WorldFile(path, read_only=True)
    row = file.get("container/crucible-000001")
    assert row["at"] == "dosing"
    assert grams == pytest.approx(row["tare_g"], abs=0.002)
    assert file.get("magazine") == {"left": 399, "fetched": 1}
    file.close()
    assert check(path, intents) == []
