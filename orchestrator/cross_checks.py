"""What must hold between a campaign and its lab: each check is a function from both to the mistakes it finds.

A check names the sections that it reads; it is left out while one of those is wrong in itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from drivers.manifest import unfit_link
from orchestrator import ranges, simulated, table_checks
from orchestrator.campaign import Campaign
from orchestrator.casting import CastingError
from orchestrator.compile_racks import visit_node
from orchestrator.context import BATCH, TIME
from orchestrator.errors import InputError
from orchestrator.fields import did_you_mean
from orchestrator.guard.binding import problems as guard_problems
from orchestrator.lab import Limit
from orchestrator.parameters import Categorical
from orchestrator.points import candidates_of
from orchestrator.recipe import Command, Reference, Wait
from orchestrator.recipe_racks import Dose, Fire, StationStep
from orchestrator.recipe_step import parameters_of
from orchestrator.samples import Racks, Wafer
from orchestrator.scheduling import optimising
from orchestrator.space import objectives, read_constraint, search_space
from orchestrator.stop_rules import Cost
from orchestrator.subject import Subject
from orchestrator.yaml_source import Problem, Source
from planner.errors import BadOption

NEEDED_STEPS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "stripe_gradient": (("reference",), ("scan", "adaptive_scan")),
    "reading": (("perform", "command", "weigh", "dose"),),
    "phase_yield": (("diffract",),),
    "fingerprint": (("diffract",),),
    "peaks": (("scan", "adaptive_scan", "command"),),
}
"""What an analysis needs of a recipe, by its name: one step of every group."""


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


def _room_for_proposals(subject: Subject) -> Iterator[Problem]:
    campaign = subject.campaign
    if campaign.n_controls >= campaign.batch:
        message = (
            f"a batch of {campaign.batch} is filled by its {campaign.n_controls} controls; nothing is left to propose"
        )
        yield subject.campaign_source.problem(("batch",), message)


def _conditions(subject: Subject) -> Iterator[Problem]:
    """Find steps at stations that would have to be left out where a parameter does not exist."""
    conditional = {parameter.name for parameter in subject.campaign.parameters if parameter.when}
    for index, step in enumerate(subject.campaign.recipe):
        named = sorted(conditional.intersection(parameters_of(step))) if isinstance(step, StationStep) else []
        if named:
            message = (
                f"takes {named[0]!r}, which exists only under conditions; a step at a station cannot be left out of "
                "some trials"
            )
            yield subject.campaign_source.problem(("recipe", index, step.kind), message, of_key=True)
    if conditional and subject.campaign.analysis.kind == "stripe_gradient":
        message = f"reads the stripe's parameters of every trial, but {min(conditional)!r} exists only under conditions"
        yield subject.campaign_source.problem(("analysis", "kind"), message)


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
    levels = [one.levels for one in subject.campaign.parameters if isinstance(one, Categorical) and one.name == chosen]
    for level in levels[0] if step.mixture.startswith("$") and levels else [step.mixture]:
        if level not in step.mixtures:
            raise CastingError(
                f"level {level!r} of {chosen!r} is no mixture{did_you_mean(level, step.mixtures)}", ("mixtures",)
            )
        visit_node(step, "0", subject.casting, {**point, chosen: level})


def _some_value(parameter: Any) -> Any:
    return parameter.levels[0] if isinstance(parameter, Categorical) else parameter.bounds[0]


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


def _constraints(subject: Subject) -> Iterator[Problem]:
    campaign, source = subject.campaign, subject.campaign_source
    is_sound = True
    for index, text in enumerate(campaign.constraints):
        try:
            read_constraint(text, campaign)
        except ValueError as error:
            is_sound = False
            yield source.problem(("constraints", index), str(error))
    if not is_sound:
        return
    try:
        empty = search_space(campaign).is_empty()
    except ValueError as error:
        empty = str(error)
    if empty:
        yield source.problem(("constraints",) if campaign.constraints else ("parameters",), empty)


def _costs(subject: Subject) -> Iterator[Problem]:
    if subject.lab.costs is not None:
        return
    for index, rule in enumerate(subject.campaign.stopping):
        if isinstance(rule, Cost):
            message = f"the lab {subject.lab.name!r} names no prices (costs), so this rule would never stop anything"
            yield subject.campaign_source.problem(("stopping", index, rule.kind), message, of_key=True)


def _controls(subject: Subject) -> Iterator[Problem]:
    campaign, source = subject.campaign, subject.campaign_source
    for index, control in enumerate(campaign.controls):
        path = ("controls", index, "parameters")
        sound = True
        for parameter in campaign.parameters:
            given = control.parameters.get(parameter.name)  # one that does not exist there has none
            problem = None if given is None else parameter.problem(given)
            if problem:
                sound = False
                yield source.problem((*path, parameter.name), problem)
        if sound:
            yield from (source.problem(path, text) for text in _violations(campaign, control.parameters))


def _violations(campaign: Campaign, point: Mapping[str, Any]) -> Iterator[str]:
    if any(parameter.when for parameter in campaign.parameters):
        with suppress(ValueError):  # said by _constraints
            yield from search_space(campaign).violations(point)
        return
    words = {parameter.name for parameter in campaign.parameters if isinstance(parameter, Categorical)}
    numbers = {name: float(value) for name, value in point.items() if name not in words}
    for text in campaign.constraints:
        try:
            constraints = read_constraint(text, campaign)
        except ValueError:
            continue  # said by _constraints
        for constraint in constraints:
            violation = None if words.intersection(constraint.names) else constraint.violation(numbers)
            if violation:
                yield violation


def _context(subject: Subject) -> Iterator[Problem]:
    """Find entries of the context that nothing in the recipe reads, or whose names are taken."""
    campaign = subject.campaign
    roles = [f"{step.device}.{step.command}" for step in campaign.recipe if isinstance(step, Command)]
    roles += ["weight"] * any(step.kind == "weigh" for step in campaign.recipe)
    taken = [TIME, BATCH, *(objective.name for objective in campaign.objectives)]
    for name, entry in campaign.context.items():
        if name in taken:
            message = f"the name {name!r} is taken; call it otherwise"
            yield subject.campaign_source.problem(("context", name), message, of_key=True)
        if entry.reading is not None and entry.reading not in roles:
            message = f"no step of the recipe reads {entry.reading!r}{did_you_mean(entry.reading, roles)}"
            yield subject.campaign_source.problem(("context", name, "reading"), message)


def _analysis(subject: Subject) -> Iterator[Problem]:
    from surrogate import ANALYSES

    kind, options = subject.campaign.analysis.kind, subject.campaign.analysis.options
    if kind not in ANALYSES:
        yield subject.campaign_source.problem(
            ("analysis", "kind"), f"no analysis {kind!r}{did_you_mean(kind, ANALYSES)}"
        )
        return
    if options:  # not otherwise: what an analysis imports to look at them is slow
        for message in ANALYSES[kind].problems(options):
            yield subject.campaign_source.problem(("analysis", "options"), message)


def _needed_steps(subject: Subject) -> Iterator[Problem]:
    kind = subject.campaign.analysis.kind
    steps = {step.kind for step in subject.campaign.recipe}
    for group in NEEDED_STEPS.get(kind, ()):
        if not steps & set(group):
            message = f"{kind} needs {' or '.join(group)} among the steps of the recipe"
            yield subject.campaign_source.problem(("analysis", "kind"), message)


def _policy(subject: Subject) -> Iterator[Problem]:
    from planner.policies.base import POLICIES

    name = subject.campaign.planner.policy
    if name not in POLICIES:
        yield subject.campaign_source.problem(
            ("planner", "policy"), f"no policy {name!r}{did_you_mean(name, POLICIES)}"
        )


def _policy_suits(subject: Subject) -> Iterator[Problem]:
    from planner.policies.base import POLICIES, policy_class

    chosen = subject.campaign.planner
    if chosen.policy not in POLICIES:
        return  # said by _policy
    try:
        space = search_space(subject.campaign, candidates_of(subject.campaign))
        policy_class(chosen.policy)(space, objectives(subject.campaign), chosen.options)
    except BadOption as error:
        path = ("planner", "options") if chosen.options else ("planner", "policy")
        yield subject.campaign_source.problem(path, str(error))
    except (ValueError, InputError):
        return  # said by _constraints, or by the check of the candidates


def _stopping(subject: Subject) -> Iterator[Problem]:
    for index, rule in enumerate(subject.campaign.stopping):
        for message in _never_met(rule.kind, subject.campaign):
            yield subject.campaign_source.problem(("stopping", index, rule.kind), message, of_key=True)


def _never_met(kind: str, campaign: Campaign) -> Iterator[str]:
    """Say why a stopping rule can never be met."""
    first, wanted = campaign.leading, campaign.objectives
    mapped = {"learn": "learnt", "classify": "classified"}.get(first.direction)
    if kind == "no_improvement" and mapped:
        yield f"objective {first.name!r} is {mapped}, so there is no best value that could improve"
    if kind == "no_prospect" and mapped:
        yield f"objective {first.name!r} is {mapped}, so there is no best value that anything could be better than"
    if kind == "no_prospect" and sum(one.is_ranked for one in wanted) > 1 and first.desirability is None:
        yield "of several objectives nothing says how much better one result is; give them desirabilities"
    if kind == "hit" and all(one.interval is None for one in wanted):
        yield "no objective has direction target or window, so there is nothing to hit"
    if kind == "map_uncertainty" and all(one.direction != "learn" for one in wanted):
        yield "no objective is learnt, so there is no map"


def _check(run: Callable[[Subject], Iterator[Problem]], *needs: str) -> Check:
    return Check(frozenset(needs), run)


_LAB = ("lab.devices", "lab.drivers")

CHECKS: tuple[Check, ...] = (
    _check(simulated.urls),
    _check(_one_world, "lab.devices", "lab.mixed"),
    _check(_stage, "lab.devices", "lab.samples"),
    _check(_room_for_proposals, "batch", "controls"),
    _check(simulated.worlds, "lab.devices", "lab.simulation", "replay", "parameters", "objectives"),
    _check(simulated.replay_and_world, "lab.devices", "replay"),
    _check(_casts, "recipe", "parameters", "lab.samples", *_LAB),
    _check(_conditions, "recipe", "parameters", "analysis"),
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
    _check(_constraints, "parameters", "constraints"),
    _check(_controls, "parameters", "constraints", "controls"),
    _check(_context, "context", "recipe", "objectives"),
    _check(_analysis, "analysis"),
    _check(_needed_steps, "analysis", "recipe"),
    _check(_policy, "planner"),
    _check(table_checks.candidates, "candidates", "parameters", "constraints", "replay", "lab.devices"),
    _check(table_checks.known, "known", "parameters", "objectives", "constraints"),
    _check(_policy_suits, "planner", "parameters", "constraints", "objectives", "candidates"),
    _check(_stopping, "objectives", "stopping"),
    _check(_costs, "stopping", "lab.costs"),
)
"""Every check between sections and files."""
