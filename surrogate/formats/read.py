"""Read a measurement file by its content, and believe it only if all readers that know it agree."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np

from surrogate.formats.agreement import difference
from surrogate.formats.errors import Disagreement, NotUnderstood
from surrogate.formats.readers import Reader, readers
from surrogate.formats.record import Content, MeasurementFile, Scan
from surrogate.formats.unknown import described

LARGEST_BYTES = 1 << 29
_PIECE_BYTES = 1 << 20
_EMPTY = "is empty; was the copy interrupted?"
LEAST_FACTOR = 0.999
"""Of attenuation: 1, as it may be rounded."""


def read_file(path: Path | str) -> MeasurementFile:
    """Read a measurement file of any known format.

    Raises:
        NotUnderstood: No reader takes it, or it is broken; the message says why.
        Disagreement: Two readers read it differently.
        OSError: The file cannot be read at all.
    """
    path = Path(path)
    mode = path.stat().st_mode
    # opening a pipe waits for somebody to write to it, for ever perhaps
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise NotUnderstood(f"{path.name} is a pipe or a device, no file; copy what comes out of it to a file first")
    most = f"{path.name} has more than {LARGEST_BYTES / 2**20:g} MiB, and is not read"
    if path.stat().st_size > LARGEST_BYTES:
        raise NotUnderstood(most)
    with path.open("rb") as source:
        # in pieces: reading as much as is allowed in one go would first set aside all of that memory
        pieces = iter(lambda: source.read(_PIECE_BYTES), b"")
        data = b"".join(islice(pieces, LARGEST_BYTES // _PIECE_BYTES + 1))
    if len(data) > LARGEST_BYTES:  # it grew, or tells no size, as those of /proc
        raise NotUnderstood(most)
    return read_bytes(data, name=path.name)


def read_bytes(data: bytes, *, name: str = "") -> MeasurementFile:
    """Read the bytes of a measurement file; the name is for messages only.

    Raises:
        NotUnderstood: No reader takes it, or it is broken; the message says why.
        Disagreement: Two readers read it differently.
    """
    if not data.strip(b"\x00 \r\n\t"):
        raise NotUnderstood(f"{name or 'the file'} {'holds only blanks and zeros' if data else _EMPTY}")
    taking = [reader for reader in readers() if not reader.checks and reader.recognises(data)]
    if not taking:
        raise NotUnderstood(f"{name or 'the file'} {described(data)}")
    read = [(reader, _read(reader, data, name)) for reader in taking] + _opinions(taking, data)
    reader, content = read[0]
    for other, second in read[1:]:
        if told := difference(content.scans, second.scans):
            raise Disagreement(f"{name or 'the file'}: {reader.name} and {other.name} read {told}")
    return MeasurementFile(
        name=name,
        format=content.format,
        reader=reader.name,
        version=reader.version,
        sha256=hashlib.sha256(data).hexdigest(),
        header=content.header,
        scans=content.scans,
        warnings=content.warnings,
        checked_by=tuple(other.name for other, _ in read[1:]),
    )


def _opinions(taking: Sequence[Reader], data: bytes) -> list[tuple[Reader, Content]]:
    names = {reader.name for reader in taking}
    found = []
    for reader in readers():
        if names & set(reader.checks) and reader.recognises(data):
            with suppress(NotUnderstood):
                found.append((reader, reader.read(data)))
    return found


def _read(reader: Reader, data: bytes, name: str) -> Content:
    try:
        content = reader.read(data)
    except NotUnderstood as error:
        raise NotUnderstood(f"{name or 'the file'} ({reader.name}): {error}") from error
    if problem := next(filter(None, map(_problem, content.scans)), "" if content.scans else "it holds no scan"):
        raise NotUnderstood(f"{name or 'the file'} ({reader.name}): {problem}")
    return content


def _problem(scan: Scan) -> str:
    n = len(scan.axis.values)
    per_point = (scan.values, scan.counts, scan.attenuation, scan.count_time_s, scan.sigma)
    if any(array is not None and array.shape != (n,) for array in per_point):
        return f"an axis of {n} points, and values of another number"
    if n < 2:
        return f"a scan of {n} points"
    if not np.isfinite(scan.axis.values).all():
        return "the axis holds numbers that are not finite"
    if not np.isfinite(scan.values).any():
        return "none of the values is a number"
    if scan.sigma is not None and np.any(scan.sigma < 0.0):
        return "one of the standard deviations is negative"
    if scan.attenuation is not None and not np.all(scan.attenuation >= LEAST_FACTOR):
        return (
            f"a factor of attenuation is {np.min(scan.attenuation):g}; one by which a beam was weakened is at least 1"
        )
    return ""
