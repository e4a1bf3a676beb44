"""Hunts for a moment in which the guard allows what it must not, or does not stop what it must."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from drivers.clock import VirtualClock, VirtualLoop
from drivers.command import Effect, Quantity, command
from drivers.errors import Ambiguous, Unreadable
from orchestrator.casting import Player
from orchestrator.guard.binding import rules_of
from orchestrator.guard.core import Guard, Refused
from orchestrator.guard.settings import GuardSettings

HOT_C, DOOR_STALE_S, BOX_STALE_S, LONGER_S, EVERY_S, READ_S = 1100.0, 4.0, 6.0, 5.0, 1.0, 2.0
LATE_S = 1.5
SLACK_S = 2 * (EVERY_S + READ_S)
STOP_S = 3.0

SETTINGS = GuardSettings.model_validate(
    {
        "readings": {
            "box.temperature": {"every": f"{EVERY_S} s", "stale": f"{BOX_STALE_S} s"},
            "door.state": {"every": f"{EVERY_S} s", "stale": f"{DOOR_STALE_S} s"},
        },
        "interlocks": {"box.heat": {"needs": "door.state == closed"}},
        "trips": {"hot": {"when": f"box.temperature > {HOT_C} degC", "longer_than": f"{LONGER_S} s", "stop": ["box"]}},
        "devices": {
            "box": {
                "safe": "no current",
                "takes": "1 h",
                "if_computer_dies": "goes on",
                "on_controller_loss": "keep",
                "on_guard_loss": "keep",
                "stop_within": f"{STOP_S} s",
                "proof": {"falls": "box.temperature", "by": "5 K", "within": "10 s"},
            }
        },
    }
)


@dataclass
class Device:
    """An instrument whose answers come in time, late, garbled or never, as it is told."""

    clock: VirtualClock
    value: Any
    manner: str = "well"
    answers: list[tuple[float, Any]] = field(default_factory=list)
    """What was answered to whom asked when, as far as it arrived in time."""

    async def answer(self):
        asked_s, value = self.clock.now_s(), self.value
        match self.manner:
            case "never":
                await self.clock.sleep(1e6)
            case "late":
                await self.clock.sleep(LATE_S)
            case "too late":
                await self.clock.sleep(READ_S + 1.0)
            case "garbled":
                raise Unreadable("the checksum is wrong")
            case "broken":
                raise KeyError("a defect of the driver")
        if value == value:  # what is no number is no answer: the driver refuses it
            self.answers.append((asked_s, value))
        return value


class Box:
    def __init__(self, device):
        self.device, self.stops, self.stop_manner = device, [], "works"

    @command(Effect.READ, timeout_s=READ_S)
    async def temperature(self) -> Annotated[float, Quantity("Cel", 0.0, 1500.0)]:
        return await self.device.answer()

    @command(Effect.IDEMPOTENT)
    async def heat(self) -> None:
        """Never called here: only asked about."""

    @command(Effect.IDEMPOTENT, timeout_s=STOP_S)
    async def stop(self) -> None:
        self.stops.append(self.device.clock.now_s())
        if self.stop_manner == "hangs":
            await self.device.clock.sleep(1e6)
        if self.stop_manner == "fails":
            raise Ambiguous("no answer")


class Door:
    def __init__(self, device):
        self.device = device

    @command(Effect.READ, timeout_s=READ_S)
    async def state(self) -> str:
        return await self.device.answer()


class Hunt(RuleBasedStateMachine):
    """The model keeps what the instruments answered, and judges the guard by nothing else."""

    @initialize()
    def open(self):
        loop = VirtualLoop()
        self.runner = asyncio.Runner(loop_factory=lambda: loop)
        self.clock = VirtualClock(loop)
        self.temperature, self.door = Device(self.clock, 20.0), Device(self.clock, "closed")
        self.box = Box(self.temperature)
        drivers = {"box": self.box, "door": Door(self.door)}
        players = {name: Player(type(driver), (), specs(driver)) for name, driver in drivers.items()}
        self.latches = []
        self.guard = Guard(rules_of(SETTINGS, players), drivers, self.clock, on_event=self.heard)
        self.context = self.guard.running()
        self.acknowledged_s = 0.0
        self.runner.run(self.context.__aenter__())

    def teardown(self):
        self.runner.run(self.context.__aexit__(None, None, None))
        self.runner.close()

    def heard(self, event):
        if event.kind == "tripped":
            self.latches.append(self.clock.now_s())

    @rule(seconds=st.sampled_from([0.3, 1.0, LONGER_S, 7.0, 30.0]))
    def wait(self, seconds):
        self.runner.run(self.clock.sleep(seconds))

    @rule(value=st.sampled_from([20.0, 1000.0, HOT_C, 1101.0, 1200.0, float("nan")]))
    def box_is(self, value):
        self.temperature.value = value

    @rule(value=st.sampled_from(["closed", "open", "moving"]))
    def door_is(self, value):
        self.door.value = value

    @rule(
        which=st.sampled_from(["temperature", "door"]),
        manner=st.sampled_from(["well", "late", "too late", "never", "garbled", "broken"]),
    )
    def answers_become(self, which, manner):
        getattr(self, which).manner = manner

    @rule(manner=st.sampled_from(["works", "hangs", "fails"]))
    def stop_becomes(self, manner):
        self.box.stop_manner = manner

    @rule()
    def ask_for_heat(self):
        self.runner.run(self._ask_for_heat())

    async def _ask_for_heat(self):
        """Judge the answer by what had been read when it was given, before anything else runs."""
        answer = await self.guard.check("box", "heat", {})
        if answer.is_allowed:
            assert "hot" not in self.guard.board.latched_now
            asked_s, state = self.door.answers[-1]
            assert state == "closed"
            assert self.clock.now_s() - asked_s <= DOOR_STALE_S
            self._assert_cool()

    def _assert_cool(self):
        asked_s, value = self.temperature.answers[-1]
        assert value <= HOT_C
        assert self.clock.now_s() - asked_s <= BOX_STALE_S

    @rule()
    def ask_for_a_stop(self):
        assert self.runner.run(self.guard.check("box", "stop", {})).is_allowed

    @rule(who=st.sampled_from(["Ada", "", " "]))
    def acknowledge(self, who):
        self.runner.run(self._acknowledge(who))

    async def _acknowledge(self, who):
        was_latched = "hot" in self.guard.board.latched_now
        try:
            self.guard.acknowledge("hot", who=who, reason="looked at it")
        except Refused:
            return
        assert was_latched
        assert who.strip()
        self._assert_cool()
        self.acknowledged_s = self.clock.now_s()

    @invariant()
    def what_must_be_latched_is_latched(self):
        """Known to be cool too long ago: a stale reading is a no, and so is a hot one."""
        if not hasattr(self, "guard"):
            return
        cool = [asked_s for asked_s, value in self.temperature.answers if isinstance(value, float) and value <= HOT_C]
        since_s = max([*cool, self.acknowledged_s, 0.0])
        if self.clock.now_s() - since_s > BOX_STALE_S + LONGER_S + SLACK_S:
            assert "hot" in self.guard.board.latched_now

    @invariant()
    def nothing_latches_without_a_cause(self):
        if not hasattr(self, "guard") or not self.latches:
            return
        cool = [-1.0, *(asked_s for asked_s, value in self.temperature.answers if value <= HOT_C)]
        for latched_s in self.latches:
            before = max(asked_s for asked_s in cool if asked_s < latched_s)
            assert latched_s - before >= LONGER_S

    @invariant()
    def each_latch_was_followed_by_a_stop_at_once(self):
        if hasattr(self, "guard") and "hot" in self.guard.board.latched_now:
            assert self.latches, "latched, and nobody was told"
            latched_s = self.latches[-1]
            if self.clock.now_s() > latched_s:
                assert any(latched_s <= at_s <= latched_s + 0.001 for at_s in self.box.stops)


def specs(driver):
    from drivers.command import command_specs

    return command_specs(type(driver))


Hunt.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_no_order_of_events_finds_a_hole = pytest.mark.timeout(120)(Hunt.TestCase)
