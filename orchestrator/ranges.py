"""Whether everything that a recipe may ask for lies within what driver, lab and campaign allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drivers.command import Quantity
from orchestrator import units
from orchestrator.casting import CastingError
from orchestrator.fields import Argument
from orchestrator.parameters import Worded
from orchestrator.recipe import AdaptiveScan, Command, Scan, Step
from orchestrator.samples import Wafer
from orchestrator.subject import SiteLimits, Subject, site_limits
from orchestrator.yaml_source import Path_, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class _Demand:
    """One value that a step sends, and where it was written."""

    device: str
    command: str
    argument: str
    value: Any
    path: Path_


def parameters_within_limits(subject: Subject) -> Iterator[Problem]:
    """Find arguments, and parameters that arguments are taken from, that reach beyond a limit."""
    try:
        site = site_limits(subject.campaign, subject.lab, subject.casting)
    except CastingError:
        return  # said by the check of limits
    for index, step in enumerate(subject.campaign.recipe):
        for demand in _sound_demands(subject, index, step):
            yield from _beyond(subject, demand, site)


def _sound_demands(subject: Subject, index: int, step: Step) -> list[_Demand]:
    try:
        return list(_demands(subject, index, step))
    except CastingError:
        return []  # said by the check of casting


def _demands(subject: Subject, index: int, step: Step) -> Iterator[_Demand]:
    path = ("recipe", index, step.kind)
    if isinstance(step, Command):
        for name, value in subject.casting.arguments(step, subject.declared).items():
            yield _Demand(
                device=str(step.device), command=step.command, argument=name, value=value, path=(*path, "arguments")
            )
        return
    devices = subject.casting.devices(step)
    for command, arguments in step.sends.items():
        for argument, field in arguments.items():
            alias = type(step).model_fields[field].alias or field
            yield _Demand(
                device=devices[step.capabilities[0]],
                command=command,
                argument=argument,
                value=getattr(step, field),
                path=(*path, alias),
            )


def _beyond(subject: Subject, demand: _Demand, site: SiteLimits) -> Iterator[Problem]:
    spec = subject.casting.players[demand.device].specs.get(demand.command)
    declared = spec.arguments.get(demand.argument) if spec else None
    if declared is None:
        return
    allowed = site.get(demand.device, {}).get(demand.command, {}).get(demand.argument)
    for path, value, end in _extremes(subject, demand):
        both = declared if allowed is None else declared.narrowed(allowed.low, allowed.high)
        is_beyond = value < both.low if end == "low" and both.low is not None else False
        is_beyond |= value > both.high if end == "high" and both.high is not None else False
        if is_beyond:
            message = f"{_written(value, declared.unit)} is beyond what {_limits(demand, declared, allowed)}"
            yield subject.campaign_source.problem(path, message)


def _extremes(subject: Subject, demand: _Demand) -> Iterator[tuple[Path_, float, str]]:
    """Return the least and the greatest value that may be sent, in the driver's unit, and where each comes from."""
    value = demand.value
    if not isinstance(value, Argument) or value.parameter is None:
        number = value.value if isinstance(value, Argument) else value
        if isinstance(number, int | float) and not isinstance(number, bool):
            yield demand.path, float(number), "low"
            yield demand.path, float(number), "high"
        return
    if value.ucum is None:
        return
    for index, parameter in enumerate(subject.campaign.parameters):
        if parameter.name == value.parameter and not isinstance(parameter, Worded):
            for end, bound in zip(("low", "high"), parameter.bounds, strict=True):
                yield ("parameters", index, end), units.to_ucum(bound, parameter.unit, value.ucum), end


def _limits(demand: _Demand, declared: Quantity, allowed: Quantity | None) -> str:
    text = f"{demand.device}.{demand.command} allows for {demand.argument}: the driver {_span(declared)}"
    return text if allowed is None else f"{text}, the site {_span(allowed)}"


def _span(quantity: Quantity) -> str:
    if quantity.low is None and quantity.high is None:
        return "anything"
    if quantity.low is None:
        return f"at most {_written(quantity.high or 0.0, quantity.unit)}"
    if quantity.high is None:
        return f"at least {_written(quantity.low, quantity.unit)}"
    return f"{quantity.low:g} to {_written(quantity.high, quantity.unit)}"


def _written(value: float, ucum: str) -> str:
    return str(units.Measure(float(f"{value:.6g}"), units.from_ucum(ucum)))


def places_within_limits(subject: Subject) -> Iterator[Problem]:
    """Find sites and references that the stage may not go to."""
    samples = subject.lab.samples
    if not isinstance(samples, Wafer) or not any("Movable" in step.capabilities for step in subject.campaign.recipe):
        return
    player = subject.casting.players.get(samples.stage)
    if player is None or "Movable" not in player.capabilities or "move" not in player.specs:
        message = f"device {samples.stage!r} cannot move a wafer: it is no Movable"
        yield subject.lab_source.problem(("samples", "stage"), message)
        return
    try:
        site = site_limits(subject.campaign, subject.lab, subject.casting).get(samples.stage, {}).get("move", {})
    except CastingError:
        return  # said by the check of limits
    for path, name, places in _places(subject, samples):
        for axis, argument in enumerate(("x_mm", "y_mm")):
            problem = _outside([place[axis] for place in places], argument, player.specs["move"].arguments, site)
            if problem:
                yield subject.lab_source.problem(path, f"{name}: {problem} for {samples.stage}.move")


def _places(subject: Subject, samples: Wafer) -> Iterator[tuple[Path_, str, list[tuple[float, float]]]]:
    reach_mm = max((_reach_mm(step) for step in subject.campaign.recipe), default=0.0)
    used = samples.sites()[: subject.campaign.budget.trials]
    reached = [(x_mm + side, y_mm) for x_mm, y_mm in used for side in (-reach_mm, reach_mm)]
    yield ("samples", "diameter"), "sample sites", reached
    for role, place in samples.references_mm.items():
        yield ("samples", "references", role), f"the {role}", [place]


def _reach_mm(step: Step) -> float:
    if isinstance(step, AdaptiveScan):
        return step.half_range_mm
    return max(abs(step.start_mm), abs(step.stop_mm)) if isinstance(step, Scan) else 0.0


def _outside(
    numbers: list[float], argument: str, declared: Mapping[str, Quantity], site: Mapping[str, Quantity]
) -> str | None:
    if argument not in declared:
        return None
    limits = declared[argument]
    both = limits.narrowed(site[argument].low, site[argument].high) if argument in site else limits
    for number in (min(numbers), max(numbers)):
        if not both.admits(number):
            allowed = f", the site {_span(site[argument])}" if argument in site else ""
            return f"{argument} = {number:g} mm is outside what the driver allows, {_span(limits)}{allowed}"
    return None
