"""The tracker: what becomes of samples is journalled, known from then on, and seen by whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.journal import Journal
from orchestrator.journey import Whereabouts
from orchestrator.outcomes import StopSwitch


@dataclass(slots=True, kw_only=True)
class Tracker:
    """Knows where samples are. What it writes raises `StorageError` where the journal cannot be written."""

    where: Whereabouts
    journal: Journal
    stop: StopSwitch
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, kind: str, trial: int | None, body: Mapping[str, Any]) -> None:
        """Journal what became of a sample or a batch, and know it from then on."""
        self.where.apply(self.journal.append(kind, body, trial=trial))
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def incident(self, kind: str, text: str, *, trial: int, device: str = "") -> None:
        """Journal what deserves a line in the report."""
        body = {"kind": kind, "device": device, "text": text} if device else {"kind": kind, "text": text}
        self.journal.append("incident", body, trial=trial)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so of the samples.

        Raises:
            StopRequested: The operator asked to stop.
        """
        while not condition():
            await self.stop.unless_set(self._changed.wait())
