"""A simulated reflectance spectrometer that speaks SCPI (IEEE 488.2): several commands a line, spectra as blocks.

    SENS:EXP 0.05;:SENS:AVER 4;:ACQ:STAR "t7.1";:ACQ:STAT? "t7.1"
    "t7.1",RUN,0.220000
    READ? "t7.1"
    #44816<counts 1200 x f32, exposure f64 (s), averages u32, CRC-32 u32>

Queries: ``*IDN?``, ``SENS:EXP?``, ``SENS:AVER?``, ``SENS:SAT?``, ``SENS:WAV?`` (a block of float64),
``ACQ:STAT? "tag"`` (RUN, DONE or NONE, and the seconds left), ``READ? "tag"``, ``SYST:ERR?``. Commands answer nothing;
what was wrong with them waits in the error queue. The last 1,000 frames are kept by tag: starting a known tag again
exposes nothing. The CRC-32 is over the tag and what precedes it in the block; numbers are little-endian.
"""

from __future__ import annotations

import re
import struct
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from drivers.links.framing import Block, Line
from simulators.instruments.base import FramedInstrument, Now
from simulators.instruments.frames import FrameMemory
from simulators.world import WorldFile

IDENTITY = "labpilot,RS-1200,R0113,3.0"
READOUT_S = 0.02
EXPOSURE_S = (0.001, 10.0)
AVERAGES = (1, 1000)

_UNIT = re.compile(r':?([*A-Z:]+\??)(?: (?:"([^"]*)"|(\S+)))?')
_UNITS = re.compile(rb'(?:"[^"]*"|[^;"])+')


class Optics(Protocol):
    """What the spectrometer looks at."""

    wavelength_nm: NDArray[np.float64]
    saturation_counts: float

    @abstractmethod
    def here(self) -> Mapping[str, Any]:
        """Return what has to be remembered to know for ever what is under the objective now, as plain values."""

    @abstractmethod
    def counts(
        self, here: Mapping[str, Any], *, began_s: float, exposure_s: float, averages: int, tag: str
    ) -> NDArray[np.float64]:
        """Return the spectrum of what was there, ``n`` counts."""


class Spectrometer(FramedInstrument):
    """The simulated spectrometer; its keys in the world's file are ``spectrometer`` and ``spectrometer/frame/TAG``."""

    def __init__(
        self, optics: Optics, *, state: WorldFile, clock: Now, settle: Callable[[], None] | None = None
    ) -> None:
        super().__init__(Line(), state=state, clock=clock, settle=settle)
        self._optics = optics
        self._settings: dict[str, Any] = state.get("spectrometer", {"exposure_s": 0.1, "averages": 1})
        self._frames = FrameMemory(state, "spectrometer/frame/")
        self._errors: deque[str] = deque(maxlen=16)

    def answer(self, request: bytes) -> bytes | None:
        """Carry out the commands of one line and return the answers of its queries, joined."""
        answers: list[bytes] = []
        for unit in _UNITS.findall(request):
            answer = self._carry_out(unit.decode("latin-1").strip())
            if answer is not None:
                answers.append(answer)
        return b";".join(answers) + b"\n" if answers else None

    def _carry_out(self, unit: str) -> bytes | None:
        match = _UNIT.fullmatch(unit)
        if match is None:
            return self._refuse('-102,"Syntax error"')
        header, tag, number = match.groups()
        if tag is not None:
            return self._about(header, tag)
        return self._setting(header, number) if number is not None else self._query(header)

    def _query(self, header: str) -> bytes | None:
        match header:
            case "*IDN?":
                return IDENTITY.encode()
            case "SENS:EXP?":
                return repr(self._settings["exposure_s"]).encode()
            case "SENS:AVER?":
                return repr(self._settings["averages"]).encode()
            case "SENS:SAT?":
                return repr(float(self._optics.saturation_counts)).encode()
            case "SENS:WAV?":
                return Block(b"").wrap(np.asarray(self._optics.wavelength_nm, dtype="<f8").tobytes())
            case "SYST:ERR?":
                return self._errors.popleft().encode() if self._errors else b'0,"No error"'
        return self._refuse('-113,"Undefined header"')

    def _setting(self, header: str, number: str) -> None:
        names = {"SENS:EXP": ("exposure_s", float, EXPOSURE_S), "SENS:AVER": ("averages", int, AVERAGES)}
        if header not in names:
            return self._refuse('-113,"Undefined header"')
        name, kind, (low, high) = names[header]
        try:
            value = kind(number)
        except ValueError:
            return self._refuse('-104,"Data type error"')
        if not low <= value <= high:
            return self._refuse('-222,"Data out of range"')
        if self._settings[name] != value:
            self._settings = {**self._settings, name: value}
            self._state.put(spectrometer=self._settings)
        return None

    def _about(self, header: str, tag: str) -> bytes | None:
        match header:
            case "ACQ:STAR":
                return self._start(tag)
            case "ACQ:STAT?":
                frame = self._frames.get(tag)
                remaining_s = self._remaining_s(frame["end_s"]) if frame else 0.0
                state = "NONE" if frame is None else "RUN" if remaining_s else "DONE"
                return f'"{tag}",{state},{remaining_s:.6f}'.encode()
            case "READ?":
                return self._read(tag)
        return self._refuse('-113,"Undefined header"')

    def _start(self, tag: str) -> None:
        if self._frames.get(tag) is not None:
            return None
        last = self._frames.last
        if last is not None and self._remaining_s(last["end_s"]):
            return self._refuse('-213,"Init ignored, an exposure is running"')
        began_s = self._clock.now_s()
        took_s = self._settings["exposure_s"] * self._settings["averages"] + READOUT_S
        here = self._optics.here()
        self._frames.add(tag, {"began_s": began_s, "end_s": began_s + took_s, **self._settings, **here})
        return None

    def _read(self, tag: str) -> bytes | None:
        frame = self._frames.get(tag)
        if frame is None or self._remaining_s(frame["end_s"]):
            return self._refuse('-230,"Data corrupt or stale"')
        settings = {"exposure_s": frame["exposure_s"], "averages": frame["averages"]}
        counts = self._optics.counts(frame, began_s=frame["began_s"], tag=tag, **settings)
        data = np.asarray(counts, dtype="<f4").tobytes() + struct.pack("<dI", *settings.values())
        return Block(b"").wrap(data + struct.pack("<I", crc32(data, crc32(tag.encode("latin-1")))))

    def _refuse(self, error: str) -> None:
        self._errors.append(error)
