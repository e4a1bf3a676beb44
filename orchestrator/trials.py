"""Trials: from an accepted proposal to a verdict.

The plan is compiled, its devices are claimed together, its nodes are carried out, and the analysis turns what was
measured into observations or into the reason why there are none. Work done before a restart is taken from the journal.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from drivers.clock import Clock
from orchestrator.acts.step import owner_of
from orchestrator.compile import Compiler
from orchestrator.computing import Analyst, why
from orchestrator.context import ContextEntry, context_of
from orchestrator.errors import StorageError
from orchestrator.hours.keeper import Timekeeper
from orchestrator.journal import Journal
from orchestrator.journeys import Journeys
from orchestrator.measurements import MeasurementFile
from orchestrator.outcomes import Done, StopRequested, TrialFailed, TrialLost
from orchestrator.plain import not_finite, plain
from orchestrator.plan import Act, AdaptiveScan, Node, Plan, Reference, Wait
from orchestrator.records import TrialRecord
from orchestrator.references import References
from orchestrator.runner import Runner
from orchestrator.scanning import scan_points
from orchestrator.scheduling.dispatcher import Dispatcher

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a trial."""

    outcome: str
    reason: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    findings: Sequence[Mapping[str, Any]] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    started_s: float = 0.0
    is_fault: bool = False
    """Lost to a fault of the lab, which counts towards giving up."""


