"""The gate in the controller: before each command that acts it asks the guard, and no answer is a no."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from drivers.clock import Clock
from drivers.command import Effect
from drivers.errors import Rejected
from orchestrator.guard.answers import MAY_PASS, Answer, Why

POLL_S = 1.0
TOLD_S = 10.0
"""A wait that is shorter is not worth a word."""


class GuardSilent(Exception):
    """The guard cannot be asked; the message says why."""


class GuardRefused(Rejected):
    """The guard said no, or nothing; nothing was sent."""

    def __init__(self, message: str, *, why: Why, device: str, command: str) -> None:
        super().__init__(message, device=device, command=command)
        self.why = why

    @property
    def may_pass(self) -> bool:
        """Whether it may be allowed later without a person."""
        return self.why in MAY_PASS


class Asked(Protocol):
    """The guard as the controller sees it: in this process, or behind a socket."""

    async def check(self, device: str, command: str, arguments: Mapping[str, Any], *, epoch: int = 0) -> Answer:
        """Say whether a command may be given now.

        Raises:
            GuardSilent: The guard cannot be asked.
        """
        ...


@dataclass(slots=True)
class Gate:
    """Asks before acting.

    Args:
        guard: Whom it asks.
        clock: The time.
        answer_s: No answer within this is a no.
        epoch: That of this controller; once a later one was heard, the guard refuses this one.
    """

    guard: Asked
    clock: Clock
    answer_s: float = 1.0
    epoch: int = 0

    async def check(self, device: str, command: str, arguments: Mapping[str, Any], *, effect: Effect) -> None:
        """Refuse a command that must not be given now. What only reads, and a stop, is never refused.

        Raises:
            GuardRefused: An interlock does not hold, a trip is latched, a reading is stale, a rate is exceeded, or the
                guard does not answer; nothing was sent.
        """
        if effect is Effect.READ or command == "stop":
            return
        answer = await self._ask(device, command, arguments)
        if not answer.is_allowed:
            message = f"{answer.reason}; nothing was sent"
            raise GuardRefused(message, why=answer.why, device=device, command=command)

    async def allowed(
        self,
        device: str,
        command: str,
        arguments: Mapping[str, Any],
        *,
        effect: Effect,
        within_s: float,
        waiting: Callable[[GuardRefused], None] = lambda _: None,
    ) -> None:
        """Check again and again: a door may be closed by somebody, a latched trip be acknowledged.

        Args:
            device, command, arguments, effect: What is asked for.
            within_s: How long a refusal that may pass by itself is waited for; a latched trip is waited for as long
                as it is latched.
            waiting: Hears of a refusal, once, that has lasted for `TOLD_S`.

        Raises:
            GuardRefused: It was still refused after `within_s`, or will be for ever.
        """
        began_s, until_s, is_told = self.clock.now_s(), self.clock.now_s() + within_s, False
        while True:
            try:
                await self.check(device, command, arguments, effect=effect)
                return
            except GuardRefused as refused:
                now_s = self.clock.now_s()
                if refused.why is Why.TRIP:
                    until_s = now_s + within_s
                elif not refused.may_pass or now_s >= until_s:
                    raise
                if not is_told and now_s - began_s >= TOLD_S:
                    waiting(refused)
                    is_told = True
            await self.clock.sleep(min(POLL_S, until_s - now_s))

    async def _ask(self, device: str, command: str, arguments: Mapping[str, Any]) -> Answer:
        try:
            async with asyncio.timeout(self.answer_s):
                return await self.guard.check(device, command, arguments, epoch=self.epoch)
        except TimeoutError:
            return Answer(why=Why.SILENT, reason=f"the guard did not answer within {self.answer_s:g} s")
        except GuardSilent as silent:
            return Answer(why=Why.SILENT, reason=f"the guard cannot be asked: {silent}")
