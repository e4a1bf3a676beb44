r"""A simulated camera on a binary protocol: packets with a checksum, numbered requests, pixels as they are.

A packet is ``A5 5A``, the payload's length (u32), the payload, and its CRC-32 (u32), all little-endian. A request's
payload is an opcode (u8), a number (u16) and a body; the reply's is the opcode + 0x80, the same number, a status (u8)
and a body.

    opcode       request body    reply body
    1 identify                   maker, model, serial, firmware; UTF-8, separated by "\n"
    2 format                     rows (u16), columns (u16), micrometres per pixel (f32)
    3 capture    tag             seconds until the picture is there (f64)
    4 state      tag             seconds until the picture is there (f64); NaN: there is none
    5 fetch      tag             rows x columns x 3 bytes, RGB

Status 0 is well; 1 unknown opcode, 2 busy, 3 no such picture. The last 1,000 pictures are kept by tag: capturing a
known tag again takes no new one.
"""

from __future__ import annotations

import math
import struct
from abc import abstractmethod
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.links.framing import Packet
from simulators.instruments.base import FramedInstrument, Now
from simulators.instruments.frames import FrameMemory
from simulators.world import WorldFile

IDENTITY = "labpilot\nMC-8\nC0301\n0.9"
ROWS, COLUMNS = 8, 800
PIXEL_UM = 5.0
CAPTURE_S = 0.15


class Status(IntEnum):
    """How a request went."""

    WELL = 0
    UNKNOWN = 1
    BUSY = 2
    ABSENT = 3


class Scene(Protocol):
    """What the camera looks at."""

    @abstractmethod
    def here(self) -> Mapping[str, Any]:
        """Return what has to be remembered to know for ever what is under the objective now, as plain values."""

    @abstractmethod
    def picture(self, here: Mapping[str, Any], *, offset_mm: NDArray[np.float64], rows: int, tag: str) -> bytes:
        """Return ``rows x columns x 3`` bytes of what was there, at these offsets along x from the objective."""


class Camera(FramedInstrument):
    """The simulated camera; its keys in the world's file are ``camera/frame/TAG``."""

    def __init__(self, scene: Scene, *, state: WorldFile, clock: Now, settle: Callable[[], None] | None = None) -> None:
        super().__init__(Packet(), state=state, clock=clock, settle=settle)
        self._scene = scene
        self._frames = FrameMemory(state, "camera/frame/")
        self._offset_mm = np.arange(0.5 - COLUMNS / 2, COLUMNS / 2, dtype=np.float64) * (PIXEL_UM * 1e-3)

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one request; a payload too short to be one gets no reply."""
        if len(request) < 3:
            return None
        opcode, number = struct.unpack_from("<BH", request)
        status, body = self._carry_out(opcode, request[3:].decode("latin-1"))
        return self._framing.wrap(struct.pack("<BHB", opcode | 0x80, number, status) + body)

    def _carry_out(self, opcode: int, tag: str) -> tuple[Status, bytes]:
        match opcode:
            case 1:
                return Status.WELL, IDENTITY.encode()
            case 2:
                return Status.WELL, struct.pack("<HHf", ROWS, COLUMNS, PIXEL_UM)
            case 3 if tag:
                return self._capture(tag)
            case 4 if tag:
                return Status.WELL, struct.pack("<d", self._left_s(tag))
            case 5 if tag:
                return self._fetch(tag)
        return Status.UNKNOWN, b""

    def _left_s(self, tag: str) -> float:
        frame = self._frames.get(tag)
        return math.nan if frame is None else self._remaining_s(frame["end_s"])

    def _capture(self, tag: str) -> tuple[Status, bytes]:
        if self._frames.get(tag) is None:
            last = self._frames.last
            if last is not None and self._remaining_s(last["end_s"]):
                return Status.BUSY, b""
            self._frames.add(tag, {"end_s": self._clock.now_s() + CAPTURE_S, **self._scene.here()})
        return Status.WELL, struct.pack("<d", self._left_s(tag))

    def _fetch(self, tag: str) -> tuple[Status, bytes]:
        frame = self._frames.get(tag)
        if frame is None or self._remaining_s(frame["end_s"]):
            return Status.ABSENT, b""
        return Status.WELL, self._scene.picture(frame, offset_mm=self._offset_mm, rows=ROWS, tag=tag)
