"""Answers of devices: kept in the journal and in files, taken back from there, and held against what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drivers.command import Effect
from orchestrator.acts.step import Step
from orchestrator.acts.step_journal import StepJournal
from orchestrator.errors import StorageError
from orchestrator.evidence import NOT_FINITE, Evidence, Kept, taken_apart, without_long
from orchestrator.measurements import MeasurementFile
from orchestrator.outcomes import Done, PastStep, TrialLost


@dataclass(frozen=True, slots=True)
class Answers:
    """Keeps what steps were answered."""

    journal: StepJournal
    evidence: Evidence

    def record(self, step: Step, answer: Any, *, settled_by: str = "") -> Done:
        """Keep an answer, and write that its step is done.

        Raises:
            TrialLost: It cannot be kept.
            StorageError: The journal or the file could not be written.
        """
        measurement = None
        try:
            result, arrays = taken_apart(answer)
            if step.act.measure is not None:
                kept = self.evidence.keep(step.trial, step.command_id, step.act, result, arrays)
                measurement = self._measured(step, kept)
        except (TypeError, ValueError) as error:
            text = f"{step.device}.{step.spec.name} answered what cannot be kept: {error}"
            self.journal.close("step_failed", step, text)
            raise TrialLost(text, device=step.device) from error
        kept_in_file = step.act.measure is not None
        body: dict[str, Any] = {"result": without_long(result) if kept_in_file else result}
        if settled_by:
            body["settled_by"] = settled_by
        self.journal.append("step_done", step, body, durable=step.spec.effect is Effect.OPERATOR)
        return Done(result=result, measurement=measurement)

    async def adopted(self, step: Step) -> Done | None:
        """Take a measurement file that was complete before a crash but not yet in the journal; None without one."""
        kept = self.evidence.find(step.trial, step.command_id)
        if kept is None:
            return None
        clock = self.journal.clock
        if clock.is_virtual:  # the resumed campaign keeps the timeline of one that was not killed
            await clock.sleep_until(kept.measurement.metadata["taken_s"])
        self._measured(step, kept)
        result = kept.result()
        self.journal.append("step_done", step, {"result": without_long(result), "settled_by": "file"})
        return Done(result=result, measurement=kept.measurement)

    def _measured(self, step: Step, kept: Kept) -> MeasurementFile:
        self.journal.append("measured", step, kept.row())
        return kept.measurement

    def recalled(self, past: PastStep) -> Done:
        """Return what was answered before a restart.

        Raises:
            TrialLost: Its file is missing or was changed.
        """
        try:
            measurement = None if past.path is None else self.evidence.recall(past.path, past.sha256)
        except StorageError as error:  # a power cut, or somebody's hands: the trial cannot be concluded without it
            raise TrialLost(str(error), is_fault=False) from error
        return Done(result=past.result, measurement=measurement)


def expected(step: Step, done: Done) -> Done:
    """Return an answer that a trial can go on with.

    Raises:
        TrialLost: A number is not finite, or lies outside what the act expects.
    """
    act, expect = step.act, step.act.expect
    if done.result.get(NOT_FINITE):
        names = ", ".join(done.result[NOT_FINITE])
        raise TrialLost(f"{act.device}.{act.command} answered no finite number: {names}", device=act.device)
    if expect is not None:
        value = done.result.get(expect.name)
        if not isinstance(value, int | float) or not expect.low <= value <= expect.high:
            raise TrialLost(f"{expect.otherwise} ({expect.name} = {value})", device=act.device, is_fault=False)
    return done
