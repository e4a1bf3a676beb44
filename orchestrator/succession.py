"""One planner after another: whatever takes over is told all that was done to the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from orchestrator.planner_process import PlannerProcess
from planner import Planner, SearchSpace
from planner.errors import BadOption
from planner.objective import Objective

WITHOUT_MODEL = frozenset({"random", "sobol", "grid"})
"""Policies that know no map: asking them how uncertain it is would cost a fit that nothing else needs."""

Happened = Callable[[Any], Any]
"""Something that is done to a planner."""


@dataclass(slots=True, kw_only=True)
class Succession:
    """The planner of a campaign, and what it takes to have another one that stands where it does."""

    space: SearchSpace
    objectives: Sequence[Objective]
    seed: int
    policy: str
    options: Mapping[str, Any]
    deadline_s: float | None
    """What an answer of the policy may take, which then works in a process of its own; None: it works in this one."""
    story: list[Happened] = field(default_factory=list)
    """All that was done to the planner, in order."""
    planner: Any = field(init=False)
    """A `planner.Planner`, or what stands for one in another process."""
    _is_closed: bool = False

    def __post_init__(self) -> None:
        self.planner = self.another(self.policy, self.options)

    def another(self, policy: str, options: Mapping[str, Any]) -> Any:
        """Return a planner of a policy that was told the whole story."""
        told: Any = {"seed": self.seed, "policy": policy, "options": options}
        if self.deadline_s is None or policy in WITHOUT_MODEL:
            planner: Any = Planner(self.space, self.objectives, **told)
        else:
            planner = PlannerProcess(self.space, self.objectives, **told, deadline_s=self.deadline_s)
        for happened in self.story:
            with suppress(BadOption):  # a hint that another policy does not follow
                happened(planner)
        return planner

    def do(self, happened: Happened) -> None:
        """Do something to the planner, and to each that takes over."""
        happened(self.planner)
        self.story.append(happened)

    def succeed(self) -> bool:
        """End the planner and let another take over; say whether one did: after `close` none does."""
        self._end()
        if self._is_closed:
            return False
        self.planner = self.another(self.policy, self.options)
        return True

    def close(self) -> None:
        """End what works in a process of its own; safe to call twice."""
        self._is_closed = True
        self._end()

    def _end(self) -> None:
        if isinstance(self.planner, PlannerProcess):
            self.planner.close()
