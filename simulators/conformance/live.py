"""The part of the suite for real ports, a served simulator's or hardware: it only reads, unless actuation is allowed.

It also watches what only wall time shows: that no call stalls the event loop, and that no thread or socket is left.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from drivers.clock import RealClock
from drivers.command import CommandSpec, Effect, command_specs
from drivers.errors import DriverError, OutOfLimits
from drivers.links.opening import open_link
from drivers.links.url import BadURL
from drivers.manifest import unfit_link, warn_unverified
from simulators.conformance.bench import takes_tag
from simulators.conformance.results import CaseResult, Report

STALL_S = 0.05
"""No driver call may hold the event loop for longer."""
BEAT_S = 0.002
MACHINE_FACTOR = 3.0
"""A stall counts only where it exceeds by this factor what a thread beside the loop has had to wait: a busy machine
keeps both from running, a driver that blocks only the loop."""
SHARED_THREADS = ("labpilot-ca",)
"""Threads that belong to the process and not to a link."""


def check_live(
    driver: type, url: str, *, name: str = "", allow_actuation: bool = False, only: Collection[str] = ()
) -> Report:
    """Run the live suite on a driver and a real port.

    Args:
        driver: The class.
        url: Where the device is; see `drivers.links.url`.
        name: What the report calls it.
        allow_actuation: Give acting commands too, with their examples: things move and heat.
        only: The commands to give; empty for all.

    Raises:
        BadURL: The URL cannot be opened.
    """
    if unfit := unfit_link(driver, url):
        raise BadURL(unfit)
    results = asyncio.run(_checked(driver, url, allow_actuation=allow_actuation, only=only))
    effects = {command: str(spec.effect) for command, spec in command_specs(driver).items()}
    return Report(driver=name or driver.__name__, results=tuple(results), effects=effects)


async def _checked(driver: type, url: str, *, allow_actuation: bool, only: Collection[str]) -> list[CaseResult]:
    before = _left_over()
    machine = _Machine()
    session = _Session(driver=driver, url=url, allow_actuation=allow_actuation, only=only, machine=machine)
    pulse = asyncio.ensure_future(session.feel_pulse())
    try:
        results = [result async for result in session.results()]
    finally:
        pulse.cancel()
        machine.stop()
    await asyncio.sleep(0.05)
    left = {what: sorted(names - before[what]) for what, names in _left_over().items()}
    problems = tuple(f"{what} left: {', '.join(names)}" for what, names in left.items() if names)
    results.append(CaseResult(group="ports", command="close", problems=problems))
    return results


def _left_over() -> dict[str, set[str]]:
    threads = {thread.name for thread in threading.enumerate() if not thread.name.startswith(SHARED_THREADS)}
    return {"threads": threads, "sockets and files": set(_open_files())}


def _open_files() -> Iterator[str]:
    folder = "/proc/self/fd"
    for number in os.listdir(folder) if os.path.isdir(folder) else ():
        try:
            target = os.readlink(f"{folder}/{number}")
        except OSError:
            continue
        if target.startswith("socket:") or "/pts/" in target or "/tty" in target:
            yield f"{number} {target}"


class _Machine:
    """A thread that only sleeps, and tells how late the machine lets it wake."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="machine-pulse", daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        began = time.perf_counter()
        while not self._stopped.wait(BEAT_S):
            now = time.perf_counter()
            self.worst_s = max(self.worst_s, now - began - BEAT_S)
            began = now

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()


@dataclass(slots=True, kw_only=True)
class _Session:
    driver: type
    url: str
    allow_actuation: bool
    only: Collection[str]
    machine: _Machine
    _worst_s: float = 0.0
    _specs: dict[str, CommandSpec] = field(default_factory=dict)
    _made_ready: set[str] = field(default_factory=set)

    async def feel_pulse(self) -> None:
        """Measure how late the event loop is, for ever."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(BEAT_S)
            self._worst_s = max(self._worst_s, time.perf_counter() - began - BEAT_S)

    async def results(self) -> AsyncIterator[CaseResult]:
        """Connect, give the commands, close."""
        self._specs = command_specs(self.driver)
        clock = RealClock()
        warn_unverified(self.driver, self.url)
        device = self.driver(open_link(self.url, clock), clock, name="device")
        yield await self._tried("connect", device.connect())
        try:
            for name, spec in self._specs.items():
                why_not = self._forbidden(spec)
                if why_not:
                    yield CaseResult(group="ports", command=name, why_not=why_not)
                    continue
                yield await self._tried(name, self._given(device, spec))
                if spec.arguments:
                    yield await self._refused(device, spec)
        finally:
            yield await self._tried("disconnect", device.close())

    def _forbidden(self, spec: CommandSpec) -> str:
        if self.only and spec.name not in self.only:
            return "it was not asked for"
        if self.allow_actuation:
            return ""
        if spec.effect is not Effect.READ:
            return "it acts, and actuation was not allowed"
        acting = [name for name in spec.after if self._specs[name].effect is not Effect.READ]
        return f"it needs {', '.join(acting)} before, and actuation was not allowed" if acting else ""

    async def _given(self, device: Any, spec: CommandSpec) -> None:
        await self._prepared(device, spec.name)
        if spec.effect is not Effect.READ and "stop" in self._specs and spec.name != "stop":
            await device.stop()  # nothing is left running, and nothing stands in the way of the next command
            self._made_ready.clear()

    async def _prepared(self, device: Any, name: str) -> None:
        for before in self._specs[name].after:
            if before not in self._made_ready:
                self._made_ready.add(before)
                await self._prepared(device, before)
        await getattr(device, name)(**self._arguments(name))

    def _arguments(self, name: str) -> dict[str, Any]:
        arguments = dict(self._specs[name].example)
        if takes_tag(self.driver, name):
            arguments["tag"] = f"kit-{name}-{time.time_ns()}"
        return arguments

    async def _tried(self, name: str, call: Any) -> CaseResult:
        self._worst_s, problems, outcome = 0.0, [], "success"
        try:
            await call
        except DriverError as error:
            outcome = type(error).__name__
            problems.append(str(error))
        await asyncio.sleep(2 * BEAT_S)
        if self._worst_s > max(STALL_S, MACHINE_FACTOR * self.machine.worst_s):
            problems.append(f"the event loop stood still for {1000 * self._worst_s:.0f} ms")
        return CaseResult(group="ports", command=name, outcome=outcome, problems=tuple(problems))

    async def _refused(self, device: Any, spec: CommandSpec) -> CaseResult:
        bounded = [(name, quantity.high) for name, quantity in spec.arguments.items() if quantity.high is not None]
        if not bounded:
            return CaseResult(group="ports", command=spec.name, why_not="nothing is limited")
        name, high = bounded[0]
        problems: tuple[str, ...] = ("a value above the limit was accepted",)
        try:
            await getattr(device, spec.name)(**{**self._arguments(spec.name), name: high + max(1.0, abs(high))})
        except OutOfLimits:
            problems = ()
        except DriverError as error:
            problems = (f"{type(error).__name__} and not OutOfLimits: {error}",)
        return CaseResult(group="ports", command=spec.name, fault=f"{name} above", problems=problems)
