"""`labpilot health DIR`: everything about a campaign that is looked at, and how it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    directory: Annotated[Path, typer.Argument(help="The campaign directory.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/health.md describes it).")] = False,
    until: Annotated[
        str | None,
        typer.Option("--until", help="When disk and stock must last to, '2026-11-30 08:00'; next Monday by default."),
    ] = None,
) -> None:
    """Say what about a campaign deserves a look: controller, disk, clock, stock, drift, pace, interventions."""
    import json
    from dataclasses import asdict
    from datetime import datetime

    from orchestrator.health.horizon import Horizon, next_monday, read_horizon
    from orchestrator.status.looks import read_findings

    def given(after: datetime, people: Any) -> Horizon:
        return next_monday(after, people) if until is None else read_horizon(until, after, people)

    found = read_findings(directory, until=given)
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=1))
        return
    from orchestrator.cli.telling import tell_findings

    tell_findings(found)
