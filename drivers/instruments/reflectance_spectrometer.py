"""The reflectance spectrometer: SCPI, spectra as IEEE 488.2 blocks, frames kept by tag."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Annotated
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from drivers.capabilities import Identity, Spectrum
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import Rejected, Unreadable
from drivers.instruments.waiting import wait_until_done
from drivers.instruments.wire import agreed, checked_tag, finite
from drivers.links.base import Link
from drivers.links.framing import Block, Framing, Line
from drivers.manifest import Manifest

REPLY_S = 1.0
BLOCK_S = 5.0
LATE_MAX_S = 0.5
SPARE_S = 5.0
"""How much longer than its exposures an acquisition may take."""

Exposure = Annotated[float, Quantity("s", 0.001, 10.0)]
Averages = Annotated[int, Quantity("1", 1, 100)]

_STATE = re.compile(r'"([^"]*)",(NONE|RUN|DONE),(\S+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    wavelength_nm: NDArray[np.float64]
    saturation_counts: float


class ReflectanceSpectrometerDriver:
    """Driver of the RS-1200. Satisfies `Spectrometer`."""

    manifest = Manifest(
        maker="labpilot",
        model="RS-1200",
        wires=("serial",),
        manual="the docstring of simulators/instruments/spectrometer.py: an instrument of our own",
        if_host_dies="Finishes its exposures and keeps the frames.",
        simulator="film-station/spectrometer",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "spectrometer") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._axis: _Axis | None = None

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        self._axis = None
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read maker, model, serial number and firmware."""
        words = (await agreed(lambda: self._ask("*IDN?"), self._distrust)).split(",")
        if len(words) != 4:
            raise self._distrust(f"{words} is no identity")
        return Identity(maker=words[0], model=words[1], serial=words[2], firmware=words[3])

    @command(Effect.READ, timeout_s=1100.0, example={"exposure_s": 0.1, "averages": 2})
    async def acquire(self, *, exposure_s: Exposure, averages: Averages, tag: str) -> Spectrum:
        """Take one spectrum, or return the kept frame of that tag.

        Raises:
            Rejected: The spectrometer refused, or is busy with another acquisition.
        """
        checked_tag(tag)
        axis = self._axis = self._axis or await self._read_axis()
        settings = f"SENS:EXP {float(exposure_s)!r};:SENS:AVER {int(averages)}"
        remaining_s = await self._remaining_s(tag, f'{settings};:ACQ:STAR "{tag}";')

        async def poll() -> float:
            return await self._remaining_s(tag)

        at_most_s = exposure_s * averages + SPARE_S
        if not await wait_until_done(self._clock, remaining_s, poll, at_most_s=at_most_s):
            raise Unreadable(f"no frame {tag!r} after {at_most_s:g} s; take it again")
        taken = await self._read(tag, axis)
        if (taken.exposure_s, taken.averages) != (exposure_s, averages):
            was = f"{taken.averages} x {taken.exposure_s:g} s and not {averages} x {exposure_s:g} s"
            raise Rejected(f"frame {tag!r} was exposed {was}; take another, with a tag of its own")
        return taken

    async def _remaining_s(self, tag: str, before: str = "") -> float:
        """Return the seconds until a frame is there; `before` is sent in the same line."""
        answer = await self._ask(f'{before}:ACQ:STAT? "{tag}"')
        match = _STATE.fullmatch(answer)
        if match is None or match[1] != tag:
            raise self._distrust(f"{answer!r} is no state of {tag!r}")
        if match[2] == "NONE":
            raise Rejected(f"the spectrometer refused to take {tag!r}: {await self._errors()}")
        try:
            return max(0.0, finite(match[3]))
        except ValueError as error:
            raise self._distrust(f"{answer!r}: {error}") from None

    async def _errors(self) -> str:
        errors: list[str] = []
        while len(errors) < 20 and not (error := await self._ask("SYST:ERR?")).startswith("0,"):
            errors.append(error)
        return "; ".join(errors) or "it does not say why"

    async def _read(self, tag: str, axis: _Axis) -> Spectrum:
        data = await self._exchange(f'READ? "{tag}"', _BLOCK, BLOCK_S)
        n = len(axis.wavelength_nm)
        if len(data) != 4 * n + _TAIL.size:
            raise self._distrust(f"a frame of {n} pixels has {4 * n + _TAIL.size} bytes, this one {len(data)}")
        exposure_s, averages, seal = _TAIL.unpack_from(data, 4 * n)
        if seal != crc32(data[:-4], crc32(tag.encode("ascii"))):
            raise self._distrust(f"the checksum of frame {tag!r} is wrong, or it is another frame")
        counts = np.frombuffer(data, dtype="<f4", count=n).astype(np.float64)
        if not np.isfinite(counts).all():
            raise self._distrust(f"frame {tag!r} holds counts that are no numbers")
        return Spectrum(
            wavelength_nm=axis.wavelength_nm,
            counts=counts,
            exposure_s=exposure_s,
            averages=averages,
            saturation_counts=axis.saturation_counts,
            tag=tag,
        )

    async def _read_axis(self) -> _Axis:
        data = await agreed(lambda: self._exchange("SENS:WAV?", _BLOCK, BLOCK_S), self._distrust)
        wavelength_nm = np.frombuffer(data[: len(data) // 8 * 8], dtype="<f8").astype(np.float64)
        if not (len(data) % 8 == 0 and len(data) and np.isfinite(wavelength_nm).all()):
            raise self._distrust(f"{len(data)} bytes are no wavelengths")
        if not (np.diff(wavelength_nm) > 0.0).all():
            raise self._distrust("the wavelengths do not ascend")
        wavelength_nm.flags.writeable = False
        answer = await agreed(lambda: self._ask("SENS:SAT?"), self._distrust)
        try:
            return _Axis(wavelength_nm=wavelength_nm, saturation_counts=finite(answer))
        except ValueError as error:
            raise self._distrust(f"{answer!r} is no saturation: {error}") from None

    async def _ask(self, text: str) -> str:
        return (await self._exchange(text, _LINE, REPLY_S)).decode("latin-1")

    async def _exchange(self, text: str, framing: Framing, timeout_s: float) -> bytes:
        line = text.encode("ascii") + b"\n"
        return await self._link.exchange(
            line, framing=framing, timeout_s=timeout_s, effect=Effect.READ, late_max_s=LATE_MAX_S
        )

    def _distrust(self, why: str) -> Exception:
        return self._link.distrust(why, effect=Effect.READ)


_LINE = Line()
_BLOCK = Block()
_TAIL = struct.Struct("<dII")
"""Exposure (s), averages, and the CRC-32 of the tag and all before."""
