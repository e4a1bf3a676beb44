"""The test bench: one driver on one simulated instrument, in memory and in virtual time, with a faulty wire between."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.command import CommandSpec, command_specs
from drivers.links.channels import MemoryChannels
from drivers.links.memory import MemoryLink
from drivers.links.opening import bus_over
from drivers.links.tap import Tap
from simulators.faults import FaultyWire
from simulators.world import WorldFile

SEED = 5

Act = tuple[str, str]
"""What was done, and with what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One exchange of a command that went well."""

    timeout_s: float
    late_max_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is tried: a driver class, the world that simulates its device, and the instrument to talk to."""

    driver: type
    world: Callable[..., Any]
    instrument: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def specs(self) -> dict[str, CommandSpec]:
        """The driver's commands."""
        return command_specs(self.driver)


class SpyLink(MemoryLink):
    """An in-memory link that notes the deadlines of its exchanges."""

    noted: list[Exchange]

    async def exchange(self, request: bytes, **how: Any) -> bytes:  # type: ignore[override]
        """Exchange, and note how."""
        self.noted.append(Exchange(timeout_s=how["timeout_s"], late_max_s=how.get("late_max_s", 0.25)))
        return await super().exchange(request, **how)


class SpyChannels(MemoryChannels):
    """In-memory channels that note the deadlines of their exchanges."""

    noted: list[Exchange]

    async def get(self, channel: str, *, timeout_s: float = 2.0) -> Any:
        """Get, and note how."""
        self.noted.append(Exchange(timeout_s=timeout_s, late_max_s=0.25))
        return await super().get(channel, timeout_s=timeout_s)

    async def put(self, channel: str, value: Any, **how: Any) -> None:
        """Put, and note how."""
        noted = Exchange(timeout_s=how.get("timeout_s", 2.0), late_max_s=how.get("late_max_s", 0.25))
        self.noted.append(noted)
        await super().put(channel, value, **how)


class Bench:
    """A driver on its instrument, ready to be connected. Use it inside `run`."""

    def __init__(self, subject: Subject, clock: VirtualClock, *, noise: int = SEED) -> None:
        self.subject = subject
        self.clock = clock
        self.state = WorldFile(":memory:")
        self.world = subject.world(state=self.state, clock=clock, seed=SEED, options=subject.options)
        instrument = self.world.instruments[subject.instrument]
        self.exchanges: list[Exchange] = []
        self.tap = Tap(clock, keep=100_000)
        name = f"sim:{subject.world.__name__}/{subject.instrument}"
        self.wire: Any
        self.pipe: Any
        if instrument.wire == "ca":
            from simulators.faulty_channels import FaultyChannels

            self.wire = FaultyChannels(instrument, seed=noise)
            self.pipe = SpyChannels(self.wire, clock, name=name, tap=self.tap)
            link: Any = self.pipe
        else:
            self.wire = FaultyWire(instrument, seed=noise)
            self.pipe = SpyLink(self.wire, clock, name=name, tap=self.tap)
            link = bus_over(self.pipe, self.wire)
        self.pipe.noted = self.exchanges
        self.link = link
        self.driver = subject.driver(link, clock, name=subject.instrument)

    def close(self) -> None:
        """Release the world."""
        self.world.close()

    async def ready(self, command: str) -> None:
        """Connect, and give the commands that a command needs before."""
        await self.driver.connect()
        for number, name in enumerate(self._before(command)):
            await self.call(name, tag=f"before-{number}")

    def _before(self, command: str, depth: int = 0) -> list[str]:
        if depth > 10:
            raise ValueError(f"the commands before {command!r} go in a circle")
        names = []
        for name in self.subject.specs[command].after:
            names += [*self._before(name, depth + 1), name]
        return names

    async def call(self, command: str, *, tag: str = "kit-1") -> Any:
        """Give a command with its example."""
        return await getattr(self.driver, command)(**self.arguments(command, tag=tag))

    def arguments(self, command: str, *, tag: str = "kit-1") -> dict[str, Any]:
        """Return the arguments of a command's example, with a tag where it takes one."""
        arguments = dict(self.subject.specs[command].example)
        if takes_tag(self.subject.driver, command):
            arguments["tag"] = tag
        return arguments

    def acts(self, since: int = 0) -> tuple[Counter[Act], Counter[Act]]:
        """Return what the instrument did since its n-th act: everything, and what must not happen twice."""
        everything: Counter[Act] = Counter()
        once: Counter[Act] = Counter()
        for key in list(self.state.keys("act/"))[since:]:
            row = self.state.get(key)
            facts = {name: value for name, value in row["facts"].items() if name not in ("tag", "mark")}
            act = (row["what"], repr(sorted(facts.items())))
            everything[act] += 1
            if row["once"]:
                once[act] += 1
        return everything, once

    def n_acts(self) -> int:
        """Return how many acts there were so far."""
        return len(list(self.state.keys("act/")))


def takes_tag(driver: type, command: str) -> bool:
    """Say whether a command takes a tag."""
    return "tag" in inspect.signature(getattr(driver, command)).parameters


def run(subject: Subject, use: Callable[[Bench], Coroutine[Any, Any, Any]], *, noise: int = SEED) -> Any:
    """Build a bench on a virtual loop of its own, use it, and take it apart; `noise` seeds what damages bytes."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def whole() -> Any:
        bench = Bench(subject, clock, noise=noise)
        try:
            return await use(bench)
        finally:
            await bench.driver.close()
            bench.close()

    return run_virtual(whole(), loop=loop)


async def let_run(bench: Bench, seconds: float) -> None:
    """Let virtual time pass."""
    await bench.clock.sleep(seconds)
    await asyncio.sleep(0)
