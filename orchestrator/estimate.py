"""What a campaign would do, estimated from the files alone: size, devices, claims and durations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator import recipe, units
from orchestrator.campaign import Campaign
from orchestrator.casting import Casting
from orchestrator.compile_racks import visit_node
from orchestrator.fidelities import fidelity_in
from orchestrator.goals import worded
from orchestrator.guard.binding import rules_of
from orchestrator.lab import Lab
from orchestrator.parameters import Worded
from orchestrator.plan import Firing
from orchestrator.points import candidates_of, known_of, pool_for
from orchestrator.pools import PoolSummary, pool_summaries
from orchestrator.recipe_racks import StationStep
from orchestrator.samples import Racks, Wafer
from orchestrator.simulated import world_options
from orchestrator.source_use import policy_of, refused_by
from orchestrator.sources import sources_of
from orchestrator.space import search_space
from orchestrator.words import plural

if TYPE_CHECKING:
    from orchestrator.hours.summary import HoursSummary
    from planner.space import SearchSpace

STAGE_MM_PER_S = 40.0
MOVE_OVERHEAD_S = 0.1
"""Settling, and the exchange with the controller, of each move."""
SHOT_S = 1.0
PICTURE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSummary:
    """One step of the recipe."""

    kind: str
    devices: tuple[str, ...]
    """Claimed while a trial's plan runs, all together; in a laboratory with racks, those that could do this visit."""
    duration_s: float | None
    """None where only the device knows."""
    at_once: int = 1
    """Samples that are worked on at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSummary:
    """What is watched beside the controller."""

    interlocks: int
    trips: int
    slowest_trip_s: float
    """From a crossed bound to the stop command, at the latest, of the slowest trip while its devices answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSummary:
    """What one source holds."""

    name: str
    usable: int
    """Rows that say something here."""
    notes: tuple[str, ...]
    """What was left out, or is odd."""
    refused: str
    """Why the policy uses nothing of it; empty where it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSummary:
    """What a campaign's tables hold."""

    candidates: int | None
    """Rows of the table of candidates; None where there is none."""
    left_out: int
    """Of these, how many lie outside the bounds or the constraints."""
    known: int
    """Results from before the campaign."""
    known_failures: int
    known_outside: tuple[str, ...]
    """Where results stand that lie outside the bounds, the constraints or a grid."""
    sources: tuple[SourceSummary, ...]
    """Results from elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a campaign would do."""

    name: str
    parameters: tuple[str, ...]
    points: int | None
    """Admissible points, those of a pool included; None where an axis is continuous, or too many to count."""
    given: GivenSummary
    """What tables say."""
    pools: tuple[PoolSummary, ...]
    """Of each parameter with features, what its words are."""
    objectives: tuple[str, ...]
    planner: str
    charge: str
    ahead: str
    """Whether plans are made ahead, in words; empty: the campaign does not ask for it."""
    devices: Mapping[str, str]
    """Drivers of the devices that the recipe uses, by name."""
    unused_devices: tuple[str, ...]
    is_simulated: bool
    guard: GuardSummary | None
    """None where the lab has no guard."""
    steps: tuple[StepSummary, ...]
    trials: int
    batches: int
    controls: int
    sites: int | None
    """Sample sites in the lab; None where samples have no place."""
    trial_s: float | None
    campaign_s: float | None
    """Both None where only the device knows how long a trial takes; the second also where trials overlap."""
    busiest_s: float | None
    """Where samples stand in racks, how long the busiest station works at least."""
    budget_s: float | None
    costs: Mapping[str, float]
    """What a trial costs at each level of a fidelity, dearest first; empty without one."""
    budget_cost: float | None
    """What all trials may cost together."""
    labels: Mapping[str, str]
    """Units of which nothing is known, and what they are nearly, in words."""
    hours: HoursSummary | None = None
    """When it is closed, and what trials take by their recipes; None where nothing is, and no duration is declared."""


