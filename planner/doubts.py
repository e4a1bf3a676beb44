"""A target's surrogate without the results that cannot be: failed transfers, wrong labels.

They are found by `surrogate.outliers`, on the scale of the results that are believed. A model without them is exactly
what it would be if nobody had told them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from planner.models import TargetData, TargetModel, fit_target, scaled_noise
from planner.proposal import Observation
from surrogate.input_noise_gp import InputNoiseGP
from surrogate.outliers import doubtful

if TYPE_CHECKING:
    from planner.policies.base import PlannerData

_ROUNDS = 3
"""Times that results are looked at: gross errors squeeze the scale that the others are judged on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A result that is not believed, and what the others make of it."""

    place: int
    """Among the values of its target, in the order of telling."""
    value: float
    mean: float
    """What is expected there, once, by those that are believed."""
    sd: float


@dataclass(frozen=True, slots=True)
class DoubtingModel(TargetModel):
    """A model of the results that are believed."""

    doubts: tuple[Doubt, ...]


def fit_doubting(data: TargetData, target: str) -> TargetModel:
    """Fit one target without the results that cannot be; where all can, exactly as `fit_target` does.

    Raises:
        NotEnoughData: There is no value.
    """
    model, wrong = fit_target(data, target), np.empty(0, dtype=int)
    for _ in range(_ROUNDS):
        before, wrong = wrong, _wrong(model, data)
        if np.array_equal(before, wrong):
            break
        model = fit_target(data.without(wrong), target)
    return DoubtingModel(model.scale, model.gp, _doubts(model, data, wrong)) if len(wrong) else model


def believed(model: TargetModel, data: TargetData) -> np.ndarray:
    """Return the places of the values that a model of them believes."""
    places = np.arange(len(data.values))
    doubts = model.doubts if isinstance(model, DoubtingModel) else ()
    return np.setdiff1d(places, [one.place for one in doubts])


def _wrong(model: TargetModel, data: TargetData) -> np.ndarray:
    """Return the places of wrong results, all looked at on the scale of those that were believed."""
    noise = None if data.noise is None else scaled_noise(data.noise, model.scale.slope(data.values))
    if isinstance(model.gp, InputNoiseGP):
        own = model.gp.own_noise if noise is None else noise
        noise = own + model.gp.noise_at(data.codes) - model.gp.own_noise
    return doubtful(data.codes, model.scale.forward(data.values), noise, model.gp.hyperparameters)


def _doubts(model: TargetModel, data: TargetData, wrong: np.ndarray) -> tuple[Doubt, ...]:
    mean, sd = model.forecast(data.codes[wrong])
    each = zip(wrong.tolist(), data.values[wrong].tolist(), mean.tolist(), sd.tolist(), strict=True)
    return tuple(Doubt(place=place, value=value, mean=m, sd=s) for place, value, m, s in each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubted:
    """A result that is not believed."""

    number: int
    """Its place among all observations, from 0."""
    observation: Observation
    target: str
    value: float
    mean: float
    sd: float
    """What the others make one expect there, once, in the target's unit."""

    def __str__(self) -> str:
        """Return it as a sentence."""
        point = self.observation.parameters.items()
        at = ", ".join(f"{k} {v}" if isinstance(v, str) else f"{k} {v:.4g}" for k, v in point)
        return (
            f"{self.target} {self.value:.4g} at {at} is not believed: "
            f"{self.mean:.4g} +- {self.sd:.2g} is expected there by the other results"
        )


def doubted(data: PlannerData, target: str, model_of: Callable[[PlannerData, str], TargetModel]) -> list[Doubted]:
    """Return the results of a target that are not believed."""
    told = [number for number, one in enumerate(data.observations) if one.failure is None and target in one.values]
    model = model_of(data, target) if told else None
    return [
        Doubted(
            number=told[one.place],
            observation=data.observations[told[one.place]],
            target=target,
            value=one.value,
            mean=one.mean,
            sd=one.sd,
        )
        for one in (model.doubts if isinstance(model, DoubtingModel) else ())
    ]


def said_of(doubts: Sequence[Doubted]) -> str:
    """Say in a reason that there are results that are not believed; nothing where all are."""
    if not doubts:
        return ""
    return f"; {len(doubts)} result{' is' if len(doubts) == 1 else 's are'} not believed and left out"
