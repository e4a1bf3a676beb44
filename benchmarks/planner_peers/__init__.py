"""The planners that `planners.py` compares, each behind the same two calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from planner_space import Point, Space, Value

Trial = tuple[Point, float | None]
"""A point that was tried, and its observed value; None where the experiment gave no result."""


TARGET = "observed_value"
"""What planners that want a name call the target; no parameter is called so."""


class Unsupported(Exception):
    """A planner cannot express this problem."""


class Peer(Protocol):
    """A planner of one problem; every objective is minimised."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn."""
        ...

    def ask(self, n: int) -> list[dict[str, Value]]:
        """Return n points to try next, all at once."""
        ...


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where a planner comes from."""

    module: str
    environment: str | None
    """Name of the environment that it lives in; None: labpilot's."""
    distribution: str | None
    """What its version is asked of; None: labpilot's planner package."""
    options: tuple[tuple[str, Any], ...] = ()
    variant_of: str | None = None
    """The planner that it differs from in what it does with failures, and only there."""

    def open(self, space: Space, seed: int) -> Peer:
        """Return the planner, ready for a problem.

        Raises:
            Unsupported: It cannot express the space.
        """
        return import_module(f"planner_peers.{self.module}").open_peer(space, seed, **dict(self.options))


ENTRIES: dict[str, Entry] = {
    "ours": Entry(module="ours", environment=None, distribution=None),
    "random": Entry(module="uniform", environment=None, distribution="numpy"),
    "baybe": Entry(module="baybe_campaign", environment="baybe", distribution="baybe"),
    "baybe_impute": Entry(
        module="baybe_campaign",
        environment="baybe",
        distribution="baybe",
        options=(("impute", True),),
        variant_of="baybe",
    ),
    "ax": Entry(module="ax_client", environment="ax", distribution="ax-platform"),
    "ax_abandon": Entry(
        module="ax_client",
        environment="ax",
        distribution="ax-platform",
        options=(("abandon", True),),
        variant_of="ax",
    ),
    "botorch": Entry(module="botorch_loop", environment="botorch", distribution="botorch"),
    "gpcam": Entry(module="gpcam_optimizer", environment="gpcam", distribution="gpcam"),
    "bofire": Entry(module="bofire_strategy", environment="bofire", distribution="bofire"),
}
"""Every planner, in the order of measuring."""
