"""The journal as steps write it: what was intended, what it came to, and what went wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drivers.clock import Clock
from drivers.command import Effect
from orchestrator.acts.step import Step
from orchestrator.journal import Journal


@dataclass(frozen=True, slots=True)
class StepJournal:
    """Writes what becomes of steps. In wall time every event is durable at once.

    All of it raises `StorageError` where the journal cannot be written.
    """

    journal: Journal
    clock: Clock

    def append(self, kind: str, step: Step, body: Mapping[str, Any], *, durable: bool = False) -> None:
        """Write an event of a step."""
        self.journal.append(
            kind,
            body,
            trial=step.trial,
            step=step.act.path,
            command_id=step.command_id,
            durable=durable or not self.clock.is_virtual,
        )

    def intend(self, step: Step, *, is_repeat: bool) -> None:
        """Write that a step is about to be sent, where that may act durably."""
        body = {
            "path": step.act.path,
            "label": step.act.label,
            "device": step.act.device,
            "command": step.act.command,
            "effect": str(step.spec.effect),
            "arguments": step.arguments,
            "is_repeat": is_repeat,
        }
        self.append("step_intended", step, body, durable=step.spec.effect is not Effect.READ)

    def close(self, kind: str, step: Step, error: object, *, settled_by: str = "") -> None:
        """Write that a step came to nothing: ``step_rejected`` or ``step_failed``."""
        self.append(kind, step, {"error": str(error), "settled_by": settled_by})

    def incident(self, step: Step, kind: str, text: str) -> None:
        """Write what deserves a line in the report."""
        self.append("incident", step, {"kind": kind, "device": step.act.device, "text": text})