def summarise(campaign: Campaign, lab: Lab, casting: Casting) -> Summary:
    """Summarise a campaign that has passed every check."""
    steps = tuple(_step(step, campaign, lab, casting) for step in campaign.recipe)
    used = {name for step in steps for name in step.devices} | _carrying(lab)
    trial_s = _total([step.duration_s for step in steps])
    batches = math.ceil(campaign.budget.trials / campaign.batch)
    charge_s = campaign.planner.charge_s
    space = search_space(campaign, pool_for(campaign, world_options(campaign, lab)))
    return Summary(
        name=campaign.name,
        parameters=tuple(parameter.name for parameter in campaign.parameters),
        points=space.size(),
        given=_given(campaign, space),
        pools=pool_summaries(campaign),
        objectives=tuple(worded(item) for item in campaign.objectives),
        planner=campaign.planner.policy,
        ahead=_ahead(campaign),
        charge=charge_s if isinstance(charge_s, str) else f"{charge_s:g} s",
        devices={name: device.driver for name, device in lab.devices.items() if name in used},
        unused_devices=tuple(name for name in lab.devices if name not in used),
        is_simulated=all(device.url.startswith("sim:") for device in lab.devices.values()),
        guard=_guard(lab, casting),
        steps=steps,
        trials=campaign.budget.trials,
        batches=batches,
        controls=batches * campaign.n_controls,
        sites=len(lab.samples.sites()) if isinstance(lab.samples, Wafer) else None,
        trial_s=trial_s,
        campaign_s=_campaign_s(campaign, lab, used, trial_s, batches),
        busiest_s=_busiest_s(campaign, lab, steps),
        budget_s=campaign.budget.duration_s,
        costs=_costs(campaign),
        budget_cost=campaign.budget.cost,
        labels=_labels(campaign),
    )


def _labels(campaign: Campaign) -> dict[str, str]:
    written = dict.fromkeys(item.unit for item in (*campaign.parameters, *campaign.objectives))
    return {unit: units.hint(unit) for unit in written if not units.is_known(unit)}


def _costs(campaign: Campaign) -> dict[str, float]:
    fidelity = fidelity_in(campaign.parameters)
    if fidelity is None:
        return {}
    return dict(sorted(fidelity.costs.items(), key=lambda item: -item[1]))


def _given(campaign: Campaign, space: SearchSpace) -> GivenSummary:
    candidates, known = candidates_of(campaign), known_of(campaign)
    region = search_space(campaign) if known else space
    outside = [result.at for result in known if region.violations(result.parameters)]
    return GivenSummary(
        candidates=None if candidates is None else len(next(iter(candidates.values()))),
        left_out=space.left_out if candidates is not None else 0,
        known=len(known),
        known_failures=sum(result.failure is not None for result in known),
        known_outside=tuple(outside),
        sources=_sources(campaign),
    )


def _ahead(campaign: Campaign) -> str:
    planning = campaign.planning
    if planning is None or not planning.ahead:
        return ""
    if campaign.shared and campaign.batch > 1:
        return "not ahead, as trials of one ask share parameters"
    if not getattr(policy_of(campaign), "chooses_among", False):
        return "not ahead, as this policy does not choose from a list"
    return f"ahead for {plural(planning.outcomes, 'outcome')}, {plural(planning.short_list, 'point')} each"


def _sources(campaign: Campaign) -> tuple[SourceSummary, ...]:
    if not campaign.sources:
        return ()
    refused = refused_by(policy_of(campaign))
    return tuple(
        SourceSummary(name=one.name, usable=one.usable, notes=tuple(one.notes), refused=refused.get(one.name, ""))
        for one in sources_of(campaign)
    )


def _guard(lab: Lab, casting: Casting) -> GuardSummary | None:
    if lab.guard is None:
        return None
    rules = rules_of(lab.guard, casting.players)
    return GuardSummary(
        interlocks=len(rules.needs),
        trips=len(rules.trips) + len(rules.rates),
        slowest_trip_s=max(map(rules.reaction_s, rules.trips.values()), default=0.0),
    )


def _carrying(lab: Lab) -> set[str]:
    """Return the devices that a laboratory with racks uses whatever the recipe: robots, and doors of stations."""
    if not isinstance(lab.samples, Racks):
        return set()
    return {*lab.samples.robots, *(name for station in lab.samples.stations.values() for name in station.devices)}


def _busiest_s(campaign: Campaign, lab: Lab, steps: tuple[StepSummary, ...]) -> float | None:
    if not isinstance(lab.samples, Racks) or any(step.duration_s is None for step in steps):
        return None
    return max(campaign.budget.trials * (step.duration_s or 0.0) / step.at_once for step in steps)


def _campaign_s(campaign: Campaign, lab: Lab, used: set[str], trial_s: float | None, batches: int) -> float | None:
    if trial_s is None:
        return None
    if isinstance(lab.samples, Racks):
        return None  # see `Summary.busiest_s`: trials overlap
    at_once = min([campaign.batch, *(lab.devices[name].capacity for name in used)])
    charge_s = 0.0 if isinstance(campaign.planner.charge_s, str) else campaign.planner.charge_s
    full, rest = divmod(campaign.budget.trials, campaign.batch)
    rounds = full * math.ceil(campaign.batch / at_once) + math.ceil(rest / at_once)
    return rounds * trial_s + batches * charge_s


