"""Measurement files: written, fsynced, renamed, hashed.

A file is an uncompressed ``.npz`` archive of named arrays (any numpy reads it, none needs pickle) with one entry
``metadata`` that holds JSON as UTF-8 bytes. It is complete or absent: readers never see half of one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementFile:
    """The content of one file."""

    kind: str
    """``spectrum``, ``image`` or ``result``."""
    arrays: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Where a file went, and what proves it."""

    path: Path
    sha256: str
    size_bytes: int


def write_measurement(
    path: Path, measurement: MeasurementFile, *, fsync: bool = True, fsync_folder: bool = True
) -> Written:
    """Write a file so that it is complete or absent, whatever happens.

    fsync, fsync_folder: push the content, and its name, to the disk before returning.

    Raises:
        StorageError: The disk is full or the directory cannot be written; no file of that name is left.
    """
    data = _encode(measurement)
    try:
        make_folder(path.parent, fsync=fsync)
        write_durably(path, data, fsync=fsync, fsync_folder=fsync and fsync_folder)
    except OSError as error:
        raise StorageError(
            f"{path} could not be written ({error.strerror}); free some space or fix the directory, then resume"
        ) from error
    return Written(path=path, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def make_folder(path: Path, *, fsync: bool = True) -> None:
    """Make a folder and those above it, and push their names to the disk; nothing happens where it exists.

    Raises:
        OSError: It cannot be made.
    """
    if path.is_dir():
        return
    make_folder(path.parent, fsync=fsync)
    path.mkdir(exist_ok=True)
    if fsync:
        sync_folder(path.parent)


def write_durably(path: Path, data: bytes, *, fsync: bool = True, fsync_folder: bool = True) -> None:
    """Write a file beside its place, push it to the disk, and rename it into its place.

    Raises:
        OSError: It could not be written; what stood there before still does.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            if fsync:
                os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    if fsync_folder:
        sync_folder(path.parent)


def read_measurement(path: Path, *, sha256: str | None = None) -> MeasurementFile:
    """Read a file back, and hold it against its hash if one is given.

    Raises:
        StorageError: The file is missing, is no measurement, or differs from its hash.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"measurement {path} cannot be read: {error.strerror}") from error
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise StorageError(f"measurement {path} was changed after it was taken: its SHA-256 is not the recorded one")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        metadata = json.loads(arrays.pop("metadata").tobytes())
        return MeasurementFile(kind=metadata.pop("kind"), arrays=arrays, metadata=metadata)
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise StorageError(f"{path} is not a labpilot measurement: {error}") from error


def _encode(measurement: MeasurementFile) -> bytes:
    text = json.dumps({"kind": measurement.kind, **measurement.metadata}, sort_keys=True, allow_nan=False)
    entries = {**measurement.arrays, "metadata": np.frombuffer(text.encode(), dtype=np.uint8)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in entries.items():
            # a fixed date, so that equal measurements have equal bytes
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(entry, content.getvalue())
    return buffer.getvalue()


def sync_folder(path: Path) -> None:
    """Push the names in a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
