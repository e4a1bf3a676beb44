"""What must hold of what a campaign asks for: parameters, controls, analysis, planner and stopping rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from orchestrator.campaign import Campaign
from orchestrator.context import BATCH, TIME
from orchestrator.errors import InputError
from orchestrator.fields import did_you_mean
from orchestrator.parameters import Worded
from orchestrator.recipe import Command
from orchestrator.recipe_racks import StationStep
from orchestrator.recipe_step import parameters_of
from orchestrator.source_use import policy_of, refused_by
from orchestrator.space import read_constraint, search_space
from orchestrator.stop_rules import Cost
from orchestrator.subject import Subject
from orchestrator.yaml_source import Problem
from planner.errors import BadOption
from planner.policies.base import POLICIES, WITH_SOURCES, Policy

NEEDED_STEPS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "stripe_gradient": (("reference",), ("scan", "adaptive_scan")),
    "reading": (("perform", "command", "weigh", "dose"),),
    "phase_yield": (("diffract",),),
    "fingerprint": (("diffract",),),
    "peaks": (("scan", "adaptive_scan", "command"),),
}
"""What an analysis needs of a recipe, by its name: one step of every group."""


def room_for_proposals(subject: Subject) -> Iterator[Problem]:
    """Find a batch that its controls fill."""
    campaign = subject.campaign
    if campaign.n_controls >= campaign.batch:
        message = (
            f"a batch of {campaign.batch} is filled by its {campaign.n_controls} controls; nothing is left to propose"
        )
        yield subject.campaign_source.problem(("batch",), message)


def conditions(subject: Subject) -> Iterator[Problem]:
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


def constraints(subject: Subject) -> Iterator[Problem]:
    """Find constraints that cannot be read, or that leave nothing."""
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


def controls(subject: Subject) -> Iterator[Problem]:
    """Find controls that the search space does not admit."""
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
        with suppress(ValueError):  # said by constraints
            yield from search_space(campaign).violations(point)
        return
    words = {parameter.name for parameter in campaign.parameters if isinstance(parameter, Worded)}
    numbers = {name: float(value) for name, value in point.items() if name not in words}
    for text in campaign.constraints:
        try:
            constraints = read_constraint(text, campaign)
        except ValueError:
            continue  # said by constraints
        for constraint in constraints:
            violation = None if words.intersection(constraint.names) else constraint.violation(numbers)
            if violation:
                yield violation


def context(subject: Subject) -> Iterator[Problem]:
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


def analysis(subject: Subject) -> Iterator[Problem]:
    """Find an analysis that there is not, or options that it has not."""
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


def needed_steps(subject: Subject) -> Iterator[Problem]:
    """Find an analysis whose measurements no step makes."""
    kind = subject.campaign.analysis.kind
    steps = {step.kind for step in subject.campaign.recipe}
    for group in NEEDED_STEPS.get(kind, ()):
        if not steps & set(group):
            message = f"{kind} needs {' or '.join(group)} among the steps of the recipe"
            yield subject.campaign_source.problem(("analysis", "kind"), message)


def policy(subject: Subject) -> Iterator[Problem]:
    """Find a policy that there is not."""
    name = subject.campaign.planner.policy
    if name not in POLICIES:
        yield subject.campaign_source.problem(
            ("planner", "policy"), f"no policy {name!r}{did_you_mean(name, POLICIES)}"
        )


def policy_suits(subject: Subject) -> Iterator[Problem]:
    """Find a policy that does not suit the space or the objectives, or has no such options."""
    chosen = subject.campaign.planner
    if chosen.policy not in POLICIES:
        return  # said by policy
    problem = _where_sources_stand(subject.campaign)
    if problem:
        path = ("planner", "options", "sources") if "sources" in chosen.options else ("planner", "policy")
        yield subject.campaign_source.problem(path, problem)
        return
    try:
        yield from _none_of_use(subject, policy_of(subject.campaign))
    except BadOption as error:
        path = ("planner", "options") if chosen.options else ("planner", "policy")
        yield subject.campaign_source.problem(path, str(error))
    except (ValueError, InputError):
        return  # said by constraints, or by the check of the candidates


def _where_sources_stand(campaign: Campaign) -> str:
    """Say where sources are to be written, where a policy has none or they stand among its options."""
    if campaign.planner.policy not in WITH_SOURCES:
        return ""
    inputs = ", ".join(parameter.name for parameter in campaign.parameters)
    shown = (
        f"beside 'parameters' and 'objectives' write 'sources: [{{name: May, table: may.csv}}]', a table with the "
        f"columns {inputs}, {campaign.objectives[0].name}; or campaign: DIRECTORY of an earlier one in place of table"
    )
    if "sources" in campaign.planner.options:
        return f"sources of a campaign file are files: {shown}"
    if not campaign.sources:
        return f"policy {campaign.planner.policy!r} needs sources: {shown}. Without earlier results choose 'logei'"
    return ""


def _none_of_use(subject: Subject, policy: Policy) -> Iterator[Problem]:
    """Find sources where the policy can use none of them."""
    given, refused = subject.campaign.sources, refused_by(policy)
    if len(refused) < len(given):
        return  # the summary says which are not used
    for index, one in enumerate(given):
        message = f"{refused[one.name]}; no source is of use: mend it, or choose policy 'logei' without sources"
        yield subject.campaign_source.problem(("sources", index), message)


def stopping(subject: Subject) -> Iterator[Problem]:
    """Find stopping rules that can never be met."""
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


def costs(subject: Subject) -> Iterator[Problem]:
    """Find a rule about money in a lab without prices."""
    if subject.lab.costs is not None:
        return
    for index, rule in enumerate(subject.campaign.stopping):
        if isinstance(rule, Cost):
            message = f"the lab {subject.lab.name!r} names no prices (costs), so this rule would never stop anything"
            yield subject.campaign_source.problem(("stopping", index, rule.kind), message, of_key=True)
