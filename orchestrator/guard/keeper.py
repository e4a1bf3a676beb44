"""Keeps the guard's process from the controller's side: starts it, beats, notices its death, starts it again.

While the guard is silent nothing acts (the gate says no by itself), and devices whose policy says so are stopped
through the controller's own links.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.clock import Clock
from orchestrator.errors import LabRefused
from orchestrator.guard.answers import Answer
from orchestrator.guard.client import GuardClient, GuardError
from orchestrator.guard.gate import GuardSilent
from orchestrator.guard.loading import Loaded
from orchestrator.guard.rules import Rules

log = logging.getLogger(__name__)

START_S = 30.0
"""How long the guard may take from its start to its first answer."""
END_S = 5.0
"""How long it may take to end."""
RESTART_AFTER_S = (0.0, 1.0, 5.0, 30.0)
"""Pauses before attempts to start it again; the last one is repeated."""
POLL_S = 0.05
_LEFT: list[subprocess.Popen[bytes]] = []
"""Guards that outlive their keeper; held, since they are still children of this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPlace:
    """Where a guard and its files are."""

    lab_file: Path
    socket: Path
    log: Path
    urls: Path | None = None
    ends_with: int | None = None
    """The process without which there is nothing to guard: that which serves simulated worlds."""

    def command(self) -> list[str]:
        """Return the command that starts it."""
        command = [sys.executable, "-m", "orchestrator.guard", str(self.lab_file), "--socket", str(self.socket)]
        command += ["--log", str(self.log), "--until-goodbye"]
        command += [] if self.urls is None else ["--urls", str(self.urls)]
        return command if self.ends_with is None else [*command, "--ends-with", str(self.ends_with)]


