"""Read Bruker's (Siemens') .raw by its version: RAW1.01, RAW2 and RAW4.00; refuse what else is called .raw.

Four unrelated layouts of Bruker share the ending and the first letters, and other makers use it as well. "RAW " (the
first version), STOE's "RAW_1.0x" and Rigaku's "FI" are recognised and refused, with the way out.
"""

from __future__ import annotations

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Content
from surrogate.xrd.formats import bruker_raw2, bruker_raw3, bruker_raw4
from surrogate.xrd.formats.binary import Bytes

_READERS = {b"RAW1.01": bruker_raw3.read, b"RAW4.00": bruker_raw4.read, b"RAW2": bruker_raw2.read}
_REFUSED = {
    b"RAW_1.0": "it is a STOE WinXPOW file, of which no layout is published; export it as .xye or .xrdml",
    b"FI\x00\x00": "it is a binary Rigaku file, of which no layout is published; save it as .ras, .rasx or .asc",
    b"RAW ": "it is a Siemens file of the first version (DIFFRAC-AT), which does not say what axis was scanned; "
    "convert it to .uxd or RAW4 with the maker's tools",
    b"RAW4": "it is a Bruker file of a version after RAW4.00, which nobody here has seen; export it as .xy or .brml",
}


def recognises(data: bytes) -> bool:
    """Say whether it begins as one of the files called .raw."""
    return data.startswith((*_READERS, *_REFUSED))


def read(data: bytes) -> Content:
    """Read all ranges.

    Raises:
        NotUnderstood: It is cut or damaged, or of a version or a maker that is not read.
    """
    for magic, reader in _READERS.items():
        if data.startswith(magic):
            return reader(Bytes(data))
    raise NotUnderstood(next(why for magic, why in _REFUSED.items() if data.startswith(magic)))
