"""What must hold between a campaign and its lab: each check is a function from both to the mistakes it finds.

A check names the sections that it reads; it is left out while one of those is wrong in itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drivers.manifest import unfit_link
from orchestrator import planning_checks, ranges, simulated, table_checks
from orchestrator.casting import CastingError
from orchestrator.compile_racks import visit_node
from orchestrator.fields import did_you_mean
from orchestrator.guard.binding import problems as guard_problems
from orchestrator.lab import Limit
from orchestrator.parameters import Worded
from orchestrator.recipe import Command, Reference, Wait
from orchestrator.recipe_racks import Dose, Fire, StationStep
from orchestrator.samples import Racks, Wafer
from orchestrator.scheduling import optimising
from orchestrator.subject import Subject
from orchestrator.yaml_source import Problem, Source


@dataclass(frozen=True, slots=True)
class Check:
    """One check, and the sections that it reads (those of the lab file begin with ``lab.``)."""

    needs: frozenset[str]
    run: Callable[[Subject], Iterator[Problem]]


def _one_world(subject: Subject) -> Iterator[Problem]:
    lab = subject.lab
    simulated_ = [name for name, device in lab.devices.items() if device.url.startswith("sim:")]
    real = [name for name in lab.devices if name not in simulated_]
    if simulated_ and real and not lab.mixed:
        message = (
            f"{', '.join(simulated_)} would be simulated, {', '.join(real)} real; "
            "write 'mixed: true' if that is what you want"
        )
        yield subject.lab_source.problem(("devices",), message)


def _stage(subject: Subject) -> Iterator[Problem]:
    samples, devices = subject.lab.samples, subject.lab.devices
    if isinstance(samples, Wafer) and samples.stage not in devices:
        message = f"no device {samples.stage!r}{did_you_mean(samples.stage, devices)}"
        yield subject.lab_source.problem(("samples", "stage"), message)


def _casts(subject: Subject) -> Iterator[Problem]:
    for index, step in enumerate(subject.campaign.recipe):
        try:
            if isinstance(step, StationStep):
                _stations(subject, step)
                continue
            subject.casting.devices(step)
            if isinstance(step, Command):
                subject.casting.arguments(step, subject.declared)
        except CastingError as error:
            path = ("recipe", index, step.kind)
            inner = error.inner or (("device",) if step.device else ())
            yield subject.campaign_source.problem((*path, *inner), str(error))


def _stations(subject: Subject, step: StationStep) -> None:
    """Compile a step as for every mixture that could be asked for.

    Raises:
        CastingError: The lab cannot do it.
    """
    point = {parameter.name: _some_value(parameter) for parameter in subject.campaign.parameters}
    if not isinstance(step, Dose):
        visit_node(step, "0", subject.casting, point)
        return
    chosen = step.mixture.removeprefix("$")
    levels = [one.levels for one in subject.campaign.parameters if isinstance(one, Worded) and one.name == chosen]
    for level in levels[0] if step.mixture.startswith("$") and levels else [step.mixture]:
        if level not in step.mixtures:
            raise CastingError(
                f"level {level!r} of {chosen!r} is no mixture{did_you_mean(level, step.mixtures)}", ("mixtures",)
            )
        visit_node(step, "0", subject.casting, {**point, chosen: level})


def _some_value(parameter: Any) -> Any:
    return parameter.levels[0] if isinstance(parameter, Worded) else parameter.bounds[0]


def _racks(subject: Subject) -> Iterator[Problem]:
    """Find devices that racks name and the lab has not, samples without racks for steps that need them, and others."""
    samples, source = subject.lab.samples, subject.lab_source
    placed = {isinstance(step, StationStep) for step in subject.campaign.recipe if step.kind != "wait"}
    if placed == {True, False}:
        at = next(i for i, step in enumerate(subject.campaign.recipe) if not isinstance(step, StationStep | Wait))
        message = "this step has no station; a recipe for samples in racks is made of dose, weigh, mill, fire, diffract"
        yield subject.campaign_source.problem(("recipe", at, subject.campaign.recipe[at].kind), message, of_key=True)
    if not isinstance(samples, Racks):
        return
    named = {("robots", name): name for name in samples.robots} | {
        ("materials", name): name for name in samples.materials
    }
    for station, found in samples.stations.items():
        named |= {("stations", station, "devices", i): name for i, name in enumerate(found.devices)}
    for path, name in named.items():
        if name not in subject.lab.devices:
            yield source.problem(("samples", *path), f"no device {name!r}{did_you_mean(name, subject.lab.devices)}")
        elif path[0] == "robots" and "SampleTransfer" not in subject.casting.players[name].capabilities:
            yield source.problem(("samples", *path), f"the device {name!r} carries no samples", of_key=True)


def _scheduling(subject: Subject) -> Iterator[Problem]:
    chosen, source = subject.campaign.scheduling, subject.campaign_source
    if chosen is None or not chosen.optimise:
        return
    if not any(isinstance(step, Fire) for step in subject.campaign.recipe):
        message = "there is nothing to plan: no step of the recipe is 'fire', which samples share"
        yield source.problem(("scheduling", "optimise"), message)
    try:
        optimising.load()
    except optimising.NotInstalled as error:
        yield source.problem(("scheduling", "optimise"), f"{error}, or leave this out: then a rule forms batches")


def _ports(subject: Subject) -> Iterator[Problem]:
    """Find devices that are said to be at one address."""
    owners: dict[str, str] = {}
    for name, device in subject.lab.devices.items():
        if device.url in owners and not device.url.startswith("sim:replay"):
            message = f"{device.url} is where {owners[device.url]!r} is; two devices cannot share an address"
            yield subject.lab_source.problem(("devices", name, "url"), message)
        owners.setdefault(device.url, name)


def _links(subject: Subject) -> Iterator[Problem]:
    for name, device in subject.lab.devices.items():
        unfit = unfit_link(subject.casting.players[name].driver, device.url)
        if unfit:
            yield subject.lab_source.problem(("devices", name, "url"), unfit)


def _limits(subject: Subject) -> Iterator[Problem]:
    lab, campaign = subject.lab, subject.campaign
    for source, limits in ((subject.lab_source, lab.limits), (subject.campaign_source, campaign.limits)):
        for key, by_argument in limits.items():
            yield from _limit_problems(subject, source, key, by_argument)


def _limit_problems(subject: Subject, source: Source, key: str, by_argument: Mapping[str, Limit]) -> Iterator[Problem]:
    for argument, limit in by_argument.items():
        try:
            found = subject.casting.limits(key, {argument: limit})
        except CastingError as error:
            inner = error.inner if error.inner != ("device",) else ()
            yield source.problem(("limits", key, *inner), str(error), of_key=not inner or inner == (argument,))
            continue
        device, _, command = key.partition(".")
        for full, quantity in found.items():
            declared = subject.casting.players[device].specs[command].arguments[full]
            both = declared.narrowed(quantity.low, quantity.high)
            if both.low is not None and both.high is not None and both.low > both.high:
                message = f"leaves nothing: the driver allows {declared}, this {quantity}"
                yield source.problem(("limits", key, argument), message)


def _approvals(subject: Subject) -> Iterator[Problem]:
    for key, approval in subject.lab.approvals.items():
        try:
            subject.casting.limits(key, {})
        except CastingError as error:
            yield subject.lab_source.problem(("approvals", key), str(error), of_key=True)
            continue
        for argument, limit in approval.unless.items():
            try:
                subject.casting.limits(key, {argument: limit})
            except CastingError as error:
                inner = error.inner if error.inner != (argument,) else ()
                path = ("approvals", key, "unless", argument, *inner)
                yield subject.lab_source.problem(path, str(error), of_key=not inner)


def _guard(subject: Subject) -> Iterator[Problem]:
    if subject.lab.guard is not None:
        for path, message in guard_problems(subject.lab.guard, subject.casting.players):
            yield subject.lab_source.problem(("guard", *path), message)


def _sites(subject: Subject) -> Iterator[Problem]:
    samples, campaign = subject.lab.samples, subject.campaign
    placed = [(index, step) for index, step in enumerate(campaign.recipe) if "Movable" in step.capabilities]
    if not isinstance(samples, Wafer):
        for index, step in placed:
            message = f"needs sample sites, but the lab {subject.lab.name!r} has none (samples: kind: wafer)"
            yield subject.campaign_source.problem(("recipe", index, step.kind), message, of_key=True)
        return
    n_sites = len(samples.sites())
    if placed and campaign.budget.trials > n_sites:
        message = f"{campaign.budget.trials} trials need a site each, but the wafer of the lab has {n_sites}"
        yield subject.campaign_source.problem(("budget", "trials"), message)
    for index, step in placed:
        missing = [role for role in ("mirror", "blank") if role not in samples.references_mm]
        if isinstance(step, Reference) and missing:
            message = f"the lab does not say where to find {' and '.join(missing)} (samples.references)"
            yield subject.campaign_source.problem(("recipe", index, step.kind), message, of_key=True)


def _hours(subject: Subject) -> Iterator[Problem]:
    if subject.lab.closed or subject.campaign.closed or subject.campaign.duration:
        from orchestrator.hours.summary import problems  # it loads the journal, which others need not wait for

        yield from problems(subject)


def _check(run: Callable[[Subject], Iterator[Problem]], *needs: str) -> Check:
    return Check(frozenset(needs), run)


_LAB = ("lab.devices", "lab.drivers")
_PLACES = ("lab.closed", "lab.samples")

CHECKS: tuple[Check, ...] = (
    _check(simulated.urls),
    _check(_one_world, "lab.devices", "lab.mixed"),
    _check(_stage, "lab.devices", "lab.samples"),
    _check(planning_checks.room_for_proposals, "batch", "controls"),
    _check(simulated.worlds, "lab.devices", "lab.simulation", "replay", "parameters", "objectives"),
    _check(simulated.replay_and_world, "lab.devices", "replay"),
    _check(_casts, "recipe", "parameters", "lab.samples", *_LAB),
    _check(planning_checks.conditions, "recipe", "parameters", "analysis"),
    _check(_racks, "recipe", "lab.samples", *_LAB),
    _check(_scheduling, "scheduling", "recipe"),
    _check(_ports, "lab.devices"),
    _check(_links, *_LAB),
    _check(_limits, "limits", "lab.limits", *_LAB),
    _check(_approvals, "lab.approvals", *_LAB),
    _check(_guard, "lab.guard", *_LAB),
    _check(_sites, "recipe", "budget", "lab.samples"),
    _check(ranges.parameters_within_limits, "recipe", "parameters", "limits", "lab.limits", "lab.samples", *_LAB),
    _check(ranges.places_within_limits, "recipe", "limits", "lab.limits", "lab.samples", *_LAB),
    _check(planning_checks.constraints, "parameters", "constraints"),
    _check(planning_checks.controls, "parameters", "constraints", "controls"),
    _check(planning_checks.context, "context", "recipe", "objectives"),
    _check(planning_checks.analysis, "analysis"),
    _check(planning_checks.needed_steps, "analysis", "recipe"),
    _check(planning_checks.policy, "planner"),
    _check(table_checks.candidates, "candidates", "parameters", "constraints", "replay", "lab.devices"),
    _check(table_checks.known, "known", "parameters", "objectives", "constraints"),
    _check(table_checks.sources, "sources", "planner", "parameters", "objectives"),
    _check(table_checks.durations, "durations", "planner", "planning", "analysis"),
    _check(planning_checks.policy_suits, "planner", "parameters", "constraints", "objectives", "candidates", "sources"),
    _check(planning_checks.stopping, "objectives", "stopping"),
    _check(planning_checks.costs, "stopping", "lab.costs"),
    _check(_hours, "closed", "duration", "recipe", "parameters", "constraints", *_PLACES, *_LAB),
)
"""Every check between sections and files."""
