"""What the campaign is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Direction = Literal["maximize", "minimize", "learn"]


@dataclass(frozen=True, slots=True)
class Objective:
    """One target and what to do with it; `learn` asks for a map of it over the search space."""

    name: str
    direction: Direction
    unit: str = "1"

    def __post_init__(self) -> None:
        if self.direction not in get_args(Direction):
            raise ValueError(f"objective {self.name!r}: direction must be one of {', '.join(get_args(Direction))}")
