"""Pools of candidates as files: read once for each content, and told apart by their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.columns import header_of, no_column
from orchestrator.errors import InputError
from orchestrator.feature_fields import FILES, Pool
from orchestrator.tables import Table, digest_of, read_table

if TYPE_CHECKING:
    from surrogate.features.pools import Pool as ReadPool


def shown(pool: Pool) -> str:
    """Return what a message calls a pool."""
    return Path(pool.folder or pool.table or "").name


def read(name: str, pool: Pool, takes: str) -> ReadPool:
    """Return a pool; one of the same hash is read once.

    Raises:
        InputError, BadPool: It cannot be read.
    """
    return _read_once(name, pool.model_dump_json(), takes)


@lru_cache(maxsize=8)
def _read_once(name: str, told: str, takes: str) -> ReadPool:
    from surrogate.features.pools import pool_of, read_folder

    pool = Pool.model_validate_json(told)
    if pool.folder is not None:
        return read_folder(Path(pool.folder), takes)
    table = read_table(Path(pool.table or ""))
    words, texts = _columns(name, pool, table)
    at = [f"{table.name}: {table.at([row])}" for row in range(len(table))]
    return pool_of(takes, words, texts, at=at, folder=Path(pool.table or "").parent)


def _columns(name: str, pool: Pool, table: Table) -> tuple[list[str], list[str]]:
    """Return the words and what they stand for.

    Raises:
        InputError: The table has no such column.
    """
    words = pool.column or header_of(table, name) or name
    headers = (words, pool.items or words)
    missing = [no_column(table, header) for header in dict.fromkeys(headers) if header not in table.columns]
    if missing:
        raise InputError(missing)
    first, second = (
        ["" if cell is None else str(cell) for cell in table.columns[header].to_pylist()] for header in headers
    )
    return first, second


def digest(name: str, pool: Pool, takes: str) -> str:
    """Return the SHA-256 of a table, or of names and contents of all files.

    Raises:
        InputError, BadPool: They cannot be read.
    """
    files = list(files_of_pool(name, pool, takes))
    if pool.table is not None and not files:
        return digest_of(Path(pool.table))
    found = hashlib.sha256(b"" if pool.table is None else digest_of(Path(pool.table)).encode())
    for name_of_file, path in files:
        found.update(f"{name_of_file}\0{digest_of(path)}\n".encode())
    return found.hexdigest()


def files_of_pool(name: str, pool: Pool, takes: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of candidates, each with what it is called from the pool's folder.

    Raises:
        InputError, BadPool: They cannot be found.
    """
    from surrogate.features.pools import files_of

    if pool.folder is not None:
        folder = Path(pool.folder)
        yield from ((path.relative_to(folder).as_posix(), path) for path in files_of(folder, takes))
    elif takes in FILES:
        folder = Path(pool.table or "").parent
        _, texts = _columns(name, pool, read_table(Path(pool.table or "")))
        # a file that is not there is told with its line, when the pool is read
        yield from ((text, folder / text) for text in dict.fromkeys(texts) if text and (folder / text).is_file())
