"""`labpilot check`: every mistake at once, and what the campaign would do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.errors import InputError
from orchestrator.tables import SHOWN
from orchestrator.words import duration as in_words
from orchestrator.words import plural

if TYPE_CHECKING:
    from orchestrator.check import Checked
    from orchestrator.estimate import Summary
    from orchestrator.pools import PoolSummary


def command(
    campaign: Annotated[Path, typer.Argument(help="The campaign file.")],
    lab: Annotated[Path | None, typer.Option(help="The lab file, in place of the one the campaign names.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value: budget.trials=20.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for a program.")] = False,
) -> None:
    """Find every mistake in a campaign and its lab, and say what the campaign would do.

    Nothing is started. Exit code 2 if there is a mistake.
    """
    from orchestrator.check import check_campaign

    checked = check_campaign(campaign, lab, overrides or ())
    if as_json:
        print(json.dumps(_as_json(str(campaign), checked), indent=2))
        if checked.problems:
            raise typer.Exit(InputError.exit_code)
    elif checked.problems:
        raise InputError([*map(str, checked.problems), "", _count(len(checked.problems))])
    elif checked.summary is not None:
        print("\n".join(_lines(checked.summary)))


def _as_json(campaign: str, checked: Checked) -> dict[str, Any]:
    problems = [
        {
            "file": problem.place.shown,
            "line": problem.place.line,
            "column": problem.place.column,
            "path": problem.path,
            "message": problem.message,
        }
        for problem in checked.problems
    ]
    return {
        "campaign": campaign,
        "is_sound": not problems,
        "problems": problems,
        "summary": asdict(checked.summary) if checked.summary else None,
    }


def _count(number: int) -> str:
    return f"{number} mistake{'' if number == 1 else 's'}; nothing was started"


def _lines(summary: Summary) -> Iterator[str]:
    yield f"campaign   {summary.name}: {', '.join(summary.objectives)}"
    yield f"space      {_points(summary)} over {', '.join(summary.parameters)}{_candidates(summary)}"
    for unit, near in summary.labels.items():
        yield f"unit       {unit!r} is a label, of which nothing is known and which nothing is converted to{near}"
    for pool in summary.pools:
        yield f"features   {_pool(pool)}"
    if summary.given.known:
        yield f"known      {_known(summary)}"
    yield from _sources(summary)
    yield f"planner    {summary.planner}; an ask costs {_charge(summary)}"
    if summary.ahead:
        yield f"plans      {summary.ahead}"
    yield f"trials     {summary.trials} in {summary.batches} batches{_controls(summary)}{_sites(summary)}"
    if summary.costs:
        yield f"cost       {_costs(summary)}"
    yield f"devices    {_devices(summary)}"
    if summary.unused_devices:
        yield f"unused     {', '.join(summary.unused_devices)}"
    yield f"guard      {_guard(summary)}"
    how = "each trial claims its devices together" if summary.busiest_s is None else "each visit claims for itself"
    yield f"steps      {how}:"
    for number, step in enumerate(summary.steps, 1):
        claims = ", ".join(step.devices) or "nothing"
        yield f"  {number}. {step.kind:<14} {claims:<28} {_duration(step.duration_s)}"
    yield from _hours(summary)
    yield f"duration   {_durations(summary)}{_budget(summary)}"
    yield "no mistakes"


def _guard(summary: Summary) -> str:
    guard = summary.guard
    if guard is None:
        return "none: nothing watches the devices beside the controller"
    trips = f"; a trip stops its devices within {guard.slowest_trip_s:.0f} s" if guard.trips else ""
    return f"{guard.interlocks} interlocks, {guard.trips} trips{trips}"


def _points(summary: Summary) -> str:
    return "a continuum of points" if summary.points is None else f"{summary.points} points"


def _candidates(summary: Summary) -> str:
    given = summary.given
    if given.candidates is None or summary.points is None:
        return ""
    twice = given.candidates - given.left_out - summary.points
    parts = [f"{given.left_out} outside the bounds or constraints"] if given.left_out else []
    parts += [f"{twice} that stand there already"] if twice else []
    return f"; {given.candidates} rows of candidates" + (f", but {' and '.join(parts)}" if parts else "")


def _pool(pool: PoolSummary) -> str:
    what = f"{pool.candidates} {pool.takes.removesuffix('s')}s by {', '.join(pool.kinds)}"
    text = f"{pool.parameter}: {what}, {pool.columns} columns vary"
    if not pool.twins:
        return text
    named = ", ".join(f"{word} is {kept}" for word, kept in pool.twins[:SHOWN])
    more = f" and {len(pool.twins) - SHOWN} more" if len(pool.twins) > SHOWN else ""
    return f"{text}; kept once: {named}{more}"


def _known(summary: Summary) -> str:
    given = summary.given
    text = f"{given.known} results beforehand, {given.known_failures} of them failures"
    if given.known_outside:
        text += (
            f"; {len(given.known_outside)} lie outside the space (first: {given.known_outside[0]}), and are told too"
        )
    return text


def _sources(summary: Summary) -> Iterator[str]:
    for number, source in enumerate(summary.given.sources):
        said = f"not used: {source.refused}" if source.refused else plural(source.usable, "value")
        yield f"{'' if number else 'sources':<10} {source.name}: {said}"
        yield from (f"{'':<10}   {note}" for note in source.notes)


def _charge(summary: Summary) -> str:
    said = {"measured": "the time it takes (no rerun repeats that)", "recorded": "lab time as it was recorded"}
    return said.get(summary.charge, f"{summary.charge} of lab time")


def _controls(summary: Summary) -> str:
    return f", {summary.controls} of them controls" if summary.controls else ""


def _sites(summary: Summary) -> str:
    return f"; the wafer has {summary.sites} sites" if summary.sites is not None else ""


def _devices(summary: Summary) -> str:
    named = [f"{name} ({driver})" for name, driver in summary.devices.items()]
    return f"{', '.join(named) or 'none'}; {'all simulated' if summary.is_simulated else 'real'}"


def _hours(summary: Summary) -> Iterator[str]:
    hours = summary.hours
    if hours is None or not hours.closed:
        return
    for number, window in enumerate(hours.closed):
        yield f"{'' if number else 'closed':<10} {window}"
    yield f"{'':<10} open for {in_words(hours.open_s)} at a stretch; nothing is begun that would not end in time"
    if hours.open_s is not None and hours.longest_s is not None and hours.longest_s > hours.open_s:
        yield f"{'':<10} recipes that take longer than that, up to {in_words(hours.longest_s)}, are never tried"


def _durations(summary: Summary) -> str:
    hours = summary.hours
    if hours is not None and hours.shortest_s is not None and hours.longest_s is not None:
        short, long = in_words(hours.shortest_s), in_words(hours.longest_s)
        each = f"{short} a trial" if short == long else f"{short} to {long} a trial by its recipe"
        if summary.busiest_s is not None:
            each += f", of which many overlap; {_duration(summary.busiest_s)} at least in all"
        if hours.campaign_s is None:
            return each
        return f"{each}, {in_words(hours.campaign_s)} in all at most{' with closings' if hours.closed else ''}"
    if summary.trial_s is None:
        return "each trial lasts as long as its device says while it runs, which nothing here can foretell"
    if summary.busiest_s is not None:
        least = _duration(summary.busiest_s)
        return f"{_duration(summary.trial_s)} a trial, of which many overlap; {least} at least in all"
    return f"{_duration(summary.trial_s)} a trial, {_duration(summary.campaign_s)} in all{_at_most(summary)}"


def _at_most(summary: Summary) -> str:
    return " at most, less where the cost is spent before" if summary.budget_cost is not None else ""


def _costs(summary: Summary) -> str:
    each = ", ".join(f"{cost:g} at {level}" for level, cost in summary.costs.items())
    limit = "no limit" if summary.budget_cost is None else f"at most {summary.budget_cost:g} for all trials"
    return f"{limit}; a trial costs {each}"


def _budget(summary: Summary) -> str:
    if summary.budget_s is None:
        return "; no limit of time"
    campaign_s = summary.campaign_s if summary.hours is None else summary.hours.campaign_s
    is_short = campaign_s is not None and campaign_s > summary.budget_s
    return f" (at most {_duration(summary.budget_s)}{', which ends it earlier' if is_short else ''})"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "the device says how long"
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s"
