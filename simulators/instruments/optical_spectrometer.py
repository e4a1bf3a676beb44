"""A simulated spectrometer that runs freely behind a SCPI server (IEEE 488.2 and SCPI-1999 style) on TCP.

    SENS:EXP 0.05;:SENS:EXP?;:SENS:FRAM?   ->  0.05;1234,0.1,0.043
    FETC?                                  ->  #42084<header 32 bytes, counts 1024 x u16, CRC-32 u32>

Frames follow each other without being asked for; FETCh? returns the last that is complete, and ``SENS:FRAM?`` number,
exposure and remaining seconds of the one in progress (``IDLE`` after ABORt). The header is number u32, flags u32 (1:
shutter open, 2: it moved, 4: lamp on all the time), exposure f64 (s), start f64 (s since power came), detector
temperature f32 (Cel), pixels u32; all numbers are little-endian. After SENS:EXP the frame in progress and the next one
still have the old exposure. Also: ``*IDN? *CLS *ESR? *OPC? SYST:ERR? SENS:EXP? SENS:WAV? SENS:SAT? INP:SHUT?
OUTP:LAMP? OUTP:LAMP:STAT? INIT:CONT? ABOR``, ``INP:SHUT OPEN|CLOS``, ``OUTP:LAMP ON|OFF`` and ``INIT:CONT ON|OFF``, in
long form too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np

from drivers.links.framing import Block, Line
from simulators.instruments.base import FramedInstrument, Now
from simulators.instruments.free_running import FULL_SCALE, PIXELS, Frames, Light
from simulators.solo import Solo
from simulators.world import Instrument, WorldFile

IDENTITY = "labpilot,OS-1024,S0091,1.7"
EXPOSURE_S = (0.001, 10.0)
POWER_ON_EXPOSURE_S = 0.1
HEADER = struct.Struct("<IIddfI")
OPEN, MOVED, LAMP = 1, 2, 4
SAMPLES = ("white", "film", "none")

_UNIT = re.compile(r":?([*A-Za-z:]+)(\??)(?:\s+(\S+))?")
_NODES = {
    "SENSE": "SENS",
    "EXPOSURE": "EXP",
    "FRAME": "FRAM",
    "WAVELENGTH": "WAV",
    "SATURATION": "SAT",
    "INPUT": "INP",
    "SHUTTER": "SHUT",
    "OUTPUT": "OUTP",
    "STATE": "STAT",
    "INITIATE": "INIT",
    "CONTINUOUS": "CONT",
    "ABORT": "ABOR",
    "FETCH": "FETC",
    "SYSTEM": "SYST",
    "ERROR": "ERR",
}
_EVENT_BITS = {"-1": 32, "-2": 16, "-3": 8, "-4": 4}
"""IEEE 488.2, 11.5.1: command, execution, device and query errors."""


class OpticalSpectrometer(FramedInstrument):
    """The simulated spectrometer; its key in the world's file is ``spectrometer``.

    Args:
        state: The world's file.
        clock: The time.
        seed: Of all noise.
        options: As in `OpticalSpectrometerWorld.DEFAULTS`.
    """

    wire = "tcp"
    has_front_panel = True

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        super().__init__(Line(), state=state, clock=clock)
        self._options = options
        now_s = clock.now_s()
        new = {
            "boot": 1,
            "booted_s": now_s,
            "frames": Frames.fresh(POWER_ON_EXPOSURE_S, now_s),
            "events": Light.fresh(now_s, str(options["sample"])),
            "errors": [],
            "event_register": 128,
        }
        self._all: dict[str, Any] = state.get("spectrometer", new)
        self.frames = Frames(self._all["frames"])
        """The truth: when which frame is exposed."""
        self.light = Light(self._all["events"], seed=seed, options=options)
        """The truth: what falls on the detector."""

    def answer(self, request: bytes) -> bytes | None:
        """Carry out the commands of one line and return the answers of its queries, joined."""
        answers: list[bytes] = []
        for unit in request.decode("latin-1").split(";"):
            answer = self._carry_out(unit.strip())
            if answer is not None:
                answers.append(answer)
        return b";".join(answers) + b"\n" if answers else None

    def place(self, sample: str) -> None:
        """Put a sample under the probe, by hand."""
        self._change(sample=sample)

    def restart(self) -> None:
        """Lose power: exposure, frame numbers, error queue; the lamp goes out and the shutter falls shut."""
        super().restart()
        now_s = self._clock.now_s()
        self._act("lamp", is_lamp_on=False)
        self._act("shutter", is_open=False)
        self._all.update(boot=self._all["boot"] + 1, booted_s=now_s, errors=[], event_register=128)
        self._all["frames"].update(Frames.fresh(POWER_ON_EXPOSURE_S, now_s))
        self._save()

    def front_panel(self) -> None:
        """Let somebody press the lamp's button."""
        self._act("lamp", is_lamp_on=not self.light.now["is_lamp_on"])

    def press_shutter(self) -> None:
        """Let somebody press the shutter's button."""
        self._act("shutter", is_open=not self.light.now["is_open"])

    def chatter(self) -> bytes:
        """Return a stray answer."""
        return b"1\n"

    def _carry_out(self, unit: str) -> bytes | None:
        match = _UNIT.fullmatch(unit)
        if match is None:
            return self._refuse('-102,"Syntax error"')
        header = ":".join(_NODES.get(node, node) for node in match[1].upper().split(":"))
        return self._query(header) if match[2] else self._command(header, match[3])

    def _query(self, header: str) -> bytes | None:
        light = self.light.now
        match header:
            case "*IDN":
                return IDENTITY.encode()
            case "*OPC":
                return b"1"
            case "*ESR":
                register, self._all["event_register"] = self._all["event_register"], 0
                self._save()
                return str(register).encode()
            case "SYST:ERR":
                return self._next_error()
            case "SENS:EXP":
                return repr(self._all["frames"]["exposure_s"]).encode()
            case "SENS:FRAM":
                return self._progress()
            case "SENS:WAV":
                return Block(b"").wrap(self.light.wavelength_nm.astype("<f8").tobytes())
            case "SENS:SAT":
                return str(FULL_SCALE).encode()
            case "INP:SHUT":
                return b"OPEN" if light["is_open"] else b"CLOS"
            case "OUTP:LAMP":
                return b"1" if light["is_lamp_on"] else b"0"
            case "OUTP:LAMP:STAT":
                return self._lamp_state()
            case "INIT:CONT":
                return b"1" if self.frames.is_running else b"0"
            case "FETC":
                return self._fetch()
        return self._refuse('-113,"Undefined header"')

    def _command(self, header: str, value: str | None) -> None:
        match header, (value or "").upper():
            case "*CLS", "":
                self._all.update(errors=[], event_register=0)
                self._save()
            case "ABOR", "":
                self._run(False)
            case "INIT:CONT", ("ON" | "1" | "OFF" | "0") as word:
                self._run(word in ("ON", "1"))
            case "INP:SHUT", ("OPEN" | "CLOS" | "CLOSED") as word:
                self._act("shutter", is_open=word == "OPEN")
            case "OUTP:LAMP", ("ON" | "1" | "OFF" | "0") as word:
                self._act("lamp", is_lamp_on=word in ("ON", "1"))
            case "SENS:EXP", word if word:
                self._expose(word)
            case (("*CLS" | "ABOR"), _):
                self._refuse('-108,"Parameter not allowed"')
            case (("INIT:CONT" | "INP:SHUT" | "OUTP:LAMP" | "SENS:EXP"), word):
                self._refuse('-224,"Illegal parameter value"' if word else '-109,"Missing parameter"')
            case _:
                self._refuse('-113,"Undefined header"')

    def _expose(self, word: str) -> None:
        try:
            exposure_s = float(word)
        except ValueError:
            return self._refuse('-104,"Data type error"')
        if not EXPOSURE_S[0] <= exposure_s <= EXPOSURE_S[1]:
            return self._refuse('-222,"Data out of range"')
        self.frames.expose(exposure_s, self._clock.now_s())
        self._save()

    def _run(self, is_wanted: bool) -> None:
        if is_wanted != self.frames.is_running:
            change = self.frames.run if is_wanted else self.frames.stop
            change(self._clock.now_s())
            self._save()

    def _act(self, what: str, **changes: Any) -> None:
        if self._change(**changes):
            self._did(what, **changes)

    def _change(self, **changes: Any) -> bool:
        has_changed = self.light.change(self._clock.now_s(), **changes)
        self._save()
        return has_changed

    def _progress(self) -> bytes:
        frame = self.frames.at(self._clock.now_s())
        left = f"{max(1e-6, frame.end_s - self._clock.now_s()):.6f}" if self.frames.is_running else "IDLE"
        return f"{frame.number},{frame.exposure_s!r},{left}".encode()

    def _lamp_state(self) -> bytes:
        now_s = self._clock.now_s()
        light = self.light.now
        if self.light.has_lamp_failed(now_s):
            return b"FAIL,0"
        return f"ON,{now_s - light['lit_s']:.3f}".encode() if light["is_lamp_on"] else b"OFF,0"

    def _fetch(self) -> bytes | None:
        try:
            frame = self.frames.frame(self.frames.at(self._clock.now_s()).number - 1)
        except LookupError:
            return self._refuse('-230,"Data corrupt or stale"')
        _, shutter, is_lit = self.light.during(frame)
        flags = {"open": OPEN, "closed": 0, "moved": MOVED}[shutter] | (LAMP if is_lit else 0)
        start_s = frame.start_s - self._all["booted_s"]
        header = HEADER.pack(frame.number, flags, frame.exposure_s, start_s, float(self._options["detector_c"]), PIXELS)
        data = header + np.asarray(self.light.counts(frame, self._all["boot"]), dtype="<u2").tobytes()
        return Block(b"").wrap(data + struct.pack("<I", crc32(data)))

    def _next_error(self) -> bytes:
        if not self._all["errors"]:
            return b'0,"No error"'
        error = self._all["errors"].pop(0)
        self._save()
        return error.encode()

    def _refuse(self, error: str) -> None:
        self._all["errors"] = [*self._all["errors"], error][-16:]
        self._all["event_register"] |= _EVENT_BITS[error[:2]]
        self._save()

    def _save(self) -> None:
        self._state.put(spectrometer=self._all)


class OpticalSpectrometerWorld(Solo):
    """The world around one spectrometer."""

    name = "optical-spectrometer"
    DEFAULTS = {"sample": "white", "detector_c": 25.0, "lamp_age_h": 0.0, "lamp_fails_after_s": 0.0}

    def build(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> dict[str, Instrument]:
        """Return the spectrometer."""
        self.spectrometer = OpticalSpectrometer(state=state, clock=clock, seed=seed, options=options)
        return {"spectrometer": self.spectrometer}

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with options, as sentences."""
        problems = super().check(options)
        if options.get("sample", SAMPLES[0]) not in SAMPLES:
            problems.append(f"sample is one of {', '.join(SAMPLES)}, not {options['sample']!r}")
        return problems
