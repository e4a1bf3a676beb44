import pytest

from drivers.errors import NotSent
from orchestrator.firing.controls import Controls
from orchestrator.firing.program import LOOK_S, OVERDUE, run_program
from orchestrator.journey import BatchRun
from orchestrator.outcomes import TrialLost
from tests.orchestrator.workshop import FIRING, FURNACE


def controls_of(workshop):
    batch = BatchRun(name="batch-00001", station="oven", path="3", places={1: "oven-1"})
    return Controls(batch=batch, furnace=FURNACE, runner=workshop.runner, attention=workshop.attention)


def test_a_program_is_run_once_and_waited_for_until_the_furnace_is_cold(workshop):
    async def script():
        workshop.heater.cooling_c = [400.0, 200.0, 109.0]
        await run_program(controls_of(workshop), workshop.clock, FIRING)
        assert workshop.clock.now_s() == 2 * 300.0

    workshop.run(script)
    assert workshop.heater.done == [("run", "batch-00001.2")]


def test_a_program_that_runs_is_looked_at_when_it_should_be_over_and_every_half_hour(workshop):
    looks = []

    async def script():
        heater = workshop.heater
        heater.state, heater.left_s = "hold", 7200.0
        seen = type(heater).program_state

        async def program_state():
            looks.append(workshop.clock.now_s())
            heater.left_s = max(0.0, 2000.0 - workshop.clock.now_s())
            heater.state = "hold" if heater.left_s else "complete"
            return await seen(heater)

        heater.program_state = program_state
        await run_program(controls_of(workshop), workshop.clock, FIRING)

    workshop.run(script)
    assert looks == [0.0, LOOK_S, 2001.0]


def test_one_that_was_interrupted_is_lost(workshop):
    async def script():
        workshop.heater.state = "reset"
        with pytest.raises(TrialLost, match="the program of oven was interrupted"):
            await run_program(controls_of(workshop), workshop.clock, FIRING)

    workshop.run(script)


@pytest.mark.parametrize(
    ("state", "at_c", "text"),
    [("hold", 900.0, "its program is still in hold"), ("complete", 500.0, "it is still at 500 degC")],
    ids=["runs", "hot"],
)
def test_one_that_takes_far_too_long_is_not_waited_for_any_more(workshop, state, at_c, text):
    async def script():
        workshop.heater.state, workshop.heater.left_s, workshop.heater.cooling_c = state, 100.0, [at_c]
        with pytest.raises(TrialLost, match=f"overdue: {text}") as caught:
            await run_program(controls_of(workshop), workshop.clock, FIRING)
        assert caught.value.device == "heater"
        assert workshop.clock.now_s() == pytest.approx(OVERDUE * FIRING.work_s + LOOK_S, abs=300.0)

    workshop.run(script)


def test_a_furnace_that_does_not_answer_is_lost_and_has_no_temperature(workshop):
    async def script():
        async def silent():
            raise NotSent("no answer")

        controls = controls_of(workshop)
        workshop.heater.program_state = workshop.heater.read_temperature = silent
        with pytest.raises(TrialLost, match="oven does not answer: no answer"):
            await run_program(controls, workshop.clock, FIRING)
        assert await controls.temperature_c() == float("inf")

    workshop.run(script)
