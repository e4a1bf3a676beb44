"""How `labpilot status` tells a person where a campaign stands."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.report.words import duration, label, moment, number, plural, quantity
from orchestrator.status import CampaignStatus, StepStatus

_STYLES = {"finished": "green", "running": "cyan", "stopped": "yellow", "interrupted": "red", "faulted": "red"}


def tell_status(status: CampaignStatus) -> None:
    """Print the status."""
    console = Console(highlight=False)
    style = _STYLES.get(status.state, "white")
    reason = f": {escape(status.reason)}" if status.reason else ""
    console.print(f"[bold]{escape(status.campaign)}[/bold]  [{style}]{status.state}[/{style}]{reason}")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in _lines(status):
        grid.add_row(name, escape(value))
    console.print(grid)
    for incident in status.latest_incidents:
        where = f" trial {incident.trial}" if incident.trial is not None else ""
        when = f"at {duration(incident.at_s)}{where}"
        console.print(f"  [yellow]{escape(incident.kind)}[/yellow] {when}: {escape(incident.text)}")
    for problem in status.problems:
        console.print(f"[red]{escape(problem)}[/red]")
    if status.state == "interrupted":
        console.print(f"no controller is alive; `labpilot resume {escape(status.directory)}` goes on with it")


def _lines(status: CampaignStatus) -> Iterator[tuple[str, str]]:
    trials = status.trials
    parts = [(trials.measured, "measured"), (trials.failed, "failed"), (trials.lost, "lost"), (trials.open, "open")]
    of = f" of {number(trials.budget)}" if trials.budget else ""
    outcomes = ", ".join(f"{n} {word}" for n, word in parts if n or word == "measured")
    yield "trials", f"{number(trials.accepted)}{of}: {outcomes}"
    if status.best is not None:
        best = status.best
        yield "best", f"{label(best.objective)} {quantity(best.value, best.unit)} in trial {best.trial}"
    yield "planner", f"{status.planner}, seed {status.seed}"
    yield "laboratory", f"{status.lab}, {status.clock} time"
    yield "controller", "alive" if status.controller_alive else "none"
    yield "elapsed", f"{duration(status.elapsed_s)}; last event {moment(status.last_event_utc)}"
    yield "measurements", f"{number(status.measurements)}, {plural(status.observations, 'observation')}"
    if status.newest_step is not None and status.state in ("running", "interrupted"):
        yield "current step", _step(status.newest_step)
    for step in status.open_intents:
        yield "open intent", _step(step)
    if status.incidents:
        yield "incidents", ", ".join(f"{count} {kind}" for kind, count in status.incidents.items())


def _step(step: StepStatus) -> str:
    return (
        f"{step.device}.{step.command} ({step.label}) of trial {step.trial}, {step.state} at {duration(step.started_s)}"
    )
