"""Sources: what was measured or computed elsewhere, each as a Gaussian process of its own.

Points are in the unit cube of the target's inputs. A source is refused, with the reason, where it cannot tell anything:
other units or inputs, too few or constant values, or a model that predicts its own left-out values worse than their
mean does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.length_priors import HEAVY
from surrogate.matern_gp import GP, fit_gp
from surrogate.transfer.thinning import spread_out

Array = NDArray[np.floating[Any]]

FEWEST = 4
"""Values of a source that can be told from its noise."""
MOST = 400
"""Values that a source's model is made of, at points that lie spread over those of all."""
LEAST_SPREAD = 1e-9
"""Standard deviation of a source's values, relative to their size, below which they are constant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Values of an earlier campaign, a simulation or a theory."""

    name: str
    X: Array
    """``n x d``, in the unit cube of the target's inputs; points outside count as they stand."""
    y: Array
    """``n``, in ``unit``."""
    unit: str = ""
    """UCUM."""
    noise: Array | None = None
    """Standard deviation of each value, ``n``, in ``unit``; None where it is unknown."""
    of: int | None = None
    """How many values these are some of; None: they are all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSource:
    """A source and its model, in units of the spread of its values about their mean."""

    name: str
    gp: GP
    centre: float
    spread: float
    of: int | None = None
    """How many values there were, where the model is made of fewer."""

    @property
    def lengths(self) -> Array:
        """Return the ``d`` lengths of the kernel."""
        return self.gp.kernel.lengths

    @property
    def noise(self) -> float:
        """Return the typical variance of a value's noise, in units of the squared spread."""
        return float(np.median(self.gp.noise))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A source that is not used."""

    name: str
    reason: str


def prepare(sources: Sequence[Source], *, d: int, unit: str = "") -> tuple[list[PreparedSource], list[Refused]]:
    """Return the models of the sources that can tell something of a target, and why the others cannot.

    Args:
        sources: Any number.
        d: Number of the target's inputs.
        unit: Of the target's values.

    Raises:
        ValueError: Two sources have one name.
    """
    names = [one.name for one in sources]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two sources are called {sorted(twice)[0]!r}; give each a name of its own")
    taken, refused = [], []
    for source in sources:
        if reason := _unfit(source, d, unit):
            refused.append(Refused(name=source.name, reason=reason))
            continue
        some = _thinned(source)
        if _is_constant(some.y):
            reason = f"the {len(some.y)} of its values that its model would be made of are constant"
            refused.append(Refused(name=source.name, reason=reason))
            continue
        model = _modelled(some)
        if (explained := left_out_r_squared(model.gp)) < 0.0:
            reason = f"its model predicts left-out values worse than their mean does (R2 {explained:.2f})"
            refused.append(Refused(name=source.name, reason=reason))
        else:
            taken.append(model)
    return taken, refused


def left_out_r_squared(gp: GP) -> float:
    """Return the share of the variance that predictions of each value from all others explain.

    In closed form: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), eq. (5.12).
    """
    precision = np.linalg.inv(gp.kernel(gp.X, gp.X) + np.diag(gp.noise))
    errors = (precision @ (gp.y - gp.mean)) / np.diag(precision)
    return 1.0 - float((errors**2).mean() / gp.y.var())


def _unfit(source: Source, d: int, unit: str) -> str:
    """Say why a source cannot be used; empty if it can."""
    X, y = np.asarray(source.X), np.asarray(source.y)
    if source.unit != unit:
        return f"its values are in {source.unit or 'no unit'}, the target's in {unit or 'no unit'}; convert them"
    if X.ndim != 2 or X.shape[1] != d or len(X) != len(y) or y.ndim != 1:
        return f"its points are {' x '.join(map(str, X.shape))} with {len(y)} values; n x {d} with n values are needed"
    if source.noise is not None and np.shape(source.noise) != y.shape:
        return f"it has {len(y)} values and {np.size(source.noise)} standard deviations; one each is needed"
    if not all(np.isfinite(one).all() for one in (X, y, [] if source.noise is None else source.noise)):
        return "it holds NaN or infinity; leave those values out"
    if len(y) < FEWEST:
        return f"it has {len(y)} value{'s' if len(y) != 1 else ''}; {FEWEST} are needed to tell a shape from noise"
    if _is_constant(y):
        return "its values are constant, so that they tell no shape"
    return ""


def _is_constant(y: Array) -> bool:
    return float(np.std(y)) <= LEAST_SPREAD * max(float(np.abs(y).max()), 1e-300)


def _thinned(source: Source) -> Source:
    """Return a source of no more values than its model is made of."""
    X, y = np.asarray(source.X, dtype=float), np.asarray(source.y, dtype=float)
    some = spread_out(X, MOST)
    noise = None if source.noise is None else np.asarray(source.noise, dtype=float)[some]
    return replace(source, X=X[some], y=y[some], noise=noise, of=source.of or len(y))


def _modelled(source: Source) -> PreparedSource:
    y = source.y
    centre, spread = float(y.mean()), float(y.std())
    noise = None if source.noise is None else (source.noise / spread) ** 2
    return PreparedSource(
        name=source.name,
        gp=fit_gp(source.X, (y - centre) / spread, noise, prior=HEAVY),
        centre=centre,
        spread=spread,
        of=source.of if source.of != len(y) else None,
    )
