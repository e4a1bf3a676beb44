"""The disk watch: ends a campaign in good order before the disk is full, while that can still be written down."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from drivers.clock import Clock
from orchestrator.errors import StorageError
from orchestrator.journal import Journal
from orchestrator.record.space import Reserve, Verdict

log = logging.getLogger(__name__)

LOOK_S = 10.0


@dataclass(slots=True, kw_only=True)
class DiskWatch:
    """Looks at the disk that a campaign writes to."""

    reserve: Reserve
    clock: Clock
    journal: Journal
    stop: Callable[[str], None]
    """Lets steps under way end and no other begin."""
    abort: Callable[[str], None]
    """Makes the laboratory safe now."""
    look_s: float = LOOK_S
    _told: Verdict = Verdict.OK

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            self.look()
            await self.clock.sleep(self.look_s)

    def look(self) -> None:
        """Look once, and act upon what is new."""
        space = self.reserve.space()
        if space.verdict is Verdict.LOW and not space.has_reserve and self.reserve.hold():
            space = self.reserve.space()  # somebody has made room
        if space.verdict in (self._told, Verdict.OK) or self._told is Verdict.OUT:
            return
        self._told = space.verdict
        text = f"the disk of the campaign is nearly full: {space}; free some, then `labpilot resume`"
        if space.verdict is Verdict.OUT:
            self.reserve.release()  # for the words that are left to write
        try:
            self.journal.append("incident", {"kind": "fault", "text": text}, durable=True)
        except StorageError as error:
            log.warning("not_journalled error=%s", error)
        (self.abort if space.verdict is Verdict.OUT else self.stop)(text)
