"""The basis: what every part of one campaign is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.clock import Clock
from orchestrator.assembly.settings import Settings
from orchestrator.campaign import Campaign
from orchestrator.check import Ready
from orchestrator.directory import CampaignDirectory
from orchestrator.history import History, Standing
from orchestrator.journal import Journal
from orchestrator.outcomes import StopSwitch
from orchestrator.record.space import Reserve


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """One campaign, where it stands, and the clock and the journal that all its parts have in common."""

    task: Ready
    directory: CampaignDirectory
    settings: Settings
    standing: Standing
    clock: Clock
    journal: Journal
    charge: Callable[[float], None] | None = None
    """Lets a virtual clock pass; None in wall time."""
    reserve: Reserve | None = None
    """Space for the last words of a campaign whose disk is full; in wall time only."""
    stop: StopSwitch = field(default_factory=StopSwitch)

    @property
    def campaign(self) -> Campaign:
        """What is to be found out."""
        return self.task.campaign

    @property
    def history(self) -> History:
        """What happened so far; it grows while the campaign runs."""
        return self.standing.history

    @property
    def is_virtual(self) -> bool:
        """Whether the clock jumps to whatever comes next."""
        return self.settings.is_virtual

    def note(self, kind: str, text: str) -> None:
        """Journal an incident that belongs to no trial."""
        self.journal.append("incident", {"kind": kind, "text": text})
