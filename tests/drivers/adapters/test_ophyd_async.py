"""ophyd-async's own devices as drivers: mock and soft signals here, a real IOC in processes of their own."""

import asyncio
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from drivers.capabilities import AxisPosition, capabilities_of
from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect, command_specs
from drivers.errors import Ambiguous, DeviceFault, NotConnected, OutOfLimits, Rejected, Unreadable
from drivers.registry import driver_class
from simulators.conformance.declaration import declaration_cases

pytest.importorskip("ophyd_async")

HERE = Path(__file__).parent


class Address:
    """What is left of a link: its name."""

    def __init__(self, name):
        self.name = name


def kind(name):
    return driver_class(f"./my_motors.py:{name}", base=HERE)


def using(name, use, *, address="ca://BL1:M1", virtual=True):
    async def main(clock):
        driver = kind(name)(Address(address), clock, name="motor")
        await use(driver)
        await driver.close()

    if virtual:
        loop = VirtualLoop()
        run_virtual(main(VirtualClock(loop)), loop=loop)
    else:
        asyncio.run(main(RealClock()))


@pytest.mark.parametrize("name", ["MockMotor", "SoftMotor", "EpicsMotor", "IocStage"])
def test_what_is_declared_satisfies_the_kit(name):
    assert [problem for case in declaration_cases(kind(name)) for problem in case.problems] == []
    assert "Movable" in capabilities_of(kind(name))


def test_the_declaration_needs_no_ophyd_async():
    specs = command_specs(kind("EpicsMotor"))
    assert specs["move"].effect is Effect.VERIFIABLE and specs["move"].verify == "is_at"
    assert str(specs["move"].arguments["position_mm"]) == "[-25, 75] mm"
    assert specs["stop"].effect is Effect.IDEMPOTENT


def test_a_mock_motor_record_moves_and_is_located():
    async def use(driver):
        identity = await driver.connect()
        assert (identity.model, identity.serial) == ("Motor", "mock+ca://BL1:M1.RBV")
        await driver.move(position_mm=12.5)
        assert await driver.read_position() == 12.5
        assert await driver.is_at(position_mm=12.5) and not await driver.is_at(position_mm=12.6)
        assert await driver.locate() == AxisPosition(position=12.5, target=12.5, is_moving=False)
        await driver.connect()
        assert await driver.read_position() == 12.5
        await driver.stop()

    using("MockMotor", use)


def test_what_the_record_refuses_is_rejected_and_nothing_is_written():
    from ophyd_async.core import get_mock_put, set_mock_value

    async def use(driver):
        await driver.connect()
        motor = driver._device
        for signal, value in (
            (motor.dial_low_limit_travel, -10.0), (motor.dial_high_limit_travel, 10.0),
            (motor.low_limit_travel, -10.0), (motor.high_limit_travel, 10.0),
        ):  # fmt: skip
            set_mock_value(signal, value)
        with pytest.raises(Rejected, match=r"motor limits are -10.*nothing was written"):
            await driver.move(position_mm=20.0)
        with pytest.raises(OutOfLimits):
            await driver.move(position_mm=80.0)
        get_mock_put(motor.user_setpoint).assert_not_called()

    using("MockMotor", use)


def test_success_of_the_status_is_not_believed_without_the_read_back():
    from ophyd_async.core import callback_on_mock_put

    async def use(driver):
        await driver.connect()
        callback_on_mock_put(driver._device.user_setpoint, lambda *_, **__: None)  # done, and nothing moved
        with pytest.raises(DeviceFault, match="stands at 0 mm, and was sent to 5") as told:
            await driver.move(position_mm=5.0)
        assert told.value.code == "missed"

    using("MockMotor", use)


def test_a_device_that_fails_on_its_way_leaves_the_outcome_open():
    from ophyd_async.core import callback_on_mock_put

    async def use(driver):
        await driver.connect()

        def fail(*_, **__):
            raise RuntimeError("controller tripped")

        callback_on_mock_put(driver._device.user_setpoint, fail)
        with pytest.raises(Ambiguous, match="RuntimeError: controller tripped"):
            await driver.move(position_mm=5.0)

    using("MockMotor", use)


def test_a_move_that_does_not_end_is_ambiguous_after_its_deadline():
    from ophyd_async.core import callback_on_mock_put

    async def use(driver):
        await driver.connect()

        async def never(*_, **__):
            await asyncio.sleep(1e6)

        callback_on_mock_put(driver._device.user_setpoint, never)
        began_s = driver._clock.now_s()
        with pytest.raises(Ambiguous, match="no answer within"):
            await driver.move(position_mm=5.0)
        assert driver._clock.now_s() - began_s <= 30.0
        assert not await driver.is_at(position_mm=5.0)

    using("MockMotor", use)


