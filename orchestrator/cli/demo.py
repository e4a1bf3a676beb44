"""`labpilot demo`: a simulated SARA campaign and its report, in about a minute."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer


def command(
    out: Annotated[Path, typer.Option(help="The campaign directory to make.")] = Path("campaigns/demo"),
    seed: Annotated[int, typer.Option(min=0, help="The seed.")] = 0,
    trials: Annotated[int | None, typer.Option(min=1, help="Another number of stripes.")] = None,
) -> int:
    """Simulate a SARA campaign (laser annealing of a film, Sci. Adv. 7, eabg4930) and write its report."""
    from orchestrator.cli.simulating import simulate_all, told
    from orchestrator.report import write_report

    out = _free(out)
    with resources.as_file(resources.files("orchestrator.demo")) as files:
        series = simulate_all(
            files / "campaign.yaml",
            lab=None,
            overrides=told(seed=seed, trials=trials),
            repeat=1,
            out=out,
            fsync=False,
            is_quiet=False,
        )
    report = write_report(out)
    print(f"The report is {report.path.resolve()}: open it in a browser.")
    return series.exit_code


def _free(wanted: Path) -> Path:
    """Return the wanted directory, or the next one with a number, so that a second demo just runs."""
    place, number = wanted, 2
    while place.exists():
        place = wanted.with_name(f"{wanted.name}-{number}")
        number += 1
    return place
