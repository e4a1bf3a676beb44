"""What furnaces do to what stands in them: who takes a powder out finds it heated by all that happened since."""

from __future__ import annotations

from collections.abc import Mapping

from simulators.chance import generator
from simulators.materials.solid_state.chemistry import Chemistry
from simulators.materials.solid_state.crucible import melts_through
from simulators.materials.solid_state.firing import fire
from simulators.materials.solid_state.powder import Powder
from simulators.materials.solid_state.profile import from_log
from simulators.powder_lab.box import BoxFurnace
from simulators.powder_lab.options import LabFaults
from simulators.powder_lab.places import BOX_OF
from simulators.powder_lab.room import EMPTY, Room


class Heating:
    """Heats powders.

    Args:
        room: Where they are.
        boxes: Furnaces by name.
        chemistry: The world's.
        seed: Of what chance decides.
        faults: How often a melt goes through its crucible.
    """

    def __init__(
        self, room: Room, boxes: Mapping[str, BoxFurnace], chemistry: Chemistry, *, seed: int, faults: LabFaults
    ) -> None:
        self._room = room
        self._boxes = boxes
        self._chemistry = chemistry
        self._seed = seed
        self._faults = faults

    def begin(self, container: str) -> None:
        """Note that a container has come into a furnace."""
        self._room.note(container, since=self._box(container).minute)

    def catch_up(self, container: str) -> None:
        """Give a container in a furnace all the heat that it has had since."""
        box, since = self._box(container), self._room.row(container)["since"]
        until = box.minute
        hot_c = box.hot_c(since, until)
        powder = self._room.powder(container)
        number = self._room.row(container)["firings"] + (1 if hot_c else 0)
        self._room.note(container, since=until, firings=number)
        if hot_c and powder.portions:
            self._room.put_powder(container, self._fired(container, number, powder, hot_c))

    def _box(self, container: str) -> BoxFurnace:
        return self._boxes[BOX_OF[self._room.row(container)["at"]]]

    def _fired(self, container: str, number: int, powder: Powder, hot_c: list[float]) -> Powder:
        fired = fire(powder, from_log(hot_c), self._chemistry)
        chance = generator(self._seed, "melt", container, number)
        is_lost = melts_through(fired, chance, chance=self._faults.melt_through_per_firing)
        facts = {"container": container, "hottest_c": max(hot_c), "minutes": len(hot_c)}
        self._room.happened("melted through" if is_lost else "fired", **facts)
        return EMPTY if is_lost else fired
