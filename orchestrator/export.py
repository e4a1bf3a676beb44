"""Export: the tables and spectra of a campaign as CSV or Parquet, with a description of every column.

The export appears whole or not at all: it is written beside its destination and renamed.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from orchestrator.errors import InputError, StorageError
from orchestrator.export_tables import OF_SOME_CAMPAIGNS, Column, Table, table_builders
from orchestrator.measurements import MeasurementFile, read_measurement
from orchestrator.reading import Snapshot, read_snapshot
from orchestrator.store import MeasurementRow

Format = Literal["csv", "parquet"]

SIDECAR = "columns.json"
README = "README.md"

_KEYS = (
    Column("trial", "number of the trial that it was taken for", type="integer"),
    Column("measurement", "id of the measurement, a key of the measurements table", type="text"),
    Column("role", "what it was taken of", type="text"),
    Column("offset_mm", "distance from the middle of the sample along x, where the recipe gave one", "mm", "number"),
)
_ARRAY_UNITS = {"wavelength_nm": "nm", "counts": "counts"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote."""

    path: Path
    files: Mapping[str, int]
    """Number of rows by file name."""
    left_out: Sequence[str]
    """What could not be exported and why, one sentence each."""


class _Writer(Protocol):
    """Takes blocks of equal columns."""

    def write(self, block: Mapping[str, Sequence[Any]]) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Export:
    """One export under way."""

    folder: Path
    to: Format
    rows: dict[str, int] = field(default_factory=dict)
    columns: dict[str, Sequence[Column]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def table(self, name: str, table: Table) -> None:
        """Write one table."""
        self._write(name, table.columns, [table.block()])

    def spectra(self, snapshot: Snapshot) -> None:
        """Write one long table for each kind of measurement."""
        by_kind: dict[str, list[MeasurementRow]] = {}
        for row in snapshot.measurements:
            by_kind.setdefault(row.kind, []).append(row)
        for kind, rows in sorted(by_kind.items()):
            self._spectra_of(snapshot.path, kind, rows)

    def _spectra_of(self, root: Path, kind: str, rows: Sequence[MeasurementRow]) -> None:
        blocks = self._blocks(root, kind, rows)
        first = next(blocks, None)
        if first is None:
            return
        names = [name for name in first if name not in {column.name for column in _KEYS}]
        columns = [*_KEYS, *(Column(name, f"array {name!r} of the file", _ARRAY_UNITS.get(name, "")) for name in names)]
        self._write(f"{kind}_points", columns, _chain(first, blocks, set(first), self.left_out, kind))

    def _blocks(self, root: Path, kind: str, rows: Sequence[MeasurementRow]) -> Iterator[Mapping[str, Sequence[Any]]]:
        for row in rows:
            try:
                content = read_measurement(root / row.path, sha256=row.sha256)
            except StorageError as error:
                self.left_out.append(str(error))
                continue
            if not content.arrays:
                continue
            block = _long(row, content)
            if block is None:
                text = f"arrays of {kind!r} measurements are no columns of equal length; they stay in the .npz files"
                if text not in self.left_out:
                    self.left_out.append(text)
                continue
            yield block

    def _write(self, name: str, columns: Sequence[Column], blocks: Any) -> None:
        file = f"{name}.{self.to}"
        writer = _WRITERS[self.to](self.folder / file, columns)
        count = 0
        try:
            for block in blocks:
                writer.write(block)
                count += len(next(iter(block.values()), ()))
        finally:
            writer.close()
        self.rows[file] = count
        self.columns[file] = columns


def export_campaign(path: Path, *, to: Format, out: Path | None = None, force: bool = False) -> Exported:
    """Export a campaign directory.

    Args:
        path: The campaign directory.
        to: ``csv`` or ``parquet``.
        out: Where to; by default ``export-csv`` or ``export-parquet`` inside the campaign directory.
        force: Replace an earlier export that is already there.

    Raises:
        InputError: The directory holds no campaign, or the destination exists.
        NewerVersion: It was written by a later labpilot.
        StorageError: It cannot be read, or the export cannot be written; nothing is left of it.
    """
    target = (path / f"export-{to}" if out is None else out).absolute()
    snapshot = read_snapshot(path)
    _refuse_to_overwrite(target, force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    except OSError as error:
        raise StorageError(f"cannot write beside {target}: {error.strerror}; name another --out") from error
    try:
        export = _fill(_Export(folder=folder, to=to), snapshot)
        _put_in_place(folder, target)
    except OSError as error:
        raise StorageError(f"the export to {target} failed: {error.strerror}; nothing was left behind") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Exported(path=target, files=export.rows, left_out=tuple(export.left_out))


def _fill(export: _Export, snapshot: Snapshot) -> _Export:
    for name, build in table_builders().items():
        table = build(snapshot)
        if table.rows or name not in OF_SOME_CAMPAIGNS:
            export.table(name, table)
    export.spectra(snapshot)
    export.left_out.extend(snapshot.journal.problems)
    sidecar = {
        "labpilot_export": 1,
        "campaign": snapshot.campaign.name,
        "as_of_utc": snapshot.journal.last_utc,
        "files": {file: [asdict(column) for column in columns] for file, columns in export.columns.items()},
    }
    (export.folder / SIDECAR).write_text(json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (export.folder / README).write_text(_readme(export, snapshot), encoding="utf-8")
    return export


def _refuse_to_overwrite(target: Path, force: bool) -> None:
    if not os.path.lexists(target):
        return
    if not force:
        raise InputError(f"{target} exists; name another place with --out, or replace it with --force")
    if not (target / SIDECAR).is_file():
        raise InputError(f"{target} is no earlier export (it has no {SIDECAR}), so --force does not replace it")


def _put_in_place(folder: Path, target: Path) -> None:
    for file in folder.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    # mkdtemp makes it private; an export is as readable as any other new directory
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)
    old = target.with_name(f"{folder.name}.old")
    if target.exists():
        os.replace(target, old)
    os.replace(folder, target)
    shutil.rmtree(old, ignore_errors=True)


def _long(row: MeasurementRow, content: MeasurementFile) -> Mapping[str, Any] | None:
    """Return the arrays of one file as columns, or None if they are none."""
    lengths = {array.shape for array in content.arrays.values()}
    if len(lengths) != 1 or len(next(iter(lengths))) != 1:
        return None
    n = next(iter(lengths))[0]
    keys = {"trial": [row.trial] * n, "measurement": [row.id] * n, "role": [row.role] * n}
    return {**keys, "offset_mm": [row.facts.get("offset_mm")] * n, **content.arrays}


def _chain(
    first: Mapping[str, Sequence[Any]],
    others: Iterator[Mapping[str, Sequence[Any]]],
    names: set[str],
    left_out: list[str],
    kind: str,
) -> Iterator[Mapping[str, Sequence[Any]]]:
    yield first
    for block in others:
        if set(block) == names:
            yield block
        else:
            left_out.append(f"{kind} {block['measurement'][0]} has other arrays than the first of its kind")


class _CsvWriter:
    """Writes blocks as comma-separated values, a null as an empty field."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]
        self._file = path.open("w", encoding="utf-8", newline="")
        self._is_first = True

    def write(self, block: Mapping[str, Sequence[Any]]) -> None:
        import pandas

        frame = pandas.DataFrame({name: block[name] for name in self._names})
        frame.to_csv(self._file, index=False, header=self._is_first, lineterminator="\n")
        self._is_first = False

    def close(self) -> None:
        self._file.close()


class _ParquetWriter:
    """Writes blocks as row groups; the unit and meaning of a column stand in its field's metadata too."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._path, self._columns = path, columns
        self._writer: Any = None

    def write(self, block: Mapping[str, Sequence[Any]]) -> None:
        import pyarrow
        import pyarrow.parquet

        arrays = [pyarrow.array(block[column.name], type=_arrow_type(column)) for column in self._columns]
        if self._writer is None:
            schema = pyarrow.schema(
                [
                    pyarrow.field(column.name, array.type, metadata={"unit": column.unit, "meaning": column.meaning})
                    for column, array in zip(self._columns, arrays, strict=True)
                ]
            )
            self._writer = pyarrow.parquet.ParquetWriter(self._path, schema, compression="zstd")
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._writer.schema))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _arrow_type(column: Column) -> Any:
    import pyarrow

    known = {
        "text": pyarrow.string(),
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "yes/no": pyarrow.bool_(),
    }
    return known.get(column.type)


_WRITERS: Mapping[Format, Callable[[Path, Sequence[Column]], _Writer]] = {"csv": _CsvWriter, "parquet": _ParquetWriter}


def _readme(export: _Export, snapshot: Snapshot) -> str:
    campaign = snapshot.campaign
    lines = [
        f"# Export of the campaign {campaign.name}",
        "",
        f"Taken from `{snapshot.path}`, as of {snapshot.journal.last_utc} (journal row {snapshot.journal.last_seq}).",
        f"Status: {campaign.status}. Planner: {campaign.planner}. Seed: {campaign.seed}.",
        "Times ending in `_s` are seconds since the campaign was created. An empty field (CSV) or null (Parquet)",
        f"means that there is no value. The same descriptions stand in `{SIDECAR}`.",
    ]
    for file, columns in export.columns.items():
        lines += ["", f"## {file} ({export.rows[file]} rows)", "", "| column | unit | meaning |", "|---|---|---|"]
        lines += [f"| {_cell(c.name)} | {_cell(c.unit)} | {_cell(c.meaning)} |" for c in columns]
    if export.left_out:
        lines += ["", "## Left out", "", *(f"- {text}" for text in export.left_out)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
