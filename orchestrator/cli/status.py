"""`labpilot status DIR`: where a campaign stands, or why a trial was proposed, without disturbing it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    directory: Annotated[Path, typer.Argument(help="The campaign directory.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/report.md describes it).")] = False,
    is_watched: Annotated[bool, typer.Option("--watch", help="Keep it on the screen until it ends or Ctrl-C.")] = False,
    every_s: Annotated[
        float | None,
        typer.Option("--every", min=0.2, help="With --watch: seconds from look to look, 2 by default."),
    ] = None,
    why: Annotated[
        int | None,
        typer.Option("--why", min=1, metavar="TRIAL", help="Say instead why this trial was proposed."),
    ] = None,
) -> None:
    """Say where a campaign stands: trials, best, current step, open intents, incidents."""
    import json

    if every_s is not None and not is_watched:
        raise typer.BadParameter("--every is for --watch")
    if why is not None and (is_watched or as_json):
        raise typer.BadParameter("--why stands alone, without --json or --watch")
    if is_watched and as_json:
        raise typer.BadParameter("give --json or --watch, one of the two")
    if is_watched:
        from orchestrator.cli.watching import EVERY_S, watch

        watch(directory, every_s=every_s or EVERY_S)
        return
    if why is not None:
        from orchestrator.explaining import explained

        print(explained(directory, why))
        return
    from orchestrator.status.looks import read_status

    status = read_status(directory)
    if as_json:
        print(json.dumps(status.as_json(), indent=1, allow_nan=False))
        return
    from orchestrator.cli.telling import tell_status

    tell_status(status)
