"""`labpilot read FILE...`: what a measurement file is, whoever wrote it, and a drawing of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.json_list import JsonList
from orchestrator.cli.results_file import STDOUT
from orchestrator.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from surrogate.formats.record import MeasurementFile

REFUSED = 3
MOST_TOLD = 20
"""Scans of one file that are told one by one."""


def command(
    files: Annotated[
        list[Path],
        # what cannot be read is said of each file, and does not stop the others
        typer.Argument(help="Files of diffractometers and spectrometers, of any make.", readable=False),
    ],
    png: Annotated[Path | None, typer.Option(help="Draw them to this picture.")] = None,
    html: Annotated[Path | None, typer.Option(help="Draw them to this page, which needs no network.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for a program.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace drawings that exist.")] = False,
) -> int:
    """Say what files hold, and who agrees. Ends with 3 if one could not be read; the others are told all the same."""
    _check_drawings(png, html, files, force=force)
    from surrogate.formats.draw import MOST_FILES

    shown: list[MeasurementFile] = []  # no more than are drawn are kept: there may be thousands
    failed = 0
    with JsonList(STDOUT if as_json else None) as told:
        for path in files:
            found = read_or_reason(path)
            if isinstance(found, str):
                print(f"labpilot: {found}", file=sys.stderr)
                failed += 1
            elif (png or html) and len(shown) < MOST_FILES:
                shown.append(found)
            if as_json:
                told.add({"file": str(path), **({"error": found} if isinstance(found, str) else as_dict(found))})
            elif not isinstance(found, str):
                print_file(found)
    _draw(shown, png, html, force=force, quiet=as_json)
    if (png or html) and (left := len(files) - failed - len(shown)):
        print(f"labpilot: {left} more files are not drawn; {MOST_FILES} are at most", file=sys.stderr)
    return REFUSED if failed else 0


def read_or_reason(path: Path) -> MeasurementFile | str:
    """Return a file, read, or one sentence that says why it cannot be read."""
    from surrogate.formats import FormatError, read_file

    try:
        return read_file(path)
    except FormatError as error:
        return str(error)
    except IsADirectoryError:
        return f"{path} is a directory; name the files in it"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"


def print_file(file: MeasurementFile) -> None:
    """Print what a file is."""
    from surrogate.formats.words import facts_table, source_words, summary

    print(f"{file.name}: {source_words(file)}")
    print(f"  sha256 {file.sha256}")
    before: dict[str, str] = {}
    for number, scan in enumerate(file.scans[:MOST_TOLD], start=1):
        title = f" {scan.title!r}" if scan.title else ""
        rows = dict([*summary(scan), *facts_table(scan)])
        # what a scan has in common with the one before is told once
        new = {name: text for name, text in rows.items() if before.get(name) != text}
        same = "" if new else ", the same"
        print(f"  {scan.kind}{title}" if len(file.scans) == 1 else f"  scan {number}, {scan.kind}{title}{same}")
        for name, text in new.items():
            print(f"    {name + ':':<15} {' '.join(text.split())[:200]}")
        before = rows
    if len(file.scans) > MOST_TOLD:
        print(f"  and {len(file.scans) - MOST_TOLD} more scans")
    for warning in file.warnings:
        print(f"  warning: {warning}")


def as_dict(file: MeasurementFile) -> dict[str, Any]:
    """Return what a file is, for JSON; its numbers are left to `labpilot convert`."""
    return {
        "format": file.format,
        "reader": file.reader,
        "version": file.version,
        "checked_by": list(file.checked_by),
        "sha256": file.sha256,
        "warnings": list(file.warnings),
        "scans": [_scan_dict(scan) for scan in file.scans],
    }


def _scan_dict(scan: Any) -> dict[str, Any]:
    import numpy as np

    x, lines = scan.axis.values, scan.radiation
    finite = scan.values[np.isfinite(scan.values)]
    return {
        "kind": scan.kind,
        "title": scan.title,
        "axis": {
            "quantity": scan.axis.quantity,
            "unit": scan.axis.unit,
            "first": float(x[0]),
            "last": float(x[-1]),
            "points": int(x.size),
        },
        "values": {
            "quantity": scan.quantity,
            "unit": scan.unit,
            "least": float(finite.min()) if finite.size else None,
            "most": float(finite.max()) if finite.size else None,
        },
        "has_counts": scan.counts is not None,
        "has_sigma": scan.sigma is not None,
        "count_time_s": None if scan.count_time_s is None else float(np.median(scan.count_time_s)),
        "largest_attenuation": None if scan.attenuation is None else float(scan.attenuation.max()),
        "wavelength_angstrom": [] if lines is None else list(lines.wavelength_angstrom),
        "wavelength_ratio": [] if lines is None else list(lines.ratio),
        "anode": "" if lines is None else lines.anode,
        "facts": dict(scan.facts),
    }


def _check_drawings(png: Path | None, html: Path | None, files: Sequence[Path], *, force: bool) -> None:
    """Find out before reading that a drawing cannot be put where it is wanted."""
    wanted = [path for path in (png, html) if path is not None]
    if png is not None and png.suffix.lower() not in ("", ".png"):
        raise InputError(f"--png {png}: what is drawn is a PNG; name it {png.stem}.png")
    if len({path.resolve() for path in wanted}) < len(wanted):
        raise InputError(f"--png and --html both name {png}, and one would replace the other; name two files")
    if taken := {path.resolve() for path in wanted} & {path.resolve() for path in files}:
        raise InputError(f"{min(taken).name} is to be read and would be replaced by its drawing; name another file")
    problems = [f"{path} exists; --force replaces it" for path in wanted if path.exists() and not force]
    problems += [f"{path.parent} is no directory" for path in wanted if not path.parent.is_dir()]
    if problems:
        raise InputError(problems)


def _draw(read: list[MeasurementFile], png: Path | None, html: Path | None, *, force: bool, quiet: bool) -> None:
    if not read or (png is None and html is None):
        return
    from surrogate.formats.draw import page
    from surrogate.formats.draw import png as picture
    from surrogate.formats.write import put, write_safely

    for path, draw in ((png, lambda: picture(read)), (html, lambda: page(read).encode(errors="backslashreplace"))):
        if path is not None:
            data = draw()
            try:
                write_safely(path, lambda part, data=data: put(part, data), force=force)
            except OSError as error:
                raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
            if not quiet:
                print(path)
