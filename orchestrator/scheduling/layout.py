"""The layout: places that samples stand at, the stations they belong to, and the robots that carry between them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

_RANGE = re.compile(r"(?P<stem>.*?)(?P<low>\d+)\.\.(?P<stem2>.*?)(?P<high>\d+)")


class BadRange(ValueError):
    """A range of places that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One transfer by one robot."""

    robot: str
    source: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a sample gets from one place to another."""

    legs: tuple[Leg, ...]

    @property
    def resources(self) -> frozenset[str]:
        """Robots and places on the way, and the destination: what a move claims together."""
        return frozenset(name for leg in self.legs for name in (leg.robot, leg.destination))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Places, stations and robots of one laboratory."""

    homes: tuple[str, ...]
    """Places of which each sample has one for as long as it is in the laboratory."""
    magazine: str
    """Where a new container comes from."""
    chute: str
    """Where one that is done with leaves the laboratory."""
    reach: Mapping[str, tuple[str, ...]]
    """Places by robot."""
    stations: Mapping[str, Station] = field(default_factory=dict)

    @cached_property
    def places(self) -> tuple[str, ...]:
        """Return every place, once."""
        at_stations = (place for station in self.stations.values() for place in station.places)
        reached = (place for places in self.reach.values() for place in places)
        return tuple(dict.fromkeys([*self.homes, self.magazine, self.chute, *at_stations, *reached]))

    @cached_property
    def handovers(self) -> frozenset[str]:
        """Return the places that only serve to pass a sample from one robot to another."""
        named = {*self.homes, self.magazine, self.chute}
        named |= {place for station in self.stations.values() for place in station.places}
        return frozenset(self.places) - named

    @property
    def unlimited(self) -> frozenset[str]:
        """Return the places that any number of samples may be at: they are neither claimed nor full."""
        return frozenset({self.magazine, self.chute})

    def station_of(self, place: str) -> str | None:
        """Return the station that a place belongs to."""
        return next((name for name, station in self.stations.items() if place in station.places), None)

    def route(self, source: str, destination: str) -> Route | None:
        """Return the way with the fewest transfers; None where there is none."""
        if (source, destination) not in self._routes:
            self._routes[source, destination] = self._search(source, destination)
        return self._routes[source, destination]

    @cached_property
    def _routes(self) -> dict[tuple[str, str], Route | None]:
        return {}

    def _search(self, source: str, destination: str) -> Route | None:
        waiting: deque[tuple[str, tuple[Leg, ...]]] = deque([(source, ())])
        seen = {source}
        while waiting:
            here, legs = waiting.popleft()
            for leg in self._legs(here, destination):
                if leg.destination == destination:
                    return Route(legs=(*legs, leg))
                if leg.destination not in seen:
                    seen.add(leg.destination)
                    waiting.append((leg.destination, (*legs, leg)))
        return None

    def _legs(self, here: str, destination: str) -> Iterator[Leg]:
        for robot, places in self.reach.items():
            if here in places:
                for place in places:
                    if place != here and (place == destination or place in self.handovers):
                        yield Leg(robot=robot, source=here, destination=place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Devices that work on what stands at some places."""

    places: tuple[str, ...]
    devices: tuple[str, ...]


def places_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the places that a list names; ``home-01..home-48`` stands for 48 of them.

    Raises:
        BadRange: A range has two stems, runs backwards, or is far too long.
    """
    return tuple(place for name in names for place in _expanded(name))


def _expanded(name: str) -> list[str]:
    if ".." not in name:
        return [name]
    match = _RANGE.fullmatch(name)
    if match is None or match["stem"] != match["stem2"]:
        raise BadRange(f"{name!r} is no range of places; write it like 'home-01..home-48'")
    low, high = int(match["low"]), int(match["high"])
    if high < low or high - low >= 1000:
        raise BadRange(f"{name!r} holds {high - low + 1} places; a range has 1 to 1000")
    return [f"{match['stem']}{number:0{len(match['low'])}d}" for number in range(low, high + 1)]


def problems(layout: Layout) -> Iterator[str]:
    """Yield what is wrong with a layout, as sentences."""
    owners: dict[str, str] = {}
    kinds = {"homes": layout.homes, "magazine": (layout.magazine,), "chute": (layout.chute,)}
    kinds |= {f"station {name}": station.places for name, station in layout.stations.items()}
    for kind, places in kinds.items():
        for place in places:
            if place in owners:
                yield f"the place {place!r} belongs to {owners[place]} and to {kind}; each place has one purpose"
            owners[place] = kind
    reached = {place for places in layout.reach.values() for place in places}
    for place, kind in owners.items():
        if place not in reached:
            yield f"no robot reaches the place {place!r} of {kind}"
    yield from _cut_off(layout, owners, reached)


def _cut_off(layout: Layout, owners: Mapping[str, str], reached: set[str]) -> Iterator[str]:
    if not layout.homes or layout.homes[0] not in reached:
        return
    home = layout.homes[0]
    for place, kind in owners.items():
        if place == home or place not in reached or place == layout.magazine:
            continue
        if layout.route(home, place) is None:
            yield f"no way leads from {home!r} to {place!r} of {kind}; let two robots reach a place between them"
    if layout.magazine in reached and layout.route(layout.magazine, home) is None:
        yield f"no way leads from the magazine {layout.magazine!r} to {home!r}"
