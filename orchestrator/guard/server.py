"""The guard's socket: who may open it is its user and root, by its permissions and by who is at the other end."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from orchestrator.guard.core import Guard, Refused
from orchestrator.guard.guard_log import GuardLog
from orchestrator.guard.messages import LONGEST, BadMessage, event_row, next_line, packed, unpacked
from orchestrator.plain import plain

RECORD_S = 2.0
"""How long an answer to a person waits for the disk."""
HANG_UP_S = 1.0
"""How long connections may take to end with the server."""


@dataclass(slots=True)
class GuardServer:
    """Answers controllers and people on a unix socket.

    Args:
        guard: Whose answers.
        path: The socket.
        record: Where the guard's events go. Nobody hears that a trip is latched or released before that is there, or
            hears that it is not: a guard that is killed just then must come back as was said.
        digest: What tells apart what the guard goes by.
        is_ended: Set once a controller wants another guard here.
        is_left: Set while the controller that was heard last has said goodbye.
    """

    guard: Guard
    path: Path
    record: GuardLog
    digest: str
    is_ended: asyncio.Event
    is_left: asyncio.Event
    run: str = field(default_factory=lambda: uuid4().hex)
    """Tells this guard's numbers of events from those of the guard before it."""
    _clients: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen while this is entered; a socket that a guard before this one left behind is replaced."""
        self.path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._serve, self.path, limit=LONGEST)
        finally:
            os.umask(before)
        try:
            yield
        finally:
            server.close()
            self.path.unlink(missing_ok=True)
            clients = dict(self._clients)
            for writer in clients.values():
                writer.close()
            if clients:
                await asyncio.wait(clients, timeout=HANG_UP_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks: set[asyncio.Task[None]] = set()
        this = asyncio.current_task()
        if this is not None:
            self._clients[this] = writer
            this.add_done_callback(lambda done: self._clients.pop(done, None))
        try:
            user = _peer(writer.get_extra_info("socket"))
            while line := await next_line(reader):
                task = asyncio.create_task(self._answer(unpacked(line), user, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        except (BadMessage, PermissionError):
            pass  # whoever talks nonsense is hung up on
        finally:
            for task in tasks:
                task.cancel()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, message: Mapping[str, Any], user: str, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._do(message, user)
        except Refused as refused:
            answer = {"error": str(refused)}
        except (KeyError, TypeError, ValueError) as error:
            answer = {"error": f"the message is wrong: {type(error).__name__}: {error}"}
        with suppress(ConnectionError):
            writer.write(packed({"id": message["id"], **answer}))
            await writer.drain()

    async def _do(self, message: Mapping[str, Any], user: str) -> dict[str, Any]:
        guard = self.guard
        match message.get("op"):
            case "check":
                device, command = _text(message, "device"), _text(message, "command")
                found = await guard.check(device, command, _table(message, "arguments"), epoch=int(message["epoch"]))
                return {"why": str(found.why), "reason": found.reason}
            case "heartbeat":
                return self._beat(message)
            case "readings":
                told = _table(message, "readings")
                guard.told({key: (value, float(age_s)) for key, (value, age_s) in told.items()})
                return {}
            case "stopped":
                guard.controller.stopped(_text(message, "device"), _text(message, "error"))
                return {}
            case "end":
                if guard.controller.is_fenced(int(message["epoch"])) and guard.controller.is_heard():
                    raise Refused(f"it serves controller {guard.controller.epoch}, which is a later one")
                self.is_ended.set()
                return {}
            case "goodbye":
                guard.goodbye(int(message["epoch"]))
                if not guard.controller.is_fenced(int(message["epoch"])):
                    self.is_left.set()
                return {"unsafe": guard.unsafe}
            case "stop-all":
                report = await guard.stop_all(who=_signed(message["who"], user), reason=_text(message, "reason"))
                unrecorded = await self.record.written(within_s=RECORD_S)
                return {"report": plain(replace(report, unrecorded=unrecorded))}
            case "acknowledge":
                who, reason = _signed(message["who"], user), _text(message, "reason")
                guard.acknowledge(_text(message, "trip"), who=who, reason=reason)
                await self.record.written(within_s=RECORD_S)  # where it is not, the trip is latched again
                return {}
            case "status":
                return {"status": guard.status(), "pid": os.getpid()}
        return {"error": f"no operation is called {message.get('op')!r}"}

    def _beat(self, message: Mapping[str, Any]) -> dict[str, Any]:
        if message.get("digest", self.digest) != self.digest:  # not its controller
            return {"is_current": False, "digest": self.digest}
        is_current = self.guard.beat(int(message["epoch"]))
        if is_current:
            self.is_left.clear()
        # of another guard's events nobody heard here
        since = int(message["events_since"]) if message["run"] == self.run else 0
        events = self.guard.events_since(since)
        return {
            "is_current": is_current,
            "epoch": self.guard.controller.epoch,
            "digest": self.digest,
            "run": self.run,
            "stop": self.guard.controller.wanted,
            "latched": self.guard.board.latched_now,
            "events": [event_row(event) for event in events[:200]],
        }


def _text(message: Mapping[str, Any], key: str) -> str:
    if not isinstance(message[key], str):
        raise TypeError(f"{key} must be text")
    return message[key]


def _table(message: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    if not isinstance(message[key], Mapping):
        raise TypeError(f"{key} must be an object")
    return message[key]


def _peer(connection: socket.socket) -> str:
    """Return the user at the other end.

    Raises:
        PermissionError: It is neither this user nor root.
    """
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid not in (0, os.getuid()):
        raise PermissionError(f"user {uid}")
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _signed(who: object, user: str) -> str:
    """Return the name that a person gave, with the user of the operating system behind it."""
    if not isinstance(who, str) or not who.strip():
        raise Refused("say who does this, and why")
    return who if who == user else f"{who} ({user})"
