"""A JSON list that is written as its items come, and is whole however the writing ends."""

from __future__ import annotations

import codecs
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from orchestrator.cli.results_file import STDOUT
from orchestrator.errors import StorageError


class JsonList:
    """Writes to ``FILE.partial`` and closes and renames it at the end, also after an error or Ctrl-C.

    With no file it does nothing; with '-' it writes to stdout.

    Raises:
        StorageError: On entry, `add` and exit: the file cannot be written.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._partial = None if file in (None, STDOUT) else file.with_name(file.name + ".partial")
        self._out: BinaryIO | None = None
        self._end = 0
        """Where the last complete item ends: an interrupt may strike while the next is being written."""
        self._is_plain = file == STDOUT and not _is_utf_8(sys.stdout.encoding)
        self.n_items = 0

    def __enter__(self) -> JsonList:
        """Begin the list."""
        if self._partial is not None:
            try:
                self._out = self._partial.open("wb")
            except OSError as error:
                raise self._failure(error) from error
        self._write("[")
        return self

    def add(self, item: Any) -> None:
        """Write one more item; numbers that JSON does not know become null."""
        text = json.dumps(finite(item), ensure_ascii=self._is_plain, allow_nan=False)
        self._write(f"{',' if self.n_items else ''}\n{text}")
        self.n_items += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the list and give the file its name."""
        if self._out is not None and self._out.seekable():
            self._out.seek(self._end)
            self._out.truncate()
        self._write("\n]\n")
        if self._out is not None and self._partial is not None and self._file is not None:
            try:
                self._out.close()
                self._partial.replace(self._file)
            except OSError as failure:
                raise self._failure(failure) from failure

    def _write(self, text: str) -> None:
        # names of files may hold bytes that are no characters; as escapes they are JSON, and lead to the file again
        data = text.encode("utf-8", errors="backslashreplace")
        if self._file == STDOUT:
            sys.stdout.write(data.decode())
            sys.stdout.flush()
        elif self._out is not None:
            try:
                self._out.write(data)
                self._out.flush()
                self._end = self._out.tell()
            except OSError as error:
                raise self._failure(error) from error

    def _failure(self, error: OSError) -> StorageError:
        kept = f"; {self._partial} holds what was written" if self.n_items else ""
        return StorageError(f"--json {self._file} cannot be written ({error.strerror}){kept}. Name another file")


def _is_utf_8(encoding: str | None) -> bool:
    return codecs.lookup(encoding or "ascii").name == "utf-8"


def finite(value: Any) -> Any:
    """Return a value with null in place of NaN and infinity, which JSON does not know."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
