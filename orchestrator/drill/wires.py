"""Wires on which one exchange goes wrong, between an in-memory link and a simulated instrument."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Struck = Callable[[], None]


class Between:
    """Passes bytes between a link and an instrument, and knows which requests change something.

    Args:
        peer: The instrument.
    """

    def __init__(self, peer: Any) -> None:
        self._peer = peer
        self._link: Any = None
        self._n_acts = 0
        self.send: Callable[[bytes], None] | None = None
        self.hang_up: Callable[[], None] | None = None
        peer.send, peer.hang_up = self.answered, self.dropped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)

    def linked(self, link: Any) -> None:
        """Hear which link speaks to the instrument."""
        self._link = link

    def is_act(self) -> bool:
        """Say whether the request that has just come is one that changes something; ask once for each."""
        before, self._n_acts = self._n_acts, getattr(self._link, "n_acts_sent", 0)
        return self._n_acts > before

    def answered(self, data: bytes) -> None:
        """Take what the instrument says."""
        if self.send is not None:
            self.send(data)

    def dropped(self) -> None:
        """End the connection."""
        if self.hang_up is not None:
            self.hang_up()


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFault:
    """What happens at one exchange."""

    loses_request: bool = False
    loses_reply: bool = False
    damages_reply: bool = False
    repeats_request: bool = False
    """The instrument gets it twice."""
    repeats_reply: bool = False
    late_s: float = 0.0
    hangs_up: bool = False
    """The connection ends after it."""
    is_deaf_s: float = 0.0
    """For how long nothing is heard from then on."""
    restarts: bool = False
    """The instrument restarts, and forgets what it keeps in memory only."""


class BadWire(Between):
    """An instrument whose wire has one fault.

    Args:
        peer: The instrument.
        fault: What goes wrong.
        at: The number of the request at which it does, from 1, among those that change something.
        struck: Called when it does.
    """

    def __init__(self, peer: Any, fault: WireFault, *, at: int, struck: Struck) -> None:
        super().__init__(peer)
        self._fault, self._at, self._struck = fault, at, struck
        self._n = 0
        self._deaf_until_s = 0.0
        self._is_this = False

    def receive(self, data: bytes) -> None:
        """Pass a request on, unless the fault is against it."""
        is_act = self.is_act()
        self._n += is_act
        self._is_this = is_act and self._n == self._at
        if self._is_this:
            self._struck()
            self._suffer(data)
        elif asyncio.get_running_loop().time() >= self._deaf_until_s:
            self._peer.receive(data)

    def _suffer(self, data: bytes) -> None:
        fault = self._fault
        if fault.is_deaf_s:
            self._deaf_until_s = asyncio.get_running_loop().time() + fault.is_deaf_s
        elif fault.restarts:
            self._peer.restart()
        elif not fault.loses_request:
            self._peer.receive(data)
            if fault.repeats_request:
                self._peer.receive(data)
        if fault.hangs_up:
            self.dropped()

    def answered(self, data: bytes) -> None:
        """Pass a reply on, unless the fault is against it."""
        if asyncio.get_running_loop().time() < self._deaf_until_s:
            return
        fault = self._fault
        if not self._is_this:
            super().answered(data)
        elif fault.late_s:
            asyncio.get_running_loop().call_later(fault.late_s, super().answered, data)
        elif not fault.loses_reply:
            for _ in range(2 if fault.repeats_reply else 1):
                super().answered(_damaged(data) if fault.damages_reply else data)


def _damaged(data: bytes) -> bytes:
    """Turn bytes into others, framing apart."""
    return bytes(byte ^ 0x15 if byte not in b"\r\n" else byte for byte in data)
