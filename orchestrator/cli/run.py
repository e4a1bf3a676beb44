"""`labpilot run CAMPAIGN`: on the instruments of the lab, in wall time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.policies import HELP as POLICY_HELP


def command(
    campaign: Annotated[Path, typer.Argument(help="The campaign file.")],
    out: Annotated[Path, typer.Option(help="The campaign directory to make.")],
    lab: Annotated[Path | None, typer.Option(help="Another lab file than the campaign names.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed.")] = None,
    planner: Annotated[str | None, typer.Option(help=POLICY_HELP)] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value; may be repeated.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Another budget of trials.")] = None,
    store: Annotated[
        str | None, typer.Option(help="Where the journal lives: postgresql+psycopg://USER@HOST/DATABASE, or sqlite.")
    ] = None,
    real: Annotated[bool, typer.Option("--real-hardware", help="Allow devices that are not simulated.")] = False,
) -> int:
    """Run a campaign on the instruments of its lab; Ctrl-C stops it after the current step, to be resumed later."""
    import os

    from rich.console import Console

    from orchestrator.check import check_campaign
    from orchestrator.cli.progress import LiveProgress
    from orchestrator.cli.running import say_how_it_ended
    from orchestrator.cli.simulating import freed, told
    from orchestrator.execution import Settings, refuse_unarmed, start
    from orchestrator.record.stores import store_of

    console = Console()
    given = [*freed(campaign, planner), *(overrides or []), *told(seed=seed, planner=planner, trials=trials)]
    ready = check_campaign(campaign, lab, given).require()
    refuse_unarmed(ready.lab, is_armed=real)
    where = store_of(store, os.environ, label=ready.campaign.name)
    with LiveProgress(console, ready.campaign) as progress:
        settings = Settings(is_virtual=False, store=where, on_progress=progress.update, on_step=progress.step)
        ending = start(ready, out, settings)
    return say_how_it_ended(console, ending, out)
