"""The runner: intent into the journal, act through a driver, outcome into the journal.

After a crash, or when a command's outcome is in doubt, the same code settles it by its effect
(`orchestrator.acts.settling`). A command id names one act for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from drivers.command import Effect
from drivers.errors import Ambiguous, DeviceFault, DriverError, NotSent, OutOfLimits, Rejected, Unreadable
from orchestrator.acts.answers import Answers, expected
from orchestrator.acts.clearance import Clearance
from orchestrator.acts.contact import RETRY_AFTER_S, Contact
from orchestrator.acts.settling import Settler, stays_unknown
from orchestrator.acts.step import Step, owner_of, path_of
from orchestrator.acts.step_journal import StepJournal
from orchestrator.evidence import Evidence
from orchestrator.guard.gate import Gate
from orchestrator.journal import Journal
from orchestrator.laboratory import Laboratory
from orchestrator.outcomes import Done, PastStep, StopRequested, StopSwitch, TrialFailed, TrialLost
from orchestrator.permission import Permission
from orchestrator.plan import Act, Wait
from orchestrator.set_points import SetPoints

LONG_S = 60.0
"""A READ that may last longer than this is not waited for when the operator asks to stop: it is made again later."""


@dataclass(slots=True)
class Runner:
    """Carries out acts on behalf of trials."""

    journal: Journal
    laboratory: Laboratory
    evidence: Evidence
    stop: StopSwitch
    permission: Permission = field(default_factory=Permission)
    gate: Gate | None = None
    """Asks the guard before each command that acts; None where the lab has none."""
    past: dict[str, PastStep] = field(default_factory=dict)
    """Acts of trials that a restart found open, by command id."""
    waits: dict[str, float] = field(default_factory=dict)
    """When waits that a restart found open end, by command id."""
    on_step: Callable[[int, Act], None] | None = None
    _set_points: SetPoints = field(default_factory=SetPoints)
    _steps: StepJournal = field(init=False)
    _contact: Contact = field(init=False)
    _answers: Answers = field(init=False)
    _settler: Settler = field(init=False)
    _clearance: Clearance = field(init=False)

    def __post_init__(self) -> None:
        self.laboratory.on_reconnected = self._set_points.doubt
        self._steps = StepJournal(self.journal, self.laboratory.clock)
        self._contact = Contact(self.laboratory, self._steps)
        self._answers = Answers(self._steps, self.evidence)
        self._settler = Settler(self._steps, self._contact, self._answers)
        self._clearance = Clearance(self._steps, self.stop, self.gate)

    async def act(self, trial: int, act: Act, *, batch: str = "") -> Done:
        """Carry out one act, or take its outcome from before a restart.

        batch: the batch that it is done for; the trial is one of its members.

        Raises:
            TrialFailed: The recipe asks for what the limits refuse.
            TrialLost: The device refused it or could not do it, or its outcome or answer cannot be known.
            StopRequested: The operator asked to stop; nothing was sent.
            StorageError: The journal or the file could not be written.
        """
        owner = batch or owner_of(trial)
        past = self.past.pop(f"{owner}.{act.path}", None)
        step = self._step(trial, owner, act, was_intended=past is not None)
        if past is not None and past.state == "done":
            self._set_points.note(owner, act, step.spec, is_doubted=True)
            return expected(step, self._answers.recalled(past))
        if past is not None and past.state in ("rejected", "failed"):
            raise TrialLost(past.error, device=act.device)
        if past is None:
            await self._permitted(step, path=path_of(batch, act))
        if self.on_step is not None:
            self.on_step(trial, act)
        if past is not None:
            settled = await self._settler.settle(step, known=True)
            if settled is not None:
                self._set_points.note(owner, act, step.spec, is_doubted=True)
                return expected(step, settled)
        await self._hold_again(trial, owner, but_for=act.device if step.was_intended else "")
        done = await self._carry_out(step)
        self._set_points.note(owner, act, step.spec, is_doubted=False)
        return expected(step, done)

    async def _permitted(self, step: Step, *, path: str) -> None:
        """Wait until people let an act begin that nothing was done of.

        Raises:
            StopRequested: The operator asked to stop.
            TrialLost: It needs an approval that was not given.
        """
        if self.stop.is_set:
            raise StopRequested(step.command_id)
        await self.permission.approved(step.trial, step.act, step.command_id)
        if not self.permission.is_granted(step.device, path):
            await self.stop.unless_set(self.permission.granted(step.device, path))

    def forget(self, owner: str) -> None:
        """Forget what devices were set to for a trial or a batch that has ended."""
        self._set_points.forget(owner)

    async def wait(self, trial: int, node: Wait) -> None:
        """Let time pass; after a restart, only what is left of it.

        Raises:
            StopRequested: The operator asked to stop. The end of the wait is journalled, so time goes on meanwhile.
        """
        command_id = f"{owner_of(trial)}.{node.path}"
        clock = self.laboratory.clock
        until_s = self.waits.get(command_id)
        if until_s is not None and until_s <= clock.now_s():
            return
        if self.stop.is_set:
            raise StopRequested(command_id)
        if not self.permission.is_granted("", node.path):
            await self.stop.unless_set(self.permission.granted("", node.path), trial=trial)
        await self._hold_again(trial, owner_of(trial))
        if until_s is None:
            until_s = self.waits[command_id] = clock.now_s() + node.duration_s
            body = {"command_id": command_id, "until_s": until_s, "label": node.label}
            self.journal.append("wait", body, trial=trial, step=node.path, command_id=command_id, durable=True)
        await self.stop.unless_set(clock.sleep_until(until_s), trial=trial)

    async def read(self, device: str, name: str) -> Any:
        """Read something that no trial is concluded from; it leaves no step.

        Raises:
            DriverError: The device does not answer, after as many tries as an act gets.
        """
        return await self._contact.read(device, name)

    def has_begun(self, trial: int, acts: Sequence[Act]) -> bool:
        """Say whether a restart interrupted one of these acts, so that they must be gone through again."""
        return any(f"{owner_of(trial)}.{act.path}" in self.past for act in acts)

    def _step(self, trial: int, owner: str, act: Act, *, was_intended: bool) -> Step:
        spec = self.laboratory.stations[act.device].specs[act.command]
        return Step(trial=trial, owner=owner, act=act, spec=spec, was_intended=was_intended)

    async def _hold_again(self, trial: int, owner: str, *, but_for: str = "") -> None:
        """Set again what a device has lost since an open trial set it, before anything new relies on it."""
        for act in self._set_points.take(owner, but_for=but_for):
            step = self._step(trial, owner, act, was_intended=True)
            try:
                if await self._contact.landed(step):
                    continue
            except DriverError as error:
                raise stays_unknown(step, error) from error
            self._steps.incident(step, "recovery", f"{step.command_id} ({act.label}): lost since, so set again")
            batch = "" if owner == owner_of(trial) else owner
            await self.act(trial, replace(act, path=self._path_again(owner, act)), batch=batch)

    def _path_again(self, owner: str, act: Act) -> str:
        """Return a path for doing an act again: a command id that was done stays done."""
        count = 1
        while (past := self.past.get(f"{owner}.{act.path}.again{count}")) is not None and past.state == "done":
            count += 1
        return f"{act.path}.again{count}"

    async def _carry_out(self, step: Step) -> Done:
        self._check_limits(step)
        trouble: DriverError | None = None
        for pause_s in (*RETRY_AFTER_S, None):
            is_repeat = step.was_intended or trouble is not None
            await self._clearance.given(step, is_open=is_repeat)
            self._steps.intend(step, is_repeat=is_repeat)
            acts_sent = self._contact.acts_sent(step)
            try:
                return self._answers.record(step, await self._send(step))
            except (Rejected, DeviceFault) as error:
                self._steps.close("step_rejected" if isinstance(error, Rejected) else "step_failed", step, error)
                raise _lost_to(error, step.device) from error
            except (NotSent, Unreadable, Ambiguous) as error:
                trouble = error
                if self._settler.may_have_landed(step, error, acts_sent):
                    self._steps.append("step_in_doubt", step, {"error": str(error)})
                    settled = await self._settler.settle(step, known=False)
                    if settled is not None:
                        return settled
            if pause_s is None:
                break
            await self._before_another_attempt(step, trouble, pause_s)
        self._steps.close("step_failed", step, trouble)
        raise TrialLost(f"gave up after {len(RETRY_AFTER_S) + 1} attempts: {trouble}", device=step.device)

    async def _before_another_attempt(self, step: Step, trouble: DriverError, pause_s: float) -> None:
        """Give a device a while, open its port again where it was lost, and see that it still holds what it held.

        Raises:
            TrialLost: Another device answers there, or what it holds cannot be known.
        """
        self._steps.incident(step, "fault", f"{trouble}; trying again in {pause_s:g} s")
        await self.laboratory.clock.sleep(pause_s)
        try:
            await self._contact.reconnect(step, trouble)
        except DeviceFault as error:
            self._steps.close("step_failed", step, error)
            raise TrialLost(str(error), device=step.device) from error
        await self._hold_again(step.trial, step.owner)

    def _check_limits(self, step: Step) -> None:
        try:
            self.laboratory.check_limits(step.device, step.act.command, step.arguments)
        except OutOfLimits as error:
            raise TrialFailed(str(error)) from error
        except Rejected as error:  # limits that cannot be compared with the value say nothing of the point
            raise TrialLost(str(error), device=step.device) from error

    async def _send(self, step: Step) -> Any:
        effect = step.spec.effect
        if effect is not Effect.READ:  # this process may have been paused since the intent was written
            self.journal.confirm(within_s=1.0)
        work = self._contact.send(step)
        if effect is Effect.READ and step.spec.timeout_s > LONG_S:
            return await self.stop.unless_set(work)
        return await work


def _lost_to(error: Rejected | DeviceFault, device: str) -> TrialLost:
    if isinstance(error, Rejected):
        return TrialLost(str(error), device=device, code="rejected")
    return TrialLost(str(error), device=device, code=error.code, needs_operator=error.needs_operator)
