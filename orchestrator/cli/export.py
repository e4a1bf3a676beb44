"""`labpilot export DIR`: a campaign's tables and spectra for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What can be written."""

    CSV = "csv"
    PARQUET = "parquet"


def command(
    directory: Annotated[Path, typer.Argument(help="The campaign directory; its campaign may still be running.")],
    to: Annotated[Format, typer.Option(help="The format of the tables.")] = Format.CSV,
    out: Annotated[Path | None, typer.Option(help="A new directory; by default export-csv or export-parquet.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
) -> None:
    """Write trials, observations, steps, measurements and spectra, with units and meanings of all columns."""
    from orchestrator.export import export_campaign

    exported = export_campaign(directory, to=to.value, out=out, force=force)
    for file, count in exported.files.items():
        print(f"{file}: {count} rows")
    for text in exported.left_out:
        print(f"note: {text}")
    print(exported.path)
