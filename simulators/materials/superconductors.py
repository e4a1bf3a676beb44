"""A seeded world of superconductors: a pool of compositions, what the literature knows of others, a hidden rule.

After the campaign of Pogue et al., npj Comput. Mater. 9, 181 (2023), doi:10.1038/s41524-023-01131-3, which looked for
superconductors among known and computed compounds. No formula here says what the real compound does. The rule has the
shape of what is believed of conventional superconductors: transition temperatures peak at some numbers of valence
electrons per atom (Matthias, Phys. Rev. 97, 74 (1955), doi:10.1103/PhysRev.97.74), light atoms help (the isotope
effect, McMillan, Phys. Rev. 167, 331 (1968), doi:10.1103/PhysRev.167.331), magnetic and very ionic compounds do not
superconduct. A family of layered oxides follows a rule of its own. Where the peaks are and how much each part counts
is drawn by the seed, and so are quirks that no property of the elements explains: a preference of each element, and
one of each set of elements (a structure type).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import gcd

import numpy as np

from simulators.chance import generator

ELEMENTS: tuple[str, ...] = tuple(
    re.findall(
        "[A-Z][a-z]?",
        "LiBeBCNONaMgAlSiPSKCaScTiVCrMnFeCoNiCuZnGaGeAsSeRbSrYZrNbMoRuRhPdAgCdInSnSbTeCsBaLaCeNdGdYbLuHfTaWReOsIrPt"
        "AuHgTlPbBi",
    )
)
HIT_K = 10.0
"""Transition temperature from which on a composition is a hit."""
HITS = 0.02
"""Fraction of the pool that are hits."""
BASE_K = 1.8
"""Lowest temperature of the cryostat: a lower transition is seen as none, 0 K."""
FAILURES = 0.3
"""Fraction of the pool that cannot be made at the first attempt."""
_MAGNETIC = frozenset(["Cr", "Mn", "Fe", "Co", "Ni", "Ce", "Nd", "Gd"])
_VOLATILE = frozenset(["Li", "Na", "K", "Rb", "Cs", "P", "S", "As", "Se", "Zn", "Cd", "Hg", "Tl", "N", "O"])
_LARGE = ("Ca", "Sr", "Ba", "La", "Y", "Nd", "Bi", "Tl", "Hg", "Pb")
"""What the layers of the oxide family hold between them."""
_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*)+")
_PART = re.compile(r"([A-Z][a-z]?)(\d*)")
_STEEPNESS = 3.0
"""Of the transition temperature over the level: exponential below a hit, a straight line above."""
_LITERATURE = 1.3
"""How much more the literature reports what superconducts."""


@dataclass(frozen=True, slots=True)
class Known:
    """A composition of the literature."""

    formula: str
    tc_k: float
    """Transition temperature; 0 where none was seen."""


class Superconductors:
    """Everything that may be asked of one world; equal seeds give equal worlds.

    Args:
        seed: Of the rule, the pool and the literature.
        n_pool: Compositions that may be made.
        n_known: Compositions of the literature, none of them in the pool.
        family: Fraction of the literature that belongs to the one family of layered oxides.
    """

    def __init__(self, seed: int, *, n_pool: int = 20_000, n_known: int = 600, family: float = 0.5) -> None:
        self._seed = seed
        self._n_pool, self._n_known, self._n_family = n_pool, n_known, round(family * n_known)
        self._rule = _Rule.drawn(generator(seed, "rule"))

    @cached_property
    def pool(self) -> tuple[str, ...]:
        """Compositions that may be made, each once."""
        return tuple(self._drawn[: self._n_pool])

    @cached_property
    def known(self) -> tuple[Known, ...]:
        """What the literature says: of the family and of all others, more often what superconducts."""
        rng = generator(self._seed, "literature")
        family = _oxides(5 * self._n_family, rng, set(self._drawn))
        formulas = [
            *self._reported(family, self._n_family, rng),
            *self._reported(self._drawn[self._n_pool :], self._n_known - self._n_family, rng),
        ]
        return tuple(Known(name, float(tc)) for name, tc in zip(formulas, self.seen_k(formulas), strict=True))

    def _reported(self, formulas: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
        """Return n of some compositions, more often those that superconduct."""
        if not n:
            return []
        weight = np.exp(_LITERATURE * self._level(formulas))
        chosen = rng.choice(len(formulas), n, replace=False, p=weight / weight.sum())
        return [str(formulas[place]) for place in sorted(chosen)]

    def tc_k(self, formulas: Sequence[str]) -> np.ndarray:
        """Return the transition temperatures, `n`, however low."""
        level = _STEEPNESS * self._level(formulas)
        return HIT_K * np.where(level < 0, np.exp(np.minimum(level, 0.0)), 1.0 + level)

    def seen_k(self, formulas: Sequence[str]) -> np.ndarray:
        """Return what a perfect cryostat sees, `n`: 0 where there is no transition above its base temperature."""
        tc = self.tc_k(formulas)
        return np.where(tc < BASE_K, 0.0, tc)

    def is_hit(self, formulas: Sequence[str]) -> np.ndarray:
        """Say which compositions are hits (`n`, bool), whether or not they can be made."""
        return self.tc_k(formulas) >= HIT_K

    def failure_chance(self, formulas: Sequence[str]) -> np.ndarray:
        """Return the probability that an attempt to make a composition fails, `n`."""
        return _logistic(self._rule.trouble(shares(formulas)) - self._trouble_shift)

    def made(self, formula: str) -> float | None:
        """Make and measure a composition: its transition temperature in K, 0 where none was seen; None where it failed.

        Chance depends on the seed and the formula alone, so that whoever makes a composition finds the same.
        """
        rng = generator(self._seed, "sample", formula)
        chance, noise = float(rng.random()), float(rng.standard_normal())
        if chance < self.failure_chance([formula])[0]:
            return None
        tc = float(self.tc_k([formula])[0]) * (1.0 + 0.02 * noise)
        return tc if tc >= BASE_K else 0.0

    @cached_property
    def _drawn(self) -> list[str]:
        """The pool, then what the literature may know: so much more that its choice is one."""
        rng = generator(self._seed, "pool")
        found: dict[str, None] = {}
        while len(found) < self._n_pool + 10 * self._n_known:
            found.setdefault(_drawn_formula(rng))
        return list(found)

    def _level(self, formulas: Sequence[str]) -> np.ndarray:
        """Return scores on a scale where hits are above 0 and the scores of the pool have unit spread."""
        centre, spread = self._scale
        return (self._rule.score(shares(formulas)) - centre) / spread

    @cached_property
    def _scale(self) -> tuple[float, float]:
        scores = self._rule.score(shares(self.pool))
        return float(np.quantile(scores, 1.0 - HITS)), float(np.std(scores))

    @cached_property
    def _trouble_shift(self) -> float:
        """What makes the mean chance of failure over the pool that which was asked for, by bisection."""
        trouble = self._rule.trouble(shares(self.pool))
        low, high = -20.0, 20.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if np.mean(_logistic(trouble - middle)) > FAILURES else (low, middle)
        return low


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What a seed draws."""

    peaks: np.ndarray
    """Valence electrons per atom where transition temperatures peak, 2."""
    weights: np.ndarray
    """Of peaks, lightness, ionicity, magnetism, mismatch of sizes, the oxide family, elements, sets of elements: 8."""
    ionic: float
    mismatch: float
    taste: np.ndarray
    """Preference of each element."""
    stubborn: np.ndarray
    """Trouble that each element gives in synthesis."""
    salt: int

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> _Rule:
        return cls(
            peaks=np.array([4.7, 6.5]) + rng.normal(0.0, 0.3, 2),
            weights=np.array([1.6, 0.7, 1.0, 2.0, 0.8, 9.0, 0.5, 0.5]) * rng.uniform(0.7, 1.3, 8),
            ionic=float(rng.uniform(0.3, 0.6)),
            mismatch=float(rng.uniform(0.08, 0.16)),
            taste=rng.standard_normal(len(ELEMENTS)),
            stubborn=rng.standard_normal(len(ELEMENTS)),
            salt=int(rng.integers(2**31)),
        )

    def score(self, parts: np.ndarray) -> np.ndarray:
        """Return how well compositions superconduct (`n`), from the shares of their atoms (`n x elements`)."""
        valence, mass, electronegativity, radius, _ = _properties().T
        per_atom = parts @ valence
        peak = np.exp(-(((per_atom[:, None] - self.peaks) / 0.55) ** 2)).max(axis=1)
        light = -np.log(parts @ mass / 70.0)
        ionic = -(((_spread(parts, electronegativity) - self.ionic) / 0.35) ** 2)
        magnetic = -np.sqrt(parts[:, [element in _MAGNETIC for element in ELEMENTS]].sum(axis=1))
        mismatch = -(((_spread(parts, radius) / (parts @ radius) - self.mismatch) / 0.12) ** 2)
        terms = [peak, light, ionic, magnetic, mismatch, _layered(parts), parts @ self.taste * 1.5, self._types(parts)]
        return np.stack(terms, axis=1) @ self.weights

    def trouble(self, parts: np.ndarray) -> np.ndarray:
        """Return the log-odds of failing, up to a constant (`n`)."""
        volatile = parts[:, [element in _VOLATILE for element in ELEMENTS]].sum(axis=1)
        melting = _spread(parts, _properties()[:, 4]) / 600.0
        return 3.0 * volatile + 1.5 * melting + 2.0 * parts @ self.stubborn

    def _types(self, parts: np.ndarray) -> np.ndarray:
        """Return the preference of each set of elements (`n`): normal, and the same whatever the shares."""
        keys = (parts > 0) @ np.random.default_rng(self.salt).integers(1, 2**52, len(ELEMENTS))
        sets, places = np.unique(keys, return_inverse=True)
        return np.array([np.random.default_rng([self.salt, int(key)]).standard_normal() for key in sets])[places]


