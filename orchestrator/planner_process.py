"""A planner in a process of its own: one that hangs, leaks or dies costs the ask that it was at work on, and no more.

The pipe joins this process to one that it has started itself; nothing of it is ever stored.
"""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

from planner import Planner, SearchSpace
from planner.objective import Objective

log = logging.getLogger(__name__)

STARTS_S = 120.0
"""What a process may take to import what a planner needs; it counts towards nothing else."""
ENDS_S = 10.0
"""What a killed process may take to be gone; one that waits for a disk that does not answer may take longer."""


class PlannerLost(RuntimeError):
    """The planner's process did not answer in time, or is no more; it was ended."""


class PlannerProcess:
    """Does what a `planner.Planner` does, elsewhere and within a deadline.

    Args:
        space, objectives, seed, policy, options: As of the planner.
        deadline_s: What one answer may take.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        *,
        seed: int,
        policy: str,
        options: Mapping[str, Any],
        deadline_s: float,
    ) -> None:
        self._deadline_s = deadline_s
        context = multiprocessing.get_context("spawn")  # a fork would take threads and open files along
        self._pipe, theirs = context.Pipe()
        arguments = (space, tuple(objectives), seed, policy, dict(options))
        self.process = context.Process(target=_serve, args=(theirs, arguments), name="planner", daemon=True)
        self.process.start()
        theirs.close()
        self._answer(STARTS_S, f"starting policy {policy!r}")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a method of the planner."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments, **more: self._called(name, arguments, more)

    def _called(self, name: str, arguments: tuple[Any, ...], more: Mapping[str, Any]) -> Any:
        try:
            self._pipe.send((name, arguments, dict(more)))
        except OSError as error:
            raise PlannerLost(f"the planner's process is no more ({error})") from error
        return self._answer(self._deadline_s, name)

    def _answer(self, within_s: float, what: str) -> Any:
        try:
            if not self._pipe.poll(within_s):
                self.close()
                raise PlannerLost(f"{what} took longer than {within_s:g} s; the planner's process was ended")
            is_well, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            self.close()
            code = self.process.exitcode
            raise PlannerLost(f"the planner's process died at {what} (exit code {code})") from error
        if not is_well:
            raise value
        return value

    def close(self) -> None:
        """End the process; safe to call twice."""
        self._pipe.close()
        self.process.kill()
        self.process.join(ENDS_S)
        if self.process.is_alive():
            log.warning("the planner's process %s was killed and is still there after %g s", self.process.pid, ENDS_S)


def _serve(pipe: Connection, arguments: tuple[Any, ...]) -> None:
    """Answer until the other end is closed; what people press at the terminal is for the controller."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    space, objectives, seed, policy, options = arguments
    planner: Planner | None = None

    def made() -> None:
        nonlocal planner
        planner = Planner(space, objectives, seed=seed, policy=policy, options=options)

    _reply(pipe, made)
    while True:
        try:
            name, given, more = pipe.recv()
        except (EOFError, OSError):
            return
        _reply(pipe, lambda name=name, given=given, more=more: getattr(planner, name)(*given, **more))


def _reply(pipe: Connection, work: Callable[[], Any]) -> None:
    try:
        answer = (True, work())
    except Exception as error:  # the supervisor of planners elsewhere: the controller decides what follows
        answer = (False, _passable(error))
    with suppress(OSError):  # the controller is no more
        pipe.send(answer)


def _passable(error: Exception) -> Exception:
    """Return an error as the other process can make it anew; one that it cannot, by its name and words."""
    try:
        pickle.loads(ForkingPickler.dumps(error))  # noqa: S301 - what this line has just made
    except Exception:  # the supervisor of foreign errors, which may be made of anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
