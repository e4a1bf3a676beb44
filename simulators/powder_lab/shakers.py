"""Mill and grinder: what a shaker does to the powder that stands in it."""

from __future__ import annotations

from typing import Any

from simulators.chance import generator
from simulators.instruments.base import Now
from simulators.instruments.shaker import Shaker, ShakerInstrument
from simulators.materials.solid_state.grinding import CLEAN, Mill, Residue, grind, pass_through
from simulators.powder_lab.room import Room
from simulators.world import WorldFile

MINUTE_S = 60.0


class LabShaker(ShakerInstrument):
    """A shaker of the laboratory; see `ShakerInstrument`, and ``ground`` (how many runs) and ``residue``.

    Args:
        place: What stands there is ground.
        mill: What a minute does.
        carry_over: Share that the vessel keeps for the next sample; 0 where each crucible is a vessel of its own.
        room: Where the crucible stands.
        state: Its part of the world's file.
        clock: The time.
        seed: Of how grains touch.
    """

    def __init__(
        self, place: str, *, mill: Mill, carry_over: float, room: Room, state: WorldFile, clock: Now, seed: int
    ) -> None:
        super().__init__(state=state, clock=clock, seed=seed, options=Shaker.DEFAULTS)
        self._place = place
        self._mill = mill
        self._carry_over = carry_over
        self._room = room

    @property
    def is_running(self) -> bool:
        """Whether the motor is on."""
        return bool(self._shaker["is_on"])

    @property
    def due_s(self) -> float:
        """When its watchdog or its motor protection switches it off, if nobody does anything."""
        return min((at_s for at_s, _ in self._trips()), default=float("inf")) if self.is_running else float("inf")

    def advance(self) -> None:
        """Carry out what has become due."""
        self._trip_due()

    def _off(self, time_s: float) -> dict[str, Any]:
        if self.is_running:
            self._work((time_s - self._shaker["started_s"]) / MINUTE_S)
        return super()._off(time_s)

    def _work(self, minutes: float) -> None:
        """Let a run have its effect, now that it is over."""
        container = self._room.top(self._place)
        number = self._state.get("ground", 0) + 1
        self._state.update({"ground": number})
        powder = None if container is None else self._room.powder(container)
        if container is None or powder is None or not powder.portions:
            return
        if self._carry_over:
            residue = Residue.from_json(self._state.get("residue", CLEAN.to_json()))
            chance = generator(self._seed, "residue", number)
            powder, residue = pass_through(powder, residue, chance, keeps=self._carry_over)
            self._state.update({"residue": residue.to_json()})
        chance = generator(self._seed, "grind", number)
        self._room.put_powder(container, grind(powder, minutes=max(0.0, minutes), rng=chance, mill=self._mill))
        self._did("ground", container=container, minutes=round(minutes, 3), by="world")

    def _did(self, what: str, *, once: bool = False, **facts: Any) -> None:
        if what == "trip":  # of its own accord
            facts = {**facts, "by": "world"}
        if "by" not in facts:
            facts = {"mark": self._shaker["name"], "container": self._room.top(self._place), **facts}
        super()._did(what, once=once, **facts)
