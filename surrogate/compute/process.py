"""A worker's process as the controller sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import Any, cast

from surrogate.compute.frames import HEAD, frame
from surrogate.compute.memory import resident_bytes

_THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS", "BLIS_NUM_THREADS"),
)
_LAST_LINES, _WORDS = 5, 4000
_ENDS_ITSELF_S = 1.0
_ENDS_S = 30.0
"""What the system may take to bury a process that was killed."""
_LOOK_S = 0.01
_WORDS_S = 1.0
"""How long to wait for the rest of what it said."""

Heard = Callable[[dict[str, Any], bytes], None]


class WorkerLost(RuntimeError):
    """A worker's process did not start, or is no more."""


class WorkerProcess:
    """One process: `spawn` it, wait until it is `ready`, `listen` until it is gone, and send it jobs meanwhile.

    Args:
        number: By which the policy knows it.
        threads: What numerical libraries in it may use.
        preload: Modules that it imports before it says that it is ready.
        is_gpu: Whether it owns the GPU.
        slack_bytes: What a job may take beyond its lease.
        folder: Where its temporary files go, in a folder of their own that goes with it; the system's where it is None.
    """

    def __init__(
        self,
        number: int,
        *,
        threads: int,
        preload: tuple[str, ...],
        is_gpu: bool,
        slack_bytes: int,
        folder: str | None = None,
    ) -> None:
        self.number, self.is_gpu, self.slack_bytes = number, is_gpu, slack_bytes
        self._folder = folder
        self._scratch: TemporaryDirectory[str] | None = None
        self._options = {"threads": threads, "preload": list(preload), "gpu": is_gpu, "slack": slack_bytes}
        self._threads = threads
        self._process: Process | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._words = b""
        self._reason = ""
        self._is_buried = self._is_over = False
        self._code = ""
        self.run = 0
        """Counts the jobs that it was sent."""
        self.ticket: int | None = None
        """The job that it is at."""
        self.lease = 0
        self.rss_before = 0
        """What it held when it began that."""

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self._live.pid

    @property
    def _live(self) -> Process:
        if self._process is None:
            raise WorkerLost("the worker's process was not started")
        return self._process

    async def spawn(self, group: asyncio.TaskGroup) -> None:
        """Start the process; a task of the group listens to its standard error from now on.

        Raises:
            WorkerLost: The system has no room for it.
        """
        try:
            self._scratch = TemporaryDirectory(prefix="labpilot-", dir=self._folder, ignore_cleanup_errors=True)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "surrogate.compute.worker", json.dumps(self._options),
                stdin=PIPE, stdout=PIPE, stderr=PIPE, env=self._environment(self._scratch.name), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise WorkerLost(f"no process could be made ({error})") from error
        finally:
            if self._process is None and self._scratch is not None:
                self._scratch.cleanup()
        self._hearing = group.create_task(self._hear_words(), name=f"words of worker {self.number}")

    async def ready(self, *, within_s: float) -> dict[str, Any]:
        """Wait until the process is ready; return what it says of itself.

        Raises:
            WorkerLost: It died, or was not ready in time and was ended.
        """
        try:
            async with asyncio.timeout(within_s):
                message = await self._next()
        except TimeoutError:
            self.kill(f"not ready within {within_s:g} s")
            message = None
        if message is None:
            raise WorkerLost(await self._ended())
        self.rss_before = message[0]["rss"]
        return message[0]

    def _environment(self, scratch: str) -> dict[str, str]:
        paths = [os.path.abspath(path) for path in sys.path]
        pinned = dict.fromkeys(_THREADS, str(self._threads))
        return os.environ | pinned | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "TMPDIR": scratch}

    async def listen(self, heard: Heard) -> str:
        """Hand on what the process says until it is gone; return why it is."""
        while (message := await self._next()) is not None:
            heard(*message)
        return await self._ended()

    async def _next(self) -> tuple[dict[str, Any], bytes] | None:
        stdout = self._live.stdout
        assert stdout is not None  # noqa: S101 - it was opened as a pipe
        try:
            n_head, n_payload = HEAD.unpack(await stdout.readexactly(HEAD.size))
            text = await stdout.readexactly(n_head)
            return json.loads(text), await stdout.readexactly(n_payload)
        except asyncio.IncompleteReadError:
            return None
        except ValueError:  # a job has written where only its worker may
            self.kill("its words make no sense")
            return None

    async def _hear_words(self) -> None:
        """Keep the last lines of its standard error, which say why it died."""
        stderr = self._live.stderr
        assert stderr is not None  # noqa: S101 - it was opened as a pipe
        while chunk := await stderr.read(2**16):
            self._words = (self._words + chunk)[-_WORDS:]

    async def _ended(self) -> str:
        if not self._is_over:
            code = await self._exit_code(0.0 if self._reason else _ENDS_ITSELF_S)  # by itself, it tells more
            if code is None:
                self.kill("it ended, or closed its pipe")
                code = await self._exit_code(_ENDS_S)
            await self._let_go()
            self._is_over, self._code = True, "unknown: it is still there" if code is None else str(code)
        lines = [line for line in self._words.decode(errors="replace").splitlines() if line.strip()]
        words = f"; its last words: {' | '.join(lines[-_LAST_LINES:])}" if lines else ""
        return f"{self._reason} (exit code {self._code}){words}"

    async def _exit_code(self, within_s: float) -> int | None:
        """Return its exit code; None where it has none after so long.

        asyncio's own `wait` waits for its pipes besides, which a child that has left its group may hold open for ever.
        """
        until_s = time.monotonic() + within_s
        while (code := self._live.returncode) is None and time.monotonic() < until_s:
            await asyncio.sleep(_LOOK_S)
        return code

    async def _let_go(self) -> None:
        """Close what is held for it, whoever else has it."""
        self.kill("it ended, or closed its pipe")  # what its jobs have started goes, too
        self._is_buried = True
        if self._hearing is not None:
            await asyncio.wait([self._hearing], timeout=_WORDS_S)
            self._hearing.cancel()
        cast(Any, self._live)._transport.close()
        if self._scratch is not None:
            self._scratch.cleanup()  # of a process that was killed in the middle of a job, too

    def send(self, job: dict[str, Any], payload: bytes, *, ticket: int, lease: int) -> None:
        """Send it a job."""
        self.run += 1
        self.ticket, self.lease = ticket, lease
        self._say(frame({"kind": "job", "run": self.run, "lease": lease, **job}, payload))

    def note_resident(self) -> None:
        """Take what it holds now as what it held before its next job."""
        self.rss_before = resident_bytes(self.pid) or self.rss_before

    def ask_leave(self) -> None:
        """Tell the job at hand to leave at its next step."""
        self._say(frame({"kind": "leave", "run": self.run}))

    def _say(self, content: bytes) -> None:
        stdin = self._live.stdin
        assert stdin is not None  # noqa: S101 - it was opened as a pipe
        with suppress(OSError, RuntimeError):  # it is no more, as `listen` is about to tell
            stdin.write(content)

    def kill(self, reason: str) -> None:
        """End the process; safe to call twice, the first reason counts."""
        self._reason = self._reason or reason
        if not self._is_buried:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._live.pid, signal.SIGKILL)  # with whatever its jobs have started

    async def closed(self) -> None:
        """End the process and wait until it is gone."""
        if self._process is not None:
            self.kill("it is not needed any more")
            await self._ended()
