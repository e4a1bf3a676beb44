"""Featurizers of compositions: the text of formulas, such as 'Ca(OH)2' or 'La1.85Sr0.15CuO4'."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from surrogate.features.composition import SHARING, STATISTICS, fractions, statistics_of
from surrogate.features.elements import ALL_PROPERTIES, gaps, symbols, wide_table


class ElementStatistics:
    """Statistics of the elements' properties over the atoms, and of each property the share of atoms that lack it.

    The statistics are those of `surrogate.features.composition`, of every property that pymatgen knows of at least half
    of the elements. What stands in where it knows none, `surrogate.features.elements` says; a column `imputed NAME`
    tells which part of the atoms has such a stand-in, so that a model can learn to distrust it.
    """

    name = "element_statistics"
    version = "1"
    takes = "composition"

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        statistics = (f"{statistic} {name}" for name in ALL_PROPERTIES for statistic in STATISTICS)
        flags = (f"imputed {ALL_PROPERTIES[place]}" for place in self._lacking)
        return (*statistics, *SHARING, *flags)

    @cached_property
    def _lacking(self) -> np.ndarray:
        return np.flatnonzero(gaps().any(axis=0))

    def features(self, items: Sequence[str]) -> np.ndarray:
        """Return the statistics of formulas, `n x columns`.

        Raises:
            CompositionError: One is no formula.
        """
        return np.hstack([statistics_of(items, wide_table()), fractions(items) @ gaps()[:, self._lacking]])


class BagOfAtoms:
    """The share of the atoms of each element."""

    name = "bag_of_atoms"
    version = "1"
    takes = "composition"

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(f"share of {symbol}" for symbol in symbols())

    def features(self, items: Sequence[str]) -> np.ndarray:
        """Return the shares in formulas, `n x columns`.

        Raises:
            CompositionError: One is no formula.
        """
        return fractions(items)
