"""Seams: where a drill gets in between the parts of a campaign: each is given one, and returns what replaces it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.analysis import Analysis
from orchestrator.journal import Journal
from orchestrator.knowledge import Knowledge
from orchestrator.people.desk import Desk


def _as_it_is(part: Any) -> Any:
    return part


def _peer_as_it_is(_instrument: str, peer: Any) -> Any:
    return peer


def _reads_orders(desk: Desk) -> Awaitable[None]:
    return desk.run()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """All of them; by default nothing gets in between."""

    peer: Callable[[str, Any], Any] = _peer_as_it_is
    """Given a simulated instrument's name and the instrument at the other end of an in-memory wire."""
    journal: Callable[..., Journal] = Journal
    """Makes the journal."""
    knowledge: Callable[[Knowledge], Knowledge] = _as_it_is
    analysis: Callable[[Analysis], Analysis] = _as_it_is
    orders: Callable[[Desk], Awaitable[None]] = _reads_orders
    """What goes on at the desk while the campaign runs: orders are read as they come."""
