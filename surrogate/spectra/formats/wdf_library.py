"""Renishaw WDF by the package ``renishawWiRE`` (MIT), as a second opinion.

The package believes the sizes that a file declares (a block of no bytes is an endless loop), reads from a path only,
and opens pictures. It therefore gets a temporary file of the four blocks that matter, after their sizes are checked.
"""

from __future__ import annotations

import struct
import tempfile

import numpy as np
from renishawWiRE import WDFReader

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Axis, Content, Scan
from surrogate.spectra.formats.spectral_words import finite
from surrogate.spectra.formats.wdf import BLOCK_BYTES, HEADER_BYTES, Spectra, numbers, recognises

__all__ = ["read", "recognises"]

_LARGEST_BYTES = 1 << 26


@np.errstate(all="ignore")
def read(data: bytes) -> Content:
    """Read all spectra of a file.

    Raises:
        NotUnderstood: The package does not read files of this kind.
    """
    ours = numbers(data)
    if ours.y.nbytes > _LARGEST_BYTES:
        raise NotUnderstood("it is too large for a second reading")
    with tempfile.NamedTemporaryFile(suffix=".wdf") as file:
        file.write(_plain(data, ours))
        file.flush()
        x, y = _by_package(file.name)
    values, _ = finite(np.asarray(y, dtype=float).reshape(-1, len(x)))
    axis = Axis(quantity="unknown", unit="1", values=np.asarray(x, dtype=float))
    scans = tuple(Scan(kind="spectrum", axis=axis, values=row, unit="arbitrary") for row in values)
    return Content(format="Renishaw WDF", header="", scans=scans)


def _by_package(path: str):
    reader = WDFReader.__new__(WDFReader)
    try:
        reader.__init__(path)
        return vars(reader)["xdata"], vars(reader)["spectra"]
    finally:  # it leaves its file open where it fails
        if hasattr(reader, "file_obj"):
            reader.file_obj.close()


def _plain(data: bytes, ours: Spectra) -> bytes:
    """Return header, axis and the spectra that we read as a whole file of its own."""
    head = bytearray(data[:HEADER_BYTES])
    struct.pack_into("<QQ", head, 64, len(ours.y), len(ours.y))
    at, _ = ours.blocks["XLST"]
    axis_size = BLOCK_BYTES + 8 + 4 * len(ours.x)
    start, size = ours.blocks["DATA"][0] + BLOCK_BYTES, 4 * ours.y.size
    axis = b"XLST" + struct.pack("<IQ", 0, axis_size) + data[at + BLOCK_BYTES : at + axis_size]
    return bytes(head) + b"DATA" + struct.pack("<IQ", 0, BLOCK_BYTES + size) + data[start : start + size] + axis
