"""Foresight: what is left to do with each sample, how long such things lasted of late, and what follows for furnaces.

It makes the problem (`orchestrator.scheduling.sharing`) that an optimiser of furnace runs is given.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median

from orchestrator.acts.step import owner_of
from orchestrator.journey import Journey, Whereabouts
from orchestrator.plan import Firing, Node, Visit, Wait
from orchestrator.scheduling.batching import Former
from orchestrator.scheduling.forecast import Stage, Traveller, arrivals
from orchestrator.scheduling.sharing import Job, Problem, Program

REMEMBERED = 9
"""Of the last how many times the median is taken."""
TRIP_S = 60.0
"""What a visit takes beyond its work, and the way home, until that was seen."""
HANDLING_S = 600.0
"""What a run takes beyond its program, until that was seen."""
OVERDUE_S = 300.0
"""When a furnace that should be free already is expected to be, from now."""


def stations_of(node: Firing) -> tuple[str, ...]:
    """Return what tells one kind of furnaces from another: where a run may be made."""
    return tuple(furnace.station for furnace in node.furnaces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A furnace that has a run."""

    work_s: float
    since_s: float


@dataclass(slots=True, kw_only=True)
class Foresight:
    """Knows what is left of each sample's plan, and what things take."""

    where: Whereabouts
    more_to_come: Callable[[], bool] = lambda: False
    """Whether samples will come that are not in the laboratory yet."""
    _left: dict[int, tuple[Node, ...]] = field(default_factory=dict)
    """By trial, the node that it is at first."""
    _beyond_s: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=REMEMBERED)))
    """What things took beyond their work, the newest last."""
    _gaps_s: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Between two samples that came to wait for a run while more were on their way."""
    _last_s: float | None = None
    """When the last of them came."""

    def expect(self, trial: int, left: Sequence[Node]) -> Firing | None:
        """Know what is left of a sample's plan, and return the run that it is going to wait for next."""
        firing = next((node for node in left if isinstance(node, Firing)), None)
        if firing is None and not left:
            self._left.pop(trial, None)
        else:
            self._left[trial] = tuple(left)
        return firing

    def visited(self, node: Visit, took_s: float) -> None:
        """Know how long a visit took, the way there included."""
        self._beyond_s[node.label].append(took_s - node.work_s)

    def arrived(self, journey: Journey, now_s: float) -> None:
        """Know that a sample waits for a run from now on."""
        if journey.done_s is not None:
            self._beyond_s["home"].append(now_s - journey.done_s)
        if self._last_s is not None:
            self._gaps_s.append(now_s - self._last_s)
        is_last = all(self._next(trial) is None or self._traveller(trial) is None for trial in self._others(journey))
        self._last_s = None if is_last else now_s  # until others come again no gap tells how fast they can

    def fired(self, node: Firing, took_s: float) -> None:
        """Know how long a run took, loading and emptying included."""
        self._beyond_s["run"].append(took_s - node.work_s)

    def problem(
        self, former: Former, now_s: float, *, furnaces: Iterable[Taken | None], stations: tuple[str, ...]
    ) -> Problem:
        """Return what is to be decided about the furnaces of one kind.

        furnaces: Those of the stations that are in service: what each of them is taken by.
        """
        waiting = [Job(owner=one.owner, key=one.key, ready_s=one.since_s) for one in former.waiting]
        known = {job.owner for job in waiting}
        ready_s = self._ready_s(now_s)
        nodes = {trial: node for trial in self._left if (node := self._next(trial)) is not None}
        coming = [
            Job(owner=owner_of(trial), key=node.key, ready_s=ready_s[owner_of(trial)])
            for trial, node in nodes.items()
            if owner_of(trial) not in known and owner_of(trial) in ready_s and stations_of(node) == stations
        ]
        return Problem(
            now_s=now_s,
            capacity=former.capacity,
            jobs=(*waiting, *coming),
            programs=self._programs(nodes),
            free_s=tuple(self._free_s(taken, now_s) for taken in furnaces),
            is_open=self.more_to_come(),
        )

    def _others(self, journey: Journey) -> list[int]:
        return [trial for trial in self._left if trial != journey.trial]

    def _next(self, trial: int) -> Firing | None:
        return next((node for node in self._left[trial] if isinstance(node, Firing)), None)

    def _programs(self, nodes: Mapping[int, Firing]) -> dict[str, Program]:
        programs: dict[str, Program] = {}
        for trial, node in nodes.items():
            left = self._left[trial]
            tail_s = sum(self._lasts_s(one) for one in left[left.index(node) + 1 :])
            known = programs.get(node.key)
            tail_s = max(tail_s, known.tail_s if known else 0.0)
            programs[node.key] = Program(run_s=self._lasts_s(node), tail_s=tail_s)
        return programs

    def _free_s(self, taken: Taken | None, now_s: float) -> float:
        if taken is None:
            return now_s
        return max(now_s + OVERDUE_S, taken.since_s + taken.work_s + self._more_s("run", HANDLING_S))

    def _ready_s(self, now_s: float) -> dict[str, float]:
        """Return when each sample on its way to a furnace is expected to wait for it."""
        trip_s = self._more_s("home", TRIP_S)
        found = arrivals([one for trial in self._left if (one := self._traveller(trial)) is not None], now_s)
        bound = [owner_of(trial) for trial in self._left if self._next(trial) is not None]
        # whoever is expected has not come yet
        ready_s = {owner: max(found[owner], now_s) + trip_s for owner in bound if owner in found}
        if not self._gaps_s or self._last_s is None:
            return ready_s
        # nor do they come any faster than of late: robots may be what they wait for
        gap_s = mean(self._gaps_s)
        order = sorted(ready_s, key=lambda owner: ready_s[owner])
        return {
            owner: max(ready_s[owner], self._last_s + number * gap_s) for number, owner in enumerate(order, start=1)
        }

    def _traveller(self, trial: int) -> Traveller | None:
        """Return a sample as one of those who compete for stations; None where it has a run."""
        journey, left = self.where.journeys.get(trial), self._left[trial]
        if journey is None or journey.has_left or journey.batch is not None:
            return None
        firing = next((i for i, node in enumerate(left) if isinstance(node, Firing)), len(left))
        began_s = journey.began_s if isinstance(left[0], Visit) and journey.visit == left[0].path else None
        return Traveller(
            owner=owner_of(trial),
            since_s=journey.done_s or 0.0,
            stages=tuple(self._stage(node) for node in left[:firing]),
            began_s=began_s,
            taken=_taken(left[0], journey) if began_s is not None else frozenset(),
            beyond_s=sum(self._lasts_s(node) for node in left[firing:]),
        )

    def _stage(self, node: Node) -> Stage:
        servers = tuple(way.devices | {way.place} for way in node.ways) if isinstance(node, Visit) else ()
        return Stage(servers=servers, lasts_s=self._lasts_s(node))

    def _lasts_s(self, node: Node) -> float:
        match node:
            case Visit():
                return node.work_s + self._more_s(node.label, TRIP_S)
            case Firing():
                return node.work_s + self._more_s("run", HANDLING_S)
            case Wait():
                return node.duration_s
        return 0.0

    def _more_s(self, what: str, at_first_s: float) -> float:
        seen = self._beyond_s.get(what)
        return median(seen) if seen else at_first_s


def _taken(node: Node, journey: Journey) -> frozenset[str]:
    ways = node.ways if isinstance(node, Visit) else ()
    return next((way.devices | {way.place} for way in ways if way.place == journey.place), frozenset())
