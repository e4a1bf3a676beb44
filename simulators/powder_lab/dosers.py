"""The dosers: each pours one precursor into what stands at the dosing place, and not always what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from simulators.chance import generator
from simulators.instruments.base import Now
from simulators.instruments.powder_dispenser import IDENTITY, PowderDispenserInstrument, delivered_mg
from simulators.instruments.powder_feed import LAND_S
from simulators.materials.solid_state.dosing import dose
from simulators.materials.solid_state.grinding import put_back
from simulators.materials.solid_state.powder import Powder
from simulators.powder_lab.options import LabFaults, phase_of
from simulators.powder_lab.places import DOSING
from simulators.powder_lab.room import Room
from simulators.world import WorldFile


class LabDoser(PowderDispenserInstrument):
    """A doser of the laboratory; see `PowderDispenserInstrument`, and ``poured``: what of a dose has landed where.

    Args:
        name: Its name.
        material: What its cartridge holds.
        others: What a cartridge could hold by mistake.
        stock_mg: How much of it at first.
        faults: How often things go wrong.
        room: Where the crucible stands.
        landed: Told that powder had come down by a time (s).
        state: Its part of the world's file.
        clock: The time.
        seed: Of its doses.
    """

    def __init__(
        self,
        name: str,
        *,
        material: str,
        others: Sequence[str],
        stock_mg: float,
        faults: LabFaults,
        room: Room,
        landed: Callable[[float], None],
        state: WorldFile,
        clock: Now,
        seed: int,
    ) -> None:
        self.material = material
        options = {"material": material, "hopper_mg": stock_mg, "clog_probability": faults.clogged_per_dose}
        super().__init__(state=state, clock=clock, seed=seed, options=options)
        self.identity = IDENTITY.replace("P0007", name)
        self._others = [other for other in others if other != material]
        self._faults = faults
        self._room = room
        self._landed = landed
        self._poured: dict[str, Any] = state.get("poured", {"tag": "", "mg": 0.0})

    @property
    def left_mg(self) -> float:
        """What the feeder believes to have left."""
        return float(self._doser["hopper_mg"])

    @property
    def is_clogged(self) -> bool:
        """Whether the screw is clogged."""
        return bool(self._doser["is_clogged"])

    def unclog(self) -> None:
        """Have a person clean the screw."""
        self._finish_due()
        self._change(is_clogged=False)

    @property
    def in_the_air_mg(self) -> float:
        """What has come out of the dose in progress by now, and is not noted as landed yet."""
        feeding = self._feeding()
        if feeding is None:
            return 0.0
        before = self._poured["mg"] if self._poured["tag"] == feeding["tag"] else 0.0
        return delivered_mg(feeding, self._clock.now_s()) - before

    def pour_so_far(self) -> None:
        """Let what has come out of a dose in progress be where it is: the crucible is about to leave."""
        feeding = self._feeding()
        if feeding is not None:
            self._pour(feeding, delivered_mg(feeding, self._clock.now_s()))

    def _end(self, dose: dict[str, Any], state: str, end_s: float) -> None:
        super()._end(dose, state, end_s)
        self._pour(dose, delivered_mg(self._doser["doses"][-1], end_s))

    def _pour(self, order: Mapping[str, Any], delivered: float) -> None:
        """Let the rest of a dose, up to what was delivered, land where it lands."""
        before = self._poured["mg"] if self._poured["tag"] == order["tag"] else 0.0
        self._poured = {"tag": order["tag"], "mg": delivered}
        self._state.update({"poured": self._poured})
        if delivered > before:
            self._land(order["tag"], delivered - before)
            # a dose is over a while after its last grains have come down
            self._landed(max(order["began_s"], self._clock.now_s() - LAND_S))

    def _land(self, tag: str, mass_mg: float) -> None:
        number = self._doser["count"]
        powder, phase = self._powder(number, mass_mg)
        container = self._room.top(DOSING)
        facts = {"tag": tag, "by": "world", "phase": phase, "true_mg": round(powder.mass_mg, 4), "container": container}
        if container is not None:
            whole = put_back(self._room.powder(container), powder)
            self._room.put_powder(container, replace(whole, unmixed=1.0))
        self._did("poured" if container else "spilled", **facts)

    def _powder(self, number: int, mass_mg: float) -> tuple[Powder, str]:
        """Return what truly comes out."""
        chance = generator(self._seed, "vial", number)
        is_swapped = chance.random() < self._faults.swapped_vial_per_dose and bool(self._others)
        other = self._others[int(chance.integers(len(self._others)))] if is_swapped else self.material
        phase = phase_of(other)
        poured = dose({phase: mass_mg}, generator(self._seed, "pour", number), relative_error=self._faults.dosing_error)
        return poured, phase
