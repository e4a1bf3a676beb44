"""A campaign and a lab side by side, as the checks between them see both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.command import Quantity
from orchestrator.around import around
from orchestrator.campaign import Campaign
from orchestrator.casting import Casting
from orchestrator.fields import Declared
from orchestrator.lab import Lab
from orchestrator.yaml_source import Source

SiteLimits = Mapping[str, Mapping[str, Mapping[str, Quantity]]]
"""By device, command and driver's argument."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked, and where it was written."""

    campaign: Campaign
    lab: Lab
    casting: Casting
    campaign_source: Source
    lab_source: Source

    @property
    def declared(self) -> Mapping[str, Declared]:
        """Parameters as the file declares them, by name."""
        return around(self.campaign_source.data).parameters


def site_limits(campaign: Campaign, lab: Lab, casting: Casting) -> dict[str, dict[str, dict[str, Quantity]]]:
    """Return the limits of lab and campaign, intersected, by device, command and driver's argument.

    Raises:
        CastingError: A limit names what the lab has not.
    """
    found: dict[str, dict[str, dict[str, Quantity]]] = {}
    for limits in (lab.limits, campaign.limits):
        for key, by_argument in limits.items():
            device, _, command = key.partition(".")
            kept = found.setdefault(device, {}).setdefault(command, {})
            for name, limit in casting.limits(key, by_argument).items():
                kept[name] = kept[name].narrowed(limit.low, limit.high) if name in kept else limit
    return found
