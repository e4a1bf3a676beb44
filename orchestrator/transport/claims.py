"""Claims of samples: the robots and places that carrying one takes, had together and let go of together.

A sample keeps its home from admission until it leaves; all that it holds besides is kept from others. See
`orchestrator.scheduling.board` for why nobody waits for ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.acts.step import owner_of
from orchestrator.journey import Journey
from orchestrator.outcomes import StopSwitch, TrialLost
from orchestrator.scheduling.board import Option
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.layout import Layout, Leg, Route
from orchestrator.scheduling.names import A_HOME, at, limited


@dataclass(slots=True, kw_only=True)
class Claims:
    """Claims on behalf of samples."""

    layout: Layout
    dispatcher: Dispatcher
    stop: StopSwitch

    def restore(self, journey: Journey, begun: Leg | None) -> None:
        """Give a sample what it held before a restart.

        begun: the transfer that the restart interrupted.

        Raises:
            ValueError: Another sample is said to stand at one of its places: the journal contradicts itself.
        """
        places = {journey.home, journey.at or journey.home}
        if journey.place is not None and journey.batch is None:
            places.add(journey.place)
        if begun is not None:
            places.add(begun.destination)
            self.dispatcher.board.hold(owner_of(journey.trial), [begun.robot])
        self.dispatcher.board.hold(owner_of(journey.trial), [A_HOME, *sorted(limited(self.layout, places))])

    def route(self, journey: Journey, destination: str) -> Route:
        """Return the way from where a sample is.

        Raises:
            TrialLost: Nobody knows where it is, or there is no way.
        """
        route = None if journey.at is None else self.layout.route(journey.at, destination)
        if route is None:
            raise TrialLost(f"no way leads from {journey.at or 'a place that nobody knows'} to {destination}")
        return route

    def needed(self, journey: Journey, destination: str) -> frozenset[str]:
        """Return the robots, and the places on the way, that carrying a sample somewhere takes."""
        if journey.at == destination:
            return frozenset()
        legs = self.route(journey, destination).legs
        robots = {leg.robot for leg in legs}
        return frozenset(robots | limited(self.layout, (leg.destination for leg in legs[:-1])))

    async def leave_for(
        self,
        journey: Journey,
        options: Sequence[Option],
        *,
        is_urgent: bool = False,
        due_s: float = math.inf,
        work_s: float = 0.0,
    ) -> Option:
        """Claim one of the options, or the way home where the sample is in somebody's way.

        is_urgent: it goes home at once if none of the options can be had.

        Raises:
            StopRequested, Skipped: As `claim`.
        """
        if journey.at not in (journey.home, *self.layout.unlimited) and journey.at is not None:
            home = Option(name=journey.home, resources=self.needed(journey, journey.home), is_retreat=not is_urgent)
            options = [*options, home]
        return await self.claim(journey, options, is_first=is_urgent, due_s=due_s, work_s=work_s)

    async def claim(self, journey: Journey, options: Sequence[Option], **more: Any) -> Option:
        """Claim, for as long as nobody asks to stop; all that the sample holds besides its home is kept from others.

        more: as `Dispatcher.claim` takes it.

        Raises:
            StopRequested: The operator asked to stop.
            Skipped: The trial was given up.
        """
        owner = owner_of(journey.trial)
        frees = self.dispatcher.board.held(owner) - {A_HOME, at(journey.home)}
        waiting = self.dispatcher.claim(owner, options, frees=frees, **more)
        return await self.stop.unless_set(waiting, trial=journey.trial)

    async def claim_missing(self, journey: Journey, option: Option, **more: Any) -> None:
        """Claim an option unless the sample holds all of it.

        Raises:
            StopRequested, Skipped: As `claim`.
        """
        if option.resources - self.dispatcher.board.held(owner_of(journey.trial)):
            await self.claim(journey, [option], **more)

    def let_go(self, journey: Journey, keep: Iterable[str] = ()) -> None:
        """Let go of all but some, its home, and the place that the sample stands at."""
        owner = owner_of(journey.trial)
        kept = {*keep, A_HOME, at(journey.home), at(journey.at or journey.home)}
        gone = self.dispatcher.board.held(owner) - kept
        if gone:
            self.dispatcher.release(owner, gone)
