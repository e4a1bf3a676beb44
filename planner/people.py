"""What people say to a planner while it works: points to try, areas that are forbidden, areas that are likely good.

A likely area multiplies the worth of points by `pi(x)^(beta / n)`: pi is a density with the stated probability inside
the area, n the results since it was said, so that its weight fades as data speak (piBO, Hvarfner et al., ICLR 2022,
arXiv 2204.11051, eq. 6). A wrong hint so delays, and never forbids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.area import Shape, read_area
from planner.errors import BadOption
from planner.proposal import Value

if TYPE_CHECKING:
    from planner.policies.base import PlannerData
    from planner.space import SearchSpace

BETA = 5.0
"""How many results a hint is worth (benchmarks/hints.py, chosen on tuning seeds)."""
COLD = "cold"
"""The model that knows what was told and nothing else: the default Gaussian process of each target."""
_EDGE = 0.05
"""Of the ranges: over it the density falls outside an area, so that the search can climb towards it."""
_N_DRAWN = 2048
_N_LOOKED_AT = 200
"""Rows drawn for each that hints choose to begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likely:
    """An area that probably holds what is looked for."""

    area: Mapping[str, Any]
    """See `planner.area`."""
    confidence: float
    """Probability that it does, between 0 and 1."""
    since: int = 0
    """How many observations had been told when it was said."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """All that people have said and that still stands; immutable plain data, by the names that they gave it."""

    suggested: tuple[Mapping[str, Value], ...] = ()
    """Points to be asked for next, in order."""
    forbidden: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Areas without any proposal."""
    likely: Mapping[str, Likely] = field(default_factory=dict)
    model: str | None = None
    """The model that plans, whatever results say; None: the policy decides."""
    leads: str | None = None
    """The model that has foretold results best, where somebody keeps count; a policy that is asked to follows it."""

    def data(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "suggested": [dict(point) for point in self.suggested],
            "forbidden": {name: dict(area) for name, area in self.forbidden.items()},
            "likely": {
                name: {"area": dict(one.area), "confidence": one.confidence, "since": one.since}
                for name, one in self.likely.items()
            },
            **({} if self.model is None else {"model": self.model}),
            **({} if self.leads is None else {"leads": self.leads}),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Said:
        """Return what `data` wrote."""
        likely = {name: Likely(**one) for name, one in data["likely"].items()}
        return cls(
            suggested=tuple(data["suggested"]),
            forbidden=dict(data["forbidden"]),
            likely=likely,
            model=data.get("model"),
            leads=data.get("leads"),
        )


NOTHING_SAID = Said()


@dataclass(frozen=True, eq=False)
class Hints:
    """The likely areas of a space, as weights of points."""

    space: SearchSpace
    likely: Mapping[str, Likely]

    @cached_property
    def _shapes(self) -> dict[str, Shape]:
        return {name: read_area(self.space, one.area) for name, one in self.likely.items()}

    @cached_property
    def _contrasts(self) -> dict[str, float]:
        """Logarithm of the density inside over that outside, by name."""
        rows = self.space.sample_rows(_N_DRAWN, np.random.default_rng(0))
        found = {}
        for name, one in self.likely.items():
            share = np.mean(self._inside(name, rows))
            share = float(np.clip(share, 1.0 / _N_DRAWN, 1.0 - 1.0 / _N_DRAWN))
            found[name] = float(np.log(one.confidence / share) - np.log((1.0 - one.confidence) / (1.0 - share)))
        return found

    def _beyond(self, name: str, rows: np.ndarray) -> np.ndarray:
        shape = self._shapes[name]
        far = shape.beyond(rows)
        if self.space.conditions is not None:
            lacks = ~self.space.conditions.active(rows)[:, list(shape.columns)].all(axis=1)
            far = np.where(lacks, 1.0, far)
        return far

    def _inside(self, name: str, rows: np.ndarray) -> np.ndarray:
        return self._beyond(name, rows) == 0.0

    def _strength(self, name: str, n_told: int) -> float:
        return self._contrasts[name] * BETA / max(BETA, n_told - self.likely[name].since)

    def log_weight(self, rows: np.ndarray, n_told: int) -> np.ndarray:
        """Return the logarithm of what the worth of rows (`n x p`) is multiplied by (`n`), at most 0.

        Args:
            rows: Rows of the space.
            n_told: How many observations were told.
        """
        total = np.zeros(len(rows))
        for name in self.likely:
            top, far = self._strength(name, n_told), self._beyond(name, rows)
            near = np.exp(-0.5 * (far / _EDGE) ** 2)
            # between the density outside and that inside; written from the greater of both
            low = np.exp(-abs(top))
            total += np.log(low + (1.0 - low) * (near if top >= 0 else 1.0 - near))
        return total

    def said(self, row: np.ndarray, n_told: int) -> str:
        """Say what hints did to the choice of a row (`p`)."""
        parts = []
        for name, one in self.likely.items():
            inside = bool(self._inside(name, row[None])[0])
            factor = float(np.exp(-abs(self._strength(name, n_told))))
            where = "inside" if inside else "outside"
            other = "outside" if self._contrasts[name] >= 0 else "inside"
            parts.append(
                f"{where} of {name!r} (likely with {one.confidence:g}: worth {other} counts {factor:.2g} times)"
            )
        return "; ".join(parts)


def hinted_rows(data: PlannerData, n: int, taken: set[bytes], hints: Hints, rng: np.random.Generator) -> np.ndarray:
    """Return up to n rows to begin with: every other one drawn by hints, the others far from all that is known."""
    from planner.untried import spread_rows, untried_rows

    space, chosen, taken = data.space, np.empty((0, data.space.region.width)), set(taken)
    known = data.taken_rows()
    for number in range(len(known), len(known) + n):
        if number % 2:
            row = spread_rows(space, 1, np.vstack([known, chosen]), taken, rng)
        else:
            rows = untried_rows(space, _N_LOOKED_AT, taken, lambda count: space.sample_rows(count, rng), rng)
            # the greatest of scores with Gumbel noise is a draw by weight
            heights = hints.log_weight(rows, len(data.observations)) + rng.gumbel(size=len(rows))
            row = rows[[int(np.argmax(heights))]] if len(rows) else rows
        chosen = np.vstack([chosen, row])
        taken.update(space.keys(row))
    return chosen


def checked_confidence(confidence: Any) -> float:
    """Return a stated probability.

    Raises:
        BadOption: It is none between 0 and 1.
    """
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0.0 < confidence < 1.0:
        raise BadOption(f"confidence is a probability between 0 and 1, without either, not {confidence!r}")
    return float(confidence)
