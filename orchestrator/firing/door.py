"""The door of a furnace: opened and closed for a run, and seen to be so."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from drivers.clock import Clock
from orchestrator.firing.controls import Controls
from orchestrator.outcomes import TrialLost
from orchestrator.plan import Act

COOL_LOOK_S = 300.0
"""How often a furnace that is too hot to be opened is looked at."""
DOOR_TRIES = 3
REFUSALS = 24
"""Times, one after another, that a door may refuse to open though the furnace has not cooled any further."""


@dataclass(slots=True, kw_only=True)
class Door:
    """Turns the door of one run's furnace; does nothing where that has none."""

    controls: Controls
    clock: Clock
    _turns: Counter[int] = field(default_factory=Counter)
    """Attempts at turning it, by what for."""

    async def open(self, number: int) -> None:
        """Open it, however long that takes; number: of the act in its run.

        Raises:
            StopRequested, StorageError: As the runner.
        """
        await self._turned(number, "open_door", "open")

    async def close(self, number: int) -> None:
        """Close it, however long that takes; number: of the act in its run.

        Raises:
            StopRequested, StorageError: As the runner.
        """
        await self._turned(number, "close_door", "closed")

    async def _turned(self, number: int, command: str, wanted: str) -> None:
        """Turn it: too hot still, it is waited for; jammed, it waits for a person."""
        refusals, before_c = 0, math.inf
        while True:
            try:
                return await self._turn(number, command, wanted)
            except TrialLost as error:
                at_c = await self.controls.temperature_c()
                refusals = 0 if at_c < before_c else refusals + 1  # for as long as it cools it is waited for
                if error.code == "rejected" and refusals <= REFUSALS:
                    before_c = min(at_c, before_c)
                    await self.controls.runner.stop.unless_set(self.clock.sleep(COOL_LOOK_S))
                    continue
                refusals = 0
                await self.controls.attention.until_seen_to(self.controls.doubt(error))

    async def _turn(self, number: int, command: str, wanted: str) -> None:
        """Open or close it, and see that it is so.

        Raises:
            TrialLost: It is not.
        """
        furnace, door = self.controls.furnace, self.controls.furnace.door
        if door is None:
            return
        state = ""
        for _ in range(DOOR_TRIES):
            label = f"{command.replace('_', ' ')} of {furnace.station}"
            await self.controls.act(Act(path=self._path(number), label=label, device=door, command=command))
            state = await self.controls.read(door, "door_state")
            if state == wanted:
                return
        raise TrialLost(f"the door of {furnace.station} is {state} and not {wanted}", device=door)

    def _path(self, number: int) -> str:
        """Return a path that no attempt at turning it has had, a restart's own apart."""
        while True:
            count = self._turns[number]
            self._turns[number] += 1
            path = f"{number}.again{count}" if count else f"{number}"
            past = self.controls.runner.past.get(f"{self.controls.batch.name}.{path}")
            if past is None or past.state not in ("rejected", "failed"):
                return path
