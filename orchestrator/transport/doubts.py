"""What a person must see to where a sample did not get where it was to go."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.attention import RESTOCK, Attention
from orchestrator.journey import Doubt, Journey
from orchestrator.outcomes import TrialLost
from orchestrator.plan import Furnace
from orchestrator.scheduling.layout import Layout, Leg
from orchestrator.scheduling.names import limited
from orchestrator.transport.tracker import Tracker


@dataclass(slots=True, kw_only=True)
class Doubts:
    """Says what is amiss with samples on their way, and closes what nobody may use until somebody has looked.

    All of it raises `StorageError` where the journal cannot be written.
    """

    layout: Layout
    attention: Attention
    tracker: Tracker

    def askew(self, journey: Journey, leg: Leg) -> Doubt:
        """Have a sample set straight that a robot does not get hold of."""
        text = f"{leg.robot} does not get hold of {journey.sample} at {leg.source}; set it straight"
        facts = {"place": leg.source, "robot": leg.robot, "sample": journey.sample}
        return self.attention.raise_("askew", text, trial=journey.trial, device=leg.robot, facts=facts)

    def out_of_stock(self, leg: Leg) -> Doubt:
        """Ask for containers, once for all who wait for them."""
        facts = {"place": leg.source}
        known = [one for one in self.tracker.where.doubted.values() if one.kind == RESTOCK and one.facts == facts]
        text = f"{leg.source} holds no container any more; fill it"
        return known[0] if known else self.attention.raise_(RESTOCK, text, device=leg.robot, facts=facts)

    def door_in_the_way(self, journey: Journey, furnace: Furnace, state: str) -> Doubt:
        """Have the door of a furnace opened that a sample is to pass through."""
        text = f"the door of {furnace.station} is {state}, and {journey.sample} is to pass through it; open it"
        facts = {"station": furnace.station, "heater": furnace.heater, "door": furnace.door, "open": True}
        return self.attention.raise_(
            "furnace", text, closed=[furnace.heater], trial=journey.trial, device=furnace.door or "", facts=facts
        )

    def not_arrived(self, journey: Journey, leg: Leg, error: TrialLost, *, is_blocked: bool = False) -> None:
        """Close the places where a sample may be, until somebody has looked.

        is_blocked: the robot refuses though it was made ready, so something else is amiss: it may hold the sample.
        """
        if error.code == "rejected" and not is_blocked:  # nothing was moved
            self.tracker.note("sample_not_moved", journey.trial, {"text": str(error)})
            return
        candidates = [leg.source, leg.destination, f"the floor below {leg.robot}"]
        self.tracker.note("sample_lost", journey.trial, {"places": candidates, "text": str(error)})
        self.attention.raise_(
            "lost",
            f"look for {journey.sample}: at {', '.join(candidates[:2])} or on {candidates[2]} ({error})",
            closed=sorted({*limited(self.layout, (leg.source, leg.destination)), leg.robot}),
            trial=journey.trial,
            device=leg.robot,
            facts={"sample": journey.sample, "places": candidates, "robot": leg.robot, "code": error.code},
        )

    def left_inside(self, journey: Journey, place: str, device: str, error: TrialLost) -> None:
        """Close a device that cannot be stopped, with the sample in it, until a person has taken it out."""
        if journey.at is None:  # said already, of another device
            return
        text = f"{device} cannot be stopped, so no robot reaches for {journey.sample} at {place}; take it out ({error})"
        self.tracker.note("sample_lost", journey.trial, {"places": [place], "text": text})
        closed = sorted({device, *limited(self.layout, [place])})
        facts = {"sample": journey.sample, "places": [place], "robot": self._robot_at(place), "code": "running"}
        self.attention.raise_("lost", text, closed=closed, trial=journey.trial, device=device, facts=facts)

    def stranded(self, journey: Journey, place: str, error: Exception) -> None:
        """Close the place of a sample that cannot be taken out of the laboratory, until a person has taken it."""
        robot = self._robot_at(place)
        facts = {"sample": journey.sample, "places": [place], "robot": robot, "code": "stranded"}
        closed = sorted(limited(self.layout, [place]))
        text = f"take {journey.sample} away from {place}: {error}"
        self.attention.raise_("lost", text, closed=closed, trial=journey.trial, device=robot, facts=facts)

    def _robot_at(self, place: str) -> str:
        return next(name for name, places in self.layout.reach.items() if place in places)
