"""`labpilot compute DIR`: how well a campaign's computing was hidden, and what it took, for simulations to come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    directory: Annotated[Path, typer.Argument(help="The campaign directory.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/planning_ahead.md describes it).")] = False,
    durations: Annotated[
        Path | None,
        typer.Option(help="Write here what asks and analyses took, for 'charge: recorded'; the file is replaced."),
    ] = None,
) -> None:
    """Say how long instruments waited for plans and analyses, and how plans were made."""
    import json

    from orchestrator.ahead.recording import record
    from orchestrator.cli.telling import tell_compute
    from orchestrator.reading import open_reading

    with open_reading(directory) as reading:
        status = reading.compute(reading.journal_facts())
        found = None if durations is None else record(reading, durations)
    if as_json:
        print(json.dumps(None if status is None else status.as_json(), indent=1, allow_nan=False))
    else:
        tell_compute(status)
    if found is not None and not as_json:
        print(f"{durations}: {found}; SHA-256 {found.costs.sha256}")
