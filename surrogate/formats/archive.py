"""Read members of a zip archive that came from anywhere: nothing is extracted, and nothing grows without bound.

Sizes are checked before a member is read, as the archive declares them, and reading ends at the declared size; the
checksum is verified. Refused are: encrypted members, two members of one name, methods other than stored and deflate,
archives with a zip64 directory (no measurement needs one).
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from surrogate.formats.errors import NotUnderstood

MAGIC = b"PK\x03\x04"
LARGEST_MEMBER = 1 << 27
LARGEST_SUM = 1 << 28
LARGEST_DIRECTORY = 1 << 23
LARGEST_RATIO = 500
"""Of unpacked to packed bytes: tables of numbers as XML stay below 100."""
SMALL = 1 << 20
"""Below this many bytes a member's ratio does not matter."""

_END = b"PK\x05\x06"
_END_BYTES = 22
_LOCATOR_64 = b"PK\x06\x07"
_LONGEST_COMMENT = 1 << 16
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
"""What is raised for damaged archives; ValueError for a member that begins before the file does."""


@dataclass(slots=True)
class Archive:
    """An archive's members by name."""

    members: dict[str, zipfile.ZipInfo]
    _zip: zipfile.ZipFile
    _unpacked: int = field(default=0)

    def read(self, name: str) -> bytes:
        """Return a member's bytes.

        Raises:
            NotUnderstood: It is not there, too large, or damaged.
        """
        info = self._admitted(name)
        self._unpacked += info.file_size
        if self._unpacked > LARGEST_SUM:
            raise NotUnderstood(f"its members have more than {LARGEST_SUM} bytes together")
        try:
            with self._zip.open(info) as member:
                data = member.read(info.file_size + 1)
        except _BROKEN as error:
            raise NotUnderstood(f"{name} in the archive is damaged ({str(error)[:120]})") from error
        if len(data) != info.file_size:
            raise NotUnderstood(f"{name} in the archive has {len(data)} bytes and declares {info.file_size}")
        return data

    def _admitted(self, name: str) -> zipfile.ZipInfo:
        info = self.members.get(name)
        if info is None:
            raise NotUnderstood(f"the archive holds no {name}")
        if info.flag_bits & 1 or info.compress_type not in _METHODS:
            raise NotUnderstood(f"{name} in the archive is encrypted or packed by method {info.compress_type}")
        if info.file_size > LARGEST_MEMBER:
            raise NotUnderstood(f"{name} in the archive has {info.file_size} bytes; {LARGEST_MEMBER} are read")
        if info.file_size > max(SMALL, LARGEST_RATIO * info.compress_size):
            raise NotUnderstood(f"{name} in the archive unpacks to {info.file_size} bytes of {info.compress_size}")
        return info


@contextmanager
def opened(data: bytes) -> Iterator[Archive]:
    """Open the archive that these bytes are.

    Raises:
        NotUnderstood: They are none, or one that is not read.
    """
    _check_directory(data)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN as error:
        raise NotUnderstood(f"it is no whole zip archive ({str(error)[:120]})") from error
    with archive:
        members = {info.filename: info for info in archive.infolist()}
        if len(members) != len(archive.infolist()):
            raise NotUnderstood("the archive holds two members of one name")
        yield Archive(members, archive)


def names(data: bytes) -> tuple[str, ...]:
    """Return the names of an archive's members; none where the bytes are no archive that is read."""
    if not data.startswith(MAGIC):
        return ()
    try:
        with opened(data) as archive:
            return tuple(archive.members)
    except NotUnderstood:
        return ()


def _check_directory(data: bytes) -> None:
    """Refuse a directory that is too large before it is parsed."""
    end = data.rfind(_END, max(0, len(data) - _LONGEST_COMMENT - _END_BYTES))
    if not data.startswith(MAGIC) or end < 0 or len(data) < end + _END_BYTES:
        raise NotUnderstood("it is no whole zip archive; was the copy interrupted?")
    (size,) = struct.unpack_from("<I", data, end + 12)
    if size > LARGEST_DIRECTORY or data[max(0, end - 20) : end].startswith(_LOCATOR_64):
        raise NotUnderstood("the archive's directory is larger than that of any measurement")
