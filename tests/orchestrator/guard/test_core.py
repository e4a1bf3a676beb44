"""The guard in virtual time: devices that a test moves by hand, and simulated ones on their real wire."""

import asyncio

import pytest

from drivers.command import Effect
from drivers.errors import DeviceFault, NotConnected, Unreadable
from drivers.links.opening import open_link
from orchestrator.guard.answers import Why
from orchestrator.guard.core import Guard, Refused
from orchestrator.guard.gate import Gate, GuardRefused, GuardSilent
from orchestrator.worlds import VirtualWorlds
from tests.orchestrator.guard.rig import SAFE, WATCHED, Bench, HandDevice, players, rules

TEMPERATURE = "box-1.read_temperature"
READINGS = {TEMPERATURE: WATCHED, "door-1.door_state": WATCHED}
FALLS = {"falls": TEMPERATURE, "by": "5 K", "or_below": "60 degC", "within": "1 min"}
HOT = {"hot": {"when": f"{TEMPERATURE} > 1150 degC", "longer_than": "3 s", "stop": ["box-1"]}}
DOOR_SHUT = {"arm-2.transfer": {"needs": "door-1.door_state == closed", "why": "the arm would meet the door"}}


def bench(clock, box=None, door=None, *, readings=READINGS, safety=None, **sections):
    devices = {
        "box-1": box or HandDevice(answers={"read_temperature": 900.0}),
        "door-1": door or HandDevice(answers={"door_state": "closed"}),
    }
    bound = rules(readings=readings, devices={"box-1": SAFE | (safety or {})}, **sections)
    return Bench(clock, bound, devices)


def test_an_interlock_holds_by_fresh_readings_only(virtually):
    async def use(clock):
        lab = bench(clock, interlocks=DOOR_SHUT)
        gate = Gate(lab.guard, clock)
        async with lab.guard.running():
            await clock.sleep(1)
            await gate.check("arm-2", "transfer", {}, effect=Effect.VERIFIABLE)
            lab.devices["door-1"].answers["door_state"] = "open"
            await clock.sleep(1.5)
            with pytest.raises(GuardRefused, match="door-1.door_state is open; nothing was sent") as caught:
                await gate.check("arm-2", "transfer", {}, effect=Effect.VERIFIABLE)
            assert caught.value.why is Why.INTERLOCK
            assert "the arm would meet the door" in str(caught.value)
            await gate.check("arm-2", "is_holding", {}, effect=Effect.READ)
            await gate.check("arm-2", "stop", {}, effect=Effect.IDEMPOTENT)
            lab.devices["door-1"].answers["door_state"] = Unreadable("noise")
            await clock.sleep(10)
            with pytest.raises(GuardRefused, match=r"stale, 10.5 s old where 5 s is the most .*noise"):
                await gate.check("arm-2", "transfer", {}, effect=Effect.VERIFIABLE)

    virtually(use)


def test_a_reading_that_is_too_old_for_its_interlock_is_taken_again_first(virtually):
    async def use(clock):
        needs = {"arm-2.*": {"needs": "door-1.door_state == closed", "fresh": "0.1 s"}}
        lab = bench(clock, interlocks=needs)
        async with lab.guard.running():
            await clock.sleep(0.5)
            lab.devices["door-1"].answers["door_state"] = "open"  # since the last poll
            answer = await lab.guard.check("arm-2", "move", {})
            assert (answer.why, clock.now_s()) == (Why.INTERLOCK, 0.5)

    virtually(use)


def test_a_refusal_that_may_pass_is_waited_for(virtually):
    async def use(clock):
        lab = bench(clock, interlocks=DOOR_SHUT)
        gate = Gate(lab.guard, clock)
        async with lab.guard.running():
            lab.devices["door-1"].answers["door_state"] = "open"
            await clock.sleep(2)
            waiting = asyncio.create_task(
                gate.allowed("arm-2", "transfer", {}, effect=Effect.VERIFIABLE, within_s=60.0)
            )
            await clock.sleep(10)
            assert not waiting.done()
            lab.devices["door-1"].answers["door_state"] = "closed"
            await waiting
            assert clock.now_s() < 15
            lab.devices["door-1"].answers["door_state"] = "open"
            await clock.sleep(2)
            with pytest.raises(GuardRefused):
                await gate.allowed("arm-2", "transfer", {}, effect=Effect.VERIFIABLE, within_s=5.0)

    virtually(use)


