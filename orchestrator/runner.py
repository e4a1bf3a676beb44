"""The runner: intent into the journal, act through a driver, outcome into the journal.

After a crash, or when a command's outcome is in doubt, the same code settles it by its effect: READ and IDEMPOTENT are
sent again, VERIFIABLE is read back first, OPERATOR costs the trial and asks for a person. A command id names one act
for ever; devices get it as the tag of shots and acquisitions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers.command import CommandSpec, Effect
from drivers.errors import Ambiguous, DeviceFault, DriverError, NotConnected, NotSent, OutOfLimits, Rejected, Unreadable
from orchestrator.errors import StorageError
from orchestrator.evidence import Evidence, Kept, taken_apart
from orchestrator.journal import Journal
from orchestrator.laboratory import Laboratory
from orchestrator.measurements import MeasurementFile
from orchestrator.plan import Act, Wait

RETRY_AFTER_S = (1.0, 5.0, 30.0)
"""Pauses before a command that did not reach its device, or could not be read, is sent again."""

PATIENCE_S = 600.0
"""A command that is still running this long after its own timeout is in doubt, whatever its driver says."""


class TrialFailed(Exception):
    """The recipe's fault: the planner learns from it."""


class TrialLost(Exception):
    """The lab's fault: the planner may propose the point again."""

    def __init__(self, reason: str, *, device: str = "", is_fault: bool = True) -> None:
        super().__init__(reason)
        self.device = device
        self.is_fault = is_fault
        """Whether it counts towards giving up on the lab."""


class StopRequested(Exception):
    """The operator asked to stop; the trial stays open and is resumed later."""


@dataclass(slots=True)
class StopSwitch:
    """The operator's word, looked at before every act."""

    is_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an act left behind."""

    result: Mapping[str, Any]
    measurement: MeasurementFile | None = None


@dataclass(frozen=True, slots=True)
class PastStep:
    """What the journal knows of an act from before a restart."""

    state: str
    result: Mapping[str, Any]
    error: str = ""
    path: str | None = None
    """The measurement's file, if the act left one."""
    sha256: str | None = None


