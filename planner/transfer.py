"""What earlier campaigns, simulations and theory tell a planner: their tables, and what a point is worth with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.acquisition import NoisyLogEI, log_h, log_mean
from planner.earlier import EarlierTable, number, read_tables
from planner.errors import BadOption
from planner.space import SearchSpace
from surrogate.transfer.draws import Draws
from surrogate.transfer.mixture import Mixture
from surrogate.transfer.sources import Source

_KEYS = ("name", "points", "values", "unit", "noise", "of")


def read_sources(space: SearchSpace, given: Any, unit: str) -> list[Source]:
    """Return the sources that the option `sources` describes: a list of tables.

    Each table is a mapping: `name`, `points` (mappings of every parameter to a value), `values` (as many numbers), and
    where wanted `unit` (that of the objective by default), `noise` (a standard deviation, or one for each value) and
    `of` (how many values it is a selection of, which reasons say).

    Raises:
        BadOption: A table cannot be read, or two have one name.
    """
    tables = read_tables(space, given, "sources", keys=_KEYS, needed=_KEYS[:3], fewest=1)
    sources = [_source(table, unit) for table in tables]
    names = [one.name for one in sources]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BadOption(f"two tables of option 'sources' are called {sorted(twice)[0]!r}; give each a name of its own")
    return sources


def _source(table: EarlierTable, unit: str) -> Source:
    name, own = table.given["name"], table.given.get("unit", unit)
    if not isinstance(name, str) or not name.strip():
        raise BadOption(f"{table.where}: name must be text, not {name!r}")
    if not isinstance(own, str):
        raise BadOption(f"{table.where}: unit must be text, not {own!r}")
    return Source(name=name, X=table.codes, y=table.values, unit=own, noise=_noise(table), of=_of(table))


def _of(table: EarlierTable) -> int | None:
    of = table.given.get("of")
    if of is not None and (isinstance(of, bool) or not isinstance(of, int) or of < len(table.values)):
        raise BadOption(f"{table.where}: of must be a whole number from {len(table.values)} up, not {of!r}")
    return of


def _noise(table: EarlierTable) -> np.ndarray | None:
    given = table.given.get("noise")
    if given is None:
        return None
    each = list(given) if isinstance(given, list | tuple) else [given] * len(table.values)
    if len(each) != len(table.values):
        raise BadOption(
            f"{table.where} has {len(each)} standard deviations and {len(table.values)} values; give one, or one each"
        )
    found = np.array([number(one, f"{table.where}: noise") for one in each])
    if (found < 0.0).any():
        raise BadOption(f"{table.where}: noise is a standard deviation, from 0 up, not {found.min():g}")
    return found


class TransferredLogEI(NoisyLogEI):
    """Logarithm of the noisy expected improvement under a mixture of what the target may take from its sources.

    Args:
        mixture: What is known of the target.
        points: Every measured point, and pending ones, `m x d`, each once.
        sign: -1 where less is better.
        n_draws: How many draws of the noiseless values the improvement is averaged over.
        rng: Where they come from.
    """

    def __init__(
        self, mixture: Mixture, points: np.ndarray, *, sign: float, n_draws: int, rng: np.random.Generator
    ) -> None:
        self._mixture, self._sign = mixture, sign
        self._drawn = Draws(mixture, points, n_draws=n_draws, rng=rng)
        self.noise_sd = mixture.noise_sd

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of points (`n x d`), `n`."""
        mean, sd = self._drawn.posterior(points)
        scores = log_h((self._sign * mean - self._best()) / sd) + np.log(sd)
        return log_mean(scores)

    def _best(self) -> np.ndarray | float:
        """Return what is to be improved on in each draw; what the sources have in the mean, where nothing is known."""
        values = self._sign * self._drawn.values
        return values.max(axis=0) if len(values) else self._sign * float(self._mixture.in_unit(np.zeros(1))[0])

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending: it gets a value in every draw."""
        self._drawn.add(point, rng)
