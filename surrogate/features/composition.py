"""Compositions as numbers: statistics of the elements' properties over the atoms of a formula.

After Ward et al., npj Comput. Mater. 2, 16028 (2016), doi:10.1038/npjcompumats.2016.28: for each property its mean over
the atoms, its spread (standard deviation over the atoms), least, greatest and range over the elements; beside them how
many elements there are and how evenly the atoms are shared among them. They depend on the shares of the atoms alone:
neither the order of the elements nor a multiple of the formula changes them. What stands in for properties that are not
known of an element, `surrogate.features.elements` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from surrogate.features.elements import PROPERTIES, places, symbols, table
from surrogate.features.errors import BadItem

STATISTICS = ("mean", "spread", "min", "max", "range")
SHARING = ("number of elements", "evenness (2-norm)", "evenness (3-norm)")
FEATURES = (*(f"{statistic} {name}" for name in PROPERTIES for statistic in STATISTICS), *SHARING)
"""Names of the columns of `features`."""
_PLAIN = re.compile(r"(?:[A-Z][a-z]?(?:\d+\.?\d*|\.\d+)?)+")
_PART = re.compile(r"([A-Z][a-z]?)(\d+\.?\d*|\.\d+)?")
_CHUNK = 20_000


class CompositionError(BadItem):
    """A formula that no composition follows from; the message names it."""


def parse(formula: str) -> dict[str, float]:
    """Return the share of the atoms of each element, adding up to 1, in the order of atomic numbers.

    Formulas may have brackets, decimals and spaces: "Ca(OH)2", "Zr2 In Ni0.5". Deuterium and tritium are hydrogen.

    Raises:
        CompositionError: It is no formula, names an unknown element (or one after lawrencium), or has no atoms.
    """
    amounts = _plain_amounts(formula)
    if amounts is None:
        amounts = _any_amounts(formula)
    rows = places()
    shares: dict[int, float] = {}
    for symbol, amount in amounts.items():
        if symbol not in rows:
            raise CompositionError(f"formula {formula!r}: no properties are known of an element {symbol!r}")
        shares[rows[symbol]] = shares.get(rows[symbol], 0.0) + amount
    total = sum(shares.values())
    if not shares or not 0 < total < float("inf") or min(shares.values()) < 0:
        raise CompositionError(f"formula {formula!r}: amounts must be finite, none below 0, and one above it")
    return {symbols()[place]: shares[place] / total for place in sorted(shares) if shares[place] > 0}


def fractions(formulas: Sequence[str]) -> np.ndarray:
    """Return the share of each element in formulas, `n x 103`, a column for each of `elements.symbols`.

    Raises:
        CompositionError: See `parse`.
    """
    found = np.zeros((len(formulas), len(symbols())))
    for row, formula in enumerate(formulas):
        for symbol, share in parse(formula).items():
            found[row, places()[symbol]] = share
    return found


def features(formulas: Sequence[str]) -> np.ndarray:
    """Return the statistics of formulas, `n x FEATURES`, each in its property's unit.

    Raises:
        CompositionError: See `parse`.
    """
    return statistics_of(formulas, table())


def statistics_of(formulas: Sequence[str], of_elements: np.ndarray) -> np.ndarray:
    """Return for formulas the statistics of some properties (`elements x p`) and the sharing, `n x (5 p + 3)`.

    Raises:
        CompositionError: See `parse`.
    """
    shares = [parse(formula) for formula in formulas]
    parts = [_statistics(chunk, of_elements) for chunk in _chunks(shares)]
    return np.vstack(parts) if parts else np.empty((0, len(STATISTICS) * of_elements.shape[1] + len(SHARING)))


def _statistics(shares: Sequence[Mapping[str, float]], of_elements: np.ndarray) -> np.ndarray:
    # a slot for each element of a formula, the first repeated with no weight where there are fewer than the most
    most = max(map(len, shares))
    weights, slots = np.zeros((len(shares), most)), np.zeros((len(shares), most), dtype=int)
    for row, composition in enumerate(shares):
        atoms = [places()[symbol] for symbol in composition]
        weights[row, : len(atoms)] = list(composition.values())
        slots[row] = atoms + atoms[:1] * (most - len(atoms))
    values = of_elements[slots]
    mean = np.einsum("nk,nkp->np", weights, values)
    spread = np.sqrt(np.einsum("nk,nkp->np", weights, (values - mean[:, None, :]) ** 2))
    low, high = values.min(axis=1), values.max(axis=1)
    statistics = np.stack([mean, spread, low, high, high - low], axis=2).reshape(len(shares), -1)
    sharing = [np.count_nonzero(weights, axis=1), *(np.sum(weights**p, axis=1) ** (1 / p) for p in (2, 3))]
    return np.column_stack([statistics, *sharing])


def _chunks(shares: Sequence[Mapping[str, float]]) -> Iterable[Sequence[Mapping[str, float]]]:
    return (shares[start : start + _CHUNK] for start in range(0, len(shares), _CHUNK))


def _plain_amounts(formula: str) -> dict[str, float] | None:
    """Return the amounts in a formula without brackets, which need no library; None where it has more to it."""
    if not isinstance(formula, str):
        raise CompositionError(f"a formula is a word such as 'MgB2', not {formula!r}")
    bare = formula.replace(" ", "")
    if _PLAIN.fullmatch(bare) is None:
        return None
    amounts: dict[str, float] = {}
    for symbol, amount in _PART.findall(bare):
        amounts[symbol] = amounts.get(symbol, 0.0) + (float(amount) if amount else 1.0)
    return amounts


def _any_amounts(formula: str) -> dict[str, float]:
    from pymatgen.core import Composition

    try:
        found = Composition(formula).get_el_amt_dict()
    except (ValueError, KeyError, TypeError) as error:
        raise CompositionError(f"formula {formula!r} cannot be read: {error}") from None
    return {str(symbol): float(amount) for symbol, amount in found.items()}
