"""Drive the stage of an IOC through ophyd-async, in a process of its own, and print what came of it."""

import asyncio
import json
import sys
from pathlib import Path

from drivers.clock import RealClock
from drivers.errors import DriverError
from drivers.links.opening import open_link
from drivers.registry import driver_class


async def main(url):
    kind = driver_class("./my_motors.py:IocStage", base=Path(__file__).parent)
    clock = RealClock()
    ours = open_link(url, clock)
    await ours.open()
    seen_before = (await ours.get("RBV")).value
    driver = kind(open_link(url, clock), clock, name="stage")
    identity = await driver.connect()
    seen = {"serial": identity.serial}
    await driver.move(position_mm=3.0)
    seen["position"] = await driver.read_position()
    seen["is_at"] = [await driver.is_at(position_mm=3.0), await driver.is_at(position_mm=4.0)]
    task = asyncio.ensure_future(driver.move(position_mm=40.0))
    while not (await driver.locate()).is_moving or (await driver.locate()).position < 4.0:
        await asyncio.sleep(0.05)
    await driver.stop()
    seen["stopped"] = await outcome(task)
    seen["half_way"] = 4.0 < await driver.read_position() < 39.0
    seen["forgotten"] = await outcome(driver.move(position_mm=150.0))
    seen["after"] = await outcome(driver.move(position_mm=1.0))
    await driver.connect()
    seen["beside_ours"] = [seen_before, (await ours.get("RBV")).value]
    await driver.close()
    await ours.close()
    return seen


async def outcome(doing):
    try:
        await doing
    except DriverError as error:
        return f"{type(error).__name__}: {error}"
    return "success"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1]))))
