"""Say what a file is that no reader takes, and what to do with it."""

from __future__ import annotations

from contextlib import suppress

from surrogate.formats import archive
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.text import decode

_KNOWN = (
    (b"PAR1", "Parquet, which labpilot writes and any Parquet library reads; read the file that it was made from"),
    (b"\xd0\xcf\x11\xe0", "an old Office document or Excel sheet; save the numbers as CSV"),
    (b"%PDF", "a PDF, which shows a measurement and does not hold it; export the numbers"),
    (b"\x89PNG", "a picture; export the numbers"),
    (b"\xff\xd8\xff", "a picture; export the numbers"),
    (b"\x89HDF", "HDF5 without an entry of NeXus (NXentry); only NeXus says what its numbers are"),
    (b"\x1f\x8b", "packed by gzip; unpack it"),
    (b"7z\xbc\xaf", "packed by 7-Zip; unpack it"),
    (b"Rar!", "packed by RAR; unpack it"),
)
_WORKBOOK = "xl/workbook.xml"
_MARKUP = ("<", "{", "[", "%")
_HEAD = 4096


def described(data: bytes) -> str:
    """Return the end of a sentence that the file's name begins."""
    for magic, words in _KNOWN:
        if data.startswith(magic):
            return f"is {words}"
    if members := archive.names(data):
        if _WORKBOOK in members:
            return "is an Excel workbook; save the sheet as CSV"
        return f"is a zip archive of no known format, with {', '.join(members[:3])[:80]}; unpack it if it holds files"
    begin = f"it begins with {repr(data[:24])[1:]}"
    with suppress(NotUnderstood):
        head = decode(data[:_HEAD]).strip()
        if not head.startswith(_MARKUP) and all(letter.isprintable() or letter.isspace() for letter in head):
            return f"is text without two rows of numbers; {begin}"
    return f"is of no known format; {begin}"
