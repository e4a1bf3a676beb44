"""A scan as Parquet: float64 columns named with their units, and all else as JSON in the schema's key ``labpilot``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from surrogate.formats.record import MeasurementFile
from surrogate.formats.write import columns


def fill(path: Path, file: MeasurementFile, number: int) -> None:
    """Write a scan of a file."""
    found = columns(file.scans[number])
    fields = [pa.field(name, pa.float64(), metadata={"unit": unit}) for name, (unit, _) in found.items()]
    # names of files may hold bytes that are no characters
    text = json.dumps(about(file, number), ensure_ascii=False).encode("utf-8", errors="backslashreplace")
    schema = pa.schema(fields, metadata={"labpilot": text})
    arrays = [pa.array(np.asarray(values, dtype=np.float64)) for _, values in found.values()]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path, compression="zstd")


def about(file: MeasurementFile, number: int) -> dict[str, object]:
    """Return what is known of a scan besides its columns."""
    scan = file.scans[number]
    lines = scan.radiation
    return {
        "file": file.name,
        "sha256": file.sha256,
        "format": file.format,
        "reader": file.reader,
        "version": file.version,
        "checked_by": list(file.checked_by),
        "warnings": list(file.warnings),
        "scan": number + 1,
        "scans": len(file.scans),
        "kind": scan.kind,
        "title": scan.title,
        "axis": {"quantity": scan.axis.quantity, "unit": scan.axis.unit},
        "values": {"quantity": scan.quantity, "unit": scan.unit},
        "radiation": None
        if lines is None
        else {
            "anode": lines.anode,
            "wavelength_angstrom": list(lines.wavelength_angstrom),
            "ratio": list(lines.ratio),
        },
        "facts": dict(scan.facts),
        "header": file.header,
    }
