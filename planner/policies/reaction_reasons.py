"""Why a recipe is proposed, in words, and what is to be feared of its precursors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surrogate.reactions.beliefs import Beliefs, Forecast
    from surrogate.reactions.precursors import PrecursorSet
    from surrogate.reactions.substances import Table

_VOLATILE, _LIQUID = 0.8, 0.95
"""Factors of the probability where a precursor evaporates, or melts, below the temperature of a recipe."""
_LEAST_TOLD = 0.05
_MOST_PHASES, _MOST_AVOIDED = 3, 2

Interface = tuple[str, str]


class Reasons:
    """Says why, from what is believed.

    Args:
        beliefs: about pairs of phases.
        forecast: of the recipes that may be proposed.
        short: sets of the recipes that fell short, once for each time.
    """

    def __init__(self, beliefs: Beliefs, forecast: Forecast, short: Sequence[PrecursorSet]) -> None:
        self._beliefs, self._forecast, self._short = beliefs, forecast, short
        self._hottest_c = beliefs.temperatures_c[-1]

    def of(self, precursors: PrecursorSet, temperature_c: float, number: int) -> list[str]:
        """Return sentences about the recipe with a number in the forecast."""
        said = []
        beside = self._beside(number)
        if beside:
            said.append(f"beside it {', '.join(beside)}")
        said.append(f"driving force left {round(float(self._forecast.remaining_mev_atom[number]))} meV/atom")
        avoided = self._avoided(precursors)
        if avoided:
            said.append(f"avoids {'; '.join(avoided)}")
        fears = (fear(self._beliefs.table, name, temperature_c) for name in sorted(precursors.moles))
        return [*said, *(one for one in fears if one)]

    def _beside(self, number: int) -> list[str]:
        """Return the phases beside the target, the largest first."""
        weights = zip(self._beliefs.phases, self._forecast.weights[number], strict=True)
        ranked = sorted((item for item in weights if item[0] != self._beliefs.target), key=lambda item: -item[1])
        return [f"{name} {weight:.2f}" for name, weight in ranked[:_MOST_PHASES] if weight >= _LEAST_TOLD]

    def _avoided(self, precursors: PrecursorSet) -> list[str]:
        """Say which interfaces of what fell short this set does without, and what they make; the commonest."""
        counts: dict[Interface, int] = {}
        for one in self._short:
            for pair in self._meetings(one):
                counts[pair] = counts.get(pair, 0) + 1
        own, said = set(self._meetings(precursors)), list[str]()
        for pair in sorted(counts, key=lambda pair: (-counts[pair], pair)):
            belief = self._beliefs.pairs.get(pair)
            if pair in own or belief is None or belief.reacts_by(self._hottest_c) < 0.5:
                continue
            made = belief.likeliest()[1].products
            if self._beliefs.target not in made:
                said.append(f"{' and '.join(pair)} (make {' and '.join(sorted(made))})")
        return said[:_MOST_AVOIDED]

    def _meetings(self, precursors: PrecursorSet) -> list[Interface]:
        """Return the pairs that meet at first: of precursors, and of what they decompose to."""
        names = set(precursors.moles)
        for name in precursors.moles:
            belief = self._beliefs.pairs.get((name,))
            if belief is not None and belief.reacts_by(self._hottest_c) >= 0.5:
                names.update(belief.likeliest()[1].products)
        return _pairs(names)


def interfaces_of(precursors: PrecursorSet) -> list[Interface]:
    """Return the pairs of precursors that touch; at least one."""
    return _pairs(precursors.moles)


def _pairs(names: Iterable[str]) -> list[Interface]:
    ordered = sorted(names)
    return [(one, other) for i, one in enumerate(ordered) for other in ordered[i + 1 :]]


def care(table: Table, precursors: PrecursorSet, temperature_c: float) -> float:
    """Return a factor of the probability for what evaporates or melts before it reacts."""
    factor = 1.0
    for name in precursors.moles:
        one = table[name]
        factor *= _VOLATILE if one.volatile_c is not None and one.volatile_c < temperature_c else 1.0
        factor *= _LIQUID if one.melts_c is not None and one.melts_c < temperature_c else 1.0
    return factor


def fear(table: Table, name: str, temperature_c: float) -> str:
    """Say what is to be feared of a precursor at a temperature; nothing where there is nothing."""
    one = table[name]
    if one.volatile_c is not None and one.volatile_c < temperature_c:
        return f"{name} evaporates from {one.volatile_c:.0f} degC"
    if one.melts_c is not None and one.melts_c < temperature_c:
        return f"{name} is liquid from {one.melts_c:.0f} degC"
    return ""