def _step(step: recipe.Step, campaign: Campaign, lab: Lab, casting: Casting) -> StepSummary:
    if isinstance(step, StationStep):
        return _station_step(step, campaign, casting)
    devices = tuple(sorted(set(casting.devices(step).values())))
    return StepSummary(kind=step.kind, devices=devices, duration_s=step_s(step, campaign, lab))


def _station_step(step: StationStep, campaign: Campaign, casting: Casting) -> StepSummary:
    """Summarise a step in the middle of the search space; a visit claims its devices by itself."""
    point = {item.name: item.levels[0] if isinstance(item, Worded) else item.bounds[1] for item in campaign.parameters}
    node = visit_node(step, "0", casting, point)
    devices = {name for found in casting.stations(step).values() for name in found}
    places = sum(len(furnace.places) for furnace in node.furnaces) if isinstance(node, Firing) else 1
    stations = 1 if isinstance(node, Firing) else len(casting.stations(step))
    duration_s = getattr(node, "work_s", None)
    return StepSummary(kind=step.kind, devices=tuple(sorted(devices)), duration_s=duration_s, at_once=places * stations)


def _anneal_s(step: recipe.Step, campaign: Campaign, lab: Lab) -> float | None:
    pitch_mm = lab.samples.pitch_mm[0] if isinstance(lab.samples, Wafer) else 0.0
    return _move_s(pitch_mm) + SHOT_S


def _reference_s(step: recipe.Step, campaign: Campaign, lab: Lab) -> float | None:
    """Return one trial's share: references are measured again only when they are too old."""
    if not isinstance(step, recipe.Reference) or not isinstance(lab.samples, Wafer):
        return None
    places = list(lab.samples.references_mm.values())
    once_s = sum(_move_s(math.hypot(*place)) + step.exposure_s * step.averages for place in places)
    others = [
        _DURATIONS[other.kind](other, campaign, lab)
        for other in campaign.recipe
        if not isinstance(other, recipe.Reference)
    ]
    trial_s = _total(others)
    if trial_s is None or step.max_age_s <= 0:
        return once_s
    return once_s * min(1.0, trial_s / step.max_age_s)


def _scan_s(step: recipe.Step, campaign: Campaign, lab: Lab) -> float | None:
    if isinstance(step, recipe.Scan):
        extent_mm = abs(step.stop_mm - step.start_mm)
        return step.points * (_move_s(extent_mm / step.points) + step.exposure_s * step.averages)
    if isinstance(step, recipe.AdaptiveScan):
        # two random places of a line are a third of it apart
        hop_s = _move_s(2 * step.half_range_mm / 3)
        return step.points * (hop_s + step.exposure_s * step.averages)
    return None


def _perform_s(step: recipe.Step, campaign: Campaign, lab: Lab) -> float | None:
    return campaign.replay.duration_s if campaign.replay is not None else None


def _wait_s(step: recipe.Step, campaign: Campaign, lab: Lab) -> float | None:
    """Return the longest wait that there may be."""
    if not isinstance(step, recipe.Wait):
        return None
    ends = ({item.name: item.bounds[end] for item in campaign.parameters if not isinstance(item, Worded)}
            for end in (0, 1))  # fmt: skip
    return max(0.0, *(float(step.duration.at(point)) for point in ends))


def step_s(step: recipe.Step, campaign: Campaign, lab: Lab) -> float | None:
    """Return how long a step lasts that has no station, at the most where that depends on the recipe; None: unknown."""
    return _DURATIONS[step.kind](step, campaign, lab)


_DURATIONS: Mapping[str, Callable[[recipe.Step, Campaign, Lab], float | None]] = {
    "anneal": _anneal_s,
    "reference": _reference_s,
    "photograph": lambda step, campaign, lab: _move_s(1.0) + PICTURE_S,
    "scan": _scan_s,
    "adaptive_scan": _scan_s,
    "perform": _perform_s,
    "command": lambda step, campaign, lab: None,
    "wait": _wait_s,
}


def _move_s(distance_mm: float) -> float:
    return distance_mm / STAGE_MM_PER_S + MOVE_OVERHEAD_S


def _total(durations_s: list[float | None]) -> float | None:
    known = [duration_s for duration_s in durations_s if duration_s is not None]
    return sum(known) if len(known) == len(durations_s) else None
