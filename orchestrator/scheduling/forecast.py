"""When samples will be where: those on their way are sent through the stations on paper, one at a time each.

A station serves who waits for it as the board does: whoever has waited for long in the order in which they came, the
others by how much work is left to them. Robots are not looked at; what their trips cost is in how long visits last.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.scheduling.board import AGE_S

Servers = tuple[frozenset[str], ...]
"""Ways to be served: what each of them takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Something that is done with a sample before it is where it goes."""

    servers: Servers
    """Empty: anywhere, at any time."""
    lasts_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Traveller:
    """A sample on its way."""

    owner: str
    stages: tuple[Stage, ...]
    since_s: float
    """Since when it has waited for the first of them."""
    began_s: float | None = None
    """When the first of its stages began; None: it waits for it."""
    taken: frozenset[str] = frozenset()
    """What that stage takes, where it has begun."""
    beyond_s: float = 0.0
    """Work that is left after these stages: it counts for who goes first."""


@dataclass(slots=True)
class _Queue:
    """Who waits for some servers, or will."""

    later: list[tuple[float, int]] = field(default_factory=list)
    """By when they come."""
    waiting: list[tuple[float, int]] = field(default_factory=list)
    """Since when they wait."""


def arrivals(travellers: Iterable[Traveller], now_s: float) -> Mapping[str, float]:
    """Return when each will have been through all of its stages."""
    return _Walk(list(travellers), now_s).arrived_s()


class _Walk:
    def __init__(self, travellers: list[Traveller], now_s: float) -> None:
        self._travellers = travellers
        self._done = [0] * len(travellers)
        """Stages that are over, by traveller."""
        self._free_s: dict[str, float] = defaultdict(lambda: now_s)
        self._queues: dict[Servers, _Queue] = defaultdict(_Queue)
        self._arrived_s: dict[str, float] = {}
        for number, one in enumerate(travellers):
            if one.began_s is None or not one.stages:
                self._go_on(number, min(one.since_s, now_s))
                continue
            end_s = max(now_s, one.began_s + one.stages[0].lasts_s)
            self._free_s.update(dict.fromkeys(one.taken, end_s))
            self._done[number] = 1
            self._go_on(number, end_s)

    def arrived_s(self) -> Mapping[str, float]:
        while self._queues:
            start_s, servers = min(
                ((self._start_s(servers), servers) for servers in self._queues), key=lambda found: found[0]
            )
            self._serve(servers, start_s)
        return self._arrived_s

    def _start_s(self, servers: Servers) -> float:
        queue = self._queues[servers]
        comes_s = 0.0 if queue.waiting else queue.later[0][0]
        return max(comes_s, min(self._freed_s(one) for one in servers))

    def _freed_s(self, server: frozenset[str]) -> float:
        return max(self._free_s[name] for name in server)

    def _serve(self, servers: Servers, start_s: float) -> None:
        queue = self._queues[servers]
        while queue.later and queue.later[0][0] <= start_s:
            queue.waiting.append(heapq.heappop(queue.later))
        first = min(queue.waiting, key=lambda one: self._rank(*one, start_s))
        queue.waiting.remove(first)
        _, number = first
        if not queue.waiting and not queue.later:
            del self._queues[servers]
        end_s = start_s + self._travellers[number].stages[self._done[number]].lasts_s
        server = min(servers, key=self._freed_s)
        self._free_s.update(dict.fromkeys(server, end_s))
        self._done[number] += 1
        self._go_on(number, end_s)

    def _rank(self, since_s: float, number: int, now_s: float) -> tuple[float, ...]:
        if now_s - since_s >= AGE_S:
            return (0.0, since_s, number)
        one = self._travellers[number]
        left_s = one.beyond_s + sum(stage.lasts_s for stage in one.stages[self._done[number] :])
        return (1.0, -left_s, since_s, number)

    def _go_on(self, number: int, at_s: float) -> None:
        one = self._travellers[number]
        while self._done[number] < len(one.stages) and not one.stages[self._done[number]].servers:
            at_s += one.stages[self._done[number]].lasts_s
            self._done[number] += 1
        if self._done[number] == len(one.stages):
            self._arrived_s[one.owner] = at_s
        else:
            heapq.heappush(self._queues[one.stages[self._done[number]].servers].later, (at_s, number))
