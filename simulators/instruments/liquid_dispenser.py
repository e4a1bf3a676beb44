r"""A simulated liquid dispenser: a Cavro XLP type syringe pump, and the station controller beside it on the same line.

    02 31 31 "I3A6000R" 03 cs  ->  02 30 40 03 71      pump: valve to port 3, draw a full stroke; busy, no error
    02 31 32 "Q" 03 cs         ->  02 30 60 03 51      ready, no error
    02 32 33 "L3" 03 cs        ->  02 30 60 "water,248.3,mL" 03 cs

The pump (address 1) speaks the OEM protocol of the XLP 6000 manual, see `drivers.instruments.oem_block`, and knows
``Z I O A P D V T R Q ?`` and the reports ``?2 ?4 ?6 ?15 ?16 ?23``. It knows nothing of reagents. What the bottles hold,
and the mark of the last order, which survives a loss of power, belong to the station controller (address 2), whose
requests are a convention of labpilot: ``?23`` identity, ``C`` syringe and ports, ``L<port>`` name and level,
``J`` the mark, ``J<phase>,<port>,<increments>,<tag>`` sets it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from drivers.instruments.oem_block import Answer, Command, OemBlock
from simulators.chance import generator
from simulators.instruments.base import FramedInstrument, Now
from simulators.instruments.syringe_pump import PORTS, STROKE, TIP, WASTE, Syringe
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

PUMP = b"1"
STATION = b"2"
PUMP_FIRMWARE = "XLP 6000 SIM 1.0"
STATION_IDENTITY = "labpilot,LD-9,D0031,1.2"
NO_MARK = "0,0,0,-"

INITIALISATION, INVALID_COMMAND, INVALID_OPERAND, NOT_INITIALISED, OVERFLOW = 1, 2, 3, 7, 15

_PROGRAM = re.compile(r"(?:[A-Za-z]\d*)*")
_TOKEN = re.compile(r"([A-Za-z])(\d*)")
_RANGES = {"A": (0, STROKE), "P": (0, STROKE), "D": (0, STROKE), "I": (1, PORTS), "O": (1, PORTS), "V": (5, 6000)}
_MARK = re.compile(r"J([0-4]),([1-9]),(\d{1,4}),([!-+\--~]{1,120})")


class LiquidDispenser(FramedInstrument):
    """Pump and controller; the key in the world's file is ``dispenser``.

    Args:
        state: The world's file.
        clock: The time.
        seed: Of the volumetric error and the level sensors' noise.
        options: As in `LiquidDispenserWorld.DEFAULTS`.
    """

    wire = "serial"
    can_be_busy = True
    has_units = True

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        super().__init__(OemBlock(), state=state, clock=clock)
        self._seed = seed
        self._options = options
        reagents = [name for name in str(options["reagents"]).split(",") if name]
        pump = Syringe.fresh(
            volume_ml=float(options["syringe_ml"]),
            reagents=reagents,
            filled_ml=float(options["filled_ml"]),
            clogs_after_ml=float(options["clogs_after_ml"]),
        )
        new = {"pump": pump, "mark": NO_MARK, "unit": "mL", "last": {}, "buffer": "", "initialisations": 0}
        self._all: dict[str, Any] = state.get("dispenser", new)
        self.syringe = Syringe(self._all["pump"], seed=seed, note=self._did)
        """The truth: mechanics and liquid."""

    def settle(self) -> None:
        """Carry out what has become due by now."""
        if self.syringe.advance(self._clock.now_s()):
            self._save()

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one block; one for another address, or none at all, gets no answer."""
        self.settle()
        try:
            command = Command.read(request)
        except ValueError:
            return None
        if command.address not in (PUMP, STATION):
            return None
        address = command.address.decode()
        is_known = command.is_repeated and self._all["last"].get(address) == command.number
        self._all["last"][address] = command.number
        if is_known:
            answer = self._status()
        else:
            text = command.data.decode("latin-1")
            answer = self._pump(text) if command.address == PUMP else self._station(text)
        self._save()
        return self._framing.wrap(answer.message())

    def restart(self) -> None:
        """Lose power: position, speed, program, error and message number; bottles and mark stay."""
        super().restart()
        self.settle()
        self.syringe.lose_power(self._clock.now_s())
        self._all.update(last={}, buffer="")
        self._save()

    def busy_reply(self, request: bytes) -> bytes | None:
        """Answer a move with error 15, command overflow."""
        taken = self._framing.take(request)
        if taken is None or taken[0][:1] != PUMP or not taken[0].endswith(b"R"):
            return None
        return self._framing.wrap(Answer(is_ready=False, error=OVERFLOW).message())

    def change_unit(self) -> None:
        """Let somebody set the station's display to microlitres."""
        self._all["unit"] = "uL" if self._all["unit"] == "mL" else "mL"
        self._save()

    def chatter(self) -> bytes:
        """Return a stray answer block."""
        return self._framing.wrap(Answer(is_ready=True, error=0).message())

    def _save(self) -> None:
        self._state.put(dispenser=self._all)

    def _status(self, error: int | None = None, data: str = "") -> Answer:
        pump = self._all["pump"]
        is_usable = pump["is_initialised"] or self.syringe.is_busy()
        code = error if error is not None else pump["error"] or (0 if is_usable else NOT_INITIALISED)
        return Answer(is_ready=not self.syringe.is_busy(), error=code, data=data.encode("latin-1"))

    def _pump(self, text: str) -> Answer:
        reports = {
            "Q": "",
            "?": str(self.syringe.plunger_at(self._clock.now_s())),
            "?2": f"{self._all['pump']['speed']:g}",
            "?4": str(self.syringe.plunger_at(self._clock.now_s())),
            "?6": str(self._all["pump"]["valve"]),
            "?15": str(self._all["initialisations"]),
            "?16": str(self._all["pump"]["plunger_moves"]),
            "?23": PUMP_FIRMWARE,
        }
        if text in reports:
            answer = self._status(data=reports[text])
            if text == "Q":
                # asking clears an error, but after an overload an initialisation error stays until there was one
                self._all["pump"]["error"] = INITIALISATION if self._all["pump"]["overload"] else 0
            return answer
        if text in ("T", "TR"):
            self.syringe.terminate(self._clock.now_s())
            self._did("terminate")
            return self._status(0)
        return self._run(text)

    def _run(self, text: str) -> Answer:
        if not _PROGRAM.fullmatch(text):
            return self._status(INVALID_COMMAND)
        if self.syringe.is_busy():
            return self._status(OVERFLOW)
        text = self._all["buffer"] + text
        if not text.endswith("R"):
            self._all["buffer"] = text
            return self._status(0)
        self._all["buffer"] = ""
        program, error, speed = self._compiled(text[:-1])
        if not error and program and program[0][0] != "initialise" and not self._all["pump"]["is_initialised"]:
            error = self._all["pump"]["overload"] or NOT_INITIALISED
        if error:
            return self._status(error)
        self._all["pump"]["speed"] = speed
        if any(kind == "initialise" for kind, _ in program):
            self._all["initialisations"] += 1
            self._all["pump"].update(error=0, overload=0)
            self._did("initialise")
        self.syringe.start(program, self._clock.now_s())
        return self._status(0)

    def _compiled(self, text: str) -> tuple[list[tuple[str, int]], int, float]:
        """Return the moves of a program, what is wrong with it, and the speed that it sets."""
        program: list[tuple[str, int]] = []
        plunger, speed = self._all["pump"]["plunger"], self._all["pump"]["speed"]
        for letter, digits in _TOKEN.findall(text):
            if letter != "Z" and letter not in _RANGES:
                return [], INVALID_COMMAND, speed
            number = int(digits or 0)
            low, high = _RANGES.get(letter, (0, 40))
            if not low <= number <= high:
                return [], INVALID_OPERAND, speed
            match letter:
                case "Z":
                    program.append(("initialise", 0))
                    plunger = 0
                case "I" | "O":
                    program.append(("valve", number))
                case "V":
                    speed = float(number)
                case _:
                    plunger = {"A": number, "P": plunger + number, "D": plunger - number}[letter]
                    program.append(("plunger", plunger))
            if not 0 <= plunger <= STROKE:
                return [], INVALID_OPERAND, speed
        return program, 0, speed

    def _station(self, text: str) -> Answer:
        if text == "?23":
            return _told(STATION_IDENTITY)
        if text == "C":
            return _told(f"{self._volume(self._all['pump']['volume_ml'])},{PORTS},{TIP},{WASTE}")
        if re.fullmatch(r"L[1-9]", text):
            return _told(self._level(text[1:]))
        if text == "J":
            return _told(self._all["mark"])
        if _MARK.fullmatch(text):
            self._all["mark"] = text[1:]
            return _told(self._all["mark"])
        return Answer(is_ready=True, error=INVALID_COMMAND)

    def _level(self, port: str) -> str:
        reservoir = self._all["pump"]["reservoirs"].get(port)
        if reservoir is None:
            return f"-,{self._volume(0.0)}"
        name, ml = reservoir
        if self._options["is_level_stuck"]:
            ml = float(self._options["filled_ml"])
        noise = generator(self._seed, "level", port, int(self._clock.now_s())).normal(0.0, 0.2)
        return f"{name},{self._volume(max(0.0, ml + noise) if ml else 0.0)}"

    def _volume(self, ml: float) -> str:
        unit = self._all["unit"]
        return f"{ml if unit == 'mL' else 1000.0 * ml:.3f},{unit}"


def _told(text: str) -> Answer:
    return Answer(is_ready=True, error=0, data=text.encode("latin-1"))


class LiquidDispenserWorld(Solo):
    """The world around one liquid dispenser."""

    name = "liquid-dispenser"
    DEFAULTS = {
        "reagents": "water,ethanol,acid,base",
        "filled_ml": 250.0,
        "syringe_ml": 5.0,
        "clogs_after_ml": 0.0,
        "is_level_stuck": False,
    }

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the pump's line."""
        self.dispenser = LiquidDispenser(state=state, clock=clock, seed=seed, options=options)
        return {"pump": self.dispenser}

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with options, as sentences."""
        problems = super().check(options)
        reagents = options.get("reagents")
        if isinstance(reagents, str):
            names = reagents.split(",")
            if len(names) > TIP - 1 or len(set(names)) < len(names) or not all(map(_NAME.fullmatch, names)):
                problems.append(f"reagents are up to {TIP - 1} different words with commas between, not {reagents!r}")
        return problems


_NAME = re.compile(r"[A-Za-z0-9_.-]{1,30}")
