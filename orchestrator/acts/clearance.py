"""Clearance: the guard's word before each command that acts, and the wait for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.command import Effect
from orchestrator.acts.step import Step
from orchestrator.acts.step_journal import StepJournal
from orchestrator.errors import Fenced
from orchestrator.guard.answers import Why
from orchestrator.guard.gate import Gate, GuardRefused
from orchestrator.outcomes import StopSwitch, TrialLost

GUARD_PATIENCE_S = 600.0
"""How long a refusal of the guard that may pass by itself is waited for."""


@dataclass(slots=True)
class Clearance:
    """Asks the guard, and waits where it says no."""

    journal: StepJournal
    stop: StopSwitch
    gate: Gate | None
    """None where the lab has no guard: then everything is cleared."""
    _waiting: set[tuple[str, str, str]] = field(default_factory=set)
    """What the guard keeps waiting and the journal knows of: owner, device and command."""

    async def given(self, step: Step, *, is_open: bool) -> None:
        """Wait until the guard lets a command be given; what it will not let pass in time is as good as rejected.

        is_open: whether an intent of it is in the journal that has no outcome yet.

        Raises:
            TrialLost: It was refused for `GUARD_PATIENCE_S`, or the guard does not know the device.
            StopRequested: The operator asked to stop; nothing was sent.
            Fenced: The guard serves a later controller.
        """
        effect, act = step.spec.effect, step.act
        if self.gate is None or effect is Effect.READ:
            return
        asked, key = (act.device, act.command, step.arguments), (step.owner, act.device, act.command)
        try:
            await self.gate.check(*asked, effect=effect)
        except GuardRefused:
            pass
        else:
            self._waiting.discard(key)
            return

        def told(refused: GuardRefused) -> None:
            if key not in self._waiting:  # where it is tried again and again, once is enough
                self._waiting.add(key)
                self.journal.incident(step, "guard", f"waits for the guard's permission: {refused}")

        try:
            await self.stop.unless_set(
                self.gate.allowed(*asked, effect=effect, within_s=GUARD_PATIENCE_S, waiting=told)
            )
            self._waiting.discard(key)
        except GuardRefused as refused:
            if refused.why is Why.FENCED:
                raise Fenced(str(refused)) from refused
            if is_open:
                self.journal.close("step_rejected", step, refused)
            raise TrialLost(str(refused), device=act.device, code="rejected") from refused
