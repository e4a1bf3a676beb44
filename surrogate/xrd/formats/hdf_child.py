"""Read HDF5 as plain data. A program of its own, started by `hdf_process` and imported by nobody.

On some damaged files libhdf5 never returns, takes all memory or crashes, and no signal that Python handles ends that: a
process can be ended. It imports numpy and h5py only, and nothing that it sends is executed or unpickled.

A request on stdin is the length of a file, the CPU seconds that one object may take and the bytes of memory that all
may take (three ``<Q``), then the file. The answer on stdout is a ``.`` now and then while objects are read, then
``=``, the lengths of a JSON text and of numbers in bytes (two ``<Q``), and both. The text is ``{"error": ...}``, or
``{"objects": [...]}``, the root first, each with its ``path`` and its ``attributes`` (lists of texts or of numbers,
null for others). A group has ``children``, places in the list by name. A dataset has its ``shape`` (null where it has
none) and one of ``texts``, ``at`` (its place among the numbers, all float64) and ``refused`` (why it is not sent), or
none of them where it is neither numbers nor texts; without dimensions also ``single``, its number of the type that it
has.
"""

from __future__ import annotations

import json
import math
import signal
import struct
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import h5py
import numpy as np

MOST_OBJECTS = 400_000
MOST_NUMBERS = 20_000_000
"""In one dataset."""
LARGEST_SUM = 1 << 28
"""Bytes of all numbers that are sent, and characters of all texts."""
LARGEST_RATIO = 1000
"""Of a dataset's bytes to those of the whole file, beyond `SMALL`."""
SMALL = 1 << 24
LONGEST_ATTRIBUTE = 1 << 20
MOST_IN_ATTRIBUTE = 1000
LONGEST_S = 120.0
"""CPU time for a whole file; one of a thousand scans takes ten."""
BETWEEN_S = 0.5
"""CPU time between two signs of life."""

Object = h5py.Group | h5py.Dataset


class Refused(Exception):
    """A dataset is not sent; the message says why."""


class Reading:
    """The objects of one file, and their numbers."""

    def __init__(self, file_bytes: int, progress: Callable[[], None]) -> None:
        self.objects: list[dict[str, Any]] = []
        self.numbers = array("d")
        self._texts = 0
        self._file_bytes = file_bytes
        self._progress = progress
        self._known: dict[tuple[int, int], int] = {}
        self._waiting: list[tuple[int, h5py.Group]] = []

    def walk(self, root: h5py.Group) -> None:
        """Add all objects that hard links lead to, each once however many do, so that circles end."""
        self._place(root)
        for place, group in self._waiting:
            self.objects[place]["children"] = {_plain(name): self._place(child) for name, child in _children(group)}

    def _place(self, item: Object) -> int:
        key = h5py.h5g.get_objinfo(item.id).objno
        if key not in self._known:
            self._progress()
            if len(self.objects) >= MOST_OBJECTS:
                raise Refused(f"it holds more than {MOST_OBJECTS} objects")
            place = self._known[key] = len(self.objects)
            self.objects.append({"path": _plain(str(item.name)), "attributes": _attributes(item)})
            if isinstance(item, h5py.Group):
                self._waiting.append((place, item))
            else:
                self.objects[place] |= {"shape": item.shape} | self._content(item)
        return self._known[key]

    def _content(self, dataset: h5py.Dataset) -> dict[str, Any]:
        is_text = h5py.check_string_dtype(dataset.dtype) is not None
        if dataset.shape is None or not (is_text or dataset.dtype.kind in ("iuf" if dataset.shape else "iufb")):
            return {}
        try:
            self._check(dataset)
            return {"texts": self._text(dataset)} if is_text else self._numbers(dataset)
        except (Refused, OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError) as error:
            return {"refused": str(error)[:200] or type(error).__name__}

    def _check(self, dataset: h5py.Dataset) -> None:
        count, size = math.prod(dataset.shape), max(dataset.dtype.itemsize, 1)
        if count > MOST_NUMBERS or count * size > max(SMALL, LARGEST_RATIO * self._file_bytes):
            raise Refused(f"declares {count} numbers, and the file has {self._file_bytes} bytes")
        if dataset.is_virtual or dataset.external:
            raise Refused("lies in another file")

    def _text(self, dataset: h5py.Dataset) -> list[str]:
        found = np.atleast_1d(np.asarray(dataset.asstr(errors="replace")[()], dtype=object)).ravel()
        self._texts += sum(map(len, found))
        if self._texts > LARGEST_SUM:
            raise Refused("comes after more text than any measurement has")
        return list(map(_plain, found))

    def _numbers(self, dataset: h5py.Dataset) -> dict[str, Any]:
        count = math.prod(dataset.shape)
        if max(dataset.shape, default=1) < count:
            raise Refused(f"is a table of {' x '.join(map(str, dataset.shape))} numbers, and no curve")
        if 8 * (len(self.numbers) + count) > LARGEST_SUM:
            raise Refused("comes after more numbers than any measurement has")
        at, values = len(self.numbers), np.asarray(dataset[()])
        self.numbers.frombytes(np.ascontiguousarray(values, dtype=np.float64).tobytes())
        return {"at": at} if dataset.shape else {"at": at, "single": values.item()}


