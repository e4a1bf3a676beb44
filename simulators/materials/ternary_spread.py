"""A composition spread of three elements: what phases a film has at each composition, how it diffracts, what it does.

Each phase is a regular solution, in units of RT for one mole of atoms,

    G(x) = sum_i x_i g_i + sum_i x_i ln x_i + sum_(i<j) w_ij x_i x_j,

with lattice stabilities g and interactions w. What is stable follows from the lower convex hull of all of them
(Hillert, Phase Equilibria, Phase Diagrams and Phase Transformations (2007), chapter 10): where the hull touches one
phase there is that phase; where it spans a gap, phases coexist at the ends of the tie line, in amounts by the lever
rule. A region is a set of coexisting phases. Cells are tetragonal and expand with their own composition (Vegard).

All is drawn from a seed. Worlds with fewer than four or more than six regions, with a region of a few points, or with
two phases whose lines lie so close that no diffractometer could tell them apart at these shifts, are drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product

import numpy as np
from scipy.spatial import ConvexHull

CHANNELS = 256
Q_RANGE = (1.5, 4.5)
"""In 1/angstrom. Channels are even in log q, where an expansion of the cell is a translation."""
PEAK_SD = 0.015
"""Standard deviation of a line, in 1/angstrom: grains of 10 nm and more."""
VEGARD = 0.01
"""How much the cell of a phase differs between the elements, at most, as a fraction."""
STRONGEST_COUNTS = 2000.0
BACKGROUND_COUNTS = 40.0
PROPERTY_NOISE = 0.02
STEP = 0.3
"""Of the property, at the boundary of the region that has its optimum."""
_HULL_STEPS = 40
_LEAST_SHARE = 0.01
"""A smaller amount of a phase is rounding of the hull."""
_MOST_ALIKE = 0.5
"""Cosine of two phases' patterns at the best shift."""
_SMALLEST_REGION = 0.03
_MOST_DRAWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadPhase:
    """One phase, as a regular solution and as a diffracting crystal."""

    stabilities: np.ndarray
    """g of each element, `3`."""
    interactions: np.ndarray
    """w of the pairs (0, 1), (0, 2), (1, 2), `3`."""
    lines: np.ndarray
    """q of the reflections at no expansion, in 1/angstrom."""
    strengths: np.ndarray
    """Their integrated intensities, the strongest 1."""
    expansion: np.ndarray
    """Relative size of the cell, less one, for each element, `3`."""

    def energy(self, x: np.ndarray) -> np.ndarray:
        """Return G / RT at compositions (`n x 3`)."""
        entropy = np.sum(np.where(x > 0, x * np.log(np.where(x > 0, x, 1.0)), 0.0), axis=1)
        pairs = np.column_stack([x[:, 0] * x[:, 1], x[:, 0] * x[:, 2], x[:, 1] * x[:, 2]])
        return x @ self.stabilities + entropy + pairs @ self.interactions

    def pattern(self, composition: np.ndarray) -> np.ndarray:
        """Return its noiseless diffraction at a composition of its own, 1 at the strongest line or so."""
        q = channel_q()
        at = self.lines / (1.0 + float(self.expansion @ composition))
        return np.exp(-0.5 * ((q[:, None] - at) / PEAK_SD) ** 2) @ self.strengths


@dataclass(frozen=True)
class TernarySpread:
    """The truth about one spread; a planner sees no more than `measure_pattern` and `measure_property`."""

    seed: int
    phases: tuple[SpreadPhase, ...]
    compositions: np.ndarray
    """`n x 3`, rows add up to 1."""
    shares: np.ndarray
    """Amounts of the phases, `n x p`, rows add up to 1."""
    phase_compositions: np.ndarray
    """What each phase consists of where it is present, `n x p x 3`."""
    property_true: np.ndarray
    """Noiseless, from 0 to 1 at the optimum, `n`."""

    @cached_property
    def region_labels(self) -> np.ndarray:
        """Which region each point belongs to, `n`: one number for each set of phases."""
        return region_numbers(self.shares > 0)

    @cached_property
    def patterns(self) -> np.ndarray:
        """Noiseless diffraction in counts, `n x channels`."""
        found = np.zeros((len(self.compositions), CHANNELS))
        for i, k in zip(*np.nonzero(self.shares), strict=True):
            found[i] += self.shares[i, k] * self.phases[k].pattern(self.phase_compositions[i, k])
        decay = np.exp(-np.linspace(0.0, 1.0, CHANNELS))
        return STRONGEST_COUNTS * found + BACKGROUND_COUNTS * (0.5 + decay)

    def measure_pattern(self, index: int, rng: np.random.Generator) -> np.ndarray:
        """Count a diffraction pattern at a point, `channels`."""
        return rng.poisson(self.patterns[index]).astype(float)

    def measure_property(self, index: int, rng: np.random.Generator) -> float:
        """Measure the property at a point."""
        return float(self.property_true[index] + PROPERTY_NOISE * rng.standard_normal())