def test_a_soft_motor_is_stopped_on_its_way():
    async def use(driver):
        await driver.connect()
        task = asyncio.ensure_future(driver.move(position_mm=5.0))
        await asyncio.sleep(0.3)
        assert (await driver.locate()).is_moving
        with pytest.raises(Rejected, match="on its way"):
            await driver.move(position_mm=1.0)
        await driver.stop()
        with pytest.raises(DeviceFault, match="stopped") as told:
            await task
        assert told.value.code == "stopped"
        assert await driver.read_position() < 4.0
        await driver.move(position_mm=await driver.read_position() + 0.1)

    using("SoftMotor", use, virtual=False)


def test_another_unit_is_no_reading_and_neither_is_an_unknown_key():
    async def use(driver):
        await driver.connect()
        assert await driver.read_position() == 0.0
        with pytest.raises(Unreadable, match=r"'mm' and not '\[in_i\]'"):
            await driver.read_in_inches()
        with pytest.raises(Rejected, match="motor-nothing"):
            await driver.read_nothing()

    using("SoftMotor", use)


def test_what_the_server_calls_invalid_is_no_reading():
    from drivers.adapters.ophyd_async_driver import _number

    with pytest.raises(Unreadable, match="invalid"):
        _number({"value": 1.0, "alarm_severity": -1}, "motor", Effect.READ)
    assert _number({"value": 1.0, "alarm_severity": 2}, "motor", Effect.READ) == 1.0
    with pytest.raises(Unreadable, match="no number"):
        _number({"value": float("nan")}, "motor", Effect.READ)


def test_before_connecting_and_in_virtual_time_nothing_is_sent():
    async def closed(driver):
        with pytest.raises(NotConnected, match="connect"):
            await driver.move(position_mm=1.0)

    async def unreachable(driver):
        with pytest.raises(NotConnected, match="wall time only"):
            await driver.connect()

    using("SoftMotor", closed)
    using("EpicsMotor", unreachable)


def test_servers_that_ophyd_async_was_not_told_of_are_refused(monkeypatch):
    monkeypatch.setenv("EPICS_CA_ADDR_LIST", "10.0.0.1:5064")

    async def use(driver):
        with pytest.raises(NotConnected, match="add 10.0.0.2:5064"):
            await driver.connect()

    using("MockMotor", use, address="ca://BL1:M1?addr=10.0.0.2:5064")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ophyd_async.core", None)

    async def use(driver):
        with pytest.raises(NotConnected, match=r"pip install labpilot\[adapters\] and"):
            await driver.connect()

    using("MockMotor", use)


async def _on_ioc():
    from simulators.instruments.epics_motor import EpicsMotor
    from simulators.ioc import IocPort
    from simulators.serve import EpochClock
    from simulators.world import WorldFile

    world = EpicsMotor(state=WorldFile(":memory:"), clock=EpochClock(), seed=1, options={})
    port = await IocPort.open(next(iter(world.instruments.values())))
    root = str(HERE.parents[2])
    environment = {
        **os.environ,
        "PYTHONPATH": root,
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_ADDR_LIST": f"{port.host}:{port.port}",
    }
    command = [sys.executable, str(HERE / "on_ioc.py"), port.url]
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment)
        out, problems = await asyncio.wait_for(process.communicate(), 90.0)
    finally:
        await port.close()
        world.close()
    assert process.returncode == 0, problems.decode()
    return json.loads(out.splitlines()[-1])


@pytest.mark.skipif(find_spec("softioc") is None or find_spec("aioca") is None, reason="needs softioc and aioca")
def test_a_real_ioc():
    seen = asyncio.run(_on_ioc())
    assert seen["serial"] == "ca://SIM:M1:RBV"
    assert seen["position"] == 3.0 and seen["is_at"] == [True, False]
    assert seen["stopped"].startswith("DeviceFault") and seen["half_way"]
    # the record forgets a target outside its limits and calls itself done: only the read-back tells
    assert seen["forgotten"].startswith("DeviceFault") and "was sent to 150" in seen["forgotten"]
    assert seen["after"] == "success"
    assert seen["beside_ours"] == [0.0, 1.0]  # labpilot's own client goes on in the same process
