r"""A simulated powder dispenser: a screw feeder with a load cell, behind the numbered lines of a RepRap controller.

    M115                                      who it is
    M110 N0                                   sets the line number
    M410                                      stops the screw; taken without a number, as Marlin's emergency parser does
    M750 P"silica" S250.000 D1.000 T"tag"     begins a dose: powder, milligrams, tolerance, tag
    M751 T"tag"                               DOSE:state, what was asked for, what came out (A), seconds left (R)
    M752                                      HOPPER: powder, milligrams left, milligrams and doses so far

Numbering, checksums, `Resend` and `ok N.. P.. B..` are Marlin's (queue.cpp); M750 to M752 are this feeder's own, and
its lines of data carry the same checksum as requests. Each dose is in EEPROM before the screw turns: its tag survives a
restart, and a dose that was cut off says so. The line number is in memory only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from drivers.instruments.reprap import checksum, sealed
from drivers.links.framing import Line
from simulators.chance import generator
from simulators.instruments.base import FramedInstrument, Now
from simulators.instruments.powder_feed import Feed, plan_feed
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

IDENTITY = "FIRMWARE_NAME:labpilot 1.3 PROTOCOL_VERSION:1.0 MACHINE_TYPE:PD-10 EXTRUDER_COUNT:1 UUID:P0007"
AMOUNT_MG = (1.0, 5000.0)
TOLERANCE_MG = (0.1, 100.0)
LOG = 64
"""Doses that the EEPROM has room for."""
KEEPALIVE_S = 2.0
NOISE_MG = 0.02

_NUMBERED = re.compile(rb"N(\d+) (.*)")
_BEGIN = re.compile(r'M750 P"([^"]*)" S(\d+\.?\d*) D(\d+\.?\d*) T"([^"]+)"')
_ABOUT = re.compile(r'M751 T"([^"]+)"')


class PowderDispenserInstrument(FramedInstrument):
    """The simulated feeder; its key in the world's file is ``doser``, and that of its line number ``doser/line``."""

    has_front_panel = True
    identity = IDENTITY

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        super().__init__(Line(b"\n"), state=state, clock=clock)
        self._seed = seed
        self._options = options
        new = {
            "doses": [],
            "hopper_mg": float(options["hopper_mg"]),
            "total_mg": 0.0,
            "count": 0,
            "is_clogged": False,
        }
        self._doser: dict[str, Any] = state.get("doser", new)
        self._line = int(state.get("doser/line", 0))
        self._said_busy_s = clock.now_s()

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one request."""
        self._finish_due()
        line = request.strip()
        if line == b"M410":
            self._end_dose("stopped")
            return b"ok P15 B3\n"
        match = _NUMBERED.match(line)
        if match is None:
            return self._unnumbered(line)
        problem = self._refused(line, int(match[1]))
        if problem:
            return b"Error:%b, Last Line: %d\nResend: %d\nok\n" % (problem.encode(), self._line, self._line + 1)
        text = match[2].rpartition(b"*")[0].decode("latin-1")
        self._line = _new_number(text) if text.startswith("M110") else int(match[1])
        self._state.update({"doser/line": self._line})
        return self._still_busy() + self._carry_out(text) + b"ok N%d P15 B3\n" % int(match[1])

    def restart(self) -> None:
        """Lose power for a moment: the screw stops, the line number is forgotten, the EEPROM is not."""
        super().restart()
        self._finish_due()
        self._end_dose("interrupted")
        self._line = 0
        self._state.update({"doser/line": 0})
        if self.send is not None:
            self.send(b"start\necho: External Reset\n")

    def chatter(self) -> bytes:
        """Return Marlin's host keepalive."""
        return b"echo:busy: processing\n"

    def front_panel(self) -> None:
        """Let somebody press the stop key."""
        self._finish_due()
        self._end_dose("stopped")

    def refill(self, mass_mg: float) -> None:
        """Have a person change the cartridge for a full one of the same powder."""
        self._finish_due()
        self._change(hopper_mg=mass_mg, is_clogged=False)

    @property
    def due_s(self) -> float:
        """When the dose that is being fed is over; never, where there is none."""
        feeding = self._feeding()
        return math.inf if feeding is None else float(feeding["ends_s"])

    def advance(self) -> None:
        """Carry out what has become due."""
        self._finish_due()

    @property
    def true_mg(self) -> dict[str, float]:
        """What truly came out under each tag."""
        now_s = self._clock.now_s()
        return {dose["tag"]: delivered_mg(dose, now_s) for dose in self._doser["doses"]}

    def _refused(self, line: bytes, number: int) -> str:
        body, star, seal = line.rpartition(b"*")
        is_new_number = b" M110" in line
        if number != self._line + 1 and not is_new_number:
            return "Line Number is not Last Line Number+1"
        if not star:
            return "No Checksum with line number"
        return "" if seal.isdigit() and int(seal) == checksum(body) else "checksum mismatch"

    def _unnumbered(self, line: bytes) -> bytes:
        # the firmware takes nothing else without a number
        return b'echo:Unknown command: "%b"\nok P15 B3\n' % line[:40]

    def _still_busy(self) -> bytes:
        now_s = self._clock.now_s()
        if self._feeding() is None or now_s - self._said_busy_s < KEEPALIVE_S:
            return b""
        self._said_busy_s = now_s
        return self.chatter()

    def _carry_out(self, text: str) -> bytes:
        begin, about = _BEGIN.fullmatch(text), _ABOUT.fullmatch(text)
        if text == "M115":
            return _data(self.identity)
        if text == "M752":
            return _data(self._hopper())
        if about is not None:
            return _data(self._about(about[1]))
        if begin is not None:
            return self._begin(begin[1], float(begin[2]), float(begin[3]), begin[4])
        return b"" if text.startswith("M110") else f'echo:Unknown command: "{text[:40]}"\n'.encode("latin-1")

    def _hopper(self) -> str:
        left, total = self._doser["hopper_mg"], self._doser["total_mg"]
        return f'HOPPER:P"{self._options["material"]}" A{left:.2f} TOTAL:{total:.2f} COUNT:{self._doser["count"]}'

    def _about(self, tag: str) -> str:
        for dose in self._doser["doses"]:
            if dose["tag"] == tag:
                return self._described(dose)
        return f'DOSE:absent T"{tag}"'

    def _described(self, dose: dict[str, Any]) -> str:
        remaining_s = self._remaining_s(dose["ends_s"]) if dose["state"] == "feeding" else 0.0
        shown_mg = max(0.0, delivered_mg(dose, self._clock.now_s()) + dose["error_mg"])
        asked = f'T"{dose["tag"]}" P"{dose["material"]}" S{dose["target_mg"]:.3f} D{dose["tolerance_mg"]:.3f}'
        return f"DOSE:{dose['state']} {asked} A{shown_mg:.2f} R{remaining_s:.6f}"

    def _begin(self, material: str, target_mg: float, tolerance_mg: float, tag: str) -> bytes:
        problem = self._cannot(material, target_mg, tolerance_mg, tag)
        if problem:
            return f"Error:{problem}\n".encode("latin-1")
        now_s, number = self._clock.now_s(), self._doser["count"] + 1
        rng = generator(self._seed, "dose", number)
        feed = plan_feed(
            material=material,
            target_mg=target_mg,
            tolerance_mg=tolerance_mg,
            hopper_mg=self._doser["hopper_mg"],
            clogs_at=float(rng.uniform(0.1, 0.9)) if rng.random() < self._options["clog_probability"] else 1.0,
            rng=rng,
        )
        dose = {
            "tag": tag,
            "material": material,
            "target_mg": target_mg,
            "tolerance_mg": tolerance_mg,
            "state": "feeding",
            "began_s": now_s,
            "ends_s": now_s + feed.lasts_s,
            "error_mg": NOISE_MG * float(rng.standard_normal()),
            "feed": asdict(feed),
        }
        self._said_busy_s = now_s
        self._change(doses=[*self._doser["doses"], dose][-LOG:], count=number)
        self._did("dispense", once=True, material=material, target_mg=target_mg, tag=tag)
        return b""

    def _cannot(self, material: str, target_mg: float, tolerance_mg: float, tag: str) -> str:
        feeding = self._feeding()
        if feeding is not None:
            return f"busy, dose {feeding['tag']} is feeding"
        if self._doser["is_clogged"]:
            return "the screw is clogged"
        if material != self._options["material"]:
            return f"the cartridge holds {self._options['material']}"
        if any(dose["tag"] == tag for dose in self._doser["doses"]):
            return f"dose {tag} was given"
        for letter, value, (low, high) in (("S", target_mg, AMOUNT_MG), ("D", tolerance_mg, TOLERANCE_MG)):
            if not low <= value <= high:
                return f"{letter}{value:g} is outside {low:g}..{high:g} mg"
        return ""

    def _feeding(self) -> dict[str, Any] | None:
        last = self._doser["doses"][-1:]
        return last[0] if last and last[0]["state"] == "feeding" else None

    def _finish_due(self) -> None:
        """Note the end of a dose whose time has come."""
        dose = self._feeding()
        if dose is not None and not self._remaining_s(dose["ends_s"]):
            self._end(dose, dose["feed"]["outcome"], dose["ends_s"])

    def _end_dose(self, state: str) -> None:
        dose = self._feeding()
        if dose is not None:
            self._end(dose, state, self._clock.now_s())
        if state == "stopped":
            self._did("stop")

    def _end(self, dose: dict[str, Any], state: str, end_s: float) -> None:
        came_mg = delivered_mg(dose, end_s)
        ended = {**dose, "state": state, "ends_s": end_s, "delivered_mg": came_mg}
        self._change(
            doses=[*self._doser["doses"][:-1], ended],
            hopper_mg=max(0.0, self._doser["hopper_mg"] - came_mg),
            total_mg=self._doser["total_mg"] + came_mg,
            is_clogged=state == "clogged",
        )

    def _change(self, **changes: Any) -> None:
        self._doser = {**self._doser, **changes}
        self._state.put(doser=self._doser)


def _data(text: str) -> bytes:
    return sealed(text.encode("latin-1")) + b"\n"


def _new_number(text: str) -> int:
    match = re.search(r"N(\d+)", text)
    return int(match[1]) if match else 0


def delivered_mg(dose: Mapping[str, Any], time_s: float) -> float:
    """Return what has come out of a dose by a time."""
    if "delivered_mg" in dose:
        return float(dose["delivered_mg"])
    return Feed(**dose["feed"]).delivered_mg(time_s - dose["began_s"])


class PowderDispenser(Solo):
    """The world ``sim:powder-dispenser``: a feeder with a cartridge of one powder.

    Options: `material` in the cartridge (silica, alumina, sodium-chloride and titania flow as they do, others like a
    middling powder), `hopper_mg` of it, and `clog_probability` of each dose.
    """

    name = "powder-dispenser"
    DEFAULTS = {"material": "silica", "hopper_mg": 20_000.0, "clog_probability": 0.0}

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the feeder."""
        self.doser = PowderDispenserInstrument(state=state, clock=clock, seed=seed, options=options)
        return {"doser": self.doser}

    def refill(self, mass_mg: float) -> None:
        """Have a person clean the screw and change the cartridge for a full one."""
        self.doser.refill(mass_mg)
