"""Numbers and texts at given places of a binary file; a place beyond its end is an error, never a wrong number."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array


@dataclass(frozen=True, slots=True)
class Bytes:
    """Little-endian bytes."""

    data: bytes

    def __len__(self) -> int:
        return len(self.data)

    def _at(self, kind: str, at: int) -> float:
        size = struct.calcsize(kind)
        if at < 0 or at + size > len(self.data):
            raise NotUnderstood(f"it ends after {len(self.data)} bytes, and byte {at + size} is needed; was it cut?")
        return struct.unpack_from(kind, self.data, at)[0]

    def u16(self, at: int) -> int:
        """Return an unsigned integer of 2 bytes."""
        return int(self._at("<H", at))

    def u32(self, at: int) -> int:
        """Return an unsigned integer of 4 bytes."""
        return int(self._at("<I", at))

    def f32(self, at: int) -> float:
        """Return the shortest decimal number that is this one of single precision: 0.02 and not 0.0199999996."""
        return float(str(np.float32(self._at("<f", at))))

    def f64(self, at: int) -> float:
        """Return a number of double precision."""
        return float(self._at("<d", at))

    def text(self, at: int, length: int) -> str:
        """Return a text up to its first zero byte; UTF-8, else Latin-1."""
        if at < 0 or at + length > len(self.data):
            raise NotUnderstood(f"it ends after {len(self.data)} bytes, within its header; was it cut?")
        raw = self.data[at : at + length].split(b"\x00")[0]
        try:
            return raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            return raw.decode("latin-1").strip()

    def column(self, at: int, n: int, *, record: int, kind: str = "<f4") -> Array:
        """Return the ``n`` first numbers of records of `record` bytes each.

        Raises:
            NotUnderstood: The file is too short for them, or one is not finite.
        """
        size = np.dtype(kind).itemsize
        left = max(0, len(self.data) - at)
        if n < 2 or record < size or (n - 1) * record + size > left:
            raise NotUnderstood(f"it declares {n} points of {record} bytes each, and {left} bytes are left")
        found = np.ndarray((n,), dtype=kind, buffer=self.data, offset=at, strides=(record,)).astype(np.float64)
        if not np.isfinite(found).all():
            raise NotUnderstood("one of its intensities or positions is not finite")
        return found


def equal_steps(start: float, step: float, n: int) -> Array:
    """Return ``n`` positions.

    Raises:
        NotUnderstood: They are none.
    """
    found = start + step * np.arange(n, dtype=np.float64)
    if not np.isfinite(found).all() or step == 0.0 or np.abs(found).max() > 1e4:
        raise NotUnderstood(f"its positions begin at {start:g} in steps of {step:g}, which is no scan")
    return found
