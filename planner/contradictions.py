"""Results of one recipe that differ by far more than their noise: a mistake, a mix-up, or a hidden parameter.

Noise that is not told is learnt from all results, and one gross contradiction makes it look larger than it is. So a
recipe's results are held against the noise that is learnt without them; and as few results may be noisy as well as
rough, only where those others speak against a noise that would explain the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.models import TargetModel, evidence, fit_target, target_data
from planner.proposal import Observation, Value
from planner.space import SearchSpace

_FAR = 5.0
"""Standard deviations of a difference; by chance that is one pair in two million."""
_PLAUSIBLE, _SURE = 3.0, 7.0
"""Standard deviations within which a difference is explained; and by how much the logarithm of the evidence of the
other results must exceed that with a noise which explains it (a factor of a thousand)."""
_FEWEST_OTHERS = 6
"""Values without which noise cannot be learnt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two results of one recipe that cannot both be right."""

    target: str
    parameters: Mapping[str, Value]
    low: float
    high: float
    deviations: float
    """How many standard deviations of the difference lie between them."""

    def __str__(self) -> str:
        """Return it as a clause."""
        point = ", ".join(f"{k} {v}" if isinstance(v, str) else f"{k} {v:.4g}" for k, v in self.parameters.items())
        return (
            f"results of one recipe contradict each other: {self.target} was {self.low:.4g} and {self.high:.4g} at "
            f"{point}, {self.deviations:.0f} standard deviations of their noise apart; look for a mistake, or for "
            "something that differed"
        )


def contradictions(
    space: SearchSpace, observations: Sequence[Observation], target: str, model: Callable[[], TargetModel]
) -> list[Contradiction]:
    """Return the recipes whose results of a target contradict each other, the worst first.

    model: gives what was fitted to all results; asked for where a recipe was repeated and not all noise is told.
    """
    told = [one for one in observations if one.failure is None and target in one.values]
    keys = space.keys(space.rows([one.parameters for one in told])) if told else []
    groups: dict[bytes, list[int]] = {}
    for number, key in enumerate(keys):
        groups.setdefault(key, []).append(number)
    results = _Results(space, told, target, keys, model)
    found = [results.judged(numbers) for numbers in groups.values() if len(numbers) > 1]
    return sorted((one for one in found if one is not None), key=lambda one: -one.deviations)


class _Results:
    """All results of a target, of which those of one recipe are held against each other."""

    def __init__(
        self,
        space: SearchSpace,
        told: Sequence[Observation],
        target: str,
        keys: Sequence[bytes],
        model: Callable[[], TargetModel],
    ) -> None:
        self._space, self._told, self._target, self._model = space, told, target, model
        self._keys = np.array(keys, dtype=object)
        self._values = np.array([one.values[target] for one in told])
        self._noise = np.array([one.noise.get(target, np.nan) for one in told])

    def judged(self, numbers: Sequence[int]) -> Contradiction | None:
        """Return the two of some results that contradict each other most; None where none do."""
        values, noise = self._values[list(numbers)], self._noise[list(numbers)]
        if not np.isfinite(noise).all():
            noise = np.where(np.isfinite(noise), noise, self._learnt(numbers, float(np.ptp(values))))
        sd, apart = np.hypot(noise[:, None], noise), values - values[:, None]
        with np.errstate(over="ignore"):
            deviations = np.divide(apart, sd, out=np.zeros_like(apart), where=sd > 0.0)
        low, high = divmod(int(np.argmax(deviations)), len(values))
        if not deviations[low, high] > _FAR:
            return None
        return Contradiction(
            target=self._target,
            parameters=self._told[numbers[low]].parameters,
            low=float(values[low]),
            high=float(values[high]),
            deviations=float(deviations[low, high]),
        )

    def _learnt(self, numbers: Sequence[int], apart: float) -> float:
        """Return the noise at a recipe as it is learnt without it; infinite where that cannot be, or need not be.

        Where other recipes were repeated, their own scatter says it directly, and a wider one counts: a surrogate may
        take a recipe's peculiarity for the shape of the function.
        """
        others = np.setdiff1d(np.arange(len(self._told)), numbers)
        # by the noise learnt with all of them, which is rather too large, the range of so many may be chance
        usual = (1.0 + np.sqrt(2.0 * np.log(len(numbers)))) * np.sqrt(2.0) * self._in_unit(self._model(), numbers)
        if len(others) < _FEWEST_OTHERS or apart <= usual:
            return float("inf")
        known = self._noise[others]
        if np.isfinite(known).any():
            return float(np.nanmedian(known))
        data = replace(target_data(self._space, [self._told[i] for i in others], self._target), inputs=None)
        free = fit_target(data, self._target)
        as_noisy = np.full(len(others), apart / (_PLAUSIBLE * np.sqrt(2.0)))
        noisy = replace(data, noise=as_noisy)
        if evidence(free, data) - evidence(fit_target(noisy, self._target), noisy) < _SURE:
            return float("inf")
        return max(self._in_unit(free, numbers), self._scatter(others))

    def _in_unit(self, model: TargetModel, numbers: Sequence[int]) -> float:
        """Return the noise of a model at some results, in the target's unit."""
        slope = model.scale.slope(np.array([np.median(self._values[list(numbers)])]))[0]
        return float(np.sqrt(model.gp.typical_noise) / abs(slope))

    def _scatter(self, which: np.ndarray) -> float:
        """Return the standard deviation of results about the means of their recipes; 0 where none was repeated."""
        _, recipe = np.unique(self._keys[which], return_inverse=True)
        counts = np.bincount(recipe)
        freedom, size = len(which) - len(counts), float(np.abs(self._values[which]).max())
        if not freedom or not size:
            return 0.0
        values = self._values[which] / size  # squares of huge values would overflow
        means = np.bincount(recipe, weights=values) / counts
        return size * float(np.sqrt(np.sum((values - means[recipe]) ** 2) / freedom))
