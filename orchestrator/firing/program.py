"""The program of a furnace: begun, and waited for until it is over and the furnace is cold."""

from __future__ import annotations

from drivers.clock import Clock
from orchestrator.firing.controls import Controls
from orchestrator.firing.door import COOL_LOOK_S
from orchestrator.outcomes import TrialLost
from orchestrator.plan import Act, Firing

LOOK_S = 1800.0
"""How often a program that runs is looked at, at least."""
OVERDUE = 1.5
"""A program that takes this many times as long as it should is no longer waited for."""
OVER = ("complete", "reset")


async def run_program(controls: Controls, clock: Clock, node: Firing) -> None:
    """Run the program and wait until it is over and the furnace is cold.

    Raises:
        TrialLost: It was interrupted, or takes far too long.
        StopRequested, StorageError: As the runner.
    """
    heater, stop = controls.furnace.heater, controls.runner.stop
    await controls.act(_begun(heater, node))
    latest_s = clock.now_s() + OVERDUE * node.work_s + LOOK_S
    while (state := await controls.read(heater, "program_state")) not in OVER:
        _refuse_overdue(controls, clock.now_s() - latest_s, f"its program is still in {state}")
        left_s = float(await controls.read(heater, "remaining_s"))
        await stop.unless_set(clock.sleep(min(max(left_s, 10.0) + 1.0, LOOK_S)))
    if state == "reset":
        raise TrialLost(f"the program of {controls.furnace.station} was interrupted", device=heater)
    while (at_c := float(await controls.read(heater, "read_temperature"))) > node.unload_below_c:
        _refuse_overdue(controls, clock.now_s() - latest_s, f"it is still at {at_c:.0f} degC")
        await stop.unless_set(clock.sleep(COOL_LOOK_S))


def _begun(heater: str, node: Firing) -> Act:
    return Act(
        path="2",
        label=node.label,
        device=heater,
        command="run_profile",
        arguments={"segments": [dict(segment) for segment in node.segments]},
        is_tagged=True,
    )


def _refuse_overdue(controls: Controls, over_s: float, what: str) -> None:
    if over_s > 0.0:
        text = f"{controls.furnace.station} is {over_s / 3600.0:.1f} h overdue: {what}"
        raise TrialLost(text, device=controls.furnace.heater)
