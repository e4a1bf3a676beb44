"""`labpilot drill CAMPAIGN`: have a campaign's laboratory suffer every fault, and see what becomes of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.drill.table import Row

SHORT = ("planner.policy=random", "sources=[]", "batch=2", "in_flight=4", "budget.trials=4", "budget.duration=60 d")
"""What makes a campaign short; `--set` comes after it."""


def command(
    campaign: Annotated[Path, typer.Argument(help="The campaign file.")],
    lab: Annotated[Path | None, typer.Option(help="Another lab file than the campaign names.")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="One fault; may be repeated.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value; may be repeated.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the campaign directories here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print rows as JSON, one to a line.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as docs/drill.md has it.")] = False,
    is_list: Annotated[bool, typer.Option("--list", help="Only list the faults, and what is right.")] = False,
) -> int:
    """Have a short form of a campaign suffer one fault after the other, in virtual time, and judge each."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # processes that die are forked, which threads do not survive
    from orchestrator.drill.catalogue import catalogue
    from orchestrator.errors import InputError
    from orchestrator.fields import did_you_mean

    drills = catalogue()
    if is_list:
        for drill in drills:
            print(f"{drill.name:20} {drill.fault}\n{'':20} -> {drill.right}")
        return 0
    names = [drill.name for drill in drills]
    for name in only or []:
        if name not in names:
            raise InputError(f"no fault is called {name!r}{did_you_mean(name, names)}")
    chosen = [drill for drill in drills if not only or drill.name in only]
    rows = _drilled(campaign, lab, [*SHORT, *(overrides or [])], chosen, out, as_json=as_json)
    if not as_json:
        _print(rows, as_markdown=as_markdown)
    return 1 if any(row.is_right is False for row in rows) else 0


def _drilled(
    campaign: Path, lab: Path | None, overrides: list[str], drills: list, out: Path | None, *, as_json: bool
) -> list[Row]:
    import json
    import tempfile
    from contextlib import nullcontext

    from orchestrator.drill.ground import Ground
    from orchestrator.drill.table import drilled

    place = nullcontext(str(out)) if out is not None else tempfile.TemporaryDirectory(prefix="labpilot-drill-")
    rows = []
    with place as folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        ground = Ground(campaign=campaign, lab=lab, overrides=overrides, folder=Path(folder))
        for row in drilled(ground, drills):
            rows.append(row)
            if as_json:
                print(json.dumps(row.data()), flush=True)
            else:
                _progress(row)
    return rows


def _progress(row: Row) -> None:
    import sys

    verdict = {True: "ok", False: "WRONG", None: "not tried"}[row.is_right]
    print(f"{verdict:9} {row.name}{f': {row.wrong}' if row.wrong else ''}", file=sys.stderr, flush=True)


def _print(rows: list[Row], *, as_markdown: bool) -> None:
    from orchestrator.drill.table import HEAD, cells

    if as_markdown:
        print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
        for row in rows:
            print("| " + " | ".join(cell.replace("|", "/") for cell in cells(row)) + " |")
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("fault", "verdict", "recovered", "costs", "what happened"):
        table.add_column(name, overflow="fold")
    for row in rows:
        _, happened, took, trials, measurements, twice, hands, _ = cells(row)
        costs = ", ".join(
            f"{count} {what}"
            for count, what in zip(
                (trials, measurements, twice, hands), ("trials", "measurements", "twice", "hands"), strict=True
            )
            if count != "0"
        )
        verdict = {True: "[green]ok[/green]", False: "[red]WRONG[/red]", None: "[dim]not tried[/dim]"}[row.is_right]
        table.add_row(row.name, verdict, took, costs, escape("; ".join(filter(None, [row.wrong, happened]))))
    Console(highlight=False).print(table)