def test_what_is_hot_for_long_enough_is_stopped_latched_and_proved(virtually):
    async def use(clock):
        lab = bench(clock, trips=HOT, safety={"proof": FALLS})
        box = lab.devices["box-1"]
        async with lab.guard.running():
            await clock.sleep(10)
            box.answers["read_temperature"] = 1160.0
            began_s = clock.now_s()
            await clock.sleep(2.5)
            answer = await lab.guard.check("box-1", "set_temperature", {})
            assert (answer.why, box.stopped_at) == (Why.PENDING, [])
            assert "it is about to trip" in answer.reason
            await clock.sleep(4)
            assert len(box.stopped_at) == 1
            assert box.stopped_at[0] - began_s <= lab.guard.rules.reaction_s(lab.guard.rules.trips["hot"])
            box.answers["read_temperature"] = 1154.0
            await clock.sleep(2)
            assert lab.kinds() == ["tripped", "stopping", "stopped", "safe"]
            with pytest.raises(Refused, match="it is not over: box-1.read_temperature is 1154 degC"):
                lab.guard.acknowledge("hot", who="Ada", reason="looked")
            box.answers["read_temperature"] = 900.0
            await clock.sleep(2)
            assert (await lab.guard.check("box-1", "set_temperature", {})).why is Why.TRIP
            with pytest.raises(Refused, match="say who"):
                lab.guard.acknowledge("hot", who=" ", reason="looked")
            lab.guard.acknowledge("hot", who="Ada", reason="the thermocouple was mended")
            assert (await lab.guard.check("box-1", "set_temperature", {})).is_allowed
            with pytest.raises(Refused, match="clear cannot be acknowledged"):
                lab.guard.acknowledge("hot", who="Ada", reason="again")
            with pytest.raises(Refused, match="no trip is called 'cold'"):
                lab.guard.acknowledge("cold", who="Ada", reason="again")

    virtually(use)


def test_what_is_hot_for_a_moment_only_is_not_stopped(virtually):
    async def use(clock):
        lab = bench(clock, trips=HOT)
        async with lab.guard.running():
            for value in (900.0, 1160.0, 900.0) * 5:
                lab.devices["box-1"].answers["read_temperature"] = value
                await clock.sleep(2)
        assert lab.events == []

    virtually(use)


@pytest.mark.parametrize("silence", [Unreadable("noise"), "hang", NotConnected("gone"), float("nan"), "1100"], ids=str)
def test_a_reading_that_is_late_garbled_or_never_comes_is_a_no(virtually, silence):
    async def use(clock):
        lab = bench(clock, trips=HOT)
        async with lab.guard.running():
            await clock.sleep(10)
            lab.devices["box-1"].answers["read_temperature"] = silence
            await clock.sleep(5 + 3 + 2)  # its stale age, the time it must be so, a tick at either end
            assert lab.kinds()[:2] == ["tripped", "stopping"]

    virtually(use)


def test_at_the_start_nothing_acts_until_readings_have_come_and_they_get_their_time(virtually):
    async def use(clock):
        lab = bench(clock, trips={"hot": HOT["hot"] | {"longer_than": "0 s"}})
        lab.devices["box-1"].answers["read_temperature"] = "hang"
        async with lab.guard.running():
            await clock.sleep(2)
            assert (await lab.guard.check("box-1", "set_temperature", {})).why is Why.PENDING
            assert lab.events == []
            await clock.sleep(5)
            assert lab.kinds()[0] == "tripped"

    virtually(use)


def test_a_stop_that_does_not_work_is_escalated_until_it_does(virtually):
    async def use(clock):
        box = HandDevice(answers={"read_temperature": 1200.0})
        door = HandDevice(answers={"door_state": "closed", "home": None})
        lab = bench(clock, box, door, trips=HOT, safety={"proof": FALLS, "otherwise": ["door-1.home"]})
        async with lab.guard.running():
            await clock.sleep(80)
            assert lab.kinds()[:5] == ["tripped", "stopping", "stopped", "not_safe", "escalated"]
            assert "go there" in lab.texts("not_safe")[0]
            assert "home" in door.given
            with pytest.raises(Refused, match="box-1 is not known to be safe"):
                lab.guard.acknowledge("hot", who="Ada", reason="looked")
            stops = len(box.stopped_at)
            await clock.sleep(200)
            assert len(box.stopped_at) > stops
            box.answers["read_temperature"] = 1100.0
            await clock.sleep(80)
            assert lab.kinds()[-1] == "safe"
            lab.guard.acknowledge("hot", who="Ada", reason="the breaker is off")

    virtually(use)


