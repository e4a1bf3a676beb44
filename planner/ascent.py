"""Climbing from several rows at once, by quasi-Newton steps along the continuous columns that keep every constraint.

A climber that touches walls goes where the projection of its gradient onto the cone of feasible directions leads
(Rosen, J. SIAM 8, 181 (1960), doi 10.1137/0108011; the projection by non-negative least squares), and its step ends at
the next wall, so that no row ever has to be repaired. Curvature is learnt by the BFGS update (Nocedal and Wright,
Numerical Optimization (2006), eq. 6.17). Gradients are forward differences: scoring all climbers and all their
differences in one call costs less than one gradient through an autograd library, and any score will do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import nnls

from planner.region import Region

Score = Callable[[np.ndarray], np.ndarray]
"""A function from rows (`n x p`) to what they are worth (`n`)."""

_DIFFERENCE = 1e-5
"""Of a column's range."""
_FIRST_STEP = 0.15
"""Length of a climber's first step, in ranges."""
_LENGTHS = np.array([3.0, 1.0, 0.5, 0.2, 0.07, 0.02, 0.005])
"""Of the steps that are tried along a direction."""
_TOUCHING = 1e-9
_SLIDING = 1e-9
"""A direction's part into a wall that is rounding."""
_TINY = 1e-12


