"""What passes between a planner and the laboratory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from planner.errors import BadObservation

if TYPE_CHECKING:
    import numpy as np

Value = float | int | str
"""A plain parameter value: float (continuous), int (integer), str (categorical)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Marginal posterior of one target at one point, in the target's unit."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Marginal posterior of one target at n points, in the target's unit; of the target itself, without noise."""

    mean: np.ndarray
    """`n`"""
    sd: np.ndarray
    """`n`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What one model expects of a value of one target measured once at n points, in its unit, noise included."""

    mean: np.ndarray
    """`n`"""
    sd: np.ndarray
    """`n`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPosterior:
    """Which region each of n points belongs to."""

    regions: tuple[tuple[int, ...], ...]
    """`r` sets of phases, numbered in the order of `endmembers`; the empty set is a film without lines."""
    probabilities: np.ndarray
    """`n x r`, rows add up to 1."""
    endmembers: np.ndarray
    """Fingerprints of the phases, without background, of area one; `k x channels`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One point that the planner asks to be tried, with its reasons; immutable."""

    id: str
    parameters: Mapping[str, Value]
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    reason: str = ""
    is_repeat: bool = False
    """Whether it asks, on purpose, for what was tried before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What came back: values of targets at a point of the search space, or a failure.

    noise holds the standard deviation of a value, in its unit, where it is known. One trial may give many observations
    (a stripe is measured at many temperatures), each with parameters of its own and the same proposal_id: parameters
    say where was measured, which need not be where it was proposed. They are told together; what comes later, a
    replicate say, has no proposal_id. What was measured for an objective of direction `classify` is in fingerprints:
    some tens or hundreds of numbers, of any sequence, kept as a tuple.

    Raises:
        BadObservation: It has neither values, fingerprints nor a failure, or both, or they are no mappings by name.
    """

    parameters: Mapping[str, Value]
    values: Mapping[str, float] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None
    context: Mapping[str, Value] = field(default_factory=dict)
    proposal_id: str | None = None
    fingerprints: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("parameters", "values", "noise", "context", "fingerprints"):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise BadObservation(f"{name} is {given!r}; give a mapping by name, such as {name}={{'a': 0.1}}")
        object.__setattr__(self, "fingerprints", {name: _numbers(name, one) for name, one in self.fingerprints.items()})
        if self.failure is None and not self.values and not self.fingerprints:
            raise BadObservation("an observation needs values, or failure= with the reason")
        if self.failure is not None and (self.values or self.fingerprints):
            raise BadObservation(
                f"an observation has values or a failure, not both: leave out failure={self.failure!r} if the values "
                "hold, or the values if they do not"
            )


def _numbers(name: str, fingerprint: Sequence[float]) -> tuple[float, ...]:
    """Return a fingerprint as plain numbers.

    Raises:
        BadObservation: It is no sequence of numbers.
    """
    try:
        return tuple(float(number) for number in fingerprint)
    except (TypeError, ValueError):
        shown = f"{fingerprint!r:.60}"
        raise BadObservation(
            f"the fingerprint of {name!r} is {shown}; give its channels as a sequence of numbers"
        ) from None
