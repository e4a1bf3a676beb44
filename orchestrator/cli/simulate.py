"""`labpilot simulate CAMPAIGN`: months of laboratory time in minutes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    campaign: Annotated[Path, typer.Argument(help="The campaign file.")],
    lab: Annotated[Path | None, typer.Option(help="Another lab file than the campaign names.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed; repeats count up from it.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1,
    planner: Annotated[str | None, typer.Option(help="Another policy than the campaign names.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value; may be repeated.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Another budget of trials.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the campaign directory (one for each seed) here.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write results here; '-' for stdout.")] = None,
    fsync: Annotated[bool, typer.Option("--fsync", help="Survive a power cut as well, as `run` does; slower.")] = False,
) -> None:
    """Run a campaign in virtual time: the same drivers and the same bytes, against simulated instruments."""
    from orchestrator.cli.simulating import simulate_all, told

    results = simulate_all(
        campaign,
        lab=lab,
        overrides=[*(overrides or []), *told(seed=seed, planner=planner, trials=trials)],
        repeat=repeat,
        out=out,
        fsync=fsync,
        is_quiet=json_file == Path("-"),
    )
    if json_file is not None:
        write_json(json_file, results if repeat > 1 else results[0])


def write_json(file: Path, value: Any) -> None:
    """Write a result, to stdout for '-'; a file is complete or absent."""
    text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    if file == Path("-"):
        print(text, end="")
        return
    partial = file.with_name(file.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)