def _children(group: h5py.Group) -> Iterator[tuple[str, Object]]:
    """Yield what lies in a group by hard links: no other kind stays inside the file for certain."""
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            found = group[name]
            if isinstance(found, h5py.Group | h5py.Dataset):
                yield str(name), found


def _attributes(item: Object) -> dict[str, Any]:
    return {_plain(str(name)): _attribute(item, name) for name in item.attrs}


def _attribute(item: Object, name: str) -> list[str] | list[float] | None:
    found = item.attrs.get_id(name)
    is_text = h5py.check_string_dtype(found.dtype) is not None
    if not (is_text or found.dtype.kind in "iuf") or found.get_storage_size() > LONGEST_ATTRIBUTE:
        return None
    values = np.atleast_1d(np.asarray(item.attrs[name], dtype=object if is_text else np.float64)).ravel()
    if values.size > MOST_IN_ATTRIBUTE:
        return None
    if not is_text:
        return [float(value) for value in values if math.isfinite(value)]
    return [_plain(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)) for value in values]


def _plain(text: str) -> str:
    """Return a text without the halves of characters that stand for bytes which are no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


class Beat:
    """Tell now and then that reading goes on, and let this process live so much longer."""

    def __init__(self, target: BinaryIO, *, longest_s: int, memory_bytes: int) -> None:
        self._target = target
        self._longest_s = longest_s
        self._memory_bytes = memory_bytes
        self._started = self._last = time.process_time()
        self._limit()

    def __call__(self) -> None:
        """Tell it, if the last time is long ago.

        Raises:
            Refused: Reading takes too long, though it goes on.
        """
        now = time.process_time()
        if now - self._last < BETWEEN_S:
            return
        if now - self._started > LONGEST_S:
            raise Refused(f"it takes more than {LONGEST_S:.0f} s to read")
        self._last = now
        self._limit()
        self._target.write(b".")
        self._target.flush()

    def _limit(self) -> None:
        """Limit what this process may take, where the system can: it ends even if nobody is left to end it."""
        with suppress(ImportError, OSError, ValueError):
            import resource

            for kind, most in (
                (resource.RLIMIT_CORE, 0),
                (resource.RLIMIT_CPU, math.ceil(self._last) + self._longest_s),
                (resource.RLIMIT_AS, self._memory_bytes),
            ):
                resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def answer(data: bytes, progress: Callable[[], None]) -> tuple[bytes, array]:
    """Return the text and the numbers of an answer."""
    reading = Reading(len(data), progress)
    try:
        with h5py.File(h5py.h5f.open_file_image(data)) as file:
            reading.walk(file)
    except Exception as error:  # the supervisor of this process: whatever went wrong is said, and ends it
        told = str(error) if isinstance(error, Refused) else f"it is no whole HDF5 file ({str(error)[:200] or error!r})"
        return json.dumps({"error": told}).encode(), array("d")
    return json.dumps({"objects": reading.objects}).encode(), reading.numbers


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while len(head := source.read(24)) == 24:
        size, longest_s, memory_bytes = struct.unpack("<QQQ", head)
        beat = Beat(target, longest_s=longest_s, memory_bytes=memory_bytes)
        text, numbers = answer(source.read(size), beat)
        target.write(b"=" + struct.pack("<QQ", len(text), numbers.itemsize * len(numbers)) + text)
        target.write(numbers)
        target.flush()


if __name__ == "__main__":
    # Ctrl-C is for the process that asks, which then ends this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
