"""The timekeeper of a campaign, made from its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.campaign import Campaign
from orchestrator.casting import Casting
from orchestrator.hours.calendar import Calendar
from orchestrator.hours.keeper import ASK_S, Timekeeper
from orchestrator.hours.lengths import Lengths
from orchestrator.hours.windows import calendar_of
from orchestrator.lab import Lab
from orchestrator.recipe_racks import StationStep
from orchestrator.samples import Racks

if TYPE_CHECKING:
    from orchestrator.check import Ready
    from planner.space import SearchSpace


def timekeeper_of(task: Ready, *, space: SearchSpace, **more: Any) -> Timekeeper:
    """Return the timekeeper of a campaign in a lab; more: as of `Timekeeper`."""
    campaign, charge_s = task.campaign, task.campaign.planner.charge_s
    devices = devices_of(campaign, task.casting)
    return Timekeeper(
        lengths=Lengths(campaign=campaign, lab=task.lab, casting=task.casting, space=space),
        calendar=campaign_calendar(campaign, task.lab, task.casting),
        lanes=lanes_of(campaign, task.lab, devices),
        ask_s=ASK_S if isinstance(charge_s, str) else charge_s,
        **more,
    )


def campaign_calendar(campaign: Campaign, lab: Lab, casting: Casting) -> Calendar | None:
    """Return when nothing of a campaign may be under way; None where it may always."""
    return calendar_of((lab.closed, campaign.closed), devices_of(campaign, casting))


def devices_of(campaign: Campaign, casting: Casting) -> set[str]:
    """Return the devices that trials may use; where any of several could, all of them."""
    found: set[str] = set()
    for step in campaign.recipe:
        if isinstance(step, StationStep):
            found.update(name for devices in casting.stations(step).values() for name in devices)
        else:
            found.update(casting.devices(step).values())
    racks = casting.lab.samples
    return found | set(racks.robots) if isinstance(racks, Racks) else found


def lanes_of(campaign: Campaign, lab: Lab, devices: set[str]) -> int:
    """Return how many trials a lab carries side by side; in racks as many as are under way at once."""
    if isinstance(lab.samples, Racks):
        return campaign.at_once
    return min([campaign.at_once, *(lab.devices[name].capacity for name in devices)])