def test_a_device_that_cannot_be_stopped_is_told_again_and_again(virtually):
    async def use(clock):
        box = HandDevice(answers={"read_temperature": 1200.0}, stops=DeviceFault("the controller is broken"))
        lab = bench(clock, box, trips=HOT)
        async with lab.guard.running():
            await clock.sleep(30)
            assert lab.kinds().count("stop_failed") >= 3
            assert "box-1 could not be stopped: the controller is broken" in lab.texts("not_safe")[0]
            box.stops = None
            await clock.sleep(30)
            assert lab.kinds()[-1] == "stopped"

    virtually(use)


def test_stop_for_all_stops_in_parallel_reports_what_did_not_and_latches(virtually):
    async def use(clock):
        devices = {
            "box-1": HandDevice(answers={"read_temperature": 900.0}),
            "door-1": HandDevice(answers={"door_state": "closed"}, stops="hang"),
            "arm-2": HandDevice(stops=DeviceFault("on fire")),
        }
        lab = Bench(clock, rules(readings=READINGS, devices={"box-1": SAFE}), devices)
        async with lab.guard.running():
            await clock.sleep(1)
            report = await lab.guard.stop_all(who="Ada", reason="smoke")
            assert report.stopped == ("box-1",)
            assert set(report.failed) == {"door-1", "arm-2"}
            assert report.failed["door-1"] == "door-1.stop: no outcome within 10 s"
            assert report.took_s == 10.0
            answer = await lab.guard.check("box-1", "set_temperature", {})
            assert answer.reason == "stop-all (Ada: smoke): acknowledge it first"
            for name in ("door-1", "arm-2"):
                devices[name].stops = None
            await clock.sleep(60)
            lab.guard.acknowledge("stop-all", who="Ada", reason="it was the toaster")
            assert (await lab.guard.check("box-1", "set_temperature", {})).is_allowed

    virtually(use)


def test_what_was_latched_before_a_restart_is_latched_and_stopped_after_it(virtually):
    async def use(clock):
        box = HandDevice(answers={"read_temperature": 900.0})
        devices = {"box-1": box, "door-1": HandDevice(answers={"door_state": "closed"})}
        bound = rules(readings=READINGS, devices={"box-1": SAFE}, trips=HOT)
        lab = Bench(clock, bound, devices, latched={"hot": "it was 1160 degC"})
        async with lab.guard.running():
            await clock.sleep(2)
            assert (await lab.guard.check("box-1", "set_temperature", {})).why is Why.TRIP
            assert len(box.stopped_at) == 1
            lab.guard.acknowledge("hot", who="Ada", reason="looked")

    virtually(use)


def test_the_controllers_silence_is_answered_by_the_policy_of_each_device(virtually):
    async def use(clock):
        lab = bench(clock, watchdog={"controller": "30 s"}, safety={"on_controller_loss": "stop"})
        async with lab.guard.running():
            await clock.sleep(100)
            assert lab.events == []  # nobody has been heard yet
            for _ in range(10):
                assert lab.guard.beat(1)
                await clock.sleep(10)
            began_s = clock.now_s() - 10
            await clock.sleep(40)
            assert lab.kinds() == ["controller_heard", "controller_lost", "stopping", "stopped"]
            assert 30 < lab.devices["box-1"].stopped_at[0] - began_s < 32
            assert lab.guard.beat(2)
            assert lab.kinds()[-1] == "controller_back"
            assert not lab.guard.beat(1)
            assert (await lab.guard.check("box-1", "set_temperature", {}, epoch=1)).why is Why.FENCED
            assert (await lab.guard.check("box-1", "set_temperature", {}, epoch=2)).is_allowed
            lab.guard.goodbye(2)
            await clock.sleep(100)
            assert lab.kinds().count("controller_lost") == 1

    virtually(use)


def test_a_device_that_only_the_controller_reaches_is_known_and_stopped_through_it(virtually):
    async def use(clock):
        lab = bench(clock, trips=HOT, safety={"reach": "controller"})
        guard = lab.guard
        del guard.drivers["box-1"]
        async with guard.running():
            guard.beat(1)
            guard.told({TEMPERATURE: (900.0, 0.5), "door-1.door_state": ("open", 0.0)})
            await clock.sleep(1)
            rows = guard.status()["readings"]
            assert (rows[TEMPERATURE]["value"], rows[TEMPERATURE]["age_s"]) == (900.0, 1.5)
            assert rows["door-1.door_state"]["value"] == "closed"  # its own eyes come first
            for _ in range(5):
                await clock.sleep(1)
                guard.beat(1)
                guard.told({TEMPERATURE: (1200.0, 0.0)})
            assert guard.controller.wanted == ["box-1"]
            guard.controller.stopped("box-1", "")
            await clock.sleep(1)
            assert lab.kinds() == ["controller_heard", "tripped", "stopping", "stopped"]

    virtually(use)


