"""Write measurements: NeXus (HDF5), CSV and Parquet. A file appears whole or not at all, and replaces none by chance.

NeXus keeps everything, the original header included, and a file's scans as entries. CSV and Parquet keep a scan each,
with its columns, units, radiation and facts; of several scans each goes to a file with its number.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from surrogate.formats.record import MeasurementFile, Scan

Writer = Callable[[Path], None]


class Exists(FileExistsError):
    """The file that was to be written is there already."""


def write_nexus(path: Path, file: MeasurementFile, *, force: bool = False) -> list[Path]:
    """Write all scans as the entries of one NeXus file, and return its path.

    Raises:
        Exists: It is there, and `force` was not given.
        OSError: It cannot be written.
    """
    from surrogate.formats.write_nexus import fill

    write_safely(path, lambda part: fill(part, file), force=force)
    return [path]


def write_csv(path: Path, file: MeasurementFile, *, force: bool = False) -> list[Path]:
    """Write each scan as a CSV file, and return their paths.

    Raises:
        Exists: One is there, and `force` was not given; nothing is written.
        OSError: One cannot be written.
    """
    from surrogate.formats.write_csv import csv_text

    def writer(number: int) -> Writer:
        return lambda part: put(part, csv_text(file, number).encode("utf-8"))

    return _each(path, file, writer, force=force)


def write_parquet(path: Path, file: MeasurementFile, *, force: bool = False) -> list[Path]:
    """Write each scan as a Parquet file, and return their paths.

    Raises:
        Exists: One is there, and `force` was not given; nothing is written.
        OSError: One cannot be written.
    """
    from surrogate.formats.write_parquet import fill

    def writer(number: int) -> Writer:
        return lambda part: fill(part, file, number)

    return _each(path, file, writer, force=force)


WRITERS: Mapping[str, Callable[..., list[Path]]] = {"nexus": write_nexus, "csv": write_csv, "parquet": write_parquet}
SUFFIXES: Mapping[str, str] = {"nexus": ".nxs", "csv": ".csv", "parquet": ".parquet"}


def _each(path: Path, file: MeasurementFile, writer: Callable[[int], Writer], *, force: bool) -> list[Path]:
    paths = numbered(path, len(file.scans))
    for each in paths:
        if each.exists() and not force:
            raise Exists(f"{each} exists")
    for number, each in enumerate(paths):
        write_safely(each, writer(number), force=force)
    return paths


def numbered(path: Path, scans: int) -> list[Path]:
    """Return a path for each scan: the path itself for one, else with the scan's number before the suffix."""
    if scans == 1:
        return [path]
    width = len(str(scans))
    return [path.with_name(f"{path.stem}-{number:0{width}d}{path.suffix}") for number in range(1, scans + 1)]


def columns(scan: Scan) -> dict[str, tuple[str, object]]:
    """Return the columns of a scan as unit and ``n`` numbers by name: axis, values, then what else is known."""
    found: dict[str, tuple[str, object]] = {
        scan.axis.quantity: (scan.axis.unit, scan.axis.values),
        scan.quantity if scan.quantity != scan.axis.quantity else "value": (scan.unit, scan.values),
    }
    for name, unit, values in (
        ("sigma", scan.unit, scan.sigma),
        ("counts", "counts", scan.counts),
        ("attenuation", "1", scan.attenuation),
        ("count_time", "s", scan.count_time_s),
    ):
        if values is not None:
            found[name] = (unit, values)
    return found


def write_safely(path: Path, write: Writer, *, force: bool = False) -> None:
    """Write a file beside its place, and put it there when it is whole and on the disk.

    Raises:
        Exists: It is there, and `force` was not given.
        OSError: It cannot be written; nothing of it is left.
    """
    if path.exists() and not force:
        raise Exists(f"{path} exists")
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(descriptor)
    part = Path(name)
    try:
        write(part)
        part.chmod(0o666 & ~_umask())
        _sync(part)
        _place(part, path, force=force)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _place(part: Path, path: Path, *, force: bool) -> None:
    if force:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)  # fails where another file has come meanwhile; renaming would replace it
    except FileExistsError as error:
        raise Exists(f"{path} exists") from error
    except OSError:  # a file system without hard links
        part.rename(path)


def put(path: Path, data: bytes) -> None:
    """Write bytes to a path."""
    path.write_bytes(data)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems do not sync directories
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
