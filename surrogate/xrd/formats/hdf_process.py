"""Ask another process what an HDF5 file holds, and end it where it does not answer in time: see `hdf_child`.

One such process is kept and asked again, since starting it costs more than reading most files. After a file that could
not be read it is ended, whatever the reason: what a damaged file leaves behind must not reach the next one.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array

LONGEST_S = 20.0
"""Time without a sign of life: the largest dataset that is read takes a second."""
LEAST_MEMORY, MEMORY_PER_BYTE = 1 << 30, 4
"""Addresses that the process may use, where the system can limit them; it begins with 0.2 GiB."""
MOST_FILES = 256
"""Memory that a process has lost comes back after so many."""
_PROGRAM = Path(__file__).with_name("hdf_child.py")


class _Child:
    """A process that reads HDF5."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        try:
            self.process = subprocess.Popen(  # -P: modules beside the program are none of its own
                [sys.executable, "-P", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            raise NotUnderstood(f"HDF5 is read by a process of its own, which cannot be started ({error})") from error
        self.files = 0
        self._late = threading.Event()

    def is_fresh(self) -> bool:
        """Say whether it is there, and has not read too many files."""
        return self.files < MOST_FILES and self.process.poll() is None

    def ask(self, data: bytes) -> tuple[list[dict[str, Any]], Array]:
        """Return the objects and the numbers of a file."""
        self.files += 1
        try:
            text, numbers = self._exchange(data)
        except (OSError, EOFError):
            raise NotUnderstood(self._why()) from None
        answer = json.loads(text)
        if "error" in answer:
            raise NotUnderstood(answer["error"])
        return answer["objects"], np.frombuffer(numbers, dtype=np.float64)

    def _exchange(self, data: bytes) -> tuple[bytes, bytes]:
        source, target = self.process.stdout, self.process.stdin
        if source is None or target is None:
            raise EOFError
        with self._deadline():
            memory_bytes = LEAST_MEMORY + MEMORY_PER_BYTE * len(data)
            target.write(struct.pack("<QQQ", len(data), math.ceil(2 * LONGEST_S), memory_bytes))
            target.write(data)
            target.flush()
        sign = b"."
        while sign == b".":
            with self._deadline():
                sign = _whole(source, 1)
        sizes = struct.unpack("<QQ", _whole(source, 16))
        return _whole(source, sizes[0]), _whole(source, sizes[1])

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        """End the process if what is done here is not done in time."""
        timer = threading.Timer(LONGEST_S, self._end_late)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _end_late(self) -> None:
        self._late.set()
        self.process.kill()

    def _why(self) -> str:
        """Say why no answer came."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        if self._late.is_set():
            return (
                f"libhdf5 read nothing of it in {LONGEST_S:g} s and was ended, as it must be on some damaged files; if "
                "this one is good, try again when the machine is less busy"
            )
        return f"libhdf5 crashed on it or took too much memory (exit status {self.process.poll()}): it is damaged"

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not yet sent cannot be
                    pipe.close()
        self.process.wait()


def _whole(source: BinaryIO | Any, size: int) -> bytes:
    found = source.read(size)
    if len(found) != size:
        raise EOFError
    return found


_lock = threading.Lock()
_child: _Child | None = None


def objects_of(data: bytes) -> tuple[list[dict[str, Any]], Array]:
    """Return the objects of an HDF5 file as `hdf_child` describes them, and all their numbers in one array.

    Raises:
        NotUnderstood: It is none, or it could not be read in time and in memory.
    """
    global _child
    with _lock:
        if _child is not None and not _child.is_fresh():
            end()
        _child = _child or _Child()
        try:
            return _child.ask(data)
        except BaseException:
            end()
            raise


def end() -> None:
    """End the process that is kept."""
    global _child
    if _child is not None:
        _child.end()
        _child = None


def _forget() -> None:
    """Leave the process to the one that started it: a fork shares its pipes."""
    global _child, _lock
    _child, _lock = None, threading.Lock()


atexit.register(end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
