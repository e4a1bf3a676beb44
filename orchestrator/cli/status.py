"""`labpilot status DIR`: where a campaign stands, without disturbing it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    directory: Annotated[Path, typer.Argument(help="The campaign directory.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/report.md describes it).")] = False,
) -> None:
    """Say where a campaign stands: trials, best, current step, open intents, incidents."""
    import json

    from orchestrator.status import read_status

    status = read_status(directory)
    if as_json:
        print(json.dumps(status.as_json(), indent=1, allow_nan=False))
        return
    from orchestrator.cli.telling import tell_status

    tell_status(status)
