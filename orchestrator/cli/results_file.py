"""Files that options such as `--json` name: proved to be writable before the start, never the only copy of a result."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.errors import InputError, StorageError

STDOUT = Path("-")


def refuse_unwritable(file: Path | None, *, option: str = "--json", example: str = "result.json") -> None:
    """Refuse a file that cannot be written, before hours are spent on what should go into it.

    option: which names the file; example: what a file of that kind may be called.

    Raises:
        InputError: It is a directory, or lies in none.
        StorageError: The file cannot be written.
    """
    if file is None or file == STDOUT:
        return
    if file.is_dir():
        raise InputError(f"{option} {file} is a directory; name a file in it, such as {file / example}")
    if not file.parent.is_dir():
        raise InputError(f"{option} {file}: there is no directory {file.parent}; make it, or name another file")
    partial = _partial(file)
    try:
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise StorageError(
            f"{option} {file} cannot be written ({error.strerror}); nothing was started. Name another file"
        ) from error


def write_json(file: Path, value: Any, *, kept_in: str = "") -> None:
    """Write a result, to stdout for '-'; a file is complete or absent.

    kept_in: where the campaign can be found again; empty if nowhere.

    Raises:
        StorageError: The file could not be written; the result was printed on stdout.
    """
    text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    if file == STDOUT:
        print(text, end="")
        return
    partial = _partial(file)
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        print(text, end="")
        sys.stdout.flush()
        kept = f"; the campaign is kept in {kept_in}" if kept_in else ""
        raise StorageError(f"cannot write {file}: {error.strerror}; the result is on stdout instead{kept}") from error


def _partial(file: Path) -> Path:
    return file.with_name(file.name + ".partial")
