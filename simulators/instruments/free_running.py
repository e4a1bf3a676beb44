"""A detector that never stops taking frames, and the light that falls on it.

Frames follow each other without a gap. The detector's pipeline holds the frame in progress and the one after it: a new
exposure is that of the frame after those. Which frame is in progress follows from the clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.chance import generator

PIXELS = 1024
READOUT_S = 0.01
DEPTH = 2
"""Frames that are not affected any more by a change of exposure: the one in progress, and the next."""
FULL_SCALE = 65_535
BIAS = 1000.0
PEAK_PER_S = 4.0e5
"""Counts/s of a white sample at the brightest wavelength, lamp warm."""
DARK_PER_S = 200.0
"""At 25 Cel."""
DOUBLES_K = 7.0
READ_NOISE = 8.0
STRAY = 0.005
"""Of the mean signal, on every pixel."""
COLD_SHARE = 0.3
"""What a lamp that was just switched on lacks."""
WARM_S = 120.0
LIFE_H = 1000.0
"""After this time of burning a lamp gives half."""
FLICKER_S = 60.0
"""A failing lamp flickers for so long before it goes out."""
KEPT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """When one frame is exposed."""

    number: int
    start_s: float
    exposure_s: float

    @property
    def end_s(self) -> float:
        """When it can be read."""
        return self.start_s + self.exposure_s + READOUT_S


class Frames:
    """The timeline of frames, as plain values in `state`: ``parts``, each with the exposure of all its frames."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    @staticmethod
    def fresh(exposure_s: float, now_s: float) -> dict[str, Any]:
        """Return the state of a detector that begins to run."""
        first = {"number": 1, "start_s": now_s, "exposure_s": exposure_s}
        return {"parts": [first], "exposure_s": exposure_s, "stopped_s": None}

    @property
    def is_running(self) -> bool:
        """Whether frames are taken."""
        return self.state["stopped_s"] is None

    def at(self, time_s: float) -> Frame:
        """Return the frame in progress; of a stopped detector, the one that was broken off."""
        time_s = time_s if self.is_running else self.state["stopped_s"]
        part = next(part for part in reversed(self.state["parts"]) if part["start_s"] <= time_s + 1e-9)
        period_s = part["exposure_s"] + READOUT_S
        return self._of(part, math.floor((time_s - part["start_s"]) / period_s + 1e-9))

    def frame(self, number: int) -> Frame:
        """Return a frame by its number.

        Raises:
            LookupError: It is forgotten.
        """
        for part in reversed(self.state["parts"]):
            if part["number"] <= number:
                return self._of(part, number - part["number"])
        raise LookupError(number)

    def expose(self, exposure_s: float, now_s: float) -> None:
        """Change the exposure: from the frame on that is not in the pipeline yet."""
        if exposure_s == self.state["exposure_s"]:
            return
        self.state["exposure_s"] = exposure_s
        if self.is_running:
            number = self.at(now_s).number + DEPTH
            start_s = self.frame(number - 1).end_s
            self._append(number, start_s, exposure_s)

    def stop(self, now_s: float) -> None:
        """Break off the frame in progress and take no more."""
        if self.is_running:
            self.state["stopped_s"] = now_s

    def run(self, now_s: float) -> None:
        """Take frames again."""
        if not self.is_running:
            number = self.at(now_s).number
            self.state["stopped_s"] = None
            self._append(number, now_s, self.state["exposure_s"])

    def _append(self, number: int, start_s: float, exposure_s: float) -> None:
        parts = [part for part in self.state["parts"] if part["number"] < number]
        self.state["parts"] = [*parts[-5:], {"number": number, "start_s": start_s, "exposure_s": exposure_s}]

    def _of(self, part: Mapping[str, Any], index: int) -> Frame:
        start_s = part["start_s"] + index * (part["exposure_s"] + READOUT_S)
        return Frame(number=part["number"] + index, start_s=start_s, exposure_s=part["exposure_s"])


