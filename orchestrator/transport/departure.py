"""Departure: a sample is taken out of the laboratory; what goes wrong then costs its trial nothing."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.clock import Clock
from orchestrator.journey import Journey
from orchestrator.outcomes import StopSwitch, TrialFailed, TrialLost
from orchestrator.scheduling.board import Option
from orchestrator.transport.carrier import Carrier
from orchestrator.transport.claims import Claims
from orchestrator.transport.doubts import Doubts
from orchestrator.transport.tracker import Tracker

PUTS_AWAY = 3
"""How often it is tried to take a sample out of the laboratory before a person must."""
PAUSE_S = 120.0


@dataclass(slots=True, kw_only=True)
class Departure:
    """Puts samples away."""

    clock: Clock
    stop: StopSwitch
    claims: Claims
    carrier: Carrier
    doubts: Doubts
    tracker: Tracker

    async def put_away(self, journey: Journey) -> None:
        """Take a sample out of the laboratory, or have a person do it.

        Raises:
            StopRequested: The operator asked to stop.
            StorageError: The journal could not be written.
        """
        layout = self.claims.layout
        for attempt in range(1, PUTS_AWAY + 1):
            if journey.at in (None, layout.magazine, layout.chute) or journey.has_left:
                break
            try:
                option = Option(name=layout.chute, resources=self.claims.needed(journey, layout.chute))
                await self.claims.claim(journey, [option])
                await self.carrier.go(journey, layout.chute)
            except (TrialFailed, TrialLost) as error:
                self.claims.let_go(journey)
                await self._not_put_away(journey, error, is_last=attempt == PUTS_AWAY)
        if not journey.has_left:
            self.tracker.note("sample_left", journey.trial, {"at": journey.at})

    async def _not_put_away(self, journey: Journey, error: Exception, *, is_last: bool) -> None:
        """Wait a while and try again; in the end, close the place of a sample that is in the way until it is taken."""
        text = f"{journey.sample} was not taken out of the laboratory: {error}"
        self.tracker.incident("fault", text, trial=journey.trial)
        if not is_last:
            await self.stop.unless_set(self.clock.sleep(PAUSE_S))
        elif journey.at is not None:
            self.doubts.stranded(journey, journey.at, error)