def test_without_a_controller_such_a_device_cannot_be_stopped_and_that_is_told(virtually):
    async def use(clock):
        lab = bench(clock, trips=HOT, safety={"reach": "controller"})
        del lab.guard.drivers["box-1"]
        async with lab.guard.running():
            await clock.sleep(30)
            assert "only the controller reaches it, and the controller is gone" in lab.texts("stop_failed")[0]
            assert "not_safe" in lab.kinds()

    virtually(use)


def test_a_reading_that_changes_too_fast_trips_and_noise_does_not(virtually):
    async def use(clock):
        lab = bench(
            clock,
            reading_rates={TEMPERATURE: {"at_most": "30 K/min", "over": "30 s", "stop": ["box-1"]}},
        )
        box = lab.devices["box-1"]
        async with lab.guard.running():
            for second in range(120):
                box.answers["read_temperature"] = 500.0 + 0.3 * second + (1.0 if second % 2 else -1.0)
                await clock.sleep(1)
            assert lab.events == []
            for second in range(60):
                box.answers["read_temperature"] = 540.0 + second
                await clock.sleep(1)
            assert lab.kinds()[0] == "tripped"
            assert "changes by" in lab.texts("tripped")[0]

    virtually(use)


def test_set_points_change_at_most_so_fast_and_commands_come_at_most_so_often(virtually):
    async def use(clock):
        lab = bench(
            clock,
            setpoint_rates={"box-1.set_temperature.target_c": {"at_most": "600 K/h"}},
            command_rates={"box-1.run_profile": {"times": 2, "within": "1 min"}},
        )
        async with lab.guard.running():
            await clock.sleep(1)

            async def ask(command, **arguments):
                return (await lab.guard.check("box-1", command, arguments)).why

            assert await ask("set_temperature", target_c=100.0) is Why.ALLOWED
            await clock.sleep(60)
            assert await ask("set_temperature", target_c=120.0) is Why.RATE
            assert await ask("set_temperature", target_c=110.0) is Why.ALLOWED
            assert [await ask("run_profile") for _ in range(3)] == [Why.ALLOWED, Why.ALLOWED, Why.RATE]
            await clock.sleep(60)
            assert await ask("run_profile") is Why.ALLOWED

    virtually(use)


def test_a_guard_that_is_silent_is_a_no_in_time(virtually):
    class Silent:
        async def check(self, device, command, arguments, *, epoch=0):
            await asyncio.sleep(1e6)

    class Gone:
        async def check(self, device, command, arguments, *, epoch=0):
            raise GuardSilent("no socket")

    async def use(clock):
        for guard, text in ((Silent(), "did not answer within 1 s"), (Gone(), "cannot be asked: no socket")):
            began_s = clock.now_s()
            with pytest.raises(GuardRefused, match=text) as caught:
                await Gate(guard, clock).check("box-1", "set_temperature", {}, effect=Effect.VERIFIABLE)
            assert caught.value.why is Why.SILENT
            assert caught.value.may_pass
            assert clock.now_s() - began_s <= 1.0

    virtually(use)


def test_one_device_that_hangs_keeps_no_other_waiting(virtually):
    async def use(clock):
        lab = bench(clock, trips=HOT, door=HandDevice(answers={"door_state": "hang"}))
        async with lab.guard.running():
            await clock.sleep(10)
            assert lab.guard.readings.age_s(TEMPERATURE, clock.now_s()) <= 1.0
            assert lab.events == []

    virtually(use)


def test_a_simulated_furnace_that_gets_too_hot_is_stopped_over_its_wire(virtually, tmp_path):
    async def use(clock):
        worlds = VirtualWorlds(tmp_path, clock, 3, {"furnace": {"start_c": 1100.0}})
        driver = players()["box-1"].driver(open_link("sim:furnace/tcp", clock, worlds), clock, name="box-1")
        await driver.connect()
        bound = rules(
            readings={TEMPERATURE: WATCHED},
            trips=HOT,
            devices={"box-1": SAFE | {"proof": FALLS | {"within": "30 min"}}},
        )
        events = []
        guard = Guard(bound, {"box-1": driver}, clock, on_event=events.append)
        async with guard.running():
            await driver.set_temperature(target_c=1190.0, rate_k_per_min=50.0)
            while not events:
                await clock.sleep(1)
            hot_c = await driver.read_temperature()
            await clock.sleep(1800)
            assert [event.kind for event in events] == ["tripped", "stopping", "stopped", "safe"]
            assert (await driver.read_setpoint(), await driver.read_output()) == (20.0, 0.0)
            assert await driver.read_temperature() < hot_c - 5
        worlds.close()

    virtually(use)


