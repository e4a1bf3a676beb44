"""`labpilot convert FILE`: a measurement as NeXus, CSV or Parquet, with another axis if wanted."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.errors import InputError, StorageError

if TYPE_CHECKING:
    from surrogate.formats.record import Axis, MeasurementFile, Quantity, Scan


class Target(StrEnum):
    """What can be written."""

    NEXUS = "nexus"
    CSV = "csv"
    PARQUET = "parquet"


AXES: dict[str, tuple[Quantity, str]] = {
    "two_theta": ("two_theta", "deg"),
    "q": ("q", "/Ao"),
    "d": ("d_spacing", "Ao"),
    "nm": ("wavelength", "nm"),
    "um": ("wavelength", "um"),
    "eV": ("energy", "eV"),
    "/cm": ("wavenumber", "/cm"),
}
"""What --axis takes, and what it means."""


def command(
    file: Annotated[Path, typer.Argument(help="A file that `labpilot read` reads.", readable=False)],
    to: Annotated[Target, typer.Option(help="NeXus keeps everything; CSV and Parquet have a file for each scan.")],
    out: Annotated[Path | None, typer.Option(help="Where to; by default beside the file, with its name.")] = None,
    axis: Annotated[str | None, typer.Option(help=f"Convert the axis to {', '.join(AXES)}.")] = None,
    wavelength: Annotated[
        float | None, typer.Option(help="In angstrom, instead of the first that the file names.")
    ] = None,
    axis_is: Annotated[
        str | None, typer.Option(help="What the file's axis is, where the file does not say it: as for --axis.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> int:
    """Write a measurement with its counts, units, radiation, header, hash and reader."""
    from orchestrator.cli.read import REFUSED, read_or_reason
    from surrogate.formats.write import SUFFIXES

    for option, name in (("--axis", axis), ("--axis-is", axis_is)):
        if name is not None and name not in AXES:
            raise InputError(f"{option} {name!r}: it is none of {', '.join(AXES)}")
    if file.is_dir():
        raise InputError(f"{file} is a directory; name a file in it, and convert file by file")
    path = out or file.with_suffix(SUFFIXES[to])
    if path.is_dir():
        raise InputError(f"--out {path} is a directory; name a file in it, such as {path / (file.stem + SUFFIXES[to])}")
    if path.resolve() == file.resolve():
        raise InputError(f"{path} is the file that is read; name another --out")
    found = read_or_reason(file)
    if isinstance(found, str):
        print(f"labpilot: {found}", file=sys.stderr)
        return REFUSED
    if axis_is is not None:
        found = declared_file(found, axis_is)
    if axis is not None:
        found = converted_file(found, axis, wavelength)
    for written in _write(to, path, found, force=force):
        print(written)
    for warning in found.warnings:
        print(f"note: {warning}")
    return 0


def _write(to: Target, path: Path, file: MeasurementFile, *, force: bool) -> list[Path]:
    from surrogate.formats.write import WRITERS, Exists

    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is no directory")
    try:
        return WRITERS[to](path, file, force=force)
    except Exists as error:
        raise InputError(f"{error}; --force replaces it") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error


def declared_file(file: MeasurementFile, name: str) -> MeasurementFile:
    """Return a file with the axes that it does not name taken as what is said, and a warning that they were.

    Raises:
        InputError: It names an axis itself, as another.
    """
    from dataclasses import replace

    from surrogate.formats.axes import declared
    from surrogate.formats.words import unit_words

    quantity, unit = AXES[name]
    try:
        scans = tuple(declared(scan, quantity, unit) for scan in file.scans)
    except ValueError as error:
        raise InputError(f"--axis-is {name}: {error}") from error
    warning = f"the axis was taken as {quantity} in {unit_words(unit)} because --axis-is says so"
    return replace(file, scans=scans, warnings=(*file.warnings, warning))


def converted_file(file: MeasurementFile, name: str, wavelength_angstrom: float | None) -> MeasurementFile:
    """Return a file with its axes converted; what is not the axis stays as it is.

    Raises:
        InputError: A scan's axis cannot be converted to that.
    """
    from dataclasses import replace

    scans = tuple(
        replace(scan, axis=_axis(scan, number, name, wavelength_angstrom))
        for number, scan in enumerate(file.scans, start=1)
    )
    return replace(file, scans=scans)


def _axis(scan: Scan, number: int, name: str, wavelength_angstrom: float | None) -> Axis:
    from surrogate.formats.axes import converted

    quantity, unit = AXES[name]
    if wavelength_angstrom is None and scan.radiation is not None:
        wavelength_angstrom = scan.radiation.wavelength_angstrom[0]
    try:
        return converted(scan.axis, unit, quantity=quantity, wavelength_angstrom=wavelength_angstrom)
    except ValueError as error:
        hint = "; --wavelength gives it" if "wavelength_angstrom" in str(error) else ""
        if scan.axis.quantity == "unknown":
            hint = "; --axis-is says it, as in --axis-is two_theta"
        text = str(error).replace("; give wavelength_angstrom", "")
        raise InputError(f"scan {number}, --axis {name}: {text}{hint}") from error
