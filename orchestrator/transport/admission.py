"""Admission: a sample comes in once there is a home for it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.acts.step import owner_of
from orchestrator.journey import Journey
from orchestrator.outcomes import StopSwitch
from orchestrator.scheduling.board import Option
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.layout import Layout
from orchestrator.scheduling.names import A_HOME, at
from orchestrator.transport.tracker import Tracker


@dataclass(slots=True, kw_only=True)
class Admission:
    """Gives samples their homes."""

    layout: Layout
    dispatcher: Dispatcher
    stop: StopSwitch
    tracker: Tracker

    @property
    def is_awaited(self) -> bool:
        """Say whether samples wait for a home."""
        return any(A_HOME in claim.options[0].resources for claim in self.dispatcher.board.waiting)

    async def admitted(self, trial: int) -> Journey:
        """Give a sample its home, where it has none yet.

        Raises:
            StopRequested: The operator asked to stop.
            Skipped: The trial was given up.
        """
        known = self.tracker.where.journeys.get(trial)
        if known is not None:
            return known
        option = Option(name="admission", resources=frozenset({A_HOME}))
        await self.stop.unless_set(self.dispatcher.claim(owner_of(trial), [option]), trial=trial)
        home = await self._a_home(trial)
        body = {"sample": f"sample-{trial:06d}", "home": home, "at": self.layout.magazine}
        self.tracker.note("sample_admitted", trial, body)
        return self.tracker.where.journeys[trial]

    async def _a_home(self, trial: int) -> str:
        """Take a home; where all that are left are closed until somebody has looked, the first that is opened again."""
        owner, board = owner_of(trial), self.dispatcher.board
        for home in self.layout.homes:
            if board.is_free([at(home)]):
                board.hold(owner, [at(home)])
                return home
        options = [Option(name=home, resources=frozenset({at(home)})) for home in self.layout.homes]
        try:
            option = await self.stop.unless_set(self.dispatcher.claim(owner, options), trial=trial)
        except BaseException:
            self.dispatcher.release(owner)
            raise
        return option.name
