"""An instrument on the test's desk: bytes in, bytes out, and a clock that the test turns."""

from dataclasses import dataclass, field

import pytest

from simulators.world import WorldFile


@dataclass
class Desk:
    time_s: float = 0.0
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))

    def now_s(self) -> float:
        return self.time_s

    def ask(self, instrument, request: bytes) -> bytes:
        """Send bytes and return all that came back at once."""
        heard: list[bytes] = []
        instrument.send = heard.append
        instrument.receive(request)
        return b"".join(heard)


@pytest.fixture
def desk():
    return Desk()
