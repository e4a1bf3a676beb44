"""The optical spectrometer: a free-running detector behind a SCPI server.

The detector takes frames without being asked, and its pipeline still holds frames of the old exposure when a new one
has been set (python-seabreeze issue 110 is what becomes of that unnoticed). So a spectrum is made of frames that began
after it was asked for, and whose own header states the exposure and the shutter that were wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from drivers.capabilities import Identity, Spectrum
from drivers.clock import Clock
from drivers.command import Effect, Quantity, command
from drivers.errors import DeviceFault, Rejected, Unreadable
from drivers.instruments.acting import after_acting
from drivers.instruments.spectra import Frame, read_frame, read_wavelengths
from drivers.instruments.waiting import wait_until_done
from drivers.instruments.wire import agreed, checked_tag, finite
from drivers.links.base import Link
from drivers.links.framing import Block, Framing, Line
from drivers.manifest import Manifest

REPLY_S = 1.0
BLOCK_S = 5.0
LATE_MAX_S = 0.5
SPARE_S = 5.0
"""How much longer than its exposures a spectrum may take."""
LONGEST_S = 10.0
"""The longest exposure: that many seconds each the pipeline may hold of frames of an earlier setting."""
PIPELINE = 2

Exposure = Annotated[float, Quantity("s", 0.001, LONGEST_S)]
Averages = Annotated[int, Quantity("1", 1, 100)]

EXAMPLE = {"exposure_s": 0.01, "averages": 1, "tag": "check-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    wavelength_nm: NDArray[np.float64]
    saturation_counts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    number: int
    exposure_s: float
    remaining_s: float


class OpticalSpectrometerDriver:
    """Driver of the OS-1024. Satisfies `Spectrometer`, `Switchable` (its lamp) and `Stoppable`.

    A tag names a spectrum; the instrument keeps none, so asking again takes another one.
    """

    manifest = Manifest(
        maker="labpilot",
        model="OS-1024",
        wires=("tcp", "serial", "rfc2217"),
        manual="IEEE 488.2-1992 (common commands, blocks) and SCPI-1999 (error queue, subsystems); the headers of our "
        "own are in docs/instruments/optical_spectrometer.md",
        if_host_dies="Goes on taking frames; lamp and shutter stay as they are.",
        unverified="SENS:EXP, SENS:FRAM?, INP:SHUT, OUTP:LAMP and the layout of a frame: a convention of labpilot",
        simulator="optical-spectrometer/spectrometer",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "spectrometer") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._axis: _Axis | None = None
        self._shutter_before: str | None = None
        self._stops = 0

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

    @command(Effect.READ, timeout_s=1100.0, example=EXAMPLE, after=("open_shutter",))
    async def acquire(self, *, exposure_s: Exposure, averages: Averages, tag: str) -> Spectrum:
        """Take one spectrum through the open shutter, of frames that begin after this call.

        Raises:
            Rejected: The shutter is closed, or the spectrometer refused.
            DeviceFault: It was stopped meanwhile.
        """
        checked_tag(tag)
        if not await self._is_shutter_open():
            raise Rejected("the shutter is closed: open_shutter(), or acquire_dark()")
        return await self._take(exposure_s, averages, tag, is_open=True)

    @command(Effect.READ, timeout_s=1100.0, example=EXAMPLE, after=("open_shutter", "switch_on"))
    async def acquire_reference(self, *, exposure_s: Exposure, averages: Averages, tag: str) -> Spectrum:
        """Take one spectrum of a white standard, which must lie there: lamp on, shutter open.

        Raises:
            Rejected: The lamp is off, the shutter is closed, or the reference is saturated.
            DeviceFault: The lamp has failed.
        """
        checked_tag(tag)
        if (await self._lamp())[0] != "ON":
            raise Rejected("the lamp is off; switch_on() and let it warm up")
        if not await self._is_shutter_open():
            raise Rejected("the shutter is closed; open_shutter()")
        taken = await self._take(exposure_s, averages, tag, is_open=True, needs_lamp=True)
        if (taken.counts >= taken.saturation_counts).any():
            raise Rejected(f"a reference at {exposure_s:g} s is saturated; expose less")
        return taken

    @command(Effect.IDEMPOTENT, timeout_s=1100.0, late_max_s=LATE_MAX_S, example=EXAMPLE, after=("open_shutter",))
    async def acquire_dark(self, *, exposure_s: Exposure, averages: Averages, tag: str) -> Spectrum:
        """Close the shutter, take one spectrum, and put the shutter back as it was.

        If the controller dies meanwhile the shutter stays closed.
        """
        checked_tag(tag)
        if self._shutter_before is None:  # else an earlier try could not put it back, and what is now was not before
            self._shutter_before = "OPEN" if await self._is_shutter_open() else "CLOS"
        try:
            await self._move_shutter("CLOS")
            return await after_acting(self._take(exposure_s, averages, tag, is_open=False))
        finally:
            if self._shutter_before is not None:  # None: somebody gave another order meanwhile
                await self._move_shutter(self._shutter_before)
                self._shutter_before = None

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def switch_on(self) -> None:
        """Switch the lamp on; it is stable after some minutes.

        Raises:
            DeviceFault: The lamp has failed.
        """
        await self._set("OUTP:LAMP", "ON", "1")
        await after_acting(self._lamp())

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def switch_off(self) -> None:
        """Switch the lamp off."""
        await self._set("OUTP:LAMP", "OFF", "0")

    @command(Effect.READ)
    async def is_on(self) -> bool:
        """Read whether the lamp is on.

        Raises:
            DeviceFault: The lamp has failed.
        """
        return (await self._lamp())[0] == "ON"

    @command(Effect.READ)
    async def lamp_on_s(self) -> Annotated[float, Quantity("s", 0.0, 1e9)]:
        """Read for how long the lamp has been on; 0 when it is off."""
        return (await self._lamp())[1]

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def open_shutter(self) -> None:
        """Let light in."""
        self._shutter_before = None
        await self._move_shutter("OPEN")

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def close_shutter(self) -> None:
        """Keep light out."""
        self._shutter_before = None
        await self._move_shutter("CLOS")

    @command(Effect.READ)
    async def is_shutter_open(self) -> bool:
        """Read whether the shutter is open."""
        return await self._is_shutter_open()

    @command(Effect.IDEMPOTENT, late_max_s=LATE_MAX_S)
    async def stop(self) -> None:
        """Take no more frames and close the shutter; the lamp stays as it is."""
        self._stops += 1
        self._shutter_before = None
        line = "ABOR;:INP:SHUT CLOS;:INIT:CONT?;:INP:SHUT?"
        answer = await self._ask(line, Effect.IDEMPOTENT, urgent=True)
        if answer != "0;CLOS":
            raise self._link.distrust(f"{answer!r} is no answer to {line}", effect=Effect.IDEMPOTENT)

    async def _take(
        self, exposure_s: float, averages: int, tag: str, *, is_open: bool, needs_lamp: bool = False
    ) -> Spectrum:
        axis = self._axis = self._axis or await self._read_axis()
        progress = await self._expose(float(exposure_s))
        frames: list[Frame] = []
        newest = progress.number  # began before the exposure was set: stale, whatever it says

        async def poll() -> float:
            nonlocal newest
            frame = await self._fetch(axis)
            if frame.number > newest:
                newest = frame.number
                is_wanted = frame.exposure_s == exposure_s and frame.is_open == is_open and not frame.has_moved
                if is_wanted and (frame.is_lit or not needs_lamp):
                    frames.append(frame)
            return (await self._progress()).remaining_s if len(frames) < averages else 0.0

        at_most_s = (exposure_s + 0.1) * averages + PIPELINE * (progress.exposure_s + exposure_s) + SPARE_S
        await wait_until_done(self._clock, progress.remaining_s, poll, at_most_s=at_most_s)
        if len(frames) < averages:
            wanted = f"{averages} frames of {exposure_s:g} s with the shutter {'open' if is_open else 'closed'}"
            wanted += " and the lamp on" if needs_lamp else ""
            raise Unreadable(f"{len(frames)} instead of {wanted} came within {at_most_s:g} s; take it again")
        return Spectrum(
            wavelength_nm=axis.wavelength_nm,
            counts=np.mean([frame.counts for frame in frames], axis=0),
            exposure_s=float(exposure_s),
            averages=int(averages),
            saturation_counts=axis.saturation_counts,
            tag=tag,
        )

    async def _expose(self, exposure_s: float) -> _Progress:
        """Set the exposure, see that frames are taken, and return which one is in progress."""
        answer = await self._ask(f"SENS:EXP {exposure_s!r};:INIT:CONT ON;:SENS:EXP?;:INIT:CONT?;:SENS:FRAM?")
        words = answer.split(";")
        if len(words) != 3:
            raise self._distrust(f"{answer!r} is no answer to SENS:EXP")
        if words[:2] != [repr(exposure_s), "1"]:
            raise Rejected(f"the spectrometer refused to expose {exposure_s:g} s: {await self._errors()}")
        return self._progressed(words[2])

    async def _progress(self) -> _Progress:
        return self._progressed(await self._ask("SENS:FRAM?"))

    def _progressed(self, text: str) -> _Progress:
        words = text.split(",")
        if words[2:] == ["IDLE"]:
            raise DeviceFault("the spectrometer was stopped; take the spectrum again", code="stopped")
        try:
            number, exposure_s, remaining_s = int(words[0]), finite(words[1]), finite(words[2])
        except (ValueError, IndexError):
            raise self._distrust(f"{text!r} says of no frame how far it is") from None
        return _Progress(number=number, exposure_s=exposure_s, remaining_s=max(0.001, remaining_s))

    async def _fetch(self, axis: _Axis) -> Frame:
        data = await self._exchange("FETC?", _BLOCK, BLOCK_S, Effect.READ)
        try:
            return read_frame(data, len(axis.wavelength_nm))
        except ValueError as error:
            raise self._distrust(str(error)) from None

    async def _read_axis(self) -> _Axis:
        data = await agreed(lambda: self._exchange("SENS:WAV?", _BLOCK, BLOCK_S, Effect.READ), self._distrust)
        answer = await agreed(lambda: self._ask("SENS:SAT?"), self._distrust)
        try:
            return _Axis(wavelength_nm=read_wavelengths(data), saturation_counts=finite(answer))
        except ValueError as error:
            raise self._distrust(str(error)) from None

    async def _lamp(self) -> tuple[str, float]:
        answer = await self._ask("OUTP:LAMP:STAT?")
        state, _, on_s = answer.partition(",")
        if state == "FAIL":
            raise DeviceFault("the lamp has failed; replace it", code="lamp", needs_operator=True)
        try:
            if state in ("ON", "OFF"):
                return state, finite(on_s)
        except ValueError:
            pass
        raise self._distrust(f"{answer!r} is no state of a lamp")

    async def _is_shutter_open(self) -> bool:
        answer = await self._ask("INP:SHUT?")
        if answer not in ("OPEN", "CLOS"):
            raise self._distrust(f"{answer!r} is no state of a shutter")
        return answer == "OPEN"

    async def _move_shutter(self, position: str) -> None:
        stops = self._stops
        try:
            await self._set("INP:SHUT", position, position)
        finally:
            if self._stops != stops:  # a stop overtakes what waits for its turn on the link: this came after it
                await self._set("INP:SHUT", "CLOS", "CLOS")

    async def _set(self, header: str, value: str, shown: str) -> None:
        """Set something, and read in the same line that it is so."""
        answer = await self._ask(f"{header} {value};:{header}?", Effect.IDEMPOTENT)
        if answer != shown:
            raise self._link.distrust(f"{header} is {answer!r} and not {shown}", effect=Effect.IDEMPOTENT)

    async def _errors(self) -> str:
        errors: list[str] = []
        while len(errors) < 20 and not (error := await self._ask("SYST:ERR?")).startswith("0,"):
            errors.append(error)
        return "; ".join(errors) or "it does not say why"

    def _distrust(self, why: str) -> Exception:
        return self._link.distrust(why, effect=Effect.READ)

    async def _ask(self, text: str, effect: Effect = Effect.READ, *, urgent: bool = False) -> str:
        return (await self._exchange(text, _LINE, REPLY_S, effect, urgent=urgent)).decode("latin-1")

    async def _exchange(
        self, text: str, framing: Framing, timeout_s: float, effect: Effect, *, urgent: bool = False
    ) -> bytes:
        return await self._link.exchange(
            text.encode("ascii") + b"\n",
            framing=framing,
            timeout_s=timeout_s,
            effect=effect,
            late_max_s=LATE_MAX_S,
            urgent=urgent,
        )


_LINE = Line()
_BLOCK = Block()
