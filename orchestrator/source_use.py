"""What a planner's policy makes of sources: as its option, and which of them it cannot use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.sources import sources_of
from planner.policies.base import WITH_SOURCES, Policy, policy_class

if TYPE_CHECKING:
    from orchestrator.campaign import Campaign
    from planner.space import SearchSpace


def as_option(rows: Sequence[Mapping[str, Any]], unit: str) -> list[dict[str, Any]]:
    """Return what the journal keeps of sources as option `sources` of a planner's policy.

    unit: of the campaign's first objective.
    """
    return [
        {
            "name": row["name"],
            "points": [
                {name: value for name, value in zip(row["points"], point, strict=True) if value is not None}
                for point in zip(*row["points"].values(), strict=True)
            ],
            "values": row["values"],
            "unit": unit,
            "noise": row["noise"],
            "of": row["usable"],
        }
        for row in rows
    ]


def policy_of(campaign: Campaign, space: SearchSpace) -> Policy:
    """Return the policy that a campaign names, as it begins.

    Raises:
        InputError: Its sources cannot be read.
        BadOption: It does not suit the space or the objectives, or has no such options.
    """
    from orchestrator.space import objectives

    options = dict(campaign.planner.options)
    if campaign.planner.policy in WITH_SOURCES:
        found = [source.data() for source in sources_of(campaign)]
        options["sources"] = as_option(found, campaign.objectives[0].unit)
    return policy_class(campaign.planner.policy)(space, objectives(campaign), options)


def refused_by(policy: Policy) -> dict[str, str]:
    """Return why sources tell nothing, by name."""
    return {one.name: one.reason for one in getattr(policy, "refused", ())}
