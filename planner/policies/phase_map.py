"""CAMEO: map the phases of a system, then find the best property in the region that promises most.

After Kusne et al., Nat. Commun. 11, 5966 (2020), doi:10.1038/s41467-020-19597-w. Each measurement gives a fingerprint
and, mostly, a property. While the map is open, the next point is the one whose region is most likely told wrongly, by

    risk(x) = 1 - max_r P(r | x),

until the risk, averaged over the pool, is below `converged`, or after `patience` points every other time. Then, inside
the region that promises most, the next point has the greatest mu + sqrt(beta) sigma + bonus, where the bonus is larger
the nearer the boundary of the region is: many properties are best at a boundary. Once nothing there could be better by
more than the noise, the map is refined again. Points under way count as if they had shown what is expected of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from planner.conditions import refuse_conditions
from planner.errors import BadObservation, BadOption, NotEnoughData, did_you_mean
from planner.objective import Objective
from planner.policies.base import PlannerData, Suggestion
from planner.policies.options import Range, option, read_options
from planner.policies.phase_worth import Promise, most_promising, named, over_regions, region_chances, risk_of, told
from planner.proposal import Observation, Prediction, RegionPosterior, Value
from planner.space import SearchSpace
from planner.untried import listed_rows, spread_rows

if TYPE_CHECKING:
    from planner.region_gp import RegionGP
    from surrogate.phase_map.regions import PhaseMap

_MOST_POINTS = 5000
_FEWEST_VALUES = 2


@dataclass(frozen=True, slots=True)
class CameoOptions:
    """Options of `Cameo`."""

    start: int = option(8, Range(2, 1000, is_whole=True))
    """Points that are spread over the pool before there is a map."""
    converged: float = option(0.25, Range(0.0, 1.0))
    """Expected fraction of the pool whose region is told wrongly, below which the map will do."""
    patience: int = option(15, Range(2, 100_000, is_whole=True))
    """Points after which the property has every other one, however open the map is."""
    beta: float = option(4.0, Range(0.0, 100.0))
    """Square of the standard deviations that are added to the mean."""
    boundary: float = option(0.5, Range(0.0, 100.0))
    """Bonus at a boundary, in standard deviations of the property over what was measured."""
    shift: float = option(3.0, Range(0.0, 50.0))
    """Channels by which a phase's lines may move with its composition."""
    together: int = option(3, Range(1, 6, is_whole=True))
    """Phases at one point at most, by Gibbs' rule: as many as there are elements."""
    detectable: float = option(0.02, Range(0.001, 0.5))
    """Fraction of the intensity below which a phase is not seen."""
    phases: int = option(8, Range(1, 12, is_whole=True))
    """Phases in the whole system at most."""


