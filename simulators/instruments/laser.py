r"""A simulated laser annealer: comma-separated lines with a checksum, as NMEA 0183 has them.

    SET,900.0,1000.0*6E\r\n    ->  SET,900.0,1000.0*6E\r\n        peak temperature (degC), dwell (us)
    FIRE,trial-7*35\r\n        ->  FIRE,trial-7,3.056689*..       busy for that many seconds

Requests: ``ID?``, ``SET,peak,dwell``, ``FIRE,tag``, ``STAT?``, ``SHOT?``, ``SHUTTER,OPEN|CLOSED``, ``STOP``.
A refusal is ``ERR,CODE,text``. FIRE charges, scans the beam across the stripe, and cools; STOP while charging dumps the
charge, and no shot happens. `STAT?` answers ``STAT,phase,remaining_s,tag in progress,shutter,tag of the last shot``;
`SHOT?` tells what the last shot was, with the pulse energy over the requested that a photodiode saw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.links.framing import SealedLine
from simulators.instruments.base import RESOLUTION_S, FramedInstrument, Now
from simulators.world import WorldFile

IDENTITY = "ID,labpilot,LSA-120,L0007,1.4"
CHARGE_S = 2.0
COOL_S = 1.0
SCAN_MM = 5.0
BEAM_UM = 88.2
"""The beam's length along the scan: scan speed is this over the dwell (88,200 mm/s at 1 us)."""
PEAK_C = (200.0, 1400.0)
DWELL_US = (100.0, 20_000.0)


class Laser(FramedInstrument):
    """The simulated laser; its key in the world's file is ``laser``.

    Args:
        state: The world's file.
        clock: The time.
        settle: Called before each request: lets the world carry out what has become due.
        last_shot: Returns the last shot as ``(number, tag, peak_c, dwell_us, energy_fraction)``, or None.
    """

    def __init__(
        self,
        *,
        state: WorldFile,
        clock: Now,
        settle: Callable[[], None],
        last_shot: Callable[[], tuple[int, str, float, float, float] | None],
    ) -> None:
        super().__init__(SealedLine(), state=state, clock=clock, settle=settle)
        self._last_shot = last_shot
        new = {"peak_temperature_c": 0.0, "dwell_us": 0.0, "is_shutter_open": True, "job": None}
        self._laser: dict[str, Any] = state.get("laser", new)

    @property
    def due_job(self) -> dict[str, Any] | None:
        """The shot whose moment has come and that nobody has carried out yet: tag, settings, `fires_s`."""
        job = self._laser["job"]
        if job is None or job["is_fired"] or self._clock.now_s() < job["fires_s"] - RESOLUTION_S:
            return None
        return job

    def fired(self) -> dict[str, Any]:
        """Note that the due shot has been carried out; returns the row for the world's file."""
        self._laser["job"]["is_fired"] = True
        return {"laser": self._laser}

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one request."""
        return self._framing.wrap(self._carry_out(request.decode("latin-1").split(",")).encode("latin-1"))

    def answer_damaged(self) -> bytes | None:
        """Say that the checksum is wrong."""
        return self._framing.wrap(b"ERR,CHECKSUM,the line was damaged")

    def _carry_out(self, words: list[str]) -> str:
        match words:
            case ["ID?"]:
                return IDENTITY
            case ["STAT?"]:
                return self._status()
            case ["SHOT?"]:
                return self._shot()
            case ["SET", peak, dwell]:
                return self._set(peak, dwell)
            case ["FIRE", tag] if tag:
                return self._fire(tag)
            case ["SHUTTER", ("OPEN" | "CLOSED") as position]:
                self._change(is_shutter_open=position == "OPEN")
                self._did("shutter", position=position)
                return f"SHUTTER,{position}"
            case ["STOP"]:
                return self._stop()
        return f"ERR,SYNTAX,{','.join(words)[:40]} is no command"

    def _status(self) -> str:
        phase, remaining_s, tag = "READY", 0.0, "-"
        job = self._laser["job"]
        if job is not None and (remaining_s := self._remaining_s(job["ready_s"])):
            tag = job["tag"]
            phase = "COOLING" if job["is_fired"] else "CHARGING"
        shutter = "OPEN" if self._laser["is_shutter_open"] else "CLOSED"
        last = self._last_shot()
        return f"STAT,{phase},{remaining_s:.6f},{tag},{shutter},{last[1] if last else '-'}"

    def _shot(self) -> str:
        last = self._last_shot()
        if last is None:
            return "SHOT,0"
        number, tag, peak_c, dwell_us, energy_fraction = last
        return f"SHOT,{number},{tag},{peak_c!r},{dwell_us!r},{energy_fraction:.6f}"

    def _set(self, peak: str, dwell: str) -> str:
        try:
            peak_c, dwell_us = float(peak), float(dwell)
        except ValueError:
            return "ERR,SYNTAX,not a number"
        for what, value, (low, high), unit in (("peak", peak_c, PEAK_C, "C"), ("dwell", dwell_us, DWELL_US, "us")):
            if not low <= value <= high:
                return f"ERR,RANGE,{what} {value:g} is outside {low:g}..{high:g} {unit}"
        if self._is_busy():
            return "ERR,BUSY,a shot is in progress"
        self._change(peak_temperature_c=peak_c, dwell_us=dwell_us)
        return f"SET,{peak_c!r},{dwell_us!r}"

    def _fire(self, tag: str) -> str:
        if self._is_busy():
            return "ERR,BUSY,a shot is in progress"
        if not self._laser["is_shutter_open"]:
            return "ERR,SHUTTER,the shutter is closed"
        peak_c, dwell_us = self._laser["peak_temperature_c"], self._laser["dwell_us"]
        if not dwell_us:
            return "ERR,UNSET,SET peak and dwell first"
        fires_s = self._clock.now_s() + CHARGE_S
        ready_s = fires_s + SCAN_MM * dwell_us / (1e3 * BEAM_UM) + COOL_S
        settings = {"peak_temperature_c": peak_c, "dwell_us": dwell_us}
        self._change(job={"tag": tag, **settings, "fires_s": fires_s, "ready_s": ready_s, "is_fired": False})
        return f"FIRE,{tag},{self._remaining_s(ready_s):.6f}"

    def _stop(self) -> str:
        job = self._laser["job"]
        if job is not None and not job["is_fired"]:
            self._change(job=None)
        self._did("stop")
        return "STOP"

    def _is_busy(self) -> bool:
        job = self._laser["job"]
        return job is not None and self._remaining_s(job["ready_s"]) > 0.0

    def _change(self, **changes: Any) -> None:
        if any(self._laser[key] != value for key, value in changes.items()):
            self._laser = {**self._laser, **changes}
            self._state.put(laser=self._laser)
