"""Short lists: the points that would be asked for if a result came as imagined, and how long they may be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

SPECULATED = "speculated"
"""The event that holds a short list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortList:
    """What would be asked for if some results came as imagined."""

    ask: int
    """The ask that it is for."""
    quantile: float
    imagined: Mapping[int, Mapping[str, float]]
    """Values by trial and target; trials of which nothing is expected yet stand here without any."""
    unimagined: Sequence[int]
    """The other trials that were under way: what comes of them it neither knows nor has imagined."""
    points: Sequence[Mapping[str, Any]]
    """The best first."""
    busy_s: float
    """What it took, by the campaign's clock."""

    def unseen(self, ended: Callable[[int], bool]) -> int:
        """Return how many results came that it neither knows nor has imagined."""
        return sum(map(ended, self.unimagined))

    def body(self) -> dict[str, Any]:
        """Return it as the journal keeps it."""
        return {
            "ask": self.ask,
            "quantile": self.quantile,
            "imagined": {str(number): dict(values) for number, values in self.imagined.items()},
            "unimagined": list(self.unimagined),
            "points": [dict(point) for point in self.points],
            "busy_s": self.busy_s,
        }

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ShortList:
        """Return what `body` wrote."""
        imagined = {int(number): values for number, values in body["imagined"].items()}
        return cls(**{**body, "imagined": imagined})


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What may be chosen among now."""

    points: Sequence[Mapping[str, Any]]
    unseen: int
    lists: int
    why: str = ""
    """Why there are none."""


def merged(lists: Sequence[ShortList], ended: Callable[[int], bool], *, s_max: int, most: int) -> Chosen:
    """Return the points of the freshest lists, first those that stand first, each once.

    Args:
        lists: Those that are ready.
        ended: Whether the result of a trial has come.
        s_max: How many results a list may have missed.
        most: How many points.
    """
    if not lists:
        return Chosen(points=(), unseen=0, lists=0, why="no short list was ready")
    unseen = min(one.unseen(ended) for one in lists)
    if unseen > s_max:
        why = f"the short lists miss {unseen} results, and at most {s_max} may be missed"
        return Chosen(points=(), unseen=unseen, lists=0, why=why)
    fresh = [one for one in lists if one.unseen(ended) == unseen]
    points: list[Mapping[str, Any]] = []
    for point in _in_turn(fresh):
        if len(points) < most and point not in points:
            points.append(point)
    why = "" if points else "the short lists are empty"
    return Chosen(points=points, unseen=unseen, lists=len(fresh), why=why)


def _in_turn(lists: Sequence[ShortList]) -> Iterator[Mapping[str, Any]]:
    for row in zip_longest(*(one.points for one in lists)):
        yield from (point for point in row if point is not None)
