"""The camera: binary packets with a checksum, numbered requests, pictures kept by tag."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

from drivers.capabilities import Identity, Image
from drivers.clock import Clock
from drivers.command import Effect, command
from drivers.errors import DeviceFault, Rejected, Unreadable
from drivers.instruments.waiting import wait_until_done
from drivers.instruments.wire import checked_tag
from drivers.links.base import Link
from drivers.links.framing import Packet
from drivers.manifest import Manifest

REPLY_S = 1.0
PICTURE_S = 5.0
LATE_MAX_S = 0.5
CAPTURE_S = 10.0

_IDENTIFY, _FORMAT, _CAPTURE, _STATE, _FETCH = 1, 2, 3, 4, 5
_WELL, _BUSY, _ABSENT = 0, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Format:
    rows: int
    columns: int
    pixel_um: float


class CameraDriver:
    """Driver of the MC-8. Satisfies `Camera`."""

    manifest = Manifest(
        maker="labpilot",
        model="MC-8",
        wires=("serial",),
        manual="the docstring of simulators/instruments/camera.py: an instrument of our own",
        if_host_dies="Nothing: it only looks.",
        simulator="film-station/camera",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "camera") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._number = 0
        self._format: _Format | None = None

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        self._format = None
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read maker, model, serial number and firmware."""
        words = (await self._ask(_IDENTIFY)).decode("utf-8", "replace").split("\n")
        if len(words) != 4:
            raise self._distrust(f"{words} is no identity")
        return Identity(maker=words[0], model=words[1], serial=words[2], firmware=words[3])

    @command(Effect.READ, timeout_s=2 * CAPTURE_S)
    async def capture(self, *, tag: str) -> Image:
        """Take one picture, or return the kept one of that tag.

        Raises:
            Rejected: The camera is busy with another picture.
        """
        checked_tag(tag)
        form = self._format = self._format or await self._read_format()
        remaining_s = await self._seconds(_CAPTURE, tag)

        async def poll() -> float:
            return await self._seconds(_STATE, tag)

        if not await wait_until_done(self._clock, remaining_s, poll, at_most_s=CAPTURE_S):
            raise Unreadable(f"no picture {tag!r} after {CAPTURE_S:g} s; take it again")
        data = await self._ask(_FETCH, tag, timeout_s=PICTURE_S)
        if len(data) != form.rows * form.columns * 3:
            raise self._distrust(f"a picture of {form.rows} x {form.columns} pixels does not have {len(data)} bytes")
        pixels = np.frombuffer(data, dtype=np.uint8).reshape(form.rows, form.columns, 3)
        return Image(pixels=pixels, pixel_um=form.pixel_um, tag=tag)

    async def _seconds(self, opcode: int, tag: str) -> float:
        body = await self._ask(opcode, tag)
        seconds = struct.unpack("<d", body)[0] if len(body) == 8 else math.nan
        if not math.isfinite(seconds):
            raise self._distrust(f"{body!r} does not say how long picture {tag!r} will take")
        return max(0.0, seconds)

    async def _read_format(self) -> _Format:
        body = await self._ask(_FORMAT)
        if len(body) != 8:
            raise self._distrust(f"{body!r} is no picture format")
        rows, columns, pixel_um = struct.unpack("<HHf", body)
        if not (rows and columns and math.isfinite(pixel_um) and pixel_um > 0.0):
            raise self._distrust(f"{rows} x {columns} pixels of {pixel_um} um are no picture format")
        return _Format(rows=rows, columns=columns, pixel_um=pixel_um)

    async def _ask(self, opcode: int, tag: str = "", *, timeout_s: float = REPLY_S) -> bytes:
        self._number = (self._number + 1) % 0x10000
        reply = await self._link.exchange(
            _PACKET.wrap(struct.pack("<BH", opcode, self._number) + tag.encode("ascii")),
            framing=_PACKET,
            timeout_s=timeout_s,
            effect=Effect.READ,
            late_max_s=LATE_MAX_S,
        )
        if len(reply) < 4 or struct.unpack_from("<BH", reply) != (opcode | 0x80, self._number):
            raise self._distrust(f"{reply[:16]!r} is no answer to request {self._number}")
        status = reply[3]
        if status == _BUSY:
            raise Rejected(f"the camera is busy with another picture; {tag!r} was not taken")
        if status == _ABSENT:
            raise Unreadable(f"the camera has no picture {tag!r}; take it again")
        if status != _WELL:
            raise DeviceFault(f"the camera answers opcode {opcode} with status {status}", code=str(status))
        return reply[4:]

    def _distrust(self, why: str) -> Exception:
        return self._link.distrust(why, effect=Effect.READ)


_PACKET = Packet()
