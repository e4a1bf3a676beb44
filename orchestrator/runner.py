"""The runner: intent into the journal, act through a driver, outcome into the journal.

After a crash, or when a command's outcome is in doubt, the same code settles it by its effect: READ and IDEMPOTENT are
sent again, VERIFIABLE is read back first, OPERATOR costs the trial and asks for a person. A command id names one act
for ever; devices get it as the tag of shots and acquisitions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from drivers.command import CommandSpec, Effect
from drivers.errors import Ambiguous, DeviceFault, DriverError, NotConnected, NotSent, OutOfLimits, Rejected, Unreadable
from orchestrator.calls import PATIENCE_S, call
from orchestrator.errors import Fenced, StorageError
from orchestrator.evidence import NOT_FINITE, Evidence, Kept, taken_apart, without_long
from orchestrator.guard.answers import Why
from orchestrator.guard.gate import Gate, GuardRefused
from orchestrator.journal import Journal
from orchestrator.laboratory import Laboratory
from orchestrator.measurements import MeasurementFile
from orchestrator.outcomes import Done, PastStep, StopRequested, StopSwitch, TrialFailed, TrialLost
from orchestrator.permission import Permission
from orchestrator.plan import Act, Wait
from orchestrator.set_points import SetPoints

log = logging.getLogger(__name__)

__all__ = ["Done", "PastStep", "Runner", "StopRequested", "StopSwitch", "TrialFailed", "TrialLost"]

RETRY_AFTER_S = (1.0, 5.0, 30.0)
"""Pauses before a command that did not reach its device, or could not be read, is sent again."""

GUARD_PATIENCE_S = 600.0
"""How long a refusal of the guard that may pass by itself is waited for."""

LONG_S = 60.0
"""A READ that may last longer than this is not waited for when the operator asks to stop: it is made again later."""


def path_of(batch: str, act: Act) -> str:
    """Return where in the recipe an act belongs: a batch's acts have paths of their own."""
    return f"{batch}.{act.path}" if batch else act.path


