"""How `labpilot status` tells a person where a campaign stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from orchestrator.ahead.metrics import ComputeStatus
from orchestrator.ahead.words import figures
from orchestrator.health.finding import Finding, Level
from orchestrator.source_words import sources_said
from orchestrator.status.campaign_status import CampaignStatus, StepStatus
from orchestrator.words import duration, label, moment, number, plural, quantity

_MOST_DOUBTED = 5
_STYLES = {"finished": "green", "running": "cyan", "interrupted": "red", "faulted": "red"}
_LEVELS: Mapping[Level, str] = {Level.WARNING: "red", Level.NOTE: "yellow", Level.OK: "green"}


def tell_status(status: CampaignStatus) -> None:
    """Print the status."""
    Console(highlight=False).print(told(status), highlight=False)


def told(status: CampaignStatus) -> Group:
    """Return the status as something to print or to keep on a screen."""
    return Group(_title(status), _grid(status), *_news(status))


def tell_compute(status: ComputeStatus | None) -> None:
    """Print how well computing was hidden."""
    console = Console(highlight=False)
    if status is None:
        console.print("nothing was asked of the planner yet")
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value, meaning in figures(status):
        grid.add_row(name, escape(value), escape(meaning))
    console.print(grid)


def tell_findings(found: Sequence[Finding]) -> None:
    """Print findings, the gravest first."""
    console = Console(highlight=False)
    for level, style in _LEVELS.items():
        for finding in (one for one in found if one.level is level):
            console.print(f"[{style}]{level:7}[/{style}] [bold]{escape(finding.name)}[/bold]: {escape(finding.text)}")
            if finding.do:
                console.print(f"        {escape(finding.do)}")


def _title(status: CampaignStatus) -> RenderableType:
    style = _STYLES.get(status.state, "yellow")
    reason = f": {escape(status.reason)}" if status.reason else ""
    return f"[bold]{escape(status.campaign)}[/bold]  [{style}]{status.state}[/{style}]{reason}"


def _grid(status: CampaignStatus) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in _lines(status):
        grid.add_row(name, escape(value))
    return grid


def _news(status: CampaignStatus) -> Iterator[RenderableType]:
    for asked in status.people.questions:
        since = duration(max(0.0, status.elapsed_s - asked.asked_s))
        yield f"  [magenta]question[/magenta] {escape(asked.key)}, for {since}: {escape(asked.text)}"
        choices = " | ".join(asked.choices)
        yield escape(f"    labpilot orders answer {status.directory} {asked.key} ({choices}) --reason WHY")
    for incident in status.latest_incidents:
        where = f" trial {incident.trial}" if incident.trial is not None else ""
        when = f"at {duration(incident.at_s)}{where}"
        yield f"  [yellow]{escape(incident.kind)}[/yellow] {when}: {escape(incident.text)}"
    for finding in status.health:
        yield f"  [red]warning[/red] {escape(finding.name)}: {escape(finding.text)}"
        yield f"    {escape(finding.do)}"
    for problem in status.problems:
        yield f"[red]{escape(problem)}[/red]"
    if status.state == "interrupted":
        yield f"no controller is alive; `labpilot resume {escape(status.directory)}` goes on with it"


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
    for one in status.doubted[:_MOST_DOUBTED]:
        yield "doubted", str(one)
    if len(status.doubted) > _MOST_DOUBTED:
        yield "doubted", f"{len(status.doubted) - _MOST_DOUBTED} more results; the report names them all"
    if status.sources is not None:
        yield "sources", sources_said(status.sources)
    for text in status.alarms:
        yield "alarm", text
    yield "laboratory", f"{status.lab}, {status.clock} time"
    yield "controller", "alive" if status.controller_alive else "none"
    yield "elapsed", f"{duration(status.elapsed_s)}; last event {moment(status.last_event_utc)}"
    if status.hours is not None:
        yield "closed" if status.hours.is_closed else "closes", status.hours.text
    yield "measurements", f"{number(status.measurements)}, {plural(status.observations, 'observation')}"
    if status.costs.total is not None:
        yield "cost", f"{_money(status.costs.total)} {status.costs.currency}, {_money(status.costs.energy_kwh)} kWh"
    if status.compute is not None:
        yield "computing", str(status.compute)
    if status.models is not None:
        yield "models", str(status.models)
        for text in status.models.alarms:
            yield "alarm", text
    if status.people.by:
        yield "ordered", f"{status.people.intent}, {status.people.by}"
    if status.people.held:
        yield "held", ", ".join(status.people.held)
    yield from _interventions(status)
    if status.newest_step is not None and status.state in ("running", "interrupted"):
        yield "current step", _step(status.newest_step)
    for step in status.open_intents:
        yield "open intent", _step(step)
    if status.incidents:
        yield "incidents", ", ".join(f"{count} {kind}" for kind, count in status.incidents.items())


def _money(value: float) -> str:
    return number(round(value)) if abs(value) >= 1000 else f"{value:.2f}"


def _interventions(status: CampaignStatus) -> Iterator[tuple[str, str]]:
    people = status.people
    if not people.interventions and not people.restocks:
        return
    rate = ""
    if people.interventions_per_100 is not None:
        bounds = f"{people.low_per_100:.2g} to {people.high_per_100:.2g}"
        rate = f", {people.interventions_per_100:.2g} per 100 experiments (95 %: {bounds})"
    yield "hands", f"{plural(people.interventions, 'intervention')}{rate}; {plural(people.restocks, 'restock')}"


def _step(step: StepStatus) -> str:
    of = f" of trial {step.trial}" if step.trial else ""  # what makes the laboratory ready belongs to none
    return f"{step.device}.{step.command} ({step.label}){of}, {step.state} at {duration(step.started_s)}"
