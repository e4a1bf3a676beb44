"""The shared link: a port that takes one client, used by several, through a process that owns it.

The process (`drivers.links.shared_process`) holds the port, its lease, its lock and its trust; each client is a link
like any other to its driver. It is started by the first client and outlives each of them, so that neither the
controller's end nor the guard's takes the port away from the other. A stop goes before all that wait, whoever they are.

The tap of a shared link holds requests as they went, and replies without their framing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from drivers.clock import Clock
from drivers.command import Effect
from drivers.errors import DriverError, NotConnected, NotSent
from drivers.links.base import LATE_MAX_S, untrusted
from drivers.links.framing import Framing
from drivers.links.shared_wire import LONGEST_MESSAGE, error_of, framing_row, packed, socket_path
from drivers.links.tap import Direction, Tap, shown
from drivers.links.url import SharedAddress

START_S = 10.0
"""How long the process may take until it listens."""
OPEN_S = 15.0
"""How long it may take to open the port."""
PATIENCE_S = 30.0
"""How long a request may wait for those of other clients, besides its own deadline."""
LINGER_S = 30.0
"""How long the process stays after its last client."""
AGAIN_S = 0.05
"""Pause between attempts to reach it."""


class SharedLink:
    """A client of a shared port; see `drivers.links.base.Link`.

    Args:
        address: Which port.
        clock: The time.
        tap: What records requests and replies.
    """

    def __init__(self, address: SharedAddress, clock: Clock, *, tap: Tap | None = None) -> None:
        self.name = str(address)
        self.tap = tap
        self.greeting: Framing | None = None
        self.n_acts_sent = 0
        self._port = address.port
        self._clock = clock
        self._writer: asyncio.StreamWriter | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = 0
        self._is_open = False
        self._opening = asyncio.Lock()
        self._last = ""

    @property
    def is_open(self) -> bool:
        """Whether the port is held for this client."""
        return self._is_open

    async def open(self) -> None:
        """Join the port's process, which is started if there is none; see `Link.open`."""
        async with self._opening:
            if self._is_open:
                return
            answer = await self._opened()
            if "error" in answer:
                raise error_of(answer["error"])
            self._is_open = True

    async def close(self) -> None:
        """Leave the port to the others; see `Link.close`."""
        await self._leave()

    async def exchange(
        self,
        request: bytes,
        *,
        framing: Framing,
        timeout_s: float,
        effect: Effect,
        late_max_s: float = LATE_MAX_S,
        urgent: bool = False,
    ) -> bytes:
        """Send a request and return its whole reply; see `Link.exchange`."""
        if not self._is_open or self._writer is None:
            raise NotConnected(f"{self.name} is not open, or its process ended; call connect() first")
        body = {
            "data": request.hex(),
            "framing": framing_row(framing),
            "timeout_s": timeout_s,
            "effect": str(effect),
            "late_max_s": late_max_s,
            "urgent": urgent,
        }
        self._last = shown(request)
        self._record(Direction.SENT, request)
        self._count(effect, 1)
        return self._reply(await self._exchanged(body, effect, timeout_s + late_max_s + PATIENCE_S), effect)

    def distrust(self, why: str, *, effect: Effect) -> DriverError:
        """Note that the last reply cannot be trusted; see `Link.distrust`."""
        if self._writer is not None:
            self._writer.write(packed({"op": "distrust", "why": why, "effect": str(effect)}))
        return untrusted(why, effect=effect, wire=f"{Direction.SENT} {self._last}")

    async def _opened(self) -> dict[str, Any]:
        """Have the process open the port; one that was ending just as it was joined is followed by another."""
        greeting = None if self.greeting is None else framing_row(self.greeting)
        until_s = self._clock.now_s() + START_S
        while True:
            if self._writer is None:
                await self._join()
            try:
                async with asyncio.timeout(OPEN_S):
                    return await self._ask("open", url=str(self._port), greeting=greeting)
            except TimeoutError:
                await self._leave()
                raise NotConnected(f"{self.name}: its process did not open the port within {OPEN_S:g} s") from None
            except ConnectionError as error:
                await self._leave()
                if self._clock.now_s() > until_s:
                    raise NotConnected(f"{self.name}: {error}, again and again; see its messages above") from error
                await self._clock.sleep(AGAIN_S)

    async def _exchanged(self, body: dict[str, Any], effect: Effect, within_s: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(within_s):
                return await self._ask("exchange", **body)
        except TimeoutError:
            await self._leave()  # what still waits there is not sent
            why = f"the process of {self.name} did not answer within {within_s:g} s"
            raise untrusted(why, effect=effect, wire=f"{Direction.SENT} {self._last}") from None
        except ConnectionError as error:
            raise untrusted(f"{self.name}: {error}", effect=effect, wire=f"{Direction.SENT} {self._last}") from error

    def _reply(self, answer: dict[str, Any], effect: Effect) -> bytes:
        self._is_open = self._is_open and answer["is_open"]
        if "error" in answer:
            error = error_of(answer["error"])
            if isinstance(error, NotSent):
                self._count(effect, -1)
            raise error
        data = bytes.fromhex(answer["data"])
        self._record(Direction.RECEIVED, data)
        return data

    async def _ask(self, op: str, **body: Any) -> dict[str, Any]:
        writer = self._writer
        if writer is None:
            raise ConnectionResetError("its process ended")
        self._numbers += 1
        number = self._numbers
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            writer.write(packed({"id": number, "op": op, **body}))
            return await answer
        except asyncio.CancelledError:
            writer.write(packed({"op": "cancel", "of": number}))
            raise
        finally:
            self._waiting.pop(number, None)

    async def _join(self) -> None:
        path = str(socket_path(self._port))
        until_s = self._clock.now_s() + START_S
        has_started = False
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(path, limit=LONGEST_MESSAGE)
                break
            except OSError as error:
                if self._clock.now_s() > until_s:
                    raise NotConnected(f"{self.name}: its process does not listen at {path} ({error})") from error
            if not has_started:
                has_started = True
                await self._start()
            else:
                await self._clock.sleep(AGAIN_S)
        self._hearing = asyncio.create_task(self._hear(reader, self._writer))

    async def _start(self) -> None:
        command = [sys.executable, "-m", "drivers.links.shared_process", str(self._port)]
        process = await asyncio.create_subprocess_exec(
            *command, "--detach", "--linger", str(LINGER_S), stdin=asyncio.subprocess.DEVNULL, start_new_session=True
        )
        if code := await process.wait():
            raise NotConnected(f"{self.name}: its process did not start (exit code {code}); its message stands above")

    async def _leave(self) -> None:
        self._is_open = False
        hearing, self._hearing = self._hearing, None
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        if hearing is not None and hearing is not asyncio.current_task():
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (line := await reader.readline()).endswith(b"\n"):
                message = json.loads(line)
                answer = self._waiting.get(message["id"])
                if answer is not None and not answer.done():
                    answer.set_result(message)
        except (OSError, ValueError):
            pass
        finally:
            writer.close()
            if self._writer is writer:
                self._writer, self._is_open = None, False
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionResetError("its process ended"))

    def _count(self, effect: Effect, n: int) -> None:
        if effect is not Effect.READ:
            self.n_acts_sent += n

    def _record(self, direction: Direction, data: bytes) -> None:
        if self.tap is not None:
            self.tap.record(direction, data)
