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


class StopRequested(Exception):
    """The operator asked to stop; the trial stays open and is resumed later."""


@dataclass(slots=True)
class StopSwitch:
    """The operator's word, looked at before every act."""

    is_set: bool = False
    _leavable: set[asyncio.Task[Any]] = field(default_factory=set)

    def set(self) -> None:
        """Let no further act begin, and leave at once what may be left; call it on the loop."""
        self.is_set = True
        for task in self._leavable:
            task.cancel()

    async def unless_set(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that changes nothing and can be begun anew: a stop does not wait for its end.

        Raises:
            StopRequested: The operator asked to stop.
        """
        if self.is_set:
            work.close()
            raise StopRequested
        task = asyncio.ensure_future(work)
        self._leavable.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if self.is_set and (me is None or not me.cancelling()):
                raise StopRequested from None
            raise
        finally:
            self._leavable.discard(task)


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