class Light:
    """Lamp, shutter and sample, as a list of changes in `events`, and what the detector makes of them.

    Args:
        events: Plain values, changed in place.
        seed: Of noise, of the pixels' darkness, and of a failing lamp's flicker.
        options: ``detector_c``, ``lamp_age_h`` and ``lamp_fails_after_s``.
    """

    def __init__(self, events: list[dict[str, Any]], *, seed: int, options: Mapping[str, Any]) -> None:
        self.events = events
        self.wavelength_nm: NDArray[np.float64] = np.linspace(350.0, 1000.0, PIXELS)
        self._seed = seed
        self._options = options
        self._darkness = 1.0 + 0.1 * generator(seed, "darkness").standard_normal(PIXELS)

    @staticmethod
    def fresh(now_s: float, sample: str) -> list[dict[str, Any]]:
        """Return the events of an instrument that was just switched on: lamp off, shutter open."""
        return [{"at_s": now_s, "is_lamp_on": False, "is_open": True, "sample": sample, "lit_s": now_s, "burnt_s": 0.0}]

    @property
    def now(self) -> Mapping[str, Any]:
        """The newest state."""
        return self.events[-1]

    def change(self, time_s: float, **changes: Any) -> bool:
        """Note a change; returns False if it is none."""
        last = self.events[-1]
        if all(last[key] == value for key, value in changes.items()):
            return False
        event = {**last, "at_s": time_s, "burnt_s": self._burnt_s(last, time_s), **changes}
        if event["is_lamp_on"] and not last["is_lamp_on"]:
            event["lit_s"] = time_s
        self.events.append(event)
        del self.events[:-KEPT]
        return True

    def has_lamp_failed(self, time_s: float) -> bool:
        """Say whether the lamp has gone out for good."""
        fails_s = float(self._options["lamp_fails_after_s"])
        return bool(fails_s) and self._burnt_s(self.events[-1], time_s) >= fails_s

    def lamp(self, event: Mapping[str, Any], time_s: float) -> float:
        """Return the lamp's output at a time, 1 for a new one that is warm."""
        if not event["is_lamp_on"]:
            return 0.0
        burnt_s = self._burnt_s(event, time_s)
        warm = 1.0 - COLD_SHARE * math.exp(-(time_s - event["lit_s"]) / WARM_S)
        old = 0.5 ** ((float(self._options["lamp_age_h"]) + burnt_s / 3600.0) / LIFE_H)
        return warm * old * self._flicker(burnt_s)

    def during(self, frame: Frame) -> tuple[NDArray[np.float64], str, bool]:
        """Return the mean light per pixel over a frame, what the shutter was, and whether the lamp was on all the time.

        The shutter was ``open``, ``closed`` or ``moved``.
        """
        end_s = frame.start_s + frame.exposure_s
        light = np.zeros(PIXELS)
        shutters, is_lit = set(), True
        for event, until in zip(self.events, [*self.events[1:], None], strict=True):
            begin = max(frame.start_s, event["at_s"]) if event is not self.events[0] else frame.start_s
            end = end_s if until is None else min(end_s, until["at_s"])
            if end <= begin:
                continue
            shutters.add("open" if event["is_open"] else "closed")
            is_lit &= bool(event["is_lamp_on"])
            if event["is_open"]:
                share = (end - begin) / frame.exposure_s
                light += share * self.lamp(event, 0.5 * (begin + end)) * self.reflectance(event["sample"])
        return light * self._spectrum(), shutters.pop() if len(shutters) == 1 else "moved", is_lit

    def expected(self, frame: Frame) -> NDArray[np.float64]:
        """Return the counts of a frame without noise and clipping."""
        light, _, _ = self.during(frame)
        signal = (light + STRAY * light.mean()) * PEAK_PER_S * frame.exposure_s
        warmth = 2.0 ** ((float(self._options["detector_c"]) - 25.0) / DOUBLES_K)
        return BIAS + DARK_PER_S * warmth * frame.exposure_s * self._darkness + signal

    def counts(self, frame: Frame, boot: int) -> NDArray[np.uint16]:
        """Return the counts of a frame; the same at every call."""
        expected = self.expected(frame)
        rng = generator(self._seed, "frame", boot, frame.number)
        sigma = np.sqrt(np.maximum(expected - BIAS, 0.0) + READ_NOISE**2)
        noisy = expected + sigma * rng.standard_normal(PIXELS)
        return np.clip(np.rint(noisy), 0, FULL_SCALE).astype(np.uint16)

    def reflectance(self, sample: str) -> NDArray[np.float64]:
        """Return the true reflectance of a sample: ``white``, ``film`` (fringes) or ``none``."""
        match sample:
            case "white":
                return np.ones(PIXELS)
            case "film":
                return 0.35 + 0.2 * np.cos(4.0 * math.pi * 2.0 * 400.0 / self.wavelength_nm)
        return np.full(PIXELS, 0.01)

    def _spectrum(self) -> NDArray[np.float64]:
        """Return lamp times detector: a broad hump at 650 nm that is weak in the blue."""
        return np.exp(-(((self.wavelength_nm - 650.0) / 180.0) ** 2))

    def _burnt_s(self, event: Mapping[str, Any], time_s: float) -> float:
        return event["burnt_s"] + (max(0.0, time_s - event["at_s"]) if event["is_lamp_on"] else 0.0)

    def _flicker(self, burnt_s: float) -> float:
        fails_s = float(self._options["lamp_fails_after_s"])
        if not fails_s or burnt_s < fails_s - FLICKER_S:
            return 1.0
        if burnt_s >= fails_s:
            return 0.0
        return generator(self._seed, "flicker", int(burnt_s / 0.2)).uniform(0.5, 1.0)