def test_two_stops_for_all_at_once_both_end(virtually):
    async def use(clock):
        lab = bench(clock, box=HandDevice(answers={"read_temperature": 900.0}, stops="hang"))
        async with lab.guard.running():
            await clock.sleep(1)
            one = asyncio.create_task(lab.guard.stop_all(who="Ada", reason="smoke"))
            two = asyncio.create_task(lab.guard.stop_all(who="Bob", reason="smoke"))
            async with asyncio.timeout(60):
                reports = await asyncio.gather(one, two)
            assert set(reports[1].failed) == {"box-1"}
            assert reports[1].stopped == ("door-1",)

    virtually(use)


def test_a_guard_that_slept_blames_neither_the_controller_nor_the_furnace(virtually):
    async def use(clock):
        lab = bench(clock, trips=HOT, safety={"on_controller_loss": "stop"})
        async with lab.guard.running():
            for _ in range(5):
                lab.guard.beat(1)
                await clock.sleep(5)
            clock.charge(600.0)  # nothing runs for ten minutes, as in a process that was stopped
            assert (await lab.guard.check("box-1", "set_temperature", {}, epoch=1)).why is Why.PENDING
            await clock.sleep(2)
            lab.guard.beat(1)
            assert "slept" in lab.kinds()
            assert not {"tripped", "controller_lost"} & set(lab.kinds())
            assert (await lab.guard.check("box-1", "set_temperature", {}, epoch=1)).is_allowed

    virtually(use)


def test_a_guard_that_slept_while_it_got_hot_stops_it(virtually):
    async def use(clock):
        lab = bench(clock, trips=HOT)
        async with lab.guard.running():
            await clock.sleep(5)
            clock.charge(600.0)
            lab.devices["box-1"].answers["read_temperature"] = 1200.0
            await clock.sleep(7)
            assert "tripped" in lab.kinds()

    virtually(use)


def test_a_trip_that_latches_while_somebody_acknowledges_stops_its_devices(virtually):
    async def use(clock):
        lab = bench(clock, trips=HOT)
        async with lab.guard.running():
            await clock.sleep(5.5)
            lab.guard.readings.put(TEMPERATURE, 1200.0, clock.now_s())
            lab.guard._judge("hot")
            clock.charge(3.2)
            with pytest.raises(Refused):
                lab.guard.acknowledge("hot", who="Ada", reason="looked")
            await clock.sleep(0)
            assert lab.devices["box-1"].stopped_at or lab.guard.status()["trips"]["hot"]["state"] == "pending"
            await clock.sleep(0.1)
            assert len(lab.devices["box-1"].stopped_at) == 1

    virtually(use)


def test_nothing_is_begun_on_a_device_that_is_being_made_safe(virtually):
    async def use(clock):
        lab = bench(clock, safety={"on_controller_loss": "stop", "proof": FALLS})
        async with lab.guard.running():
            lab.guard.beat(1)
            await clock.sleep(40)
            lab.guard.beat(1)
            answer = await lab.guard.check("box-1", "set_temperature", {}, epoch=1)
            assert (answer.why, "is being made safe" in answer.reason) == (Why.PENDING, True)
            lab.devices["box-1"].answers["read_temperature"] = 800.0
            await clock.sleep(3)
            assert (await lab.guard.check("box-1", "set_temperature", {}, epoch=1)).is_allowed
            assert lab.guard.status()["devices"] == {}  # what it was made is over

    virtually(use)


def test_a_guard_that_starts_after_the_controller_died_still_applies_the_policy(virtually):
    async def use(clock):
        devices = {"box-1": HandDevice(answers={"read_temperature": 900.0})}
        bound = rules(readings={TEMPERATURE: WATCHED}, devices={"box-1": SAFE | {"on_controller_loss": "stop"}})
        lab = Bench(clock, bound, devices, expects_controller=True)
        async with lab.guard.running():
            await clock.sleep(40)
            assert lab.kinds() == ["controller_lost", "stopping", "stopped"]

    virtually(use)


def test_a_listener_that_breaks_keeps_the_guard_from_nothing(virtually, caplog):
    async def use(clock):
        lab = bench(clock, trips=HOT)
        lab.guard.on_event = lambda event: 1 / 0
        async with lab.guard.running():
            await clock.sleep(2)
            lab.devices["box-1"].answers["read_temperature"] = 1200.0
            await clock.sleep(10)
            assert len(lab.devices["box-1"].stopped_at) == 1

    virtually(use)
    assert "listener_broke" in caplog.text
