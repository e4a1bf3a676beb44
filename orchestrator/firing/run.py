"""One run of a furnace: loaded, fired, emptied."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from drivers.clock import Clock
from orchestrator.firing.controls import Controls
from orchestrator.firing.door import Door
from orchestrator.firing.program import run_program
from orchestrator.journey import BatchRun
from orchestrator.outcomes import NOT_APPROVED, TrialLost
from orchestrator.plan import Firing, Furnace
from orchestrator.transport.tracker import Tracker


class GivenUp(Exception):
    """The run was given up before a sample was in it: the sample waits for another one."""


@dataclass(slots=True, kw_only=True)
class FurnaceRun:
    """A run that is under way. It has the furnace, its door and all of its places until it is empty again."""

    controls: Controls
    node: Firing | None
    """None where a restart left nobody who waits to be fired."""
    clock: Clock
    tracker: Tracker
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    """Why it goes on no more."""
    _door: Door = field(init=False)

    def __post_init__(self) -> None:
        self._door = Door(controls=self.controls, clock=self.clock)

    @property
    def batch(self) -> BatchRun:
        """Return what is known of it."""
        return self.controls.batch

    @property
    def furnace(self) -> Furnace:
        """Return where it takes place."""
        return self.controls.furnace

    async def carry_out(self) -> None:
        """Open the furnace until all samples are in it, fire, and open it until it is empty again.

        Raises:
            TrialLost: It cannot go on.
            StopRequested, StorageError: As the runner.
        """
        batch = self.batch
        if self.node is not None and batch.stage == "loading":
            await self._door.open(0)
            self.opened.set()
            await self.tracker.until(lambda: all(map(self._is_in_or_lost, batch.places)))
            await self._door.close(1)
            self.tracker.note("batch_loaded", None, {"batch": batch.name})
        if self.node is not None and batch.stage == "loaded":
            await self._fired(self.node)
        self.opened.set()
        if self.has_samples:
            await self._door.open(3)
        self.error = TrialLost(batch.failure) if batch.failure else None
        self.is_over.set()
        await self.tracker.until(lambda: not self.has_samples)
        await self._door.close(4)

    async def _fired(self, node: Firing) -> None:
        """Run the program; a furnace that failed at it is out of service until somebody has seen to it."""
        try:
            await run_program(self.controls, self.clock, node)
        except TrialLost as error:
            if error.code != NOT_APPROVED and not self._was_made_safe():
                self.controls.doubt(error)
            self.tracker.note("batch_failed", None, {"batch": self.batch.name, "text": str(error)})
        else:
            self.tracker.note("batch_fired", None, {"batch": self.batch.name})

    def _was_made_safe(self) -> bool:
        """Say whether we stopped the furnace ourselves since it was loaded: then nothing is wrong with it."""
        stopped_s = self.tracker.where.made_safe_s.get(self.furnace.heater)
        return stopped_s is not None and self.batch.loaded_s is not None and stopped_s >= self.batch.loaded_s

    def fail(self, error: Exception) -> None:
        """Let everybody who waits for it know that it goes on no more."""
        self.error = error
        self.opened.set()
        self.is_over.set()

    def give_up(self, error: TrialLost) -> None:
        """Take a furnace that failed out of service; who is not in it yet waits for another.

        Raises:
            StorageError: The journal could not be written.
        """
        self.controls.doubt(error)
        self.fail(error if self.has_samples else GivenUp())

    @property
    def has_samples(self) -> bool:
        """Say whether any of its samples is in the furnace."""
        return any(map(self._is_inside, self.batch.places))

    def _is_inside(self, trial: int) -> bool:
        journey = self.tracker.where.journeys[trial]
        return journey.at == self.batch.places[trial] and not journey.has_left

    def _is_in_or_lost(self, trial: int) -> bool:
        journey = self.tracker.where.journeys[trial]
        return self._is_inside(trial) or journey.has_left or journey.at is None