def shares(formulas: Sequence[str]) -> np.ndarray:
    """Return the share of each of `ELEMENTS` in formulas, `n x elements`.

    Raises:
        ValueError: A formula holds an element that is not there, or is none.
    """
    return np.array([_shares(formula) for formula in formulas]).reshape(-1, len(ELEMENTS))


@cache
def _shares(formula: str) -> tuple[float, ...]:
    if not _FORMULA.fullmatch(formula):
        raise ValueError(f"{formula!r} is no formula of this world; they read like 'Zr2InNi'")
    amounts = dict.fromkeys(ELEMENTS, 0)
    for symbol, amount in _PART.findall(formula):
        if symbol not in amounts:
            raise ValueError(f"formula {formula!r}: this world has no element {symbol!r}")
        amounts[symbol] += int(amount or 1)
    total = sum(amounts.values())
    if not total:
        raise ValueError(f"formula {formula!r} has no atoms")
    return tuple(amount / total for amount in amounts.values())


def _drawn_formula(rng: np.random.Generator) -> str:
    n = int(rng.choice([2, 3, 4], p=[0.2, 0.5, 0.3]))
    elements = rng.choice(len(ELEMENTS), n, replace=False)
    amounts = rng.choice([1, 2, 3, 4, 5, 6], n, p=[0.4, 0.25, 0.15, 0.08, 0.07, 0.05])
    return _written({ELEMENTS[element]: int(amount) for element, amount in zip(elements, amounts, strict=True)})


