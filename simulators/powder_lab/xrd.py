"""The diffractometer of the laboratory: its changer's places are places of the arm, its samples what lies in crucibles.

A pattern is computed when its file is fetched, from the powder as it was when the measurement ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from simulators.chance import generator
from simulators.instruments.arm_cell import Did
from simulators.instruments.base import Now
from simulators.instruments.diffractometer import AutomationPort, Diffractometer
from simulators.instruments.powder import rate_of
from simulators.instruments.xrd_cell import INSIDE, XrdCell, scan_of
from simulators.instruments.xrdml import written
from simulators.materials.powder.settings import Sample
from simulators.materials.powder.specimen import Phase
from simulators.materials.solid_state.powder import Powder
from simulators.materials.solid_state.specimen import phases
from simulators.powder_lab import places
from simulators.powder_lab.options import LabFaults
from simulators.powder_lab.room import Room
from simulators.world import WorldFile

SPECIMEN = Sample(size_spread=(0.1, 0.4), aspect=(0.8, 1.25), texture=(0.8, 1.0), grains=1e6, b_angstrom2=(0.4, 0.9))
"""What a powder in a holder is like, besides what it is."""
SOLID_SOLUTION = (0.002, 0.01)
"""How far the cell of a solid solution is off."""


class LabCell(XrdCell):
    """The device; its samples are containers."""

    def __init__(
        self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any], did: Did, room: Room,
        faults: LabFaults,
    ) -> None:  # fmt: skip
        super().__init__(state=state, clock=clock, seed=seed, options=options, did=did)
        self._room = room
        self._faults = faults

    @property
    def carries(self) -> tuple[str, ...]:
        """The places that the changer carries a sample from and to, now."""
        job = self._row["job"]
        if job is None or job["do"] != "move":
            return ()
        return _place(int(job["from"])), _place(int(job["to"]))

    def sample_at(self, place: int) -> str | None:
        """Return the container at a place."""
        return self._room.top(_place(place))

    def add(self, name: str, place: int, application: str) -> None:
        """Make a sample known under a name; names of those that have left are forgotten."""
        here = {self.sample_at(at) for at in range(INSIDE, len(places.CHANGER) + 1)}
        self._row["names"] = {known: sample for known, sample in self._row["names"].items() if sample in here}
        super().add(name, place, application)

    def file(self, name: str) -> bytes:
        """Return the result file of a measurement that is done."""
        row = self._state.get(f"result/{name}")
        scan = scan_of(row["application"])
        powder = Powder.from_json(row["powder"])
        rate = self._rate(scan.two_theta_deg, powder, row["sample"], row["number"])
        rate = rate * self._tube(scan, row["began_s"], row["tube_on_s"])
        counts = generator(self._seed, "counts", row["number"]).poisson(rate * scan.count_time_s)
        return written(scan, counts, name=name, began_s=row["began_s"])

    def _rate(self, two_theta_deg: np.ndarray, powder: Powder, container: str, number: int) -> np.ndarray:
        chance = generator(self._seed, "sample", container)
        found = phases(powder, chance, SPECIMEN) if powder.portions else ()
        shifts = generator(self._seed, "solid solution", container)
        height = self._faults.height_error_mm * float(generator(self._seed, "height", number).standard_normal())
        return rate_of(
            two_theta_deg,
            tuple(self._shifted(phase, shifts) for phase in found),
            powder.glass,
            rng=chance,
            zero_shift_deg=self._options["zero_shift_deg"],
            displacement_mm=self._options["displacement_mm"] + height,
        )

    def _shifted(self, phase: Phase, chance: np.random.Generator) -> Phase:
        happens, size, sign = chance.random(3)
        if happens >= self._faults.solid_solution_per_phase:
            return phase
        low, high = SOLID_SOLUTION
        factor = 1.0 + (low + (high - low) * size) * (1.0 if sign < 0.5 else -1.0)
        cell = replace(phase.cell, a=phase.cell.a * factor, b=phase.cell.b * factor, c=phase.cell.c * factor)
        return replace(phase, cell=cell)

    def _arrive(self, job: Mapping[str, Any]) -> None:
        self._row["job"] = None
        container = self.sample_at(int(job["from"]))
        if container is None:
            return  # the arm was quicker
        to = _place(int(job["to"]))
        self._room.move(container, to)
        self._did("carried", container=container, place=to, by="world")

    def _end(self, state: str, reason: str) -> None:
        job = self._row["job"]
        super()._end(state, reason)
        key = f"result/{job['name']}"
        powder = self._room.powder(job["sample"]).to_json()
        self._state.update({key: {**self._state.get(key), "powder": powder}})


class LabXrdPort(AutomationPort):
    """The port of the diffractometer."""

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, room: Room, faults: LabFaults) -> None:
        self._room = room
        self._lab_faults = faults
        super().__init__(state=state, clock=clock, seed=seed, options={**Diffractometer.DEFAULTS, "samples": {}})

    def new_cell(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> LabCell:
        """Return the device behind this port."""
        self.lab_cell = LabCell(
            state=state, clock=clock, seed=seed, options=options, did=self._did, room=self._room,
            faults=self._lab_faults,
        )  # fmt: skip
        return self.lab_cell

    @property
    def due_s(self) -> float:
        """When what it does is over."""
        return self.cell.due_s

    def advance(self) -> None:
        """Carry out what has become due."""
        self.cell.advance()
        self.cell.keep()


def _place(number: int) -> str:
    return places.INSIDE if number == INSIDE else places.CHANGER[number - 1]
