"""The carrier: robots take samples from place to place.

A robot that does not get hold of a sample tries again, one that has restarted is switched on, and no arm reaches
through a door that was not seen open. What a robot cannot do a person is asked to see to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drivers.errors import DriverError
from orchestrator.acts.step import owner_of
from orchestrator.attention import Attention
from orchestrator.journey import Doubt, Journey
from orchestrator.outcomes import TrialLost
from orchestrator.plan import Act, Furnace
from orchestrator.runner import Runner
from orchestrator.scheduling.board import Option
from orchestrator.scheduling.layout import Leg
from orchestrator.scheduling.names import at
from orchestrator.transport.claims import Claims
from orchestrator.transport.doubts import Doubts
from orchestrator.transport.tracker import Tracker

GRIPS = 3
"""How often a robot tries to grip what it did not get hold of."""
NOT_GRIPPED = "not_gripped"
"""What a robot calls a transfer that left the sample where it was."""


@dataclass(slots=True, kw_only=True)
class Carrier:
    """Carries samples by robots and places that they hold."""

    furnaces: Mapping[str, Furnace]
    """Furnaces by station."""
    runner: Runner
    claims: Claims
    doubts: Doubts
    attention: Attention
    tracker: Tracker

    async def go_home(self, journey: Journey) -> None:
        """Carry a sample to its home.

        Raises:
            TrialLost: It did not arrive.
            StopRequested, Skipped: As `Claims.claim`.
        """
        if journey.at != journey.home:
            option = Option(name=journey.home, resources=self.claims.needed(journey, journey.home))
            await self.claims.leave_for(journey, [option], is_urgent=True)
            await self.go(journey, journey.home)

    async def go(self, journey: Journey, destination: str, *, keep: Iterable[str] = ()) -> None:
        """Carry a sample to a place, by robots and places that it holds, and let go of what it needs no more.

        Raises:
            TrialLost: It did not arrive.
        """
        kept = frozenset(keep)
        while journey.at != destination:
            leg = self.claims.route(journey, destination).legs[0]
            doubt = await self._carried(journey, leg)
            if doubt is not None:
                await self._helped(journey, destination, kept, doubt)
            self.claims.let_go(journey, kept | self.claims.needed(journey, destination) | {at(destination)})
        self.claims.let_go(journey, kept)

    async def settle(self, journey: Journey) -> None:
        """Find out what became of a transfer that a restart interrupted.

        Raises:
            TrialLost: Nobody knows where the sample is.
        """
        begun = self.begun(journey)
        if begun is not None:
            doubt = await self._carried(journey, begun)
            if doubt is not None:
                await self._helped(journey, journey.at or journey.home, frozenset(), doubt)
            self.claims.let_go(journey, {at(journey.place)} if journey.place else ())

    def begun(self, journey: Journey) -> Leg | None:
        """Return the transfer that was begun before a restart and is not known to be over."""
        past = self.runner.past.get(f"{owner_of(journey.trial)}.{_move_path(journey)}")
        if past is None:
            return None
        arguments = past.act["arguments"]
        return Leg(robot=past.act["device"], source=arguments["source"], destination=arguments["destination"])

    async def _helped(self, journey: Journey, destination: str, keep: frozenset[str], doubt: Doubt) -> None:
        """Wait for a person, without keeping robots from others, and claim the way again."""
        self.claims.let_go(journey, keep | {at(destination)})
        await self.attention.until_seen_to(doubt)
        option = Option(name=destination, resources=self.claims.needed(journey, destination))
        await self.claims.claim_missing(journey, option)

    async def _carried(self, journey: Journey, leg: Leg) -> Doubt | None:
        """Have a robot carry a sample; return what a person must see to first, where the robot cannot.

        Raises:
            TrialLost: Nobody knows where the sample is, or the robot refused.
        """
        for attempt in range(1, GRIPS + 1):
            if (doubt := await self._behind_a_door(journey, leg)) is not None:
                return doubt
            try:
                await self.runner.act(journey.trial, _transfer(journey, leg))
            except TrialLost as error:
                is_out_of_stock = error.code == "rejected" and leg.source == self.claims.layout.magazine
                if error.code == NOT_GRIPPED or is_out_of_stock:
                    self.tracker.note("sample_not_moved", journey.trial, {"text": str(error)})
                    if is_out_of_stock:
                        return self.doubts.out_of_stock(leg)
                    if attempt == GRIPS:
                        return self.doubts.askew(journey, leg)
                    continue
                if error.code == "rejected" and attempt < GRIPS and await self._is_ready_again(journey, leg, error):
                    continue
                self.doubts.not_arrived(journey, leg, error, is_blocked=attempt > 1)
                raise
            self.tracker.note("sample_moved", journey.trial, {"at": leg.destination})
            return None
        return None

    async def _is_ready_again(self, journey: Journey, leg: Leg, error: TrialLost) -> bool:
        """Switch on a robot that refuses to move, as one that has restarted does; False where that cannot be done."""
        if "power_on" not in self.runner.laboratory.stations[leg.robot].specs:
            return False
        self.tracker.note("sample_not_moved", journey.trial, {"text": str(error)})
        text = f"{leg.robot} refused to move, and is made ready again: {error}"
        self.tracker.incident("recovery", text, trial=journey.trial, device=leg.robot)
        act = Act(
            path=f"{_move_path(journey)}.ready", label=f"make {leg.robot} ready", device=leg.robot, command="power_on"
        )
        await self.runner.act(journey.trial, act)
        return True

    async def _behind_a_door(self, journey: Journey, leg: Leg) -> Doubt | None:
        """Let no arm reach into a furnace before its door was seen open; return what a person must see to first."""
        for place in (leg.source, leg.destination):
            furnace = self.furnaces.get(self.claims.layout.station_of(place) or "")
            if furnace is None or furnace.door is None:
                continue
            try:
                state = await self.runner.read(furnace.door, "door_state")
            except DriverError as error:
                state = f"unknown ({error})"
            if state != "open":
                return self.doubts.door_in_the_way(journey, furnace, state)
        return None


def _move_path(journey: Journey) -> str:
    return f"m{journey.moves:03d}"


def _transfer(journey: Journey, leg: Leg) -> Act:
    return Act(
        path=_move_path(journey),
        label=f"carry from {leg.source} to {leg.destination}",
        device=leg.robot,
        command="transfer",
        arguments={"source": leg.source, "destination": leg.destination},
        is_tagged=True,
    )
