"""What an act can come to, and how a trial ends that cannot go on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from orchestrator.measurements import MeasurementFile

T = TypeVar("T")


class TrialFailed(Exception):
    """The recipe's fault: the planner learns from it."""


class TrialLost(Exception):
    """The lab's fault: the planner may propose the point again."""

    def __init__(
        self, reason: str, *, device: str = "", is_fault: bool = True, code: str = "", needs_operator: bool = False
    ) -> None:
        super().__init__(reason)
        self.device = device
        self.code = code
        """What the device called it; ``rejected`` where nothing was done."""
        self.needs_operator = needs_operator
        """Whether the device says that a person must see to it."""
        self.is_fault = is_fault
        """Whether it counts towards giving up on the lab."""


NOT_APPROVED = "not_approved"
"""The code of a step that was not done because nobody approved it."""


class Skipped(TrialLost):
    """A person gave the trial up."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, is_fault=False, code="skipped")


class StopRequested(Exception):
    """The operator asked to stop; the trial stays open and is resumed later."""


@dataclass(slots=True)
class StopSwitch:
    """The operator's word, looked at before every act: to stop altogether, or to give single trials up."""

    is_set: bool = False
    reason: str = "the operator asked to stop"
    _leavable: dict[asyncio.Task[Any], int | None] = field(default_factory=dict)
    """Tasks that may be left, by the trial that they can be given up with."""
    _skips: dict[int, str] = field(default_factory=dict)

    def set(self, reason: str = "") -> None:
        """Let no further act begin, and leave at once what may be left; call it on the loop."""
        if reason and not self.is_set:
            self.reason = reason
        self.is_set = True
        for task in self._leavable:
            task.cancel()

    def skip(self, trial: int, reason: str) -> None:
        """Have a trial given up before its next step, or at once where it waits; call it on the loop."""
        self._skips[trial] = reason
        for task, skippable in self._leavable.items():
            if skippable == trial:
                task.cancel()

    def refuse_skipped(self, trial: int) -> None:
        """Leave a trial that was given up; once, so that its sample can be put away.

        Raises:
            Skipped: It was.
        """
        reason = self._skips.pop(trial, None)
        if reason is not None:
            raise Skipped(reason)

    async def unless_set(self, work: Coroutine[Any, Any, T], *, trial: int | None = None) -> T:
        """Do work that changes nothing and can be begun anew: a stop does not wait for its end.

        trial: what is not worth waiting for once this trial was given up.

        Raises:
            StopRequested: The operator asked to stop.
            Skipped: The trial was given up.
        """
        try:
            self._refuse(trial)
        except BaseException:
            work.close()
            raise
        task = asyncio.ensure_future(work)
        self._leavable[task] = trial
        try:
            return await task
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if me is None or not me.cancelling():
                self._refuse(trial)
            raise
        finally:
            del self._leavable[task]

    def _refuse(self, trial: int | None) -> None:
        if self.is_set:
            raise StopRequested
        if trial is not None:
            self.refuse_skipped(trial)


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
    act: Mapping[str, Any] = field(default_factory=dict)
    """``path``, ``label``, ``device``, ``command`` and ``arguments``."""
