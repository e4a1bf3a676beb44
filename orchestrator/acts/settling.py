"""Settling: what became of a step whose outcome is in doubt, after a crash or where a device did not say.

It is settled by its effect: READ and IDEMPOTENT are sent again, VERIFIABLE is read back first, OPERATOR costs the trial
and asks for a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drivers.command import Effect
from drivers.errors import Ambiguous, DriverError
from orchestrator.acts.answers import Answers
from orchestrator.acts.contact import Contact
from orchestrator.acts.step import Step
from orchestrator.acts.step_journal import StepJournal
from orchestrator.outcomes import Done, TrialLost


@dataclass(frozen=True, slots=True)
class Settler:
    """Finds out what became of steps."""

    journal: StepJournal
    contact: Contact
    answers: Answers

    def may_have_landed(self, step: Step, error: DriverError, acts_sent: int | None) -> bool:
        """Say whether a command that did not succeed may still have been carried out.

        A command makes several exchanges: that the last was not sent, or not read, says nothing of those before it.

        acts_sent: how many acting requests its device's link had put on the wire before it (see `Contact`).
        """
        if isinstance(error, Ambiguous):
            return True
        if step.spec.effect is Effect.READ:
            return False
        return acts_sent is None or self.contact.acts_sent(step) != acts_sent

    async def settle(self, step: Step, *, known: bool) -> Done | None:
        """Close a step whose outcome is unknown; None means that it must be sent (again).

        known: the doubt comes from before a restart, so the recovery is worth a line in the report.

        Raises:
            TrialLost: Nobody can know what became of it, or its answer was lost.
            StorageError: The journal or a file could not be written.
        """
        if known and step.act.measure is not None and (adopted := await self.answers.adopted(step)) is not None:
            self.journal.incident(step, "recovery", f"{step.command_id}: settled from its file")
            return adopted
        if step.spec.effect is Effect.OPERATOR:
            self._leave_to_a_person(step, is_fault=not known)  # a crash of ours is no fault of the lab
        has_landed = step.spec.effect is Effect.VERIFIABLE and await self._was_read_back(step, known=known)
        if known:
            how = "read back" if has_landed else "repeated"
            self.journal.incident(step, "recovery", f"{step.command_id} ({step.act.label}): {how}")
        return await self._concluded(step) if has_landed else None

    async def _concluded(self, step: Step) -> Done:
        """Close a step that was carried out, with its answer where the device still knows that."""
        if step.spec.recall is not None and step.act.measure is not None:
            answer = await self._recall_answer(step)
            return self.answers.record(step, answer, settled_by="read back")
        self.journal.append("step_done", step, {"settled_by": "read back", "result": {}})
        if step.act.measure is not None or step.act.expect is not None:
            text = f"{step.act.label} was carried out, but its answer was lost"
            raise TrialLost(text, device=step.device, is_fault=False)
        return Done(result={})

    async def _recall_answer(self, step: Step) -> Any:
        try:
            return await self.contact.read(step.device, str(step.spec.recall), tag=step.arguments["tag"])
        except DriverError as error:
            lost = stays_unknown(step, error)
            self.journal.close("step_failed", step, lost)
            raise lost from error

    def _leave_to_a_person(self, step: Step, *, is_fault: bool) -> None:
        reason = f"outcome of {step.device}.{step.spec.name} is unknown and cannot be read back; ask a person"
        self.journal.close("step_failed", step, reason, settled_by="operator")
        self.journal.incident(step, "intervention", f"{reason}: look at the sample, then make its place free")
        raise TrialLost(reason, device=step.device, is_fault=is_fault)

    async def _was_read_back(self, step: Step, *, known: bool) -> bool:
        clock = self.journal.clock
        if not (known and clock.is_virtual):  # an in-memory link holds nothing over a restart
            await clock.sleep(step.spec.late_max_s)
        try:
            return await self.contact.landed(step)
        except DriverError as error:
            lost = stays_unknown(step, error)
            self.journal.close("step_failed", step, lost)
            raise lost from error


def stays_unknown(step: Step, error: DriverError) -> TrialLost:
    """Return what a trial is lost to whose step cannot be settled."""
    return TrialLost(f"the outcome of {step.device}.{step.act.command} stays unknown: {error}", device=step.device)
