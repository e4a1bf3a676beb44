"""Advice: what people say to the planner of a campaign, passed on once, also after a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.people.state import THE_RULE
from planner.advised import SUGGESTED
from planner.proposal import Proposal
from planner.space import SearchSpace
from surrogate.registry.manifest import model_of


@dataclass(slots=True)
class Advice:
    """Which orders a planner was told."""

    space: SearchSpace
    taken: set[str] = field(default_factory=set)
    """Orders that were passed on."""
    _met: Counter[bytes] = field(default_factory=Counter)
    """Points that people suggested and that were proposed before a restart, by key."""

    def were_proposed(self, proposals: Sequence[Proposal]) -> None:
        """Know which suggested points were proposed before a restart."""
        self._met.update(self._key(one.parameters) for one in proposals if one.reason == SUGGESTED)

    def is_new(self, order_id: str, kind: str, arguments: Mapping[str, Any]) -> bool:
        """Say whether the planner is still to be told, and take it that it is.

        A point that was suggested and proposed before a restart is not asked for again.

        Args:
            order_id: What it is known by.
            kind: ``suggest``, ``forbid``, ``allow``, ``hint``, ``forget`` or ``rollback``.
            arguments: As of the order.
        """
        if order_id in self.taken:
            return False
        self.taken.add(order_id)
        return kind != "suggest" or not self._was_met(arguments["point"])

    def _was_met(self, point: Mapping[str, Any]) -> bool:
        key = self._key(point)
        self._met[key] -= 1
        return self._met[key] >= 0

    def _key(self, point: Mapping[str, Any]) -> bytes:
        return self.space.keys(self.space.rows([point]))[0]


def say(planner: Any, kind: str, arguments: Mapping[str, Any], since: int) -> None:
    """Tell a planner.

    Args:
        planner: A `planner.Planner`, or what stands for one.
        kind: ``suggest``, ``forbid``, ``allow``, ``hint``, ``forget`` or ``rollback``.
        arguments: As of the order.
        since: How many observations had been told when it was said.

    Raises:
        PlannerError: It cannot do so; says why.
    """
    if kind == "suggest":
        planner.suggest(arguments["point"])
    elif kind == "forbid":
        planner.forbid(arguments["label"], arguments["area"])
    elif kind == "hint":
        planner.hint(arguments["label"], arguments["area"], confidence=arguments["confidence"], since=since)
    elif kind == "rollback":
        version = arguments["version"]
        planner.plan_with(None if version == THE_RULE else model_of(version))
    else:
        getattr(planner, kind)(arguments["label"])
