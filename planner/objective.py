"""What the campaign is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Direction = Literal["maximize", "minimize", "learn", "classify"]


@dataclass(frozen=True, slots=True)
class Objective:
    """One target and what to do with it.

    `learn` asks for a map of a number over the search space, `classify` for a map of regions: what is measured then is
    a fingerprint (a diffraction pattern, a spectrum), and where fingerprints are of one kind is a region.
    """

    name: str
    direction: Direction
    unit: str = "1"

    @property
    def is_ranked(self) -> bool:
        """Whether one value can be better than another."""
        return self.direction in ("maximize", "minimize")

    def __post_init__(self) -> None:
        if self.direction not in get_args(Direction):
            raise ValueError(f"objective {self.name!r}: direction must be one of {', '.join(get_args(Direction))}")
