"""`labpilot compare CAMPAIGN --planners a,b`: which planner is better on this campaign, over many seeds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.policies import POLICIES

PLANNERS_HELP = (
    f"Who is compared, with commas; the first is what the others are held against. Policies ({', '.join(POLICIES)}), "
    "with options as in logei:caution=1.0. By default the campaign's own and random."
)


def command(
    campaign: Annotated[Path, typer.Argument(help="The campaign file.")],
    planners: Annotated[str | None, typer.Option(help=PLANNERS_HELP)] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How many seeds, the same for every planner.")] = 20,
    seed: Annotated[int | None, typer.Option(min=0, help="The first seed; by default the campaign's.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Another budget of trials.")] = None,
    lab: Annotated[Path | None, typer.Option(help="Another lab file than the campaign names.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value; may be repeated.")] = None,
    faults: Annotated[Path | None, typer.Option(help="A file with rates of what goes wrong.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where runs are kept; by default comparisons/NAME.")] = None,
    png_file: Annotated[Path | None, typer.Option("--png", help="Write the picture here.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write a page here that needs no network.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write results here; '-' for stdout.")] = None,
) -> int:
    """Simulate a campaign with several planners and the same seeds, and say which is better, and by how much.

    A run that was made before is not made again, so that more seeds, planners and an interrupted comparison cost only
    what is missing. Ctrl-C keeps and shows what is finished.
    """
    # before anything loads numpy: each run has one core
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from orchestrator.cli.comparing import Order, carry_out
    from orchestrator.cli.results_file import refuse_unwritable

    refuse_unwritable(png_file, option="--png", example="comparison.png")
    refuse_unwritable(html_file, option="--html", example="comparison.html")
    refuse_unwritable(json_file)
    return carry_out(
        Order(
            campaign=campaign,
            lab=lab,
            planners=planners,
            repeat=repeat,
            seed=seed,
            trials=trials,
            overrides=tuple(overrides or ()),
            faults=faults,
            workers=workers,
            out=out,
            png_file=png_file,
            html_file=html_file,
            json_file=json_file,
        )
    )