@dataclass(slots=True)
class TrialExecutor:
    """Carries trials through, several at a time where the lab has room."""

    compiler: Compiler
    dispatcher: Dispatcher
    runner: Runner
    references: References
    journal: Journal
    clock: Clock
    analyst: Analyst
    seed: int
    context: Mapping[str, ContextEntry] = field(default_factory=dict)
    """What is to be observed beside each trial."""
    journeys: Journeys | None = None
    """What carries samples, where they stand in racks."""
    hours: Timekeeper | None = None
    """What says whether a trial still fits; None where nothing must have ended in time."""

    async def run(self, trial: TrialRecord) -> Verdict:
        """Carry one trial to its verdict and journal it: the supervisor of trials.

        Raises:
            StopRequested: The operator asked to stop; the trial stays open.
            StorageError: The journal or a file could not be written.
        """
        started_s = trial.started_s if trial.started_s is not None else self.clock.now_s()
        try:
            plan = self.compiler.plan(trial)
            if self.hours is not None:
                await self.hours.admit(trial)
            if self.journeys is not None:
                started_s = self._start(trial)
                measurements = await self.journeys.run(trial.number, plan)
            else:
                async with self._devices(trial, plan):
                    started_s = self._start(trial)
                    measurements = await self._carry_out(trial, plan)
            self.runner.evidence.settle(trial.number)
            self.journal.append("plan_finished", {}, trial=trial.number)
            return await self._judge(trial, measurements, started_s)
        except TrialFailed as error:
            return self._failed(trial, str(error), started_s)
        except TrialLost as error:
            return self._lost(trial, error, started_s)
        except (StopRequested, StorageError):
            raise
        except Exception as error:  # the supervisor of trials: a defect costs the trial that met it, and no other
            log.exception("trial_broke trial=%d", trial.number)
            return self._lost(trial, TrialLost(f"it met a defect: {type(error).__name__}: {error}"), started_s)
        finally:
            self.runner.forget(owner_of(trial.number))

    @asynccontextmanager
    async def _devices(self, trial: TrialRecord, plan: Plan) -> AsyncIterator[None]:
        """Hold a trial's devices, from a moment on at which it still fits.

        Raises:
            TrialLost: It fits no more.
            StopRequested: The operator asked to stop.
        """
        while True:
            async with self.dispatcher.holding(owner_of(trial.number), plan.devices):
                if self.hours is None or self.hours.obstacle_s(trial) is None:
                    yield
                    return
            await self.hours.admit(trial)  # whoever is in its way now may be over before it opens again

    def _start(self, trial: TrialRecord) -> float:
        if trial.started_s is None and self.runner.stop.is_set:
            raise StopRequested
        if self.hours is not None:
            self.hours.began(trial)
        self.journal.append("trial_started", self.compiler.sample(trial), trial=trial.number)
        return trial.started_s if trial.started_s is not None else self.clock.now_s()

    async def _carry_out(self, trial: TrialRecord, plan: Plan) -> list[MeasurementFile]:
        taken: list[MeasurementFile] = []
        for node in plan.nodes:
            self.runner.stop.refuse_skipped(trial.number)
            taken.extend(await self._node(trial, node, taken))
        return taken

    async def _node(
        self, trial: TrialRecord, node: Node, taken: Sequence[MeasurementFile]
    ) -> Sequence[MeasurementFile]:
        match node:
            case Wait():
                await self.runner.wait(trial.number, node)
                return []
            case Reference():
                return await self.references.measured(self.runner, trial.number, node)
            case AdaptiveScan():
                return await scan_points(self.runner, trial, node, taken, seed=self.seed)
            case Act():
                done = await self.runner.act(trial.number, node)
                _refuse_unfinished(node, done)
                return [done.measurement] if done.measurement is not None else []
            case _:
                raise TypeError(f"a {type(node).__name__} needs a laboratory with racks")

    async def _judge(self, trial: TrialRecord, measurements: Sequence[MeasurementFile], started_s: float) -> Verdict:
        try:
            result = await self.analyst(measurements, trial.parameters)
            if result.cannot_tell is not None:
                return self._failed(trial, str(result.cannot_tell), started_s, measurements)
            if missing := self.analyst.analysis.missing(result):
                return self._lost(trial, TrialLost(f"{missing}; measurements are kept"), started_s)
            context = self._beside(trial, measurements, started_s)
            body = {**_found(result), "analysis": self.analyst.analysis.label, "context": context}
            self.journal.append("analysed", body, trial=trial.number)
        except StorageError:
            raise
        except Exception as error:  # the supervisor of analyses: the measurements are kept, and can be analysed again
            label = self.analyst.analysis.label
            log.exception("analysis_failed trial=%d analysis=%s", trial.number, label)
            reason = f"the analysis {label} {why(error)}; measurements are kept"
            return self._lost(trial, TrialLost(reason), started_s)
        return Verdict(
            outcome="measured",
            values=body["values"],
            findings=body["findings"],
            context=context,
            started_s=started_s,
        )

    def _beside(self, trial: TrialRecord, measurements: Sequence[MeasurementFile], started_s: float) -> dict[str, Any]:
        return context_of(self.context, measurements, started_s=started_s, batch=trial.ask)

    def _failed(
        self, trial: TrialRecord, reason: str, started_s: float, measurements: Sequence[MeasurementFile] = ()
    ) -> Verdict:
        context = self._beside(trial, measurements, started_s)
        self.journal.append("trial_failed", {"reason": reason, "context": context}, trial=trial.number)
        return Verdict(outcome="failed", reason=reason, context=context, started_s=started_s)

    def _lost(self, trial: TrialRecord, error: TrialLost, started_s: float) -> Verdict:
        body = {"reason": str(error), "is_fault": error.is_fault}
        self.journal.append("trial_lost", body, trial=trial.number)
        return Verdict(outcome="lost", reason=str(error), started_s=started_s, is_fault=error.is_fault)


def _refuse_unfinished(act: Act, done: Done) -> None:
    """Take a robot's own verdict on an experiment for what it is.

    Raises:
        TrialFailed: It says that the recipe failed.
        TrialLost: It says that it lost the sample, or does not know of it.
    """
    if act.measure is None or act.measure.kind != "result" or done.result.get("state", "done") == "done":
        return
    state, reason = done.result["state"], done.result.get("reason") or "no reason given"
    if state == "failed":
        raise TrialFailed(reason)
    raise TrialLost(f"{state}: {reason}", device=act.device, is_fault=state != "lost")


def _found(result: Any) -> dict[str, Any]:
    """Return what an analysis found as JSON can hold it.

    Raises:
        ValueError: A value, or its uncertainty, is not finite: nothing can be learnt from it.
    """
    findings = [
        {
            "parameters": item.parameters,
            "values": item.values,
            "sd": item.sd,
            "failure": None,
            **({"fingerprints": item.fingerprints} if item.fingerprints else {}),
        }
        for item in result.findings
    ]
    odd = [*not_finite(result.values, "values"), *not_finite(findings, "findings")]
    if odd:
        raise ValueError(f"{odd[0]} is not finite")
    return {"values": plain(result.values), "findings": plain(findings), "details": plain(result.details)}
