"""The simulated IOC, seen by a client that is not ours: pyepics, in a process of its own."""

import asyncio
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from simulators.instruments.cryostat import Cryostat
from simulators.instruments.epics_motor import EpicsMotor
from simulators.ioc import IocPort
from simulators.serve import EpochClock
from simulators.world import WorldFile

# looked for and not imported: with softioc in a process its clients never connect
pytestmark = pytest.mark.skipif(find_spec("softioc") is None, reason="needs softioc")

MOTOR = """
import json, time, epics
val, rbv, dmov = (epics.PV("SIM:M1:" + name) for name in ("VAL", "RBV", "DMOV"))
seen = {"connected": [pv.wait_for_connection(5.0) for pv in (val, rbv, dmov)]}
seen["put"] = val.put(3.0, wait=True, timeout=5.0)
seen["moving"] = dmov.get(use_monitor=False)
deadline = time.time() + 10.0
while dmov.get(use_monitor=False) == 0 and time.time() < deadline:
    time.sleep(0.05)
seen["rbv"] = rbv.get(use_monitor=False)
val.put(80.0, wait=True, timeout=5.0)
seen["refused"] = val.get(use_monitor=False)
seen["lvio"] = epics.caget("SIM:M1:LVIO")
seen["egu"] = epics.caget("SIM:M1:EGU")
epics.caput("SIM:M1:STOP", 1, wait=True)
seen["stop"] = epics.caget("SIM:M1:STOP")
print(json.dumps(seen))
"""

CRYOSTAT = """
import json, epics
set_point = epics.PV("SIM:LS336:SETP_S1", form="ctrl")
temperature = epics.PV("SIM:LS336:KRDG0", form="time")
seen = {"connected": [set_point.wait_for_connection(5.0), temperature.wait_for_connection(5.0)]}
seen["put"] = set_point.put(1000.0, wait=True, timeout=5.0)
seen["clamped"] = set_point.get(use_monitor=False)
seen["units"] = [set_point.units, epics.caget("SIM:LS336:RAMP1.EGU")]
seen["limits"] = [epics.caget("SIM:LS336:SETP_S1.DRVL"), epics.caget("SIM:LS336:SETP_S1.DRVH")]
seen["id"] = epics.caget("SIM:LS336:ID")
seen["temperature"] = temperature.get(use_monitor=False)
seen["severity"] = temperature.get_with_metadata(form="time", use_monitor=False)["severity"]
print(json.dumps(seen))
"""


def device(kind, **options):
    world = kind(state=WorldFile(":memory:"), clock=EpochClock(), seed=1, options=options)
    return next(iter(world.instruments.values()))


async def pyepics(port, code):
    """Run a script of an independent client, and return what it saw."""
    environment = {
        **os.environ,
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_ADDR_LIST": f"{port.host}:{port.port}",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=environment
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60.0)
    return json.loads(out.splitlines()[-1])


def serving(instrument, use):
    async def main():
        port = await IocPort.open(instrument)
        try:
            return await use(port)
        finally:
            await port.close()
            await port.close()

    return asyncio.run(main())


def test_pyepics_drives_the_motor():
    motor = device(EpicsMotor)
    seen = serving(motor, lambda port: pyepics(port, MOTOR))
    assert seen == {
        "connected": [True, True, True],
        "put": 1,
        "moving": 0,
        "rbv": 3.0,
        "refused": 3.0,
        "lvio": 1,
        "egu": "mm",
        "stop": 0,
    }
    assert motor.position_mm() == 3.0


def test_pyepics_sees_the_cryostat_its_limits_and_its_clamp():
    seen = serving(device(Cryostat), lambda port: pyepics(port, CRYOSTAT))
    assert seen.pop("temperature") == pytest.approx(10.0, abs=0.02)
    assert seen == {
        "connected": [True, True],
        "put": 1,
        "clamped": 325.0,
        "units": ["K", "K/min"],
        "limits": [4.0, 325.0],
        "id": "MODEL336,LSA0042/#######,2.9",
        "severity": 0,
    }


def test_a_broken_sensor_is_invalid_on_the_wire():
    seen = serving(device(Cryostat, sensor_open_at_s=1e-6), lambda port: pyepics(port, CRYOSTAT))
    assert seen["severity"] == 3


def test_what_changes_by_itself_and_by_hand_is_shown():
    from drivers.clock import RealClock
    from drivers.links.opening import open_link

    motor = device(EpicsMotor)

    async def use(port):
        link = open_link(port.url, RealClock())
        await link.open()
        assert (await link.get("VAL", timeout_s=10.0)).value == 0.0
        motor.front_panel()
        motor.change_unit()
        await asyncio.sleep(0.5)
        seen = [(await link.get(name, timeout_s=10.0)).value for name in ("VAL", "EGU")]
        await link.close()
        return seen

    assert serving(motor, use) == [1000.0, "um"]


def test_it_listens_on_loopback_only():
    def listening(pid):
        inodes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        found = []
        for kind, is_listening in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
            for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == is_listening and f"socket:[{words[9]}]" in inodes:
                    address, port = words[1].split(":")
                    found.append((kind, address, int(port, 16)))
        return found

    async def use(port):
        return port.port, listening(port.process.pid)

    number, found = serving(device(EpicsMotor), use)
    served = [(kind, address) for kind, address, port in found if port == number]
    assert ("tcp", "0100007F") in served and ("udp", "0100007F") in served
    assert [item for item in found if item[0].startswith("tcp") and item[1] != "0100007F"] == []
    assert [item for item in found if item[2] in (5064, 5065, 5075, 5076)] == []


def test_it_ends_with_its_parent():
    async def use(port):
        process = port.process
        process.stdin.close()
        return await asyncio.wait_for(process.wait(), 5.0)

    assert serving(device(EpicsMotor), use) == 0


def test_where_softioc_is_missing_it_says_so(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="need softioc"):
        serving(device(EpicsMotor), None)
