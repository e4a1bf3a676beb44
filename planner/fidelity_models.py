"""The surrogate of a target that is measured at several fidelities; see `surrogate.fidelity_gp`.

Each level is first fitted for itself, as a target without fidelities is. What it could take from each cheaper level is
then compared with that by the evidence of its values alone, so that a cheap level that tells nothing is left aside, and
the target's process is then exactly the one that it would have without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.errors import NotEnoughData
from planner.fidelity import Fidelity
from planner.models import TargetData, TargetModel, evidence, fit_on, fit_target, steepness, target_data, widening
from planner.proposal import Observation
from planner.space import SearchSpace
from planner.transforms import TargetScale
from surrogate.fidelity_fit import likeness
from surrogate.fidelity_gp import FidelityGP, Layer, joined
from surrogate.matern_gp import Kernel

_FEWEST = 2
"""Values of a level from which on it is compared with cheaper ones."""
_FEWEST_CHEAP = 3
"""Values of a level from which on others may take from it."""
_TRUSTED = 0.95
"""Probability that a level resembles a cheaper one, by evidence and with even odds beforehand, from which on it takes
from it."""
_LEAST_NOISE = 1e-6
_LEAST_FACTOR = 0.05


@dataclass(frozen=True, slots=True)
class FidelityModel(TargetModel):
    """A process of one target over points and levels, with the scales that levels live on; `scale` is the target's."""

    gp: FidelityGP
    scales: tuple[TargetModel | None, ...]
    """Of each level for itself; None where it was not measured."""
    trust: tuple[float, ...]
    """Probability that each level resembles the cheaper one that it is likest to, by evidence; 0 without one."""
    parents: tuple[int | None, ...]
    """The cheaper level that each takes from; None where it takes from none."""
    likest: int | None
    """The level that the target most probably takes from; None where it cannot be said."""

    def predict(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless values at points and levels (`n x d`).

        Each in the unit that its level is measured in; widened as those of any target.
        """
        gp = self.gp
        mean, sd = gp.posterior(codes)
        sd = sd * np.sqrt(widening(gp))
        there = gp.kernel.levels(codes)
        found_mean, found_sd = np.empty(len(codes)), np.empty(len(codes))
        for level in np.unique(there).tolist():
            some = there == level
            own = self.scales[level]
            scale = self.scale if own is None else own.scale
            centre = gp.offsets[level] + (mean[some] - gp.mean) * gp.spreads[level]
            found_mean[some], found_sd[some] = scale.moments(centre, sd[some] * gp.spreads[level])
        return found_mean, found_sd

    def takes_from(self) -> set[int]:
        """Return the levels that the target learns from, itself left out."""
        found: set[int] = set()
        here = self.parents[self.gp.target]
        while here is not None:
            found.add(here)
            here = self.parents[here]
        return found


def level_start(space: SearchSpace) -> int:
    """Return the first of the columns of the encoding that say at which level a point is."""
    fidelity = space.fidelity
    assert fidelity is not None  # noqa: S101  asked for spaces with one only
    return sum(space.widths[: space.names.index(fidelity.name)])


def fit_fidelities(
    space: SearchSpace, fidelity: Fidelity, observations: Sequence[Observation], target: str
) -> FidelityModel:
    """Fit one target at all levels.

    Where the target is best modelled on a bent scale, levels are compared twice: as they are, and all bent alike, once
    offset and factor of each are known from that.

    Raises:
        NotEnoughData: Nothing was measured at the level that counts.
    """
    told = _Told.of(space, fidelity, observations, target)
    goal = fidelity.target_level
    if not len(told.levels[goal].values):
        raise NotEnoughData(
            f"target {target!r} was not measured at {fidelity.name} {fidelity.target!r} yet, the one that counts; tell "
            "a value there before predicting"
        )
    own = fit_target(told.levels[goal], target)
    scales = [TargetScale.of(data.values, None) if len(data.values) else None for data in told.levels]
    straight = _Tree(told, scales, own)
    if own.scale.knee is None:
        return straight.model()
    bent = _Tree(told, straight.bent(own.scale), own)
    return max((bent, straight), key=lambda tree: tree.trust[goal] if tree.is_trusted(goal) else 0.0).model()


@dataclass(frozen=True, slots=True)
class _Told:
    """What was measured at each level, the level itself left out of its codes."""

    levels: tuple[TargetData, ...]
    order: tuple[int, ...]
    """The cheapest first, and what counts last."""
    codes: np.ndarray
    """Of all levels one after another, with the columns of the level."""
    start: int
    target: int

    @classmethod
    def of(cls, space: SearchSpace, fidelity: Fidelity, observations: Sequence[Observation], target: str) -> _Told:
        """Gather the values of a target level by level, for units, and what is told of noise, are those of a level."""
        n, start = len(fidelity.values), level_start(space)
        inner = [column for column in range(space.width) if not start <= column < start + n]
        name, goal = fidelity.name, fidelity.target_level
        found = [
            target_data(space, [one for one in observations if one.parameters[name] == level], target)
            for level in fidelity.values
        ]
        levels = tuple(replace(data, codes=data.codes[:, inner]) for data in found)
        order = sorted(range(n), key=lambda level: (fidelity.costs[level], level == goal))
        return cls(levels, tuple(order), np.vstack([data.codes for data in found]), start, goal)

    @property
    def places(self) -> np.ndarray:
        """The level of each of the codes, `n`."""
        return np.repeat(np.arange(len(self.levels)), [len(one.values) for one in self.levels])

    def full(self, codes: np.ndarray) -> np.ndarray:
        """Return codes with columns for a level, at none yet."""
        n, start = len(self.levels), self.start
        return np.hstack([codes[:, :start], np.zeros((len(codes), n)), codes[:, start:]])


@dataclass(frozen=True, slots=True)
class _Compared:
    """A level as it could be made of a cheaper one."""

    layer: Layer
    evidence: float
    """In the unit of the values."""
    without: float
    """The same without the cheaper level, but with lengths like its own."""


class _Tree:
    """Levels fitted one by one, the cheapest first, each with what it takes from one of those before.

    Args:
        told: What was measured.
        scales: Of each level; None where it is left out.
        own: The target without others.
    """

    def __init__(self, told: _Told, scales: Sequence[TargetScale | None], own: TargetModel) -> None:
        self._told, self._scales = told, list(scales)
        n = len(told.levels)
        self._own: list[TargetModel | None] = [None] * n
        self._layers: list[Layer | None] = [None] * n
        self._maps: dict[int, Layer] = {}
        self._likest: int | None = None
        self.trust = [0.0] * n
        for level in told.order:
            scale = self._scales[level]
            if scale is not None:
                self._add(level, scale, own if level == told.target else None)

    def is_trusted(self, level: int) -> bool:
        """Say whether a level takes from a cheaper one."""
        return self.trust[level] > _TRUSTED

    def _add(self, level: int, scale: TargetScale, own: TargetModel | None) -> None:
        """Compare a level by itself with what it could take from each cheaper one; keep what explains it best."""
        mine = self._told.levels[level]
        self._own[level] = alone = own or fit_on(scale, mine)
        found = [one for parent in self._offered(level) if (one := self._with(mine, scale, parent)) is not None]
        self._layers[level] = Layer(kernel=alone.gp.kernel, mean=alone.gp.mean, noise=alone.gp.noise)
        if not found:
            return
        best = max(found, key=lambda one: one.evidence)
        self._likest = best.layer.parent
        others = max(evidence(alone, mine), *(one.without for one in found))
        odds = np.clip(best.evidence - others - np.log(len(found)), -50.0, 50.0)  # there was a choice
        self.trust[level] = float(1.0 / (1.0 + np.exp(-odds)))
        self._maps = {one.layer.parent: one.layer for one in found if one.layer.parent is not None}
        if self.is_trusted(level):
            self._own[level], self._layers[level] = TargetModel(scale, alone.gp), best.layer

    def _offered(self, level: int) -> list[int]:
        values = self._told.levels[level].values
        if len(values) < _FEWEST or np.ptp(values) == 0.0:
            return []
        return [
            one
            for one, layer in enumerate(self._layers)
            if layer is not None and len(self._told.levels[one].values) >= _FEWEST_CHEAP
        ]

    def _with(self, mine: TargetData, scale: TargetScale, parent: int) -> _Compared | None:
        cheaper = self._joined(parent)
        mean, covariance = cheaper.joint(cheaper.at(self._told.full(mine.codes), parent))
        noise = None if mine.noise is None else np.maximum((mine.noise * scale.slope(mine.values)) ** 2, _LEAST_NOISE)
        what = (mine.codes, scale.forward(mine.values), noise)
        found = likeness(*what, mean - cheaper.mean, covariance, cheaper.kernel.lengths)
        nothing = likeness(*what, np.zeros_like(mean), np.zeros_like(covariance), cheaper.kernel.lengths)
        if found is None:
            return None
        layer = Layer(
            kernel=Kernel(found.lengths, found.scale),
            mean=found.mean,
            noise=np.full(len(mine.values), found.noise) if noise is None else noise,
            parent=parent,
            factor=found.factor,
        )
        steep = steepness(scale, mine)
        return _Compared(layer, found.evidence + steep, -np.inf if nothing is None else nothing.evidence + steep)

    def _joined(self, target: int) -> FidelityGP:
        """Return the process of all levels fitted so far, on the scale of one of them."""
        known = [layer is not None for layer in self._layers]
        anyone = self._layers[target]
        if anyone is None:
            raise NotEnoughData("a level was not measured; this is a defect of labpilot")
        places = self._told.places
        some = np.array(known, dtype=bool)[places]
        values = [
            np.empty(0) if own is None else own.scale.forward(data.values)
            for own, data in zip(self._own, self._told.levels, strict=True)
        ]
        return joined(
            [anyone if layer is None else layer for layer in self._layers],
            self._told.codes[some],
            values,
            start=self._told.start,
            target=target,
            levels=places[some],
        )

    def bent(self, scale: TargetScale) -> list[TargetScale | None]:
        """Return scales on which cheaper levels are bent as the target is on its own, where they resemble it at all."""
        target, found = self._told.target, list[TargetScale | None](self._scales)
        found[target] = scale
        straight = self._scales[target]
        for level, layer in self._maps.items():
            own, mine = self._scales[level], self._layers[level]
            if own is None or mine is None or straight is None or abs(layer.factor) < _LEAST_FACTOR:
                continue
            # a straight line from the level's unit to the target's
            slope = layer.factor * straight.spread / own.spread
            at = straight.shift + straight.spread * (layer.mean - layer.factor * (mine.mean + own.shift / own.spread))
            found[level] = TargetScale.of(
                self._told.levels[level].values, scale.knee, origin=-at / slope, unit=1.0 / slope
            )
        return found

    def model(self) -> FidelityModel:
        """Return all levels together."""
        own = self._own[self._told.target]
        if own is None:
            raise NotEnoughData("the target was not measured; this is a defect of labpilot")
        return FidelityModel(
            own.scale,
            self._joined(self._told.target),
            tuple(self._own),
            tuple(self.trust),
            tuple(None if one is None else one.parent for one in self._layers),
            self._likest if self.trust[self._told.target] > 0.0 else None,
        )
