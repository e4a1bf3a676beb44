"""Galactic SPC by the package ``spc-io`` (MIT), as a second opinion.

It reads new little-endian files, and takes the exponent of a subfile also where there is only one; about others, and
about files whose headers have different exponents, it has no opinion.
"""

from __future__ import annotations

import io
import logging

import numpy as np
from spc_io.low_level import SpcRaw

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Axis, Content, Scan
from surrogate.spectra.formats import spc_header
from surrogate.spectra.formats.spc import recognises, subfiles
from surrogate.spectra.formats.spectral_words import finite

__all__ = ["read", "recognises"]

_LARGEST_BYTES, _MOST_SUBFILES = 1 << 26, 4096
logging.getLogger("spc_io").addHandler(logging.NullHandler())  # it warns of bytes that `spc` has warned of


@np.errstate(all="ignore")
def read(data: bytes) -> Content:
    """Read all traces of a file.

    Raises:
        NotUnderstood: The package does not read files of this kind.
    """
    header = spc_header.header(data)
    if header.version != spc_header.NEW:
        raise NotUnderstood("the package spc-io reads new little-endian SPC files only")
    if len(data) > _LARGEST_BYTES or header.subfiles > _MOST_SUBFILES:
        raise NotUnderstood("it is too large for a second reading")
    ours = list(subfiles(data, header))
    if any(subfile.header.exponent != header.exponent for subfile in ours) and not header.has(spc_header.MULTI):
        raise NotUnderstood("its headers have different exponents, of which the package spc-io takes the other")
    raw = SpcRaw.from_bytes_io(io.BytesIO(data))
    even = np.linspace(header.first, header.last, len(ours[0].y)) if not header.has(spc_header.EXPLICIT_X) else None
    subs = vars(raw)["subs"][: len(ours)]
    scans = tuple(_scan(raw, sub, even) for sub in subs)
    return Content(format="Galactic SPC", header="", scans=scans)


def _scan(raw: SpcRaw, sub, even) -> Scan:
    x = next(axis for axis in (sub.xarray, raw.xarray, even) if axis is not None)
    y, _ = finite(np.asarray(sub.yarray, dtype=float))
    axis = Axis(quantity="unknown", unit="1", values=np.asarray(x, dtype=float))
    return Scan(kind="spectrum", axis=axis, values=y, unit="arbitrary")
