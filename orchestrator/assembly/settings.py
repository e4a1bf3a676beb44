"""How a campaign is executed, apart from what it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec

from orchestrator.loop import Progress
from orchestrator.record.stores import PostgresStore
from orchestrator.seams import Seams

log = logging.getLogger(__name__)

P = ParamSpec("P")
OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to execute, apart from what."""

    is_virtual: bool
    fsync: bool = True
    """Whether commits and measurement files reach the disk at once, so that a power cut loses nothing. Simulated
    worlds never do that, so a simulation gains little by it."""
    store: PostgresStore | None = None
    """Where the journal of a new campaign lives; by default in its directory."""
    on_progress: OnProgress | None = None
    on_step: Callable[[int, Any], None] | None = None
    seams: Seams = field(default_factory=Seams)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What else the journal of a new campaign says of where its answers come from."""


def harmless(callback: Callable[P, None] | None) -> Callable[P, None] | None:
    """Let a display that fails (its terminal is gone, say) end itself and not the campaign."""
    if callback is None:
        return None
    is_broken = False

    def shown(*args: P.args, **kwargs: P.kwargs) -> None:
        nonlocal is_broken
        if is_broken:
            return
        try:
            callback(*args, **kwargs)
        except Exception:  # the supervisor of displays
            is_broken = True
            log.exception("display_failed")

    return shown
