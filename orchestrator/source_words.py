"""What a planner takes from sources, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.status.campaign_status import SourcesStatus

_SHOWN = 5
_LEAST = 0.005
_STANDING = {
    "trusted": "",
    "doubted": "; doubted, so that the space is filled first",
    "left alone": "; left alone: the results here tell more",
}


def sources_said(taken: SourcesStatus) -> str:
    """Say which sources the results of a campaign follow, the likeliest first, and which are not used."""
    ranked = sorted(taken.weights.items(), key=lambda item: -item[1])
    shown = [(name, weight) for name, weight in ranked if weight >= _LEAST][:_SHOWN]
    parts = [f"{name} {weight:.0%}" for name, weight in shown]
    rest = ranked[len(shown) :]
    if rest and shown:
        name = rest[0][0] if len(rest) == 1 else f"{len(rest)} others"
        parts.append(f"{name} {sum(weight for _, weight in rest):.0%}")
    if len(ranked) > 1:
        parts.append(f"all together {taken.all:.0%}")
    text = ", ".join([*parts, f"none {taken.nothing:.0%}"]) if ranked else "none is used"
    refused = "".join(f"; {name} is not used: {reason}" for name, reason in taken.refused.items())
    return text + (_STANDING.get(taken.standing, "") if ranked else "") + refused
