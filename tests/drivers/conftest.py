"""Ways to try a driver or a link: a scripted device, in memory and on a real pseudo-terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.links.memory import MemoryLink
from simulators.film_station import FilmStation
from simulators.world import WorldFile

Answer = Callable[[bytes], list[tuple[float, bytes]]]


class Device:
    """A scripted device: `answer` gives, for each line, pieces of the reply and the seconds after which they come."""

    def __init__(self, answer: Answer) -> None:
        self.send: Callable[[bytes], None] | None = None
        self.answer = answer
        self.asked: list[bytes] = []
        self._buffer = b""

    def receive(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self.asked.append(line)
            for delay_s, piece in self.answer(line):
                self.after(delay_s, piece)

    def after(self, delay_s: float, piece: bytes) -> None:
        if delay_s > 0.0:
            asyncio.get_running_loop().call_later(delay_s, self._say, piece)
        else:
            self._say(piece)

    def _say(self, piece: bytes) -> None:
        if self.send is not None:
            self.send(piece)


@dataclass
class Lab:
    """A film station in virtual time."""

    options: Mapping[str, Any] = field(default_factory=dict)
    start_s: float = 0.0
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))

    def __post_init__(self) -> None:
        self.loop = VirtualLoop(self.start_s)
        self.clock = VirtualClock(self.loop)
        self.world = FilmStation(state=self.state, clock=self.clock, seed=5, options=self.options)
        self.wrap: Callable[[Any], Any] = lambda instrument: instrument

    def driver(self, kind: Callable[..., Any], instrument: str) -> Any:
        """Return a driver on an in-memory link to an instrument, or to what `wrap` makes of it."""
        peer = self.wrap(self.world.instruments[instrument])
        return kind(MemoryLink(peer, self.clock, name=f"sim:film-station/{instrument}"), self.clock, name=instrument)

    def run(self, main: Callable[[], Awaitable[None]]) -> None:
        async def whole() -> None:
            await main()

        run_virtual(whole(), loop=self.loop)


@pytest.fixture
def lab() -> Iterator[Lab]:
    yield Lab()


@pytest.fixture(scope="session")
def lab_kind() -> type[Lab]:
    return Lab


@pytest.fixture(scope="session")
def device_kind() -> type[Device]:
    return Device