@dataclass(slots=True)
class Runner:
    """Carries out acts on behalf of trials."""

    journal: Journal
    laboratory: Laboratory
    evidence: Evidence
    stop: StopSwitch
    past: dict[str, PastStep] = field(default_factory=dict)
    """Acts of trials that a restart found open, by command id."""
    waits: dict[str, float] = field(default_factory=dict)
    """When waits that a restart found open end, by command id."""
    on_step: Callable[[int, Act], None] | None = None

    async def act(self, trial: int, act: Act) -> Done:
        """Carry out one act, or take its outcome from before a restart.

        Raises:
            TrialFailed: The recipe asks for what the limits refuse, or the device refused it.
            TrialLost: The device could not do it, or its outcome cannot be known.
            StopRequested: The operator asked to stop; nothing was sent.
            StorageError: The journal or the file could not be written.
        """
        command_id = f"{trial:06d}.{act.path}"
        past = self.past.pop(command_id, None)
        if past is not None and past.state == "done":
            return self._expected(act, self._recalled(past))
        if past is not None and past.state in ("rejected", "failed"):
            raise TrialLost(past.error, device=act.device)
        if self.stop.is_set and past is None:
            raise StopRequested(command_id)
        if self.on_step is not None:
            self.on_step(trial, act)
        arguments = {**act.arguments, "tag": command_id} if act.is_tagged else dict(act.arguments)
        spec = self.laboratory.stations[act.device].specs[act.command]
        context = _Context(
            trial=trial, act=act, spec=spec, command_id=command_id, arguments=arguments, was_intended=past is not None
        )
        if past is not None:
            settled = await self._settle(context, known=True)
            if settled is not None:
                return self._expected(act, settled)
        return self._expected(act, await self._carry_out(context))

    async def wait(self, trial: int, node: Wait) -> None:
        """Let time pass; after a restart, only what is left of it."""
        command_id = f"{trial:06d}.{node.path}"
        clock = self.laboratory.clock
        if command_id not in self.waits:
            until_s = clock.now_s() + node.duration_s
            body = {"command_id": command_id, "until_s": until_s, "label": node.label}
            self.journal.append("wait", body, trial=trial, step=node.path, command_id=command_id, durable=True)
            self.waits[command_id] = until_s
        await clock.sleep_until(self.waits[command_id])

    def has_begun(self, trial: int, acts: Sequence[Act]) -> bool:
        """Say whether a restart interrupted one of these acts, so that they must be gone through again."""
        return any(f"{trial:06d}.{act.path}" in self.past for act in acts)

    async def _carry_out(self, context: _Context) -> Done:
        self._check_limits(context)
        trouble: DriverError | None = None
        for pause_s in (*RETRY_AFTER_S, None):
            self._intend(context, is_repeat=context.was_intended or trouble is not None)
            try:
                return self._record(context, await self._send(context))
            except (Rejected, DeviceFault) as error:
                self._close(context, "step_rejected" if isinstance(error, Rejected) else "step_failed", error)
                raise TrialLost(str(error), device=context.act.device) from error
            except (NotSent, Unreadable) as error:
                trouble = error
            except Ambiguous as error:
                trouble = error
                self._append("step_in_doubt", context, {"error": str(error)})
                settled = await self._settle(context, known=False)
                if settled is not None:
                    return settled
            if pause_s is None:
                break
            self._incident(context, "fault", f"{trouble}; trying again in {pause_s:g} s")
            await self.laboratory.clock.sleep(pause_s)
            await self._reconnect(context, trouble)
        self._close(context, "step_failed", trouble)
        raise TrialLost(f"gave up after {len(RETRY_AFTER_S) + 1} attempts: {trouble}", device=context.act.device)

    async def _reconnect(self, context: _Context, trouble: DriverError | None) -> None:
        """Open a lost port again; where that does not help, the next attempt says so."""
        if not isinstance(trouble, NotConnected):
            return
        try:
            await self.laboratory.reconnect(context.act.device)
        except DeviceFault as error:
            self._close(context, "step_failed", error)
            raise TrialLost(str(error), device=context.act.device) from error
        except DriverError as error:
            self._incident(context, "fault", f"reconnecting failed: {error}")

    def _check_limits(self, context: _Context) -> None:
        try:
            self.laboratory.check_limits(context.act.device, context.act.command, context.arguments)
        except OutOfLimits as error:
            raise TrialFailed(str(error)) from error

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
        driver = self.laboratory.stations[context.act.device].driver
        method: Callable[..., Awaitable[Any]] = getattr(driver, context.act.command)
        deadline_s = context.spec.timeout_s + context.spec.late_max_s + PATIENCE_S
        try:
            async with asyncio.timeout(deadline_s):
                return await method(**context.arguments)
        except TimeoutError as error:
            text = f"no outcome within {deadline_s:g} s"
            kind = Unreadable if context.spec.effect is Effect.READ else Ambiguous
            raise kind(text, device=context.act.device, command=context.act.command) from error

    async def _settle(self, context: _Context, *, known: bool) -> Done | None:
        """Close an act whose outcome is unknown; None means that it must be sent (again).

        known: the doubt comes from before a restart, so the recovery is worth a line in the report.
        """
        spec = context.spec
        if spec.effect is Effect.OPERATOR:
            reason = f"outcome of {context.act.device}.{spec.name} is unknown and cannot be read back; ask a person"
            self._close(context, "step_failed", reason, settled_by="operator")
            self._incident(context, "intervention", f"{reason}: look at the sample, then make its place free")
            raise TrialLost(reason, device=context.act.device)
        how = "repeated"
        if spec.effect is Effect.VERIFIABLE and spec.verify is not None:
            if not (known and self.laboratory.clock.is_virtual):  # an in-memory link holds nothing over a restart
                await self.laboratory.clock.sleep(spec.late_max_s)
            if await self._landed(context):
                self._append("step_done", context, {"settled_by": "read back", "result": {}})
                how = "read back"
        elif context.act.measure is not None and known:
            adopted = await self._adopt(context)
            if adopted is not None:
                self._incident(context, "recovery", f"{context.command_id}: settled from its file")
                return adopted
        if known:
            self._incident(context, "recovery", f"{context.command_id} ({context.act.label}): {how}")
        return Done(result={}) if how == "read back" else None

    async def _landed(self, context: _Context) -> bool:
        verify = getattr(self.laboratory.stations[context.act.device].driver, str(context.spec.verify))
        for pause_s in RETRY_AFTER_S:
            try:
                return bool(await verify(**context.arguments))
            except DriverError as error:
                self._incident(context, "fault", f"read-back failed: {error}; trying again in {pause_s:g} s")
                await self.laboratory.clock.sleep(pause_s)
                await self._reconnect(context, error)
        raise TrialLost(
            f"{context.act.device} does not answer, so the outcome of {context.act.command} stays unknown",
            device=context.act.device,
        )

    def _record(self, context: _Context, answer: Any) -> Done:
        result, arrays = taken_apart(answer)
        measurement = None
        if context.act.measure is not None:
            measurement = self._kept(
                context, self.evidence.keep(context.trial, context.command_id, context.act, result, arrays)
            )
        self._append("step_done", context, {"result": result}, durable=context.spec.effect is Effect.OPERATOR)
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
        self._append("step_done", context, {"result": result, "settled_by": "file"})
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

    def _expected(self, act: Act, done: Done) -> Done:
        expect = act.expect
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
    act: Act
    spec: CommandSpec
    command_id: str
    arguments: Mapping[str, Any]
    was_intended: bool
    """Whether the journal knew of it before this controller started."""
