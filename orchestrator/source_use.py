"""What a planner's policy makes of sources: as its option, and which of them it cannot use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from orchestrator.points import candidates_of
from orchestrator.sources import sources_of
from orchestrator.space import objectives, search_space
from planner.policies.base import WITH_SOURCES, Policy, policy_class, refuse_fidelity, refuse_input_noise

if TYPE_CHECKING:
    from orchestrator.campaign import Campaign


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


def policy_of(campaign: Campaign) -> Policy:
    """Return the policy that a campaign names, as it begins.

    Raises:
        InputError: Its sources, or candidates, cannot be read.
        BadOption: It does not suit the space or the objectives, or has no such options.
        SpaceError, ConstraintError, UnitError: There is no such space.
    """
    task = _Task(campaign.model_dump_json(by_alias=True), campaign)
    return _made(task) if campaign.sources else _made.__wrapped__(task)


def refused_by(policy: Policy) -> dict[str, str]:
    """Return why sources tell nothing, by name."""
    return {one.name: one.reason for one in getattr(policy, "refused", ())}


@dataclass(frozen=True, slots=True)
class _Task:
    """A campaign, equal to others that say the same."""

    said: str
    campaign: Campaign = field(compare=False)


@lru_cache(maxsize=1)
def _made(task: _Task) -> Policy:
    # models of many large sources take a while, and a check looks at the policy twice
    campaign = task.campaign
    options = dict(campaign.planner.options)
    if campaign.planner.policy in WITH_SOURCES:
        found = [source.data() for source in sources_of(campaign)]
        options["sources"] = as_option(found, campaign.objectives[0].unit)
    space = search_space(campaign, candidates_of(campaign))
    chosen = policy_class(campaign.planner.policy)
    refuse_fidelity(campaign.planner.policy, chosen, space)
    refuse_input_noise(campaign.planner.policy, chosen, space)
    return chosen(space, objectives(campaign), options)
