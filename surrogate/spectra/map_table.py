"""A map of spectra as a table, checked before it is unmixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.factors import Constraints, Data

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


def map_table(values: Array, sd: Array | float, valid: Mask | None) -> Data:
    """Return a checked ``m x p`` table with inverse variances, zero where not valid.

    Raises:
        CannotTell: It is no table, its noise is unknown, or a row or column has no usable value.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or min(values.shape) < 2:
        raise CannotTell(f"a map is a table of spectra by points, not an array of shape {values.shape}")
    spread = np.broadcast_to(np.asarray(sd, dtype=float), values.shape)
    good = np.isfinite(values) if valid is None else np.asarray(valid, dtype=bool) & np.isfinite(values)
    if not (np.isfinite(spread[good]).all() and (spread[good] > 0).all()):
        raise CannotTell("the noise of the map is zero or unknown; give the standard deviation of its values")
    empty = [f"{n} {what}" for n, what in ((_empty(good, 1), "spectra"), (_empty(good, 0), "points")) if n]
    if empty:
        raise CannotTell(f"{' and '.join(empty)} of the map have no usable value; leave them out")
    safe = np.where(good, spread, 1.0)
    return Data(values=np.where(good, values, 0.0), precision=np.where(good, 1.0 / safe**2, 0.0))


def _empty(good: Mask, axis: int) -> int:
    return int(np.sum(~good.any(axis=axis)))


def require_ranks(data: Data, ranks: Sequence[int], constraints: Constraints) -> None:
    """Refuse numbers of components that the table or the fixed components do not allow.

    Raises:
        CannotTell: Too many or too few components, or fixed ones that do not fit.
    """
    m, p = data.values.shape
    if not ranks or ranks[0] < max(constraints.n_fixed, 1):
        raise CannotTell(
            f"{constraints.n_fixed} components are fixed, and at least one is needed; ranks: {list(ranks)}"
        )
    if ranks[-1] >= min(m, p):
        raise CannotTell(f"{ranks[-1]} components cannot be told from {m} spectra of {p} points")
    if constraints.fixed is not None and (constraints.fixed.ndim != 2 or constraints.fixed.shape[1] != p):
        raise CannotTell(f"fixed components of shape {constraints.fixed.shape} do not fit spectra of {p} points")
    if constraints.fixed is not None and not (constraints.fixed >= 0).all():
        raise CannotTell("a fixed component is negative or not finite somewhere; components are non-negative")