def channel_q() -> np.ndarray:
    """Return q of the channels, in 1/angstrom."""
    return np.geomspace(*Q_RANGE, CHANNELS)


def region_numbers(presence: np.ndarray) -> np.ndarray:
    """Return a number for each different set of phases (`n x p`, bool), `n`."""
    return np.unique(presence, axis=0, return_inverse=True)[1].ravel()


def simplex_grid(steps: int) -> np.ndarray:
    """Return the compositions of three elements in equal steps, `n x 3`."""
    whole = [(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]
    return np.array(whole, dtype=float) / steps


def draw_spread(seed: int, *, steps: int = 20) -> TernarySpread:
    """Draw a spread.

    Args:
        seed: Equal seeds give equal worlds.
        steps: Of composition along an edge; 20 make 231 points.

    Raises:
        RuntimeError: No world with four to six regions was found, which no seed was seen to do.
    """
    rng = np.random.default_rng([seed, 3])
    compositions = simplex_grid(steps)
    for _ in range(_MOST_DRAWS):
        phases = _draw_phases(rng)
        if _look_alike(phases):
            continue
        shares, inside = equilibrium(phases, compositions)
        labels = region_numbers(shares > 0)
        sizes = np.bincount(labels)
        if 4 <= len(sizes) <= 6 and sizes.min() >= _SMALLEST_REGION * len(labels):
            values = _draw_property(compositions, labels, rng)
            return TernarySpread(seed, phases, compositions, shares, inside, values)
    raise RuntimeError(f"seed {seed}: {_MOST_DRAWS} draws gave no spread of four to six regions")


def equilibrium(phases: tuple[SpreadPhase, ...], compositions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return amounts (`n x p`) and compositions (`n x p x 3`) of the stable phases at compositions (`n x 3`)."""
    grid = simplex_grid(_HULL_STEPS)
    x = np.tile(grid, (len(phases), 1))
    owner = np.repeat(np.arange(len(phases)), len(grid))
    energy = np.concatenate([phase.energy(grid) for phase in phases])
    corners = _lower_facets(x, energy)
    weights = np.linalg.inv(x[corners].transpose(0, 2, 1)) @ compositions.T  # facets x 3 x n
    best = np.argmax(weights.min(axis=1), axis=0)
    shares = np.zeros((len(compositions), len(phases)))
    inside = np.zeros((len(compositions), len(phases), 3))
    for i, facet in enumerate(best):
        for corner, weight in zip(corners[facet], np.clip(weights[facet, :, i], 0.0, 1.0), strict=True):
            shares[i, owner[corner]] += weight
            inside[i, owner[corner]] += weight * x[corner]
    inside = np.where(shares[:, :, None] > 0, inside / np.maximum(shares, 1e-12)[:, :, None], 0.0)
    shares[shares < _LEAST_SHARE] = 0.0
    return shares / shares.sum(axis=1, keepdims=True), inside


def _lower_facets(x: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Return the triangles (`f x 3`, indices) of the lower convex hull."""
    hull = ConvexHull(np.column_stack([x[:, :2], energy]), qhull_options="Qt")
    facets = hull.simplices[hull.equations[:, 2] < -1e-9]
    return facets[np.abs(np.linalg.det(x[facets])) > 1e-9]


def _draw_phases(rng: np.random.Generator) -> tuple[SpreadPhase, ...]:
    """Draw three or four phases, each most at home in a part of the triangle of its own."""
    homes = [np.eye(3)[element] for element in rng.permutation(3)[: rng.integers(2, 4)]]
    while len(homes) < 3 or (len(homes) < 4 and rng.random() < 0.4):
        homes.append(rng.dirichlet([2.0, 2.0, 2.0]))
    return tuple(_phase(*_at_home(home, rng), rng) for home in homes)


def _at_home(home: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return stabilities and interactions (`3` each) of a phase that is most stable at a composition.

    A quadratic `c |x - home|^2` on the triangle is a regular solution with g_i = c |e_i - home|^2 and w_ij = -2 c; a
    little is added to make no two alike.
    """
    curvature = rng.uniform(0.8, 2.5)
    stabilities = curvature * np.sum((np.eye(3) - home) ** 2, axis=1) + rng.uniform(0.0, 0.3)
    return stabilities, rng.uniform(-2.0, 0.0) * curvature + rng.uniform(-0.5, 0.5, 3)


def _phase(stabilities: np.ndarray, interactions: np.ndarray, rng: np.random.Generator) -> SpreadPhase:
    lines, strengths = _draw_lines(rng)
    expansion = VEGARD * rng.uniform(-0.5, 0.5, 3)
    return SpreadPhase(
        stabilities=stabilities, interactions=interactions, lines=lines, strengths=strengths, expansion=expansion
    )


def _draw_lines(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return q (1/angstrom) and intensities of a tetragonal crystal's reflections."""
    centring = rng.choice(["P", "I", "F"], p=[0.2, 0.4, 0.4])
    a = rng.uniform(3.0, 4.2) * {"P": 0.9, "I": 1.0, "F": 1.3}[str(centring)]
    ratio = rng.uniform(0.85, 1.6)
    found: dict[float, int] = {}
    for h, k, l in product(range(-6, 7), repeat=3):  # noqa: E741 - Miller indices
        if _is_allowed(str(centring), h, k, l):
            q = round(float(2.0 * np.pi / a * np.sqrt(h * h + k * k + (l / ratio) ** 2)), 6)
            found[q] = found.get(q, 0) + 1
    # room on both sides, for lines that an expansion moves into the window
    seen = [(q, n) for q, n in sorted(found.items()) if 0.97 * Q_RANGE[0] < q < 1.03 * Q_RANGE[1]]
    q, multiplicity = np.array([one for one, _ in seen]), np.array([n for _, n in seen])
    strengths = multiplicity * rng.uniform(0.1, 1.0, len(q)) / q**2
    return q, strengths / strengths.max()


def _is_allowed(centring: str, h: int, k: int, l: int) -> bool:  # noqa: E741
    if centring == "I":
        return (h + k + l) % 2 == 0
    if centring == "F":
        return all((one - other) % 2 == 0 for one, other in pairwise((h, k, l)))
    return True


def _look_alike(phases: tuple[SpreadPhase, ...]) -> bool:
    """Say whether two phases could hardly be told apart, because most of their lines are a shift apart."""
    plain = [phase.pattern(np.full(3, 1.0 / 3.0)) for phase in phases]
    units = [one / np.linalg.norm(one) for one in plain]
    furthest = int(np.ceil(VEGARD / np.log(Q_RANGE[1] / Q_RANGE[0]) * CHANNELS))
    shifts = range(-furthest, furthest + 1)
    return any(
        max(float(np.roll(one, by) @ other) for by in shifts) > _MOST_ALIKE
        for i, one in enumerate(units)
        for other in units[:i]
    )


def _draw_property(compositions: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a property that is smooth but for a step at the boundary of one region, which has the optimum."""
    plane = cartesian(compositions)
    best_region = rng.integers(labels.max() + 1)
    is_inside = labels == best_region
    centre = plane[rng.choice(np.flatnonzero(is_inside))]
    other = plane[rng.integers(len(plane))]
    slope = rng.normal(size=2)
    slope *= 0.2 / np.linalg.norm(slope)
    smooth = _bump(plane, centre, rng.uniform(0.1, 0.16)) * 0.6
    smooth += _bump(plane, other, rng.uniform(0.12, 0.2)) * 0.45 + plane @ slope
    smooth = smooth + STEP * is_inside
    top = smooth[is_inside].max()
    smooth = np.where(is_inside, smooth, np.minimum(smooth, top - 0.1))  # a rival elsewhere stays a rival
    return (smooth - smooth.min()) / np.ptp(smooth)


def cartesian(compositions: np.ndarray) -> np.ndarray:
    """Return points (`n x 2`) of the triangle with edges of 1."""
    return compositions @ np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])


def _bump(plane: np.ndarray, centre: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-0.5 * np.sum((plane - centre) ** 2, axis=1) / width**2)