def _oxides(n: int, rng: np.random.Generator, taken: set[str]) -> list[str]:
    """Return compositions of the layered family, each once."""
    found: dict[str, None] = {}
    while len(found) < n:
        first, second = rng.choice(_LARGE, 2, replace=False)
        amounts = {str(first): int(rng.integers(1, 4)), str(second): int(rng.integers(1, 3))}
        formula = _written({**amounts, "Cu": int(rng.integers(1, 4)), "O": int(rng.integers(4, 10))})
        if formula not in taken:
            found.setdefault(formula)
    return list(found)


def _written(amounts: Mapping[str, int]) -> str:
    """Return the formula with the smallest whole amounts, the least electronegative element first."""
    divisor = gcd(*amounts.values())
    order = sorted(amounts, key=lambda symbol: (_properties()[ELEMENTS.index(symbol), 2], symbol))
    return "".join(f"{symbol}{amounts[symbol] // divisor}" if amounts[symbol] > divisor else symbol for symbol in order)


def _layered(parts: np.ndarray) -> np.ndarray:
    """Return how much compositions are layered copper oxides (`n`), 0 to 1."""
    copper, oxygen = parts[:, ELEMENTS.index("Cu")], parts[:, ELEMENTS.index("O")]
    large = parts[:, [element in _LARGE for element in ELEMENTS]].sum(axis=1)
    fit = np.exp(-(((oxygen - 0.52) / 0.1) ** 2) - ((copper - 0.2) / 0.1) ** 2)
    return np.where((copper > 0) & (oxygen > 0) & (large > 0), fit, 0.0)


def _spread(parts: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(parts @ values**2 - (parts @ values) ** 2, 0.0))


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


@cache
def _properties() -> np.ndarray:
    """Return valence electrons, mass, electronegativity, radius and melting temperature (K) of `ELEMENTS`, `n x 5`."""
    from pymatgen.core import Element

    rows = []
    for symbol in ELEMENTS:
        element = Element(symbol)
        valence = 3 if element.is_lanthanoid else element.group if element.group <= 12 else element.group - 10
        data = [element.data[key] for key in ("Atomic mass", "X", "Atomic radius", "Melting point")]
        rows.append([valence, *data])
    return np.array(rows, dtype=float)
