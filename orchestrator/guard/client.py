"""The guard as the controller and people see it: a socket, and a deadline for every question."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.guard.answers import Answer
from orchestrator.guard.gate import GuardSilent
from orchestrator.guard.messages import LONGEST, BadMessage, answer_of, next_line, packed, unpacked

CONNECT_S = 2.0


class GuardError(Exception):
    """The guard refused what it was asked for; the message is its own."""


class GuardClient:
    """A connection to the guard's socket; it is opened when it is needed, and again after it was lost.

    Args:
        path: The socket.
        answer_s: How long an answer may take.
    """

    def __init__(self, path: Path, *, answer_s: float = 1.0) -> None:
        self.path = path
        self.answer_s = answer_s
        self._writer: asyncio.StreamWriter | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = 0
        self._opening = asyncio.Lock()

    async def check(self, device: str, command: str, arguments: Mapping[str, Any], *, epoch: int = 0) -> Answer:
        """Ask whether a command may be given now.

        Raises:
            GuardSilent: No answer came.
        """
        row = await self.ask("check", device=device, command=command, arguments=arguments, epoch=epoch)
        return answer_of(row)

    async def stop_all(self, *, who: str, reason: str, within_s: float = 60.0) -> dict[str, Any]:
        """Stop everything; returns the report.

        Raises:
            GuardSilent: No answer came.
            GuardError: Nobody is named, or no reason.
        """
        return (await self.ask("stop-all", answer_s=within_s, who=who, reason=reason))["report"]

    async def acknowledge(self, trip: str, *, who: str, reason: str) -> None:
        """Release a latched trip.

        Raises:
            GuardSilent: No answer came.
            GuardError: It is not over, is not latched, or nobody is named.
        """
        await self.ask("acknowledge", trip=trip, who=who, reason=reason)

    async def status(self) -> dict[str, Any]:
        """Return what the guard knows.

        Raises:
            GuardSilent: No answer came.
        """
        return (await self.ask("status"))["status"]

    async def ask(self, op: str, *, answer_s: float | None = None, **body: Any) -> dict[str, Any]:
        """Ask, and wait for the answer.

        Raises:
            GuardSilent: No answer came.
            GuardError: It says no.
        """
        within_s = self.answer_s if answer_s is None else answer_s
        try:
            async with asyncio.timeout(within_s):
                answer = await self._asked(op, body)
        except TimeoutError:
            raise GuardSilent(f"no answer within {within_s:g} s") from None
        except (OSError, BadMessage) as error:
            await self.close()
            raise GuardSilent(f"{self.path}: {error}") from error
        if "error" in answer:
            raise GuardError(answer["error"])
        return answer

    async def close(self) -> None:
        """Hang up; safe to call twice."""
        hearing, self._hearing = self._hearing, None
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        if hearing is not None:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _asked(self, op: str, body: Mapping[str, Any]) -> dict[str, Any]:
        writer = await self._opened()
        self._numbers += 1
        number = self._numbers
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            writer.write(packed({"id": number, "op": op, **body}))
            await writer.drain()
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def _opened(self) -> asyncio.StreamWriter:
        async with self._opening:
            if self._writer is None:
                async with asyncio.timeout(CONNECT_S):
                    reader, self._writer = await asyncio.open_unix_connection(self.path, limit=LONGEST)
                self._hearing = asyncio.create_task(self._hear(reader, self._writer))
            return self._writer

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await next_line(reader):
                message = unpacked(line)
                answer = self._waiting.get(message["id"])
                if answer is not None and not answer.done():
                    answer.set_result(message)
        except BadMessage:
            pass
        finally:
            writer.close()
            if self._writer is writer:
                self._writer = None
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionResetError("the guard hung up"))