@dataclass(slots=True)
class GuardKeeper:
    """The controller's hold on the guard.

    A guard that answers already (one of systemd's, or that of a controller that was killed) is used as it is if it
    guards this very laboratory, and replaced otherwise.

    Args:
        place: Where it is.
        loaded: What it goes by, of the same files.
        clock: The time.
        epoch: That of this controller; a guard that served a later one of another campaign gives it the next one.
        stop: Stops one device through the controller's links; returns why it could not, or nothing.
        on_event: Hears what the guard tells, and what the keeper has to tell of the guard.
        on_latched: Hears which trips are latched, with their reason, after what the guard told.
        heard: The guard's run and the number of its event that a controller heard last.
    """

    place: GuardPlace
    loaded: Loaded
    clock: Clock
    epoch: int
    stop: Callable[[str], Awaitable[str]]
    on_event: Callable[[Mapping[str, Any]], None]
    on_latched: Callable[[Mapping[str, str]], None] = lambda _: None
    heard: tuple[str, int] = ("", 0)
    client: GuardClient = field(init=False)
    is_heard: bool = False
    """Whether the guard is heard, as far as is known."""
    is_fenced: bool = False
    """Whether the guard has heard a later controller than this one."""
    _process: subprocess.Popen[bytes] | None = None
    _heard_s: float = 0.0
    _has_served: bool = False
    _stops: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = GuardClient(self.place.socket, answer_s=self.rules.answer_s)

    @property
    def rules(self) -> Rules:
        """What the guard goes by."""
        return self.loaded.rules

    @asynccontextmanager
    async def running(self) -> AsyncIterator[GuardKeeper]:
        """Keep the guard while this is entered; it ends with this, unless systemd started it.

        Raises:
            LabRefused: It did not start.
        """
        await self._start()
        beating = asyncio.create_task(self._beats())
        try:
            yield self
        finally:
            beating.cancel()
            await asyncio.gather(beating, *self._stops.values(), return_exceptions=True)
            await self._last_beat()
            await self._leave()

    async def _last_beat(self) -> None:
        """Hear what the guard has told since the last beat: the supervisor of its end, which must take leave anyhow."""
        try:
            await self._beat()
        except Exception:  # a journal that takes nothing any more
            log.exception("beat_broke epoch=%d", self.epoch)

    async def _leave(self) -> None:
        """Take leave of the guard; it ends, unless it still has to make something safe."""
        unsafe: list[str] = []
        with suppress(GuardSilent, GuardError):
            unsafe = (await self.client.ask("goodbye", epoch=self.epoch))["unsafe"]
        await self.client.close()
        if unsafe:
            _LEFT[:] = [
                process for process in (*_LEFT, self._process) if process is not None and process.poll() is None
            ]
            self._process = None
            self._tell("guard_stays", f"not known to be safe: {', '.join(unsafe)}; the guard goes on until they are")
        await self._end_process()

    async def check(self, device: str, command: str, arguments: Mapping[str, Any], *, epoch: int = 0) -> Answer:
        """Ask whether a command may be given now, as this controller; see `orchestrator.guard.gate.Asked`.

        Raises:
            GuardSilent: The guard is silent.
        """
        if not self.is_heard:
            raise GuardSilent("its heartbeat is missing; it is being started again")
        try:
            return await self.client.check(device, command, arguments, epoch=self.epoch)
        except GuardError as error:
            raise GuardSilent(str(error)) from error

    async def acknowledge(self, trip: str, *, who: str, reason: str) -> str:
        """Release a latched trip; returns why that was refused, or nothing."""
        try:
            await self.client.acknowledge(trip, who=who, reason=reason)
        except (GuardSilent, GuardError) as error:
            return str(error)
        return ""

    async def tell_readings(self, readings: Mapping[str, tuple[Any, float]]) -> None:
        """Hand on readings, each with its age in seconds, of devices that only the controller reaches.

        Raises:
            GuardSilent: The guard is silent.
            GuardError: It cannot use them.
        """
        await self.client.ask("readings", readings=dict(readings))

    async def _start(self) -> None:
        """Have a guard of this laboratory answer: one that does already, or a new one."""
        until_s = self.clock.now_s() + START_S
        if await self._beat():
            return
        await self._end_other()
        await self._spawn()
        while not await self._beat():
            code = None if self._process is None else self._process.poll()
            if code is not None:
                raise LabRefused(f"the guard did not start (exit code {code}); its message stands above")
            if self.clock.now_s() > until_s:
                await self._end_process()
                raise LabRefused(f"the guard did not answer within {START_S:g} s of its start; nothing was started")
            await self.clock.sleep(POLL_S)

    async def _end_other(self) -> None:
        """End a guard that answers and guards another laboratory, or this one as it was; what it latched stays."""
        until_s = self.clock.now_s() + END_S
        while self.clock.now_s() < until_s:
            try:
                await self.client.ask("end", epoch=self.epoch)
            except GuardSilent:
                return
            except GuardError as error:
                raise LabRefused(f"another guard serves {self.place.socket}: {error}") from None
            await self.client.close()
            await self.clock.sleep(POLL_S)

    async def _spawn(self) -> None:
        await self._end_process()
        # a session of its own: Ctrl-C at the terminal is for the controller, and the guard outlives what kills it
        self._process = subprocess.Popen(self.place.command(), stdin=subprocess.DEVNULL, start_new_session=True)

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        until_s = self.clock.now_s() + (END_S if self.is_heard else 0.0)
        while process.poll() is None:
            if self.clock.now_s() >= until_s:
                process.kill()
            await self.clock.sleep(0.02)

    async def _beats(self) -> None:
        """Beat for ever: the supervisor of beats, which nothing that hears of them may end."""
        while True:
            try:
                if not await self._beat() and self.clock.now_s() - self._heard_s > self.rules.guard_s:
                    await self._lost()
            except Exception:  # the supervisor of beats: a journal that is full must not look like a dead controller
                log.exception("beat_broke epoch=%d", self.epoch)
            await self.clock.sleep(self.rules.guard_s / 3)

    async def _beat(self) -> bool:
        within_s = min(self.rules.answer_s, self.rules.guard_s / 2)
        try:
            answer = await self.client.ask(
                "heartbeat",
                answer_s=within_s,
                epoch=self.epoch,
                run=self.heard[0],
                events_since=self.heard[1],
                digest=self.loaded.digest,
            )
        except (GuardSilent, GuardError):
            return False
        if answer["digest"] != self.loaded.digest:
            return False
        if not answer["is_current"] and not self._has_served:  # it served a controller of another campaign
            self.epoch = answer["epoch"] + 1
            return await self._beat()
        self._has_served = True
        self._heard_s = self.clock.now_s()
        self.is_heard, self.is_fenced = True, not answer["is_current"]
        for device in answer["stop"]:
            self._stop_for_guard(device)
        for event in answer["events"]:
            self.on_event({**event, "run": answer["run"]})
            self.heard = (answer["run"], event["number"])
        if not self.is_fenced:
            self.on_latched(answer["latched"])
        return True

    async def _lost(self) -> None:
        """Apply the policy of each device, and start the guard again; return once it answers."""
        self.is_heard = False
        stop = [name for name, rule in self.rules.safety.items() if rule.on_guard_loss == "stop"]
        silent_s = self.clock.now_s() - self._heard_s
        answers = await asyncio.gather(*(self.stop(name) for name in stop), return_exceptions=True)
        text = f"the guard has been silent for {silent_s:.3g} s; nothing acts"
        self._tell("guard_lost", f"{text}; told to stop: {', '.join(stop) or 'nothing'}")
        for name, why in zip(stop, answers, strict=True):
            if why:
                self._tell("not_safe", f"{name} could not be stopped: {why}")
        attempt = 0
        while True:
            await self.clock.sleep(RESTART_AFTER_S[min(attempt, len(RESTART_AFTER_S) - 1)])
            attempt += 1
            try:
                await self.client.close()
                await self._start()
            except LabRefused as error:
                log.warning("guard_restart_failed attempt=%d error=%s", attempt, error)
                continue
            self._tell("guard_back", f"the guard answers again after {attempt} attempts", is_alarm=False)
            return

    def _stop_for_guard(self, device: str) -> None:
        """Stop a device for the guard, which cannot reach it, and tell it how that went."""
        if device in self._stops:
            return

        async def stopped() -> None:
            why = await self.stop(device)
            with suppress(GuardSilent, GuardError):
                await self.client.ask("stopped", device=device, error=why)

        task = self._stops[device] = asyncio.create_task(stopped())
        task.add_done_callback(lambda _: self._stops.pop(device, None))

    def _tell(self, kind: str, text: str, *, is_alarm: bool = True) -> None:
        """Tell whoever listens: the supervisor of listeners, since a guard must be started again without them too."""
        utc = self.clock.utc().isoformat()
        try:
            self.on_event(
                {"kind": kind, "text": text, "utc": utc, "is_alarm": is_alarm, "facts": {}, "number": 0, "run": ""}
            )
        except Exception:  # the supervisor of listeners
            log.exception("guard_event_not_taken kind=%s text=%s", kind, text)
