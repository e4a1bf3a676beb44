"""Packing for the page: JSON that no browser can misread, arrays in base64, pictures as PNG."""

from __future__ import annotations

import base64
import json
import math
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOT_A_NUMBER = 65535
"""What stands for a missing value in a quantised array."""

_TOP = 65534


def plain(value: Any, digits: int = 7) -> Any:
    """Return a value of JSON's types only; floats keep so many significant digits, NaN and infinity become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, digits) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), digits)
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def script_json(value: Any) -> str:
    """Return JSON that is safe inside a script element, whatever the strings in it hold."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def base64_array(array: NDArray[Any]) -> str:
    """Return an array's bytes, little-endian and in C order, as base64 text."""
    return base64.b64encode(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def quantised(values: NDArray[np.float64]) -> tuple[NDArray[np.uint16], float, float]:
    """Return values (any shape) as 16-bit steps between their least and greatest finite value, and these two.

    The step is 1/65534 of the range, well below any spectrometer's noise; missing values become `NOT_A_NUMBER`.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(values.shape, NOT_A_NUMBER, dtype=np.uint16), 0.0, 0.0
    low, high = float(values[finite].min()), float(values[finite].max())
    scale = _TOP / (high - low) if high > low else 0.0
    steps = np.where(finite, np.rint((np.where(finite, values, low) - low) * scale), NOT_A_NUMBER)
    return steps.astype(np.uint16), low, high


def block_means(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Shorten the last axis to at most n points, each the mean of as many neighbours as possible."""
    length = values.shape[-1]
    if length <= n:
        return values
    edges = np.linspace(0, length, n + 1).astype(int)
    return np.add.reduceat(values, edges[:-1], axis=-1) / np.diff(edges)


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a picture (``h x w x 3``, RGB) as a data URI."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\x00" + row.tobytes() for row in np.ascontiguousarray(pixels))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def shrunk(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return a picture (``h x w x 3``) of at most this size, each pixel the mean of those that it replaces."""
    values = pixels.astype(np.float64)
    values = np.moveaxis(block_means(np.moveaxis(values, 1, -1), width), -1, 1)
    values = np.moveaxis(block_means(np.moveaxis(values, 0, -1), height), -1, 0)
    return np.rint(values).astype(np.uint8)
