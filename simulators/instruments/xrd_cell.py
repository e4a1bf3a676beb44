"""Inside the simulated diffractometer: the changer, the measuring position, the tube, and what was measured."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulators.chance import generator
from simulators.instruments.arm_cell import Did
from simulators.instruments.base import RESOLUTION_S, Now
from simulators.instruments.powder import powder_of, rate_cps
from simulators.instruments.xrdml import Scan, written
from simulators.world import WorldFile

INSIDE = 0
PLACES = range(1, 7)
MOVE_S = 12.0
OVERHEAD_S = 8.0
"""Goniometer to its start, shutter open."""
TUBE_START_S = 30.0
WARM_UP_S = 600.0
WARM_UP_LOSS = 0.02
DOOR_S = 5.0
RANGE_DEG = (4.0, 142.0)
MOST_POINTS = 30_000

_APPLICATION = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)s")


class Refused(Exception):
    """The device does not do it; says why."""


def scan_of(application: str) -> Scan:
    """Return the scan that an application's name stands for.

    Raises:
        Refused: There is no such application.
    """
    match = _APPLICATION.fullmatch(application)
    if match is None:
        raise Refused("unknown application")
    start_deg, stop_deg, step_deg, count_time_s = (float(number) for number in match.groups())
    is_sound = RANGE_DEG[0] <= start_deg < stop_deg <= RANGE_DEG[1] and step_deg > 0.0 and count_time_s > 0.0
    if not is_sound or (stop_deg - start_deg) / step_deg > MOST_POINTS:
        raise Refused("unknown application")
    return Scan(start_deg=start_deg, stop_deg=stop_deg, step_deg=step_deg, count_time_s=count_time_s)


class XrdCell:
    """The device; its keys in the world's file are ``xrd`` and ``result/NAME``.

    Args:
        state: The world's file.
        clock: The time.
        seed: Of the counting statistics.
        options: Of the world.
        did: Where actions are noted.
    """

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any], did: Did) -> None:
        self._state = state
        self._clock = clock
        self._seed = seed
        self._options = options
        self._did = did
        self._began_s: float = state.get("world")["began_s"]
        new = {
            "at": {place: place for place in options["samples"]},
            "names": {},
            "job": None,
            "tube_on_s": None,
            "door_open_until_s": None,
            "number": 0,
        }
        self._row: dict[str, Any] = state.get("xrd", new)

    @property
    def due_s(self) -> float:
        """When what it does is over; never, where it does nothing."""
        return math.inf if self._row["job"] is None else float(self._row["job"]["end_s"])

    @property
    def is_ready(self) -> bool:
        """Whether it would begin something now."""
        return self._row["job"] is None and self._is_tube_started()

    @property
    def places(self) -> Mapping[str, str]:
        """Where each sample truly is: place by the sample's first place."""
        return {sample: place for place, sample in self._row["at"].items()}

    def keep(self) -> None:
        """Write the world's file, where anything has changed."""
        if self._row != self._state.get("xrd"):
            self._state.put(xrd=self._row)

    def sample_at(self, place: int) -> str | None:
        """Return the sample at a place, by its first place."""
        return self._row["at"].get(str(place))

    def name_at(self, place: int) -> str | None:
        """Return the name under which the sample at a place was first made known."""
        sample = self.sample_at(place)
        return next((name for name, known in self._row["names"].items() if known == sample), None)

    def result(self, name: str) -> tuple[str, str]:
        """Return the state of the measurement of a name, and why it failed."""
        job = self._row["job"]
        if job is not None and job["do"] == "measure" and job["name"] == name:
            return "measuring", ""
        found = self._state.get(f"result/{name}")
        return ("absent", "") if found is None else (found["state"], found["reason"])

    def file(self, name: str) -> bytes:
        """Return the result file of a measurement that is done."""
        row = self._state.get(f"result/{name}")
        scan = scan_of(row["application"])
        rate = self.rate_cps(scan, row["sample"], row["began_s"], row["tube_on_s"])
        counts = generator(self._seed, "counts", row["number"]).poisson(rate * scan.count_time_s)
        return written(scan, counts, name=name, began_s=row["began_s"])

    def rate_cps(self, scan: Scan, sample: str, began_s: float, tube_on_s: float | None) -> np.ndarray:
        """Return the true counts per second of a scan of a sample, without noise."""
        rate = rate_cps(
            scan.two_theta_deg,
            powder_of(self._options["samples"][sample]),
            rng=generator(self._seed, "sample", sample),
            zero_shift_deg=self._options["zero_shift_deg"],
            displacement_mm=self._options["displacement_mm"],
        )
        return rate * self._tube(scan, began_s, tube_on_s)

    def _tube(self, scan: Scan, began_s: float, tube_on_s: float | None) -> np.ndarray:
        """Return the strength of the tube at ``n`` points."""
        on_s = -math.inf if tube_on_s is None else tube_on_s
        since_s = began_s + OVERHEAD_S + scan.count_time_s * np.arange(scan.n) - on_s
        return self._options["tube_intensity"] * (1.0 - WARM_UP_LOSS * np.exp(-since_s / WARM_UP_S))

    def add(self, name: str, place: int, application: str) -> None:
        """Make a sample known under a name.

        Raises:
            Refused: No sample lies there, there is no such application, or the name is another sample's.
        """
        scan_of(application)
        sample = self.sample_at(place)
        if sample is None:
            raise Refused("no sample at the location")
        if self._row["names"].get(name, sample) != sample:
            raise Refused("the sample id is in use")
        self._row["names"][name] = sample

    def remove(self, name: str, place: int | None) -> None:
        """Forget a name, or all names of the sample at a place.

        Raises:
            Refused: It is not known.
        """
        sample = None if place is None else self.sample_at(place)
        gone = [known for known, of in self._row["names"].items() if known == name or (not name and of == sample)]
        if not gone:
            raise Refused("unknown sample")
        for known in gone:
            del self._row["names"][known]

    def move(self, place: int, to: int) -> None:
        """Begin to carry a sample from one place to another.

        Raises:
            Refused: The device is busy or jammed, nothing lies there, or the way is taken.
        """
        self._check_idle()
        if self.sample_at(place) is None:
            raise Refused("no sample at the location")
        if self.sample_at(to) is not None:
            raise Refused("the location is occupied")
        if self._has_happened("changer_jams_at_s", self._clock.now_s()):
            raise Refused("changer jammed")
        self._row["job"] = {"do": "move", "from": str(place), "to": str(to), "end_s": self._clock.now_s() + MOVE_S}
        self._did("move", place=place, to=to)

    def measure(self, name: str, application: str) -> None:
        """Begin to measure the sample of a name.

        Raises:
            Refused: The device is busy or cannot measure, or that sample is not in the measuring position.
        """
        scan = scan_of(application)
        self._check_idle()
        if self._row["names"].get(name) is None or self._row["names"][name] != self.sample_at(INSIDE):
            raise Refused("unknown sample")
        now_s = self._clock.now_s()
        if self._is_door_open(now_s):
            raise Refused("interlock open")
        if self._has_happened("tube_fails_at_s", now_s):
            raise Refused("tube failure")
        lasts_s = OVERHEAD_S + scan.n * scan.count_time_s
        facts = {"application": application, "sample": self._row["names"][name]}
        self._row["number"] += 1
        times = {"began_s": now_s, "end_s": now_s + lasts_s}
        self._row["job"] = {"do": "measure", "name": name, "number": self._row["number"], **facts, **times}
        self._did("measure", tag=name, **facts)

    def stop(self) -> None:
        """End a measurement; the changer finishes what it carries."""
        if self._row["job"] is not None and self._row["job"]["do"] == "measure":
            self._end("failed", "stopped")
            self._did("stop")

    def open_door(self) -> None:
        """Open the door for a moment: the shutter falls, and a measurement is lost."""
        self._row["door_open_until_s"] = self._clock.now_s() + DOOR_S
        if self._row["job"] is not None and self._row["job"]["do"] == "measure":
            self._end("failed", "interlock open")

    def lose_power(self) -> None:
        """Forget what is kept in memory only."""
        job = self._row["job"]
        if job is not None and job["do"] == "measure":
            self._end("failed", "power lost")
        elif job is not None:
            self._arrive(job)  # the gripper homes with its sample, and puts it where it belongs
        self._row.update(names={}, tube_on_s=self._clock.now_s(), door_open_until_s=None)

    def advance(self) -> None:
        """Carry out what has become due."""
        job = self._row["job"]
        if job is None:
            return
        now_s = self._clock.now_s()
        if job["do"] == "measure" and self._has_happened("tube_fails_at_s", min(now_s, job["end_s"])):
            self._end("failed", "tube failure")
        elif now_s >= job["end_s"] - RESOLUTION_S:
            self._end("done", "") if job["do"] == "measure" else self._arrive(job)

    def _arrive(self, job: Mapping[str, Any]) -> None:
        self._row["at"][job["to"]] = self._row["at"].pop(job["from"])
        self._row["job"] = None

    def _end(self, state: str, reason: str) -> None:
        job, self._row["job"] = self._row["job"], None
        kept = {key: job[key] for key in ("application", "sample", "began_s", "number")}
        row = {"state": state, "reason": reason, "tube_on_s": self._row["tube_on_s"], **kept}
        self._state.update({f"result/{job['name']}": row})

    def _check_idle(self) -> None:
        if self._row["job"] is not None:
            raise Refused("busy")
        if not self._is_tube_started():
            raise Refused("not ready")

    def _is_tube_started(self) -> bool:
        on_s = self._row["tube_on_s"]
        return on_s is None or self._clock.now_s() >= on_s + TUBE_START_S - RESOLUTION_S

    def _is_door_open(self, now_s: float) -> bool:
        until_s = self._row["door_open_until_s"]
        return until_s is not None and now_s < until_s - RESOLUTION_S

    def _has_happened(self, what: str, now_s: float) -> bool:
        after_s = self._options[what]
        return bool(after_s) and now_s >= self._began_s + after_s
