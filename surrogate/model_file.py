"""Files of models: arrays and JSON in one ``.npz``, without pickle, on the disk before they take their name."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

BROKEN = (
    *(OSError, ValueError, KeyError, EOFError, AttributeError, RuntimeError, MemoryError, OverflowError),
    *(BadZipFile, struct.error, zlib.error),
)
"""What reading raises where bytes are not those that were written (a bit that says encrypted is a RuntimeError)."""


class WrongModelFile(ValueError):
    """A file is half written, broken, of a newer version, or holds something else."""


def store(arrays: dict[str, NDArray[Any]], head: dict[str, Any], path: Path, *, fsync: bool = True) -> None:
    """Write arrays and JSON into one ``.npz``, on the disk before it takes its name; without fsync, whole only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, head=np.array(json.dumps(head)), **arrays)
        file.flush()
        if fsync:
            os.fsync(file.fileno())
    os.replace(part, path)


def sha256_of(path: Path) -> str:
    """Return the hash of a file, by which results name the model that had a part in them."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stored(path: Path, *, what: str = "model") -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `store` wrote.

    Args:
        path: The file.
        what: What it should hold, for the error.

    Raises:
        WrongModelFile: The file holds something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        head = json.loads(str(arrays.pop("head")))
        if not isinstance(head, dict):
            raise ValueError("its head is no JSON object")
    except FileNotFoundError:
        raise
    except BROKEN as error:
        raise WrongModelFile(f"{path} holds no {what}: {error}") from error
    return arrays, head