class Cameo:
    """Chooses among the points of a pool or a small grid."""

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, object]) -> None:
        self._options = read_options(CameoOptions, options, "cameo")
        refuse_conditions(space.parameters, "cameo")
        to_classify = [objective for objective in objectives if objective.direction == "classify"]
        others = [objective for objective in objectives if objective.direction != "classify"]
        if len(to_classify) != 1 or len(others) > 1 or not all(one.is_extremal for one in others):
            raise BadOption(
                "policy 'cameo' maps the regions of one objective with direction 'classify', and can optimise one "
                "other with direction 'maximize' or 'minimize'"
            )
        rows = listed_rows(space, _MOST_POINTS)
        if rows is None or len(rows) > _MOST_POINTS:
            raise BadOption(
                f"policy 'cameo' maps a list of points, at most {_MOST_POINTS}: give candidates, or every parameter "
                "a step, levels or a count"
            )
        self._pattern, self._property = to_classify[0].name, others[0] if others else None
        self._property_name = self._property.name if self._property is not None else ""
        self._sign = -1.0 if self._property is not None and self._property.direction == "minimize" else 1.0
        self._rows = rows
        codes = space.encode_rows(rows)
        furthest = codes[np.argmax(np.sum((codes - codes.mean(axis=0)) ** 2, axis=1))]
        self._unit = max(float(np.sqrt(np.sum((codes - furthest) ** 2, axis=1)).max()), 1e-9)
        """Width of the pool, which the map's lengths are counted in."""
        self._places = codes / self._unit
        self._mapped_on: Sequence[Observation] | None = None
        self._map: PhaseMap | None = None

    def propose(self, data: PlannerData, n: int, rng: np.random.Generator) -> list[Suggestion]:
        """Return up to n points, each given those before it."""
        taken = set(data.taken_keys())
        keys = data.space.keys(self._rows)
        free = data.are_open(self._rows)
        suggestions = self._spread(data, n, taken, rng)
        free &= np.array([key not in taken for key in keys])
        if len(suggestions) == n or not free.any():
            return suggestions
        known = self._mapped(data)
        if known is None:
            return suggestions
        ahead = data.space.rows([each.parameters for each in (*data.pending, *suggestions)])
        return suggestions + self._chosen(data, known, n - len(suggestions), free, self._at(data.space, ahead))

    def predict(
        self, data: PlannerData, target: str, points: Sequence[Mapping[str, Value]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless property, in its unit."""
        if self._property is None or target != self._property.name:
            known = [] if self._property is None else [self._property.name]
            raise BadObservation(f"no number {target!r} is learnt{did_you_mean(target, known)}")
        found = self._mapped(data)
        process = self._process(data, found, fewest=1)
        if process is None:
            raise NotEnoughData(f"nothing was measured of target {target!r} yet; tell at least one value")
        places = self._at(data.space, data.space.rows(points))
        return over_regions(process, places, region_chances(found, places))

    def regions(self, data: PlannerData, points: Sequence[Mapping[str, Value]]) -> RegionPosterior:
        """Return which region each point belongs to."""
        found = self._mapped(data)
        if found is None:
            raise NotEnoughData(f"no fingerprint of {self._pattern!r} was told yet; tell at least one")
        places = self._at(data.space, data.space.rows(points))
        return RegionPosterior(
            regions=found.regions, probabilities=found.probabilities(places), endmembers=found.endmembers
        )

    def _at(self, space: SearchSpace, rows: np.ndarray) -> np.ndarray:
        return space.encode_rows(rows) / self._unit

    def _spread(self, data: PlannerData, n: int, taken: set[bytes], rng: np.random.Generator) -> list[Suggestion]:
        """Return points far from each other until there are enough for a map; `taken` comes to hold them."""
        n_told = sum(self._pattern in observation.fingerprints for observation in data.observations)
        wanted = min(n, max(self._options.start - n_told - len(data.pending), 0)) if n_told else n
        rows = spread_rows(data.space, wanted, data.taken_rows(), taken, rng) if wanted else self._rows[:0]
        taken.update(data.space.keys(rows))
        return [
            Suggestion(parameters=point, reason="spread over the pool, before there is a map")
            for point in data.space.points(rows)
        ]

    def _mapped(self, data: PlannerData) -> PhaseMap | None:
        """Return the map of everything told; None before the first fingerprint."""
        if self._mapped_on is not data.observations:
            from surrogate.phase_map.endmembers import MixtureOptions
            from surrogate.phase_map.regions import fit_phase_map

            shown = [one for one in data.observations if self._pattern in one.fingerprints]
            self._mapped_on, self._map = data.observations, None
            if shown:
                places = self._at(data.space, data.space.rows([one.parameters for one in shown]))
                patterns = np.array([one.fingerprints[self._pattern] for one in shown])
                options = MixtureOptions(
                    most_shift=self._options.shift,
                    most_phases=self._options.together,
                    least_share=self._options.detectable,
                    most_endmembers=self._options.phases,
                )
                self._map = fit_phase_map(places, patterns, options)
        return self._map

    def _process(self, data: PlannerData, found: PhaseMap | None, *, fewest: int = _FEWEST_VALUES) -> RegionGP | None:
        """Return what is known of the property, region by region; None before there are a few values."""
        from planner.models import target_data
        from planner.region_gp import fit_region_gp

        if self._property is None:
            return None
        known = target_data(data.space, data.observations, self._property.name)
        if len(known.values) < fewest:
            return None
        places = known.codes / self._unit
        chances = region_chances(found, places)
        labels = chances.argmax(axis=1)
        return fit_region_gp(places, labels, known.values, known.noise, n_regions=chances.shape[1])

    def _chosen(
        self, data: PlannerData, known: PhaseMap, n: int, free: np.ndarray, ahead: np.ndarray
    ) -> list[Suggestion]:
        """Return up to n free points, given those that are ahead (`m x d`)."""
        process = self._process(data, known)
        found = _Outlook(known, process).with_pending(ahead)
        free, chosen = free.copy(), list[Suggestion]()
        while free.any() and len(chosen) < n:
            at, suggestion = self._next(data.space, found, free)
            free[at] = False
            chosen.append(suggestion)
            found = found.with_pending(self._places[[at]])
        return chosen

    def _next(self, space: SearchSpace, found: _Outlook, free: np.ndarray) -> tuple[int, Suggestion]:
        """Return the next point and its place in the pool."""
        chances = found.known.probabilities(self._places)
        process, why = found.process, ""
        if process is not None and self._is_mapped(chances, free):
            promise = most_promising(
                process,
                self._places,
                chances,
                free,
                sign=self._sign,
                beta=self._options.beta,
                boundary=self._options.boundary,
            )
            best = float((self._sign * promise.mean)[~free].max(initial=-np.inf))
            if promise.bound[promise.is_inside].max() > best + process.noise_sd:
                return self._optimising(space, found.known, chances, promise)
            why = f"no better {self._property_name} is in sight; "
        return self._mapping(space, found.known, chances, free, why)

    def _is_mapped(self, chances: np.ndarray, free: np.ndarray) -> bool:
        """Say whether the map will do for now; points under way count as measured."""
        n_known = int((~free).sum())
        is_its_turn = n_known >= self._options.patience and n_known % 2 == 0
        return is_its_turn or bool(risk_of(chances).mean() <= self._options.converged)

    def _mapping(
        self, space: SearchSpace, known: PhaseMap, chances: np.ndarray, free: np.ndarray, why: str
    ) -> tuple[int, Suggestion]:
        risk = risk_of(chances)
        at = int(np.argmax(np.where(free, risk, -1.0)))
        reason = f"{why}maps regions: {told(known, chances[at])}; of the map {risk.mean():.0%} is expected to be wrong"
        return at, Suggestion(parameters=space.points(self._rows[[at]])[0], reason=reason)

    def _optimising(
        self, space: SearchSpace, known: PhaseMap, chances: np.ndarray, promise: Promise
    ) -> tuple[int, Suggestion]:
        at = int(np.argmax(np.where(promise.is_inside, promise.worth, -np.inf)))
        name, mean, sd = self._property_name, float(promise.mean[at]), float(promise.sd[at])
        reason = (
            f"looks for the best {name} in the region of {named(known.regions[promise.region])}, which this point is "
            f"in with probability {chances[at, promise.region]:.2f}"
        )
        point = space.points(self._rows[[at]])[0]
        return at, Suggestion(parameters=point, predictions={name: Prediction(mean=mean, sd=sd)}, reason=reason)


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What is known of regions and property, with what is under way."""

    known: PhaseMap
    process: RegionGP | None

    def with_pending(self, places: np.ndarray) -> _Outlook:
        """Return the same as if places (`m x d`) had shown what is expected of them."""
        if not len(places):
            return self
        labels = self.known.probabilities(places).argmax(axis=1)
        process = None if self.process is None else self.process.with_pending(places, labels)
        return _Outlook(self.known.with_pending(places), process)