def owner_of(trial: int) -> str:
    """Return what command ids of a trial begin with."""
    return f"{trial:06d}"


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
    _waiting: set[tuple[str, str, str]] = field(default_factory=set)
    """What the guard keeps waiting and the journal knows of: owner, device and command."""

    def __post_init__(self) -> None:
        self.laboratory.on_reconnected = self._set_points.doubt

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
        command_id = f"{owner}.{act.path}"
        past = self.past.pop(command_id, None)
        context = self._context(trial, owner, act, was_intended=past is not None)
        if past is not None and past.state == "done":
            self._set_points.note(owner, act, context.spec, is_doubted=True)
            return self._expected(context, self._recalled(past))
        if past is not None and past.state in ("rejected", "failed"):
            raise TrialLost(past.error, device=act.device)
        if past is None:
            await self._permitted(trial, act, command_id, path=path_of(batch, act))
        if self.on_step is not None:
            self.on_step(trial, act)
        if past is not None:
            settled = await self._settle(context, known=True)
            if settled is not None:
                self._set_points.note(owner, act, context.spec, is_doubted=True)
                return self._expected(context, settled)
        await self._hold_again(trial, owner, but_for=act.device if context.was_intended else "")
        done = await self._carry_out(context)
        self._set_points.note(owner, act, context.spec, is_doubted=False)
        return self._expected(context, done)

    async def _permitted(self, trial: int, act: Act, command_id: str, *, path: str) -> None:
        """Wait until people let an act begin that nothing was done of.

        Raises:
            StopRequested: The operator asked to stop.
            TrialLost: It needs an approval that was not given.
        """
        if self.stop.is_set:
            raise StopRequested(command_id)
        await self.permission.approved(trial, act, command_id)
        if not self.permission.is_granted(act.device, path):
            await self.stop.unless_set(self.permission.granted(act.device, path))

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

    def has_begun(self, trial: int, acts: Sequence[Act]) -> bool:
        """Say whether a restart interrupted one of these acts, so that they must be gone through again."""
        return any(f"{owner_of(trial)}.{act.path}" in self.past for act in acts)

    def _context(self, trial: int, owner: str, act: Act, *, was_intended: bool) -> _Context:
        command_id = f"{owner}.{act.path}"
        return _Context(
            trial=trial,
            owner=owner,
            act=act,
            spec=self.laboratory.stations[act.device].specs[act.command],
            command_id=command_id,
            arguments={**act.arguments, "tag": command_id} if act.is_tagged else dict(act.arguments),
            was_intended=was_intended,
        )

    async def _hold_again(self, trial: int, owner: str, *, but_for: str = "") -> None:
        """Set again what a device has lost since an open trial set it, before anything new relies on it."""
        for act in self._set_points.take(owner, but_for=but_for):
            context = self._context(trial, owner, act, was_intended=True)
            try:
                if await self._landed(context):
                    continue
            except DriverError as error:
                raise _unknown(context, error) from error
            self._incident(context, "recovery", f"{context.command_id} ({act.label}): lost since, so set again")
            batch = "" if owner == owner_of(trial) else owner
            await self.act(trial, replace(act, path=self._path_again(owner, act)), batch=batch)

    def _path_again(self, owner: str, act: Act) -> str:
        """Return a path for doing an act again: a command id that was done stays done."""
        count = 1
        while (past := self.past.get(f"{owner}.{act.path}.again{count}")) is not None and past.state == "done":
            count += 1
        return f"{act.path}.again{count}"

    async def _carry_out(self, context: _Context) -> Done:
        self._check_limits(context)
        trouble: DriverError | None = None
        for pause_s in (*RETRY_AFTER_S, None):
            await self._guarded(context, is_open=context.was_intended or trouble is not None)
            self._intend(context, is_repeat=context.was_intended or trouble is not None)
            acts_sent = self._acts_sent(context)
            try:
                return self._record(context, await self._send(context))
            except (Rejected, DeviceFault) as error:
                self._close(context, "step_rejected" if isinstance(error, Rejected) else "step_failed", error)
                raise _lost_to(error, context.act.device) from error
            except (NotSent, Unreadable, Ambiguous) as error:
                trouble = error
                if self._may_have_landed(context, error, acts_sent):
                    self._append("step_in_doubt", context, {"error": str(error)})
                    settled = await self._settle(context, known=False)
                    if settled is not None:
                        return settled
            if pause_s is None:
                break
            self._incident(context, "fault", f"{trouble}; trying again in {pause_s:g} s")
            await self.laboratory.clock.sleep(pause_s)
            try:
                await self._reconnect(context, trouble)
            except DeviceFault as error:
                self._close(context, "step_failed", error)
                raise TrialLost(str(error), device=context.act.device) from error
            await self._hold_again(context.trial, context.owner)
        self._close(context, "step_failed", trouble)
        raise TrialLost(f"gave up after {len(RETRY_AFTER_S) + 1} attempts: {trouble}", device=context.act.device)

    async def _guarded(self, context: _Context, *, is_open: bool) -> None:
        """Wait until the guard lets a command be given; what it will not let pass in time is as good as rejected.

        is_open: whether an intent of it is in the journal that has no outcome yet.

        Raises:
            TrialLost: It was refused for `GUARD_PATIENCE_S`, or the guard does not know the device.
            StopRequested: The operator asked to stop; nothing was sent.
            Fenced: The guard serves a later controller.
        """
        effect, act = context.spec.effect, context.act
        if self.gate is None or effect is Effect.READ:
            return
        asked, key = (act.device, act.command, context.arguments), (context.owner, act.device, act.command)
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
                self._incident(context, "guard", f"waits for the guard's permission: {refused}")

        try:
            await self.stop.unless_set(
                self.gate.allowed(*asked, effect=effect, within_s=GUARD_PATIENCE_S, waiting=told)
            )
            self._waiting.discard(key)
        except GuardRefused as refused:
            if refused.why is Why.FENCED:
                raise Fenced(str(refused)) from refused
            if is_open:
                self._close(context, "step_rejected", refused)
            raise TrialLost(str(refused), device=act.device, code="rejected") from refused

    def _acts_sent(self, context: _Context) -> int | None:
        """Return how many acting requests a device's link has put on the wire; None where it does not count them."""
        driver = self.laboratory.stations[context.act.device].driver
        return getattr(getattr(driver, "_link", None), "n_acts_sent", None)

    def _may_have_landed(self, context: _Context, error: DriverError, acts_sent: int | None) -> bool:
        """Say whether a command that did not succeed may still have been carried out.

        A command makes several exchanges: that the last was not sent, or not read, says nothing of those before it.
        """
        if isinstance(error, Ambiguous):
            return True
        if context.spec.effect is Effect.READ:
            return False
        return acts_sent is None or self._acts_sent(context) != acts_sent

    async def _reconnect(self, context: _Context, trouble: DriverError | None) -> None:
        """Open a lost port again; where that does not help, the next attempt says so.

        Raises:
            DeviceFault: Another device answers there.
        """
        if not isinstance(trouble, NotConnected):
            return
        try:
            await self.laboratory.reconnect(context.act.device)
        except DeviceFault:
            raise
        except DriverError as error:
            self._incident(context, "fault", f"reconnecting failed: {error}")

    def _check_limits(self, context: _Context) -> None:
        try:
            self.laboratory.check_limits(context.act.device, context.act.command, context.arguments)
        except OutOfLimits as error:
            raise TrialFailed(str(error)) from error
        except Rejected as error:  # limits that cannot be compared with the value say nothing of the point
            raise TrialLost(str(error), device=context.act.device) from error

    def _intend(self, context: _Context, *, is_repeat: bool) -> None:
        act = context.act
        body = {
            "path": act.path,
            "label": act.label,
            "device": act.device,
            "command": act.command,
            "effect": str(context.spec.effect),
            "arguments": context.arguments,
            "is_repeat": is_repeat,
        }
        self._append("step_intended", context, body, durable=context.spec.effect is not Effect.READ)

    async def _send(self, context: _Context) -> Any:
        spec, device = context.spec, context.act.device
        if spec.effect is not Effect.READ:  # this process may have been paused since the intent was written
            self.journal.confirm(within_s=1.0)
        work = call(
            getattr(self.laboratory.stations[device].driver, spec.name),
            context.arguments,
            effect=spec.effect,
            deadline_s=spec.timeout_s + spec.late_max_s + PATIENCE_S,
            device=device,
            command=spec.name,
        )
        if spec.effect is Effect.READ and spec.timeout_s > LONG_S:
            return await self.stop.unless_set(work)
        return await work

    async def _settle(self, context: _Context, *, known: bool) -> Done | None:
        """Close an act whose outcome is unknown; None means that it must be sent (again).

        known: the doubt comes from before a restart, so the recovery is worth a line in the report.
        """
        if known and context.act.measure is not None and (adopted := await self._adopt(context)) is not None:
            self._incident(context, "recovery", f"{context.command_id}: settled from its file")
            return adopted
        if context.spec.effect is Effect.OPERATOR:
            self._leave_to_a_person(context, is_fault=not known)  # a crash of ours is no fault of the lab
        has_landed = context.spec.effect is Effect.VERIFIABLE and await self._was_read_back(context, known=known)
        if known:
            how = "read back" if has_landed else "repeated"
            self._incident(context, "recovery", f"{context.command_id} ({context.act.label}): {how}")
        if not has_landed:
            return None
        if context.spec.recall is not None and context.act.measure is not None:
            answer = await self._recall_answer(context)
            return self._record(context, answer, settled_by="read back")
        self._append("step_done", context, {"settled_by": "read back", "result": {}})
        if context.act.measure is not None or context.act.expect is not None:
            text = f"{context.act.label} was carried out, but its answer was lost"
            raise TrialLost(text, device=context.act.device, is_fault=False)
        return Done(result={})

    async def _recall_answer(self, context: _Context) -> Any:
        try:
            return await self.read(context.act.device, str(context.spec.recall), tag=context.arguments["tag"])
        except DriverError as error:
            lost = _unknown(context, error)
            self._close(context, "step_failed", lost)
            raise lost from error

    def _leave_to_a_person(self, context: _Context, *, is_fault: bool) -> None:
        device = context.act.device
        reason = f"outcome of {device}.{context.spec.name} is unknown and cannot be read back; ask a person"
        self._close(context, "step_failed", reason, settled_by="operator")
        self._incident(context, "intervention", f"{reason}: look at the sample, then make its place free")
        raise TrialLost(reason, device=device, is_fault=is_fault)

    async def _was_read_back(self, context: _Context, *, known: bool) -> bool:
        if not (known and self.laboratory.clock.is_virtual):  # an in-memory link holds nothing over a restart
            await self.laboratory.clock.sleep(context.spec.late_max_s)
        try:
            return await self._landed(context)
        except DriverError as error:
            lost = _unknown(context, error)
            self._close(context, "step_failed", lost)
            raise lost from error

    async def read(self, device: str, name: str, **arguments: Any) -> Any:
        """Read something that no trial is concluded from; it leaves no step.

        Raises:
            DriverError: The device does not answer, after as many tries as an act gets.
        """
        station = self.laboratory.stations[device]
        timeout_s = station.specs[name].timeout_s + PATIENCE_S
        method = getattr(station.driver, name)
        pauses_s = iter(RETRY_AFTER_S)
        while True:
            try:
                return await call(
                    method, arguments, effect=Effect.READ, deadline_s=timeout_s, device=device, command=name
                )
            except DriverError as error:
                pause_s = next(pauses_s, None)
                if pause_s is None:
                    raise
                await self.laboratory.clock.sleep(pause_s)
                if isinstance(error, NotConnected):
                    await self._reopened(device)

    async def _reopened(self, device: str) -> None:
        try:
            await self.laboratory.reconnect(device)
        except DriverError as error:
            log.warning("reconnecting_failed device=%s error=%s", device, error)

    async def _landed(self, context: _Context) -> bool:
        """Ask the device whether a VERIFIABLE command landed.

        Raises:
            DriverError: It does not answer.
        """
        device, name = context.act.device, str(context.spec.verify)
        station = self.laboratory.stations[device]
        timeout_s = station.specs.get(name, context.spec).timeout_s
        pauses_s = iter(RETRY_AFTER_S)
        while True:
            try:
                answer = await call(
                    getattr(station.driver, name),
                    context.arguments,
                    effect=Effect.READ,
                    deadline_s=timeout_s + PATIENCE_S,
                    device=device,
                    command=name,
                )
                return bool(answer)
            except DriverError as error:
                pause_s = next(pauses_s, None)
                if pause_s is None:
                    raise
                self._incident(context, "fault", f"read-back failed: {error}; trying again in {pause_s:g} s")
                await self.laboratory.clock.sleep(pause_s)
                await self._reconnect(context, error)

    def _record(self, context: _Context, answer: Any, *, settled_by: str = "") -> Done:
        measurement = None
        try:
            result, arrays = taken_apart(answer)
            if context.act.measure is not None:
                kept = self.evidence.keep(context.trial, context.command_id, context.act, result, arrays)
                measurement = self._kept(context, kept)
        except (TypeError, ValueError) as error:
            text = f"{context.act.device}.{context.spec.name} answered what cannot be kept: {error}"
            self._close(context, "step_failed", text)
            raise TrialLost(text, device=context.act.device) from error
        kept_in_file = context.act.measure is not None
        body: dict[str, Any] = {"result": without_long(result) if kept_in_file else result}
        if settled_by:
            body["settled_by"] = settled_by
        self._append("step_done", context, body, durable=context.spec.effect is Effect.OPERATOR)
        return Done(result=result, measurement=measurement)

    async def _adopt(self, context: _Context) -> Done | None:
        """Take a measurement file that was complete before the crash but not yet in the journal."""
        kept = self.evidence.find(context.trial, context.command_id)
        if kept is None:
            return None
        clock = self.laboratory.clock
        if clock.is_virtual:  # the resumed campaign keeps the timeline of one that was not killed
            await clock.sleep_until(kept.measurement.metadata["taken_s"])
        self._kept(context, kept)
        result = kept.result()
        self._append("step_done", context, {"result": without_long(result), "settled_by": "file"})
        return Done(result=result, measurement=kept.measurement)

    def _kept(self, context: _Context, kept: Kept) -> MeasurementFile:
        self._append("measured", context, kept.row())
        return kept.measurement

    def _recalled(self, past: PastStep) -> Done:
        try:
            measurement = None if past.path is None else self.evidence.recall(past.path, past.sha256)
        except StorageError as error:  # a power cut, or somebody's hands: the trial cannot be concluded without it
            raise TrialLost(str(error), is_fault=False) from error
        return Done(result=past.result, measurement=measurement)

    def _expected(self, context: _Context, done: Done) -> Done:
        act, expect = context.act, context.act.expect
        if done.result.get(NOT_FINITE):
            names = ", ".join(done.result[NOT_FINITE])
            raise TrialLost(f"{act.device}.{act.command} answered no finite number: {names}", device=act.device)
        if expect is not None:
            value = done.result.get(expect.name)
            if not isinstance(value, int | float) or not expect.low <= value <= expect.high:
                raise TrialLost(f"{expect.otherwise} ({expect.name} = {value})", device=act.device, is_fault=False)
        return done

    def _append(self, kind: str, context: _Context, body: Mapping[str, Any], *, durable: bool = False) -> None:
        self.journal.append(
            kind,
            body,
            trial=context.trial,
            step=context.act.path,
            command_id=context.command_id,
            durable=durable or not self.laboratory.clock.is_virtual,
        )

    def _close(self, context: _Context, kind: str, error: object, *, settled_by: str = "") -> None:
        self._append(kind, context, {"error": str(error), "settled_by": settled_by})

    def _incident(self, context: _Context, kind: str, text: str) -> None:
        self._append("incident", context, {"kind": kind, "device": context.act.device, "text": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    trial: int
    owner: str
    act: Act
    spec: CommandSpec
    command_id: str
    arguments: Mapping[str, Any]
    was_intended: bool
    """Whether the journal knew of it before this controller started."""


def _lost_to(error: Rejected | DeviceFault, device: str) -> TrialLost:
    if isinstance(error, Rejected):
        return TrialLost(str(error), device=device, code="rejected")
    return TrialLost(str(error), device=device, code=error.code, needs_operator=error.needs_operator)


def _unknown(context: _Context, error: DriverError) -> TrialLost:
    device, command = context.act.device, context.act.command
    return TrialLost(f"the outcome of {device}.{command} stays unknown: {error}", device=device)
