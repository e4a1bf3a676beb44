"""PyMeasure's own class of a temperature controller as a driver: every fault, refusals, both kinds of time."""

import asyncio
import importlib.util
import sys
import threading
import time
from pathlib import Path

import pytest

from drivers.adapters.pymeasure import Action, Reading, Wire, adapted
from drivers.capabilities import Identity
from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect, command_specs
from drivers.errors import Ambiguous, DeviceFault, NotConnected, OutOfLimits, Rejected, Unreadable
from drivers.links.memory import MemoryLink
from drivers.registry import driver_class
from simulators.conformance import check_driver
from simulators.conformance.live import check_live
from simulators.ports import TcpPort
from simulators.world import WorldFile

pytest.importorskip("pymeasure")

HERE = Path(__file__).parent
CRLF = Wire(write_termination="\r\n", read_termination="\r\n")
NAP = Action(name="nap", attribute="sleep", effect=Effect.IDEMPOTENT, confirmed_by="id")
LAKESHORE = "pymeasure.instruments.lakeshore:LakeShore3xx"


def _simulator():
    spec = importlib.util.spec_from_file_location("labpilot_lakeshore", HERE / "lakeshore.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lakeshore = _simulator()
Cryostat = driver_class("./my_cryostat.py:Cryostat", base=HERE)


def kind_of(*commands, instrument=LAKESHORE, wire=CRLF):
    return adapted(instrument, manifest=Cryostat.manifest, commands=commands, wire=wire, nothing_to_stop="a test")


def using(use, kind=Cryostat):
    """Use a driver on the simulator in virtual time: `use` gets the driver, the simulator and the clock."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    world = lakeshore.LakeShoreWorld(state=WorldFile(":memory:"), clock=clock, seed=1, options={})
    device = world.instruments["cryostat"]

    async def main():
        driver = kind(MemoryLink(device, clock, name="sim:lakeshore/cryostat"), clock, name="cryostat")
        await use(driver, device, clock)
        await driver.close()

    run_virtual(main(), loop=loop)
    world.close()


def test_every_command_survives_every_fault():
    report = check_driver(Cryostat, world=lakeshore.LakeShoreWorld)
    assert report.failures == []
    assert report.n_cases > 150
    assert report.settling_share() == 1.0 and report.settled_share() == 1.0


def test_the_frames_are_pymeasures_and_a_set_leaves_together_with_its_read_back():
    async def use(driver, device, clock):
        assert await driver.connect() == Identity(
            maker="LSCI", model="MODEL336", serial="LSA0042/#######", firmware="2.9"
        )
        del device.heard[:]
        await driver.set_temperature(target_k=77.5)
        assert device.heard == ["SETP 1,77.500000", "SETP? 1"]
        assert await driver.read_temperature() == 77.5
        await driver.heat()
        await driver.stop()
        await driver.clear_status()
        assert device.heard[-6:] == ["RANGE 1,1", "RANGE? 1", "RANGE 1,0", "RANGE? 1", "*CLS", "*OPC?"]

    using(use)


def test_what_is_declared_has_effects_units_and_limits():
    specs = command_specs(Cryostat)
    setting = specs["set_temperature"]
    assert (setting.effect, setting.verify) == (Effect.VERIFIABLE, "is_set_temperature")
    assert str(setting.arguments["target_k"]) == "[4, 325] K"
    slow = adapted(LAKESHORE, manifest=Cryostat.manifest, commands=[NAP], wire=Wire(late_max_s=3.0))
    assert command_specs(slow)["nap"].late_max_s == 3.0
    assert specs["read_temperature"].returns.unit == "K"
    assert specs["stop"].effect is Effect.IDEMPOTENT


def test_limits_wrong_arguments_and_a_value_that_is_not_taken():
    async def use(driver, device, clock):
        await driver.connect()
        del device.heard[:]
        with pytest.raises(OutOfLimits):
            await driver.set_temperature(target_k=326.0)
        with pytest.raises(Rejected):
            await driver.set_temperature(kelvin=80.0)
        assert device.heard == []
        device.clamps_at_k = 200.0
        with pytest.raises(DeviceFault, match="is 200 K after it was set to 300") as told:
            await driver.set_temperature(target_k=300.0)
        assert told.value.code == "not taken"

    using(use)


def test_what_pymeasure_refuses_before_the_wire_is_rejected():
    async def use(driver, device, clock):
        await driver.connect()
        del device.heard[:]
        with pytest.raises(Rejected, match=r"ValueError.*nothing was sent"):
            await driver.overheat()
        with pytest.raises(Rejected, match=r"nothing behind it.*nothing was sent"):
            await driver.clear_blindly()
        assert device.heard == []

    using(
        use,
        kind_of(
            Action(name="overheat", attribute="output_1.range", value="very high", effect=Effect.IDEMPOTENT),
            Action(name="clear_blindly", attribute="clear", effect=Effect.IDEMPOTENT, confirmed_by="isShutdown"),
        ),
    )


def test_an_answer_that_is_no_number_or_of_another_kind_is_no_reading():
    async def use(driver, device, clock):
        await driver.connect()
        for answer in ("S-OVER", "+123.4,+5", "nan"):
            device._question = lambda text, answer=answer: answer
            with pytest.raises(Unreadable, match="no number"):
                await driver.read_temperature()
        with pytest.raises(Ambiguous):
            await driver.set_temperature(target_k=80.0)

    using(use)


def test_silence_after_a_set_is_ambiguous_and_the_read_back_settles_it():
    async def use(driver, device, clock):
        await driver.connect()
        question, device._question = device._question, lambda text: None
        began_s = clock.now_s()
        with pytest.raises(Ambiguous):
            await driver.set_temperature(target_k=80.0)
        assert clock.now_s() - began_s == pytest.approx(1.0)
        device._question = question
        assert await driver.is_set_temperature(target_k=80.0)
        assert not await driver.is_set_temperature(target_k=90.0)

    using(use)


class Stubborn:
    """An instrument whose code swallows what goes wrong, sleeps, and asks for more than it should."""

    def __init__(self, adapter, name="stubborn", **_):
        self.adapter = adapter
        self.sleep_s = 0.0

    @property
    def id(self):
        self.adapter.write("*IDN?")
        return self.adapter.read()

    @property
    def swallowing(self):
        for _ in range(3):
            try:
                self.adapter.write("KRDG? A")
                return float(self.adapter.read())
            except Exception:  # noqa: S112  (the habit under test)
                continue
        return 300.0

    @property
    def unasked(self):
        return self.adapter.read()

    @property
    def rest(self):
        self.adapter.write("*OPC?")
        return self.adapter.read_bytes(-1)

    @property
    def bytewise(self):
        self.adapter.write("*OPC?")
        return float(self.adapter.read_bytes(3))

    def sleep(self):
        time.sleep(0.3)


def stubborn(name, **how):
    return kind_of(
        Reading(name="read", attribute=name, unit="K", low=0, high=400, tolerance=0.0, **how), instrument=Stubborn
    )


def test_what_foreign_code_swallows_comes_out_all_the_same_and_nothing_more_is_sent():
    async def use(driver, device, clock):
        await driver.connect()
        device._question = lambda text: None
        del device.heard[:]
        with pytest.raises(Unreadable, match="nothing was changed"):
            await driver.read()
        assert device.heard == ["KRDG? A"]

    using(use, stubborn("swallowing"))


@pytest.mark.parametrize(("name", "told"), [("unasked", "without having written"), ("rest", "half a reply")])
def test_what_a_link_cannot_do_is_said(name, told):
    async def use(driver, device, clock):
        await driver.connect()
        with pytest.raises(Rejected, match=told):
            await driver.read()

    using(use, stubborn(name))


def test_a_known_number_of_bytes_is_read_whole():
    async def use(driver, device, clock):
        await driver.connect()
        assert await driver.read() == 1.0

    using(use, stubborn("bytewise"))


def test_a_command_before_connecting_is_not_sent():
    async def use(driver, device, clock):
        with pytest.raises(NotConnected, match="connect"):
            await driver.read_temperature()

    using(use)


def test_without_the_library_the_extra_is_named(monkeypatch):
    async def use(driver, device, clock):
        monkeypatch.setitem(sys.modules, "pymeasure.instruments.lakeshore", None)
        with pytest.raises(NotConnected, match=r"pip install labpilot\[adapters\]"):
            await driver.connect()
        assert device.heard == []

    using(use)


def test_a_wrong_name_of_the_class_is_said():
    async def use(driver, device, clock):
        with pytest.raises(NotConnected, match="LakeShore999"):
            await driver.connect()

    using(use, kind_of(instrument="pymeasure.instruments.lakeshore:LakeShore999"))


@pytest.mark.parametrize(
    "action",
    [
        {"attribute": "clear", "effect": Effect.IDEMPOTENT},
        {"attribute": "output_1.range", "value": "off", "effect": Effect.VERIFIABLE},
        {"attribute": "output_1.range", "value": "off", "effect": Effect.READ},
    ],
    ids=["nothing confirms it", "verifiable", "read"],
)
def test_actions_that_promise_too_much_are_refused(action):
    with pytest.raises(TypeError):
        kind_of(Action(name="act", **action))


# wall time


def serving(use):
    async def main():
        clock = RealClock()
        world = lakeshore.LakeShoreWorld(state=WorldFile(":memory:"), clock=clock, seed=1, options={})
        port = await TcpPort.open(world.instruments["cryostat"])
        try:
            return await use(f"tcp://{port.host}:{port.port}", clock)
        finally:
            await port.close()
            world.close()

    return asyncio.run(main())


def test_on_a_real_port_nothing_stalls_the_loop_and_no_thread_is_left():
    async def use(url, clock):
        return await asyncio.to_thread(check_live, Cryostat, url, allow_actuation=True)

    report = serving(use)
    assert report.failures == []
    assert report.n_cases > 8


def test_code_that_sleeps_holds_up_only_its_caller_and_a_stop_goes_past_it():
    from drivers.links.opening import open_link

    kind = kind_of(
        NAP,
        Action(name="stop", attribute="flush", effect=Effect.IDEMPOTENT, confirmed_by="id", urgent=True),
        Action(name="doze", attribute="sleep", effect=Effect.IDEMPOTENT, confirmed_by="id", timeout_s=0.1),
        instrument=type("Sleepy", (Stubborn,), {"flush": lambda self: None}),
    )

    async def use(url, clock):
        driver = kind(open_link(url, clock), clock, name="sleepy")
        await driver.connect()
        nap = asyncio.ensure_future(driver.nap())
        await asyncio.sleep(0.05)
        began_s = clock.now_s()
        await driver.stop()
        assert clock.now_s() - began_s < 0.15 and not nap.done()
        await nap
        with pytest.raises(Ambiguous, match=r"longer than 0\.1 s"):
            await driver.doze()
        cancelled = asyncio.ensure_future(driver.nap())
        await asyncio.sleep(0.05)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await asyncio.sleep(0.5)  # the sleepers wake up and find that nobody waits
        assert not [thread for thread in threading.enumerate() if thread.name == "labpilot-blocking"]
        assert (await driver.identify()).maker == "LSCI"
        await driver.close()

    serving(use)
