"""The surrogate of a target that is measured at several fidelities; see `surrogate.fidelity_gp`.

Each level is first fitted for itself, as a target without fidelities is. What it could take from each cheaper level is
then compared with that by the evidence of its values alone, so that a cheap level that tells nothing is left aside, and
the target's process is then exactly the one that it would have without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.errors import NotEnoughData
from planner.fidelity import Fidelity
from planner.models import TargetData, TargetModel, fit_target, target_data, widening
from planner.proposal import Observation
from planner.space import SearchSpace
from planner.transforms import TargetScale
from surrogate.fidelity_fit import likeness
from surrogate.fidelity_gp import FidelityGP, Layer, joined
from surrogate.matern_gp import Kernel

_FEWEST = 2
"""Values of a level from which on it is compared with cheaper ones."""
_FEWEST_CHEAP = 4
"""Values of a level from which on others may take from it."""
_TRUSTED = 0.75
"""Probability that a level resembles a cheaper one, by evidence and with even odds beforehand, from which on it takes
from it."""
_LEAST_NOISE = 1e-6


@dataclass(frozen=True, slots=True)
class FidelityModel(TargetModel):
    """A process of one target over points and levels, with the scales that levels live on; `scale` is the target's."""

    gp: FidelityGP
    scales: tuple[TargetModel | None, ...]
    """Of each level for itself; None where it was not measured."""
    trust: tuple[float, ...]
    """Probability that each level resembles the cheaper one that it is likest to, by evidence; 0 where there is none."""
    parents: tuple[int | None, ...]
    """The cheaper level that each takes from; None where it takes from none."""

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

    Raises:
        NotEnoughData: Nothing was measured at the level that counts.
    """
    n, goal = len(fidelity.values), fidelity.target_level
    start = level_start(space)
    data = target_data(space, observations, target)
    places = np.argmax(data.codes[:, start : start + n], axis=1) if len(data.values) else np.empty(0, dtype=int)
    if not (places == goal).any():
        raise NotEnoughData(
            f"target {target!r} was not measured at {fidelity.name} {fidelity.target!r} yet, the one that counts; tell "
            "a value there before predicting"
        )
    inner = [column for column in range(space.width) if not start <= column < start + n]
    levels = _Levels(data=data, places=places, inner=inner, start=start, target=goal, n=n)
    levels.fit(goal, target)
    for level in sorted(range(n), key=lambda one: (fidelity.costs[one], one == goal)):
        levels.add(level, target)
    return levels.model()


@dataclass(frozen=True, slots=True)
class _Compared:
    """A level as it could be made of a cheaper one."""

    layer: Layer
    scale: TargetScale
    evidence: float
    """In the unit of the values."""
    without: float
    """The same without the cheaper level, but with lengths like its own."""


def _steepness(scale: TargetScale, data: TargetData) -> float:
    """Return what turns evidence on a scale into that in the unit of the values."""
    return float(np.sum(np.log(scale.slope(data.values))))


class _Levels:
    """Levels that are fitted one by one, the cheapest first."""

    def __init__(
        self, *, data: TargetData, places: np.ndarray, inner: Sequence[int], start: int, target: int, n: int
    ) -> None:
        self._data, self._places, self._inner, self._start, self._target = data, places, inner, start, target
        self._own: list[TargetModel | None] = [None] * n
        self._layers: list[Layer | None] = [None] * n
        self._trust = [0.0] * n
        self._done: list[int] = []

    def fit(self, level: int, target: str) -> None:
        """Fit a level by itself; on a bent scale only where the target is on one, for lines are what is looked for."""
        mine, counted = self._of(level), self._own[self._target]
        if len(mine.values):
            self._own[level] = fit_target(mine, target, may_bend=counted is None or counted.scale.knee is not None)

    def add(self, level: int, target: str) -> None:
        """Compare a level by itself with what it could take from each cheaper one; keep what explains it best."""
        if self._own[level] is None:
            self.fit(level, target)
        mine, own = self._of(level), self._own[level]
        if own is None:
            return
        self._layers[level] = Layer(kernel=own.gp.kernel, mean=own.gp.mean, noise=own.gp.noise)
        found = self._compared(mine, own)
        self._done.append(level)
        if not found:
            return
        best = max(found, key=lambda one: one.evidence)
        alone = max(own.gp.evidence + _steepness(own.scale, mine), *(one.without for one in found))
        odds = best.evidence - alone - np.log(len(found))  # there was a choice
        self._trust[level] = float(1.0 / (1.0 + np.exp(-np.clip(odds, -50.0, 50.0))))
        if self._trust[level] > _TRUSTED:
            self._own[level] = TargetModel(best.scale, own.gp)
            self._layers[level] = best.layer

    def _compared(self, mine: TargetData, own: TargetModel) -> list[_Compared]:
        """Return what a level could take from each cheaper one.

        Where values span decades a line between two levels may be straight before they are bent, or after.
        """
        scales = [own.scale] if own.scale.knee is None else [own.scale, TargetScale.of(mine.values, None)]
        found = [self._likeness(mine, scale, parent) for parent in self._offered(mine) for scale in scales]
        return [one for one in found if one is not None]

    def _of(self, level: int) -> TargetData:
        there = self._places == level
        data = self._data
        return TargetData(
            codes=data.codes[there][:, self._inner],
            values=data.values[there],
            noise=None if data.noise is None else data.noise[there],
        )

    def _offered(self, mine: TargetData) -> list[int]:
        if len(mine.values) < _FEWEST or np.ptp(mine.values) == 0.0:
            return []
        return [level for level in self._done if (self._places == level).sum() >= _FEWEST_CHEAP]

    def _likeness(self, mine: TargetData, scale: TargetScale, parent: int) -> _Compared | None:
        cheaper = self._joined(parent)
        there = cheaper.at(self._full(mine.codes), cheaper.target)
        mean, covariance = cheaper.joint(there)
        noise = None if mine.noise is None else np.maximum((mine.noise * scale.slope(mine.values)) ** 2, _LEAST_NOISE)
        found = likeness(mine.codes, scale.forward(mine.values), noise, mean - cheaper.mean, covariance, cheaper.kernel.lengths)
        if found is None:
            return None
        nothing = likeness(
            mine.codes, scale.forward(mine.values), noise, 0.0 * mean, 0.0 * covariance, cheaper.kernel.lengths
        )
        layer = Layer(
            kernel=Kernel(found.lengths, found.scale),
            mean=found.mean,
            noise=np.full(len(mine.values), found.noise) if noise is None else noise,
            parent=parent,
            factor=found.factor,
        )
        steepness = _steepness(scale, mine)
        without = -np.inf if nothing is None else nothing.evidence + steepness
        return _Compared(layer, scale, found.evidence + steepness, without)

    def _full(self, codes: np.ndarray) -> np.ndarray:
        full = np.zeros((len(codes), codes.shape[1] + len(self._own)))
        full[:, self._inner] = codes
        return full

    def _joined(self, target: int) -> FidelityGP:
        """Return the process of all levels fitted so far, on the scale of one of them."""
        known = np.isin(self._places, [level for level, one in enumerate(self._layers) if one is not None])
        anyone = self._layers[target]
        assert anyone is not None  # noqa: S101  only levels that were measured are asked for
        return joined(
            [anyone if one is None else one for one in self._layers],
            self._data.codes[known],
            [
                np.empty(0) if own is None else own.scale.forward(self._data.values[self._places == level])
                for level, own in enumerate(self._own)
            ],
            start=self._start,
            target=target,
            levels=self._places[known],
        )

    def model(self) -> FidelityModel:
        """Return all levels together."""
        own = self._own[self._target]
        assert own is not None  # noqa: S101  the target was measured
        return FidelityModel(
            own.scale,
            self._joined(self._target),
            tuple(self._own),
            tuple(self._trust),
            tuple(None if one is None else one.parent for one in self._layers),
        )
