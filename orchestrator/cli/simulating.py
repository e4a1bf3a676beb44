"""What `labpilot simulate` and `labpilot demo` share: simulate, show progress, say what came out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.check import Ready, check_campaign
from orchestrator.cli.progress import LiveProgress
from orchestrator.execution import Settings
from orchestrator.simulate import directories, simulate


def told(*, seed: int | None = None, planner: str | None = None, trials: int | None = None) -> list[str]:
    """Return options of the command line as overrides of the campaign file."""
    given = {"seed": seed, "planner.policy": planner, "budget.trials": trials}
    return [f"{key}={value}" for key, value in given.items() if value is not None]


def simulate_all(
    campaign: Path,
    *,
    lab: Path | None,
    overrides: Sequence[str],
    repeat: int,
    out: Path | None,
    fsync: bool,
    is_quiet: bool,
) -> list[dict[str, Any]]:
    """Simulate a campaign with one seed or several, and return the results.

    Raises:
        InputError: Something is wrong with the files; lists every mistake.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # small matrices: threads only cost time
    console = Console(quiet=is_quiet)
    first = check_campaign(campaign, lab, overrides).require()
    results = []
    with directories(out, repeat) as places:
        for index, place in enumerate(places):
            ready = first if index == 0 else _with_seed(campaign, lab, overrides, first.campaign.seed + index)
            with LiveProgress(console, ready.campaign) as progress:
                settings = Settings(is_virtual=True, fsync=fsync, on_progress=progress.update, on_step=progress.step)
                result = simulate(ready, place, settings)
            results.append(result)
            console.print(line(result, ready), highlight=False, soft_wrap=True)
            if out is not None:
                console.print(f"  kept in {place}; `labpilot report {place}` draws it", highlight=False, soft_wrap=True)
    return results


def _with_seed(campaign: Path, lab: Path | None, overrides: Sequence[str], seed: int) -> Ready:
    return check_campaign(campaign, lab, [*overrides, f"seed={seed}"]).require()


def line(result: dict[str, Any], ready: Ready) -> str:
    """Say in a line or two what a simulated campaign gave."""
    outcomes = [trial["outcome"] for trial in result["trials"]]
    counts = ", ".join(f"{outcomes.count(name)} {name}" for name in ("measured", "failed", "lost") if name in outcomes)
    text = (
        f"{result['campaign']} with {result['planner']}, seed {result['seed']}: {result['status']} "
        f"({result['reason']}); {counts or 'no trial'}; "
        f"{result['virtual_s'] / 3600:.1f} h of laboratory time in {result['wall_s']:.1f} s"
    )
    return text + _best(result, ready) + _provenance(result)


def _best(result: dict[str, Any], ready: Ready) -> str:
    objective = ready.campaign.objectives[0]
    if result["best"] is None or objective.direction == "learn":
        return ""
    value = result["best"]["values"][objective.name]
    return f"\n  best {objective.name} {value:.4g} {objective.unit} in trial {result['best']['number']}"


def _provenance(result: dict[str, Any]) -> str:
    lines = ""
    for world, said in result["provenance"].items():
        facts = ", ".join(f"{name} {value}" for name, value in said.items() if isinstance(value, str | int | float))
        lines += "".join(f"\n  {world}: {sentence}" for sentence in said.get("summary") or [facts])
    return lines
