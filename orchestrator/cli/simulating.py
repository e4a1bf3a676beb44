"""What `labpilot simulate` and `labpilot demo` share: simulate, show progress, say what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.check import Ready, check_campaign
from orchestrator.cli.main import EXIT_INTERRUPTED
from orchestrator.cli.progress import LiveProgress
from orchestrator.cli.running import EXIT_FAULTED
from orchestrator.errors import InputError
from orchestrator.execution import Settings
from orchestrator.simulate import directories, simulate
from orchestrator.words import duration, quantity
from orchestrator.yaml_source import read_source
from planner.policies.base import WITH_SOURCES


def told(*, seed: int | None = None, planner: str | None = None, trials: int | None = None) -> list[str]:
    """Return options of the command line as overrides of the campaign file."""
    given = {"seed": seed, "planner.policy": planner, "budget.trials": trials}
    return [f"{key}={value}" for key, value in given.items() if value is not None]


def freed(campaign: Path, planner: str | None) -> list[str]:
    """Return the overrides that leave the campaign's options and sources to its own policy, where another one is named.

    It goes before all others, so that options given on the command line are the named policy's.
    """
    if planner is None:
        return []
    try:
        data = read_source(campaign).data
    except InputError:
        return []  # the check says what is wrong with it
    chosen = data.get("planner")
    if not isinstance(chosen, dict) or chosen.get("policy") == planner:
        return []
    changes = ["planner.options={}"] if chosen.get("options") else []
    return changes + (["sources=[]"] if data.get("sources") and planner not in WITH_SOURCES else [])


@dataclass(slots=True)
class Series:
    """What a series of seeds gave until it ended."""

    results: list[dict[str, Any]] = field(default_factory=list)
    """Of every campaign that ended, in order of the seeds; the last one may have been stopped."""
    is_interrupted: bool = False
    troubles: list[str] = field(default_factory=list)
    """Why there are fewer results than seeds, apart from an interruption."""

    @property
    def is_stopped(self) -> bool:
        """Whether the operator asked for an end in the ordinary way."""
        return any(result["status"] == "stopped" for result in self.results)

    @property
    def exit_code(self) -> int:
        """The exit code of docs/exit_codes.md."""
        if self.is_interrupted:
            return EXIT_INTERRUPTED
        is_faulted = self.troubles or any(result["status"] == "faulted" for result in self.results)
        return EXIT_FAULTED if is_faulted else 0


def simulate_all(
    campaign: Path,
    *,
    lab: Path | None,
    overrides: Sequence[str],
    repeat: int,
    out: Path | None,
    fsync: bool,
    is_quiet: bool,
    provenance: Mapping[str, Any] | None = None,
) -> Series:
    """Simulate a campaign with one seed or several; a stop of one of them ends the series.

    Raises:
        InputError: Something is wrong with the files; lists every mistake.
        KeyboardInterrupt: It was interrupted before any campaign had ended.
    """
    console = Console(quiet=is_quiet)
    first = check_campaign(campaign, lab, overrides).require()
    series = Series()
    with directories(out, repeat) as places:
        for index, place in enumerate(places):
            try:
                ready = first if index == 0 else _with_seed(campaign, lab, overrides, first.campaign.seed + index)
                result = _simulate_one(console, ready, place, fsync=fsync, provenance=provenance or {})
            except KeyboardInterrupt:
                if not series.results:
                    raise
                series.is_interrupted = True
                break
            series.results.append(result)
            _say(console, result, ready, None if out is None else place)
            if series.is_stopped:
                break
    if len(series.results) < repeat:
        _say_cut_short(console, len(series.results), repeat)
    return series


def _simulate_one(
    console: Console, ready: Ready, place: Path, *, fsync: bool, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    with LiveProgress(console, ready.campaign) as progress:
        settings = Settings(
            is_virtual=True,
            fsync=fsync,
            on_progress=progress.update,
            on_step=progress.step,
            provenance=provenance,
        )
        return simulate(ready, place, settings)


def _say(console: Console, result: dict[str, Any], ready: Ready, kept: Path | None) -> None:
    console.print(line(result, ready), highlight=False, soft_wrap=True)
    if kept is not None:
        console.print(f"  kept in {kept}; {_next_step(result['status'], kept)}", highlight=False, soft_wrap=True)


def _next_step(status: str, kept: Path) -> str:
    if status == "finished":
        return f"`labpilot report {kept}` draws it"
    return f"`labpilot resume {kept}` goes on with it"


def _say_cut_short(console: Console, done: int, wanted: int) -> None:
    console.print(f"the series ended early, after {done} of {wanted} seeds", highlight=False, soft_wrap=True)


def _with_seed(campaign: Path, lab: Path | None, overrides: Sequence[str], seed: int) -> Ready:
    return check_campaign(campaign, lab, [*overrides, f"seed={seed}"]).require()


def line(result: dict[str, Any], ready: Ready) -> str:
    """Say in a few lines what a simulated campaign gave, and where its answers come from."""
    return brief(result, ready) + _provenance(result)


def brief(result: dict[str, Any], ready: Ready) -> str:
    """Say in a line or two what a simulated campaign gave."""
    outcomes = [trial["outcome"] for trial in result["trials"]]
    counts = ", ".join(f"{outcomes.count(name)} {name}" for name in ("measured", "failed", "lost") if name in outcomes)
    text = (
        f"{result['campaign']} with {result['planner']}, seed {result['seed']}: {result['status']} "
        f"({result['reason']}); {counts or 'no trial'}; "
        f"{duration(result['virtual_s'])} of laboratory time in {duration(round(result['wall_s'], 2))}"
    )
    return text + _best(result, ready)


def _best(result: dict[str, Any], ready: Ready) -> str:
    objective = ready.campaign.leading
    if result["best"] is None or objective.direction == "learn":
        return ""
    value = result["best"]["values"][objective.name]
    return f"\n  best {objective.name} {quantity(value, objective.unit)} in trial {result['best']['number']}"


def _provenance(result: dict[str, Any]) -> str:
    lines = ""
    for world, said in result["provenance"].items():
        facts = ", ".join(f"{name} {value}" for name, value in said.items() if isinstance(value, str | int | float))
        lines += "".join(f"\n  {world}: {sentence}" for sentence in said.get("summary") or [facts])
    return lines
