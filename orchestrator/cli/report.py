"""`labpilot report DIR`: the campaign as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    directory: Annotated[Path, typer.Argument(help="The campaign directory; its campaign may still be running.")],
    out: Annotated[Path | None, typer.Option(help="The HTML file; by default report.html in the directory.")] = None,
    is_opened: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write one self-contained HTML file: progress, map, spectra, instruments, failures, versions."""
    from orchestrator.report import write_report
    from orchestrator.words import size

    report = write_report(directory, out)
    for notice in report.notices:
        print(f"note: {notice}")
    print(f"{report.path} ({size(report.size_bytes)})")
    if is_opened:
        import webbrowser

        if not webbrowser.open(report.path.absolute().as_uri()):
            print("no browser could be started here; open the file yourself")