@dataclass(frozen=True)
class Slopes:
    """The continuous columns of a region on scales of their own from 0 to 1, and the walls along them."""

    region: Region

    @cached_property
    def columns(self) -> np.ndarray:
        """Return the columns that have no levels and may vary, `c`."""
        return np.flatnonzero(~self.region.discrete & (self.region.high > self.region.low))

    @cached_property
    def _bends(self) -> np.ndarray:
        """Say which are climbed in logarithm (`c`, bool): those that no sum ties, for sums are straight."""
        tied = np.any(np.vstack([self.region.A, self.region.E])[:, self.columns] != 0, axis=0)
        return self.region.is_log[self.columns] & ~tied

    def inner(self, rows: np.ndarray) -> np.ndarray:
        """Return rows (`k x p`) on the columns' own scales, `k x c`."""
        low, high = self.region.low[self.columns], self.region.high[self.columns]
        z = (rows[:, self.columns] - low) / (high - low)
        some = self._bends
        z[:, some] = np.log(rows[:, self.columns[some]] / low[some]) / np.log(high[some] / low[some])
        return z

    def rows(self, z: np.ndarray, like: np.ndarray) -> np.ndarray:
        """Return rows (`k x p`) from their own scales (`k x c`), other columns as they are in rows alike."""
        low, high = self.region.low[self.columns], self.region.high[self.columns]
        x = low + z * (high - low)
        some = self._bends
        x[:, some] = low[some] * (high[some] / low[some]) ** z[:, some]
        rows = like.copy()
        rows[:, self.columns] = x
        return rows

    @cached_property
    def n_sums(self) -> int:
        """Return how many of the walls are equalities; they come first."""
        return len(self.region.E)

    @cached_property
    def _slants(self) -> tuple[np.ndarray, np.ndarray]:
        """Return normals of equalities and inequalities on the own scales, and their lengths before they were 1."""
        weights = np.vstack([self.region.E, self.region.A])[:, self.columns] * self.region.span[self.columns]
        sizes = np.sqrt(np.einsum("wc,wc->w", weights, weights))
        return weights / np.maximum(sizes, 1e-300)[:, None], np.where(sizes > 0, sizes, np.inf)

    @cached_property
    def normals(self) -> np.ndarray:
        """Return the outward normals of all walls, of length 1, `w x c`."""
        eye = np.eye(len(self.columns))
        return np.vstack([self._slants[0], eye, -eye])

    def room(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return how far rows (`k x p`; `k x c` on their own scales) are from each wall, `k x w`."""
        sizes = self._slants[1][self.n_sums :]
        slants = (self.region.b - rows @ self.region.A.T) / sizes
        return np.maximum(np.hstack([np.zeros((len(z), self.n_sums)), slants, 1.0 - z, z]), 0.0)


class Climbers:
    """Rows on their way up, with what they learnt of the slope.

    Attributes:
        rows: Where they are, `k x p`.
    """

    def __init__(self, slopes: Slopes, rows: np.ndarray) -> None:
        k, c = len(rows), len(slopes.columns)
        self.rows = rows.copy()
        self._slopes = slopes
        self._z = slopes.inner(rows)
        self._gradients = np.zeros((k, c))
        self._curvature = np.zeros((k, c, c))
        self._is_new = np.ones(k, dtype=bool)

    def differences(self) -> np.ndarray:
        """Return rows whose scores tell the gradients, `(k c) x p`."""
        k, c = self._gradients.shape
        z = self._slopes.inner(self.rows)[:, None, :] + _DIFFERENCE * np.eye(c)
        return self._slopes.rows(z.reshape(k * c, c), np.repeat(self.rows, c, axis=0))

    def learn(self, scores: np.ndarray, probed: np.ndarray) -> None:
        """Take the scores of the rows (`k`) and of their differences (`k c`)."""
        z = self._slopes.inner(self.rows)
        gradients = (probed.reshape(z.shape) - scores[:, None]) / _DIFFERENCE
        gradients = np.where(np.isfinite(gradients), gradients, 0.0)
        moved, fell = z - self._z, self._gradients - gradients
        self._z, self._gradients = z, gradients
        bent = np.einsum("kc,kc->k", moved, fell)
        for one in np.flatnonzero(bent > _TINY):
            self._bend(int(one), moved[one], fell[one], float(bent[one]))

    def _bend(self, one: int, moved: np.ndarray, fell: np.ndarray, bent: float) -> None:
        """Update a climber's curvature, the inverse of the negative second derivative, by its last step."""
        eye = np.eye(len(moved))
        if self._is_new[one]:
            self._curvature[one] = eye * bent / float(fell @ fell)
            self._is_new[one] = False
        left = eye - np.outer(moved, fell) / bent
        self._curvature[one] = left @ self._curvature[one] @ left.T + np.outer(moved, moved) / bent

    def keep(self, which: np.ndarray) -> None:
        """Let the others (`k`, bool) stay behind."""
        self.rows, self._z = self.rows[which], self._z[which]
        self._gradients, self._curvature = self._gradients[which], self._curvature[which]
        self._is_new = self._is_new[which]

    def forget(self, which: np.ndarray) -> None:
        """Drop what climbers (`k`, bool) knew, after a step of another kind."""
        self._is_new |= which

    def steps(self) -> np.ndarray:
        """Return rows along each climber's direction, `k x lengths x p`; the row itself where none leads up."""
        slopes, (k, c) = self._slopes, self._z.shape
        room = slopes.room(self.rows, self._z)
        direction = np.array([self._direction(one, room[one] <= _TOUCHING) for one in range(k)])
        speed = direction @ slopes.normals.T
        ahead = speed > _SLIDING * np.max(np.abs(direction), axis=1, keepdims=True)
        ahead[:, : slopes.n_sums] = False
        most = np.min(np.where(ahead, room / np.where(ahead, speed, 1.0), np.inf), axis=1)
        lengths = np.minimum(_LENGTHS[None, :], most[:, None])
        z = self._z[:, None, :] + lengths[:, :, None] * direction[:, None, :]
        rows = slopes.rows(z.reshape(-1, c), np.repeat(self.rows, len(_LENGTHS), axis=0))
        return slopes.region.round(rows).reshape(k, len(_LENGTHS), -1)

    def _direction(self, one: int, touching: np.ndarray) -> np.ndarray:
        """Return where a climber goes (`c`): up, and along the walls that it touches (`w`, bool)."""
        gradient, normals = self._gradients[one], self._slopes.normals[touching]
        n_sums, held = self._slopes.n_sums, np.zeros((0, len(gradient)))
        steepest = gradient
        if len(normals):
            cone = np.vstack([normals, -normals[:n_sums]])
            pressure, _ = nnls(cone.T, gradient)
            steepest = gradient - pressure @ cone
            presses = pressure[: len(normals)] > 0.0
            presses[:n_sums] = True
            held = normals[presses]
        size = float(np.sqrt(steepest @ steepest))
        if size < _TINY or size < 1e-10 * float(np.max(np.abs(gradient))):
            return np.zeros_like(gradient)
        if not self._is_new[one]:
            turned = _along(held, self._curvature[one] @ steepest)
            into = normals[n_sums:] @ turned
            if turned @ gradient > 0.0 and not np.any(into > _SLIDING * float(np.max(np.abs(turned)))):
                return turned
        return steepest * (_FIRST_STEP / size)


def _along(walls: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return a vector (`c`) without what points through walls (`w x c`)."""
    if not len(walls):
        return vector
    return vector - walls.T @ np.linalg.lstsq(walls.T, vector, rcond=None)[0]
