"""Options of the policy that chooses stripes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from planner.map_predictor import CALIBRATION_C
from planner.policies.options import Choice, Range, option


@dataclass(frozen=True, slots=True)
class _Names:
    """Different names of parameters, as many as are wanted."""

    count: tuple[int, ...]

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value."""
        wanted = " or ".join(str(number) for number in self.count)
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        if not is_list or not all(isinstance(name, str) for name in value) or len(set(value)) not in self.count:
            return f"must be a list of {wanted} different names of parameters, not {value!r}"
        return None


@dataclass(frozen=True, slots=True)
class _List:
    """A list; what is in it is read by whoever uses it."""

    of: str

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value."""
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        return None if is_list and value else f"must be a list of {self.of}, not {value!r}"


@dataclass(frozen=True, slots=True)
class SaraOptions:
    """Options of `Sara`."""

    acquisition: str = option("reduction", Choice(("reduction", "sigma", "ucb")))
    """What a stripe is worth: what it would teach, how little is known along it, or how large the gradient may be."""
    ucb: float = option(5.0, Range(0.0, 100.0))
    """Standard deviations that `ucb` adds to the mean."""
    reach_c: float = option(200.0, Range(1.0, 2000.0))
    """How far below its peak a stripe shows the film."""
    margin_c: float = option(10.0, Range(0.0, 1000.0))
    """How far below its peak a stripe begins to show it: at the very centre the temperature does not change."""
    temperatures: int = option(16, Range(2, 256, is_whole=True))
    """Temperatures at which a stripe is valued."""
    start: int = option(3, Range(1, 1000, is_whole=True))
    """Stripes that are spread over the space before the map is asked."""
    calibration_c: float = option(CALIBRATION_C, Range(0.0, 200.0))
    """Standard deviation of the temperature scale that all stripes of a wafer share."""
    caution: float = option(1.0, Range(0.0, 10.0))
    """A stripe's worth is multiplied by the probability that it gives a result, to this power."""
    composition: Sequence[str] = option((), _Names((1, 2, 3, 4)))  # type: ignore[arg-type]
    """Parameters that are fractions of elements on a composition spread: further axes of the map."""
    positions: Sequence[str] = option((), _Names((2,)))  # type: ignore[arg-type]
    """Parameters that are the place on the wafer, x and y in mm: each place is annealed once, and travel costs time."""
    stage_mm_s: float | None = option(None, Range(1e-6, 1e6))
    """Speed of the stage between stripes, in mm/s; where it is given, stripes are chosen by their worth per second."""
    stripe_s: float = option(60.0, Range(1e-3, 1e6))
    """How long a stripe takes besides travel, in s."""
    regions: Sequence[Any] = option((), _List("regions with a confidence"))  # type: ignore[arg-type]
    """Where people expect the phase that is looked for; see `planner.policies.stripe_phase.read_regions`."""
    trust: float = option(10.0, Range(0.0, 1000.0))
    """Stripes after which the regions weigh no more than once; they weigh `trust` over the number of stripes."""
    switch: float = option(0.8, Range(0.0, 1.0))
    """How uncertain the map may be, over what it was before any stripe, when the search for the phase begins."""
