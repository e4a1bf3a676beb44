"""The page about the guard: its example is a lab file that works, and its tables know every word of the code."""

import re
from pathlib import Path

import pytest

from drivers.command import Effect
from drivers.links.opening import open_link
from orchestrator.guard.answers import MAY_PASS, Why
from orchestrator.guard.core import Guard, Refused
from orchestrator.guard.gate import Gate, GuardRefused
from orchestrator.guard.loading import load
from orchestrator.guard.making_safe import SafeState
from orchestrator.guard.trips import TripState
from orchestrator.worlds import VirtualWorlds

PAGE = (Path(__file__).parents[3] / "docs" / "guard.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z ]+)` \| .* \| (yes|no).*\|$", PAGE, re.MULTILINE))


@pytest.fixture
def lab(tmp_path):
    """The page's lab file, as the guard's process reads it."""
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "lab.yaml"
    file.write_text(example, encoding="utf-8")
    return load(file, {})


def test_every_reason_of_a_refusal_is_explained_and_whether_it_passes():
    assert {word: answer == "yes" for word, answer in ROWS.items()} == {
        str(why): why in MAY_PASS for why in Why if why is not Why.ALLOWED
    }


@pytest.mark.parametrize("state", [*TripState, *SafeState], ids=str)
def test_every_state_is_explained(state):
    assert re.search(rf"^\| `{state}` \|", PAGE, re.MULTILINE)


def test_the_time_that_the_page_promises_is_that_of_its_example(lab):
    assert lab.rules.reaction_s(lab.rules.trips["box-1 too hot"]) <= 29.0


def test_the_example_keeps_the_furnace_its_door_and_the_arm_apart(lab, virtually, tmp_path):
    async def use(clock):
        worlds = VirtualWorlds(tmp_path, clock, 3, {"furnace": {"start_c": 1100.0}})
        drivers = {
            name: part.driver(open_link(part.url, clock, worlds), clock, name=name) for name, part in lab.parts.items()
        }
        for driver in drivers.values():
            await driver.connect()
        await drivers["door-1"].home()
        guard = Guard(lab.rules, drivers, clock)
        gate = Gate(guard, clock)
        async with guard.running():
            await clock.sleep(20)
            with pytest.raises(GuardRefused, match=r"needs box-1.read_temperature < 200 degC.*nothing was sent"):
                await gate.check("door-1", "open_door", {}, effect=Effect.IDEMPOTENT)
            with pytest.raises(GuardRefused, match="door-1.door_state is closed"):
                await gate.check("arm-2", "transfer", {}, effect=Effect.VERIFIABLE)
            wanted = {"target_c": 1190.0, "rate_k_per_min": 50.0}
            await gate.check("box-1", "set_temperature", wanted, effect=Effect.VERIFIABLE)
            await drivers["box-1"].set_temperature(**wanted)
            await gate_shuts(gate, clock)
            assert list(guard.board.latched_now) == ["box-1 too hot"]
            await clock.sleep(5)
            assert await drivers["box-1"].read_setpoint() == 20.0
            with pytest.raises(Refused, match="not known to be safe"):
                guard.acknowledge("box-1 too hot", who="Ada", reason="I looked at it")
            await clock.sleep(1800)
            assert guard.status()["devices"]["box-1"]["state"] == "safe"
            guard.acknowledge("box-1 too hot", who="Ada", reason="I looked at it")
        worlds.close()

    virtually(use)


async def gate_shuts(gate, clock):
    """Wait until the trip has latched, at most an hour."""
    for _ in range(3600):
        await clock.sleep(1)
        try:
            await gate.check("box-1", "run_profile", {}, effect=Effect.VERIFIABLE)
        except GuardRefused as refused:
            if refused.why is Why.TRIP:
                return
    pytest.fail("never tripped")
