"""Measurement files of any make, told by their content: `read_file`, and what it returns."""

from surrogate.formats.errors import Disagreement, FormatError, NotUnderstood
from surrogate.formats.read import read_bytes, read_file
from surrogate.formats.record import Axis, MeasurementFile, Radiation, Scan

__all__ = [
    "Axis",
    "Disagreement",
    "FormatError",
    "MeasurementFile",
    "NotUnderstood",
    "Radiation",
    "Scan",
    "read_bytes",
    "read_file",
]
