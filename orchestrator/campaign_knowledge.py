"""The knowledge of a campaign, made from its file and its journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.campaign import Campaign
from orchestrator.knowledge import Knowledge
from orchestrator.records import known_observations
from orchestrator.source_use import as_option
from orchestrator.space import objectives, search_space
from orchestrator.stop_rules import NoProspect


def knowledge_of(
    campaign: Campaign,
    *,
    pool: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None,
    known: Sequence[Mapping[str, Any]] = (),
    sources: Sequence[Mapping[str, Any]] = (),
    deadline_s: float | None = None,
) -> Knowledge:
    """Return the planner of a campaign before its first ask.

    pool: the only points that may be proposed (`orchestrator.points.pool_for`).
    known: results from before the campaign, as the journal keeps them.
    sources: results from elsewhere, as the journal keeps them.
    deadline_s: what one answer may take, in a process of its own; None: as long as it takes, in this one.
    """
    taken = {"sources": as_option(sources, campaign.objectives[0].unit)} if sources else {}
    return Knowledge(
        space=search_space(campaign, pool),
        objectives=objectives(campaign),
        seed=campaign.seed,
        policy=campaign.planner.policy,
        options={**campaign.planner.options, **taken},
        deadline_s=deadline_s,
        known=known_observations(known),
        watches_map=any(rule.kind == "map_uncertainty" for rule in campaign.stopping),
        margins=tuple(dict.fromkeys(rule.better_by for rule in campaign.stopping if isinstance(rule, NoProspect))),
    )
