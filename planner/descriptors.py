"""Descriptors of categories: numbers in the place of one column for each word.

A table has a row of numbers for each word: a property of a solvent, what a user knows of a ligand. `composition` stands
for the statistics of the elements' properties that `surrogate.features.composition` makes of a formula, and the share
of each element: what no property of an element explains can be learnt of the element itself. Other features of words
that are formulas or SMILES are asked for as `{"from": "composition", "kind": "element_statistics"}`
(`planner.features`); of pools of structures `planner.featured` makes a table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import SpaceError, did_you_mean
from planner.features import features_of, is_spec, read_spec

COMPOSITION = "composition"
_CENTRE, _SPREAD = 0.5, 12.0**-0.5
"""Mean and standard deviation of a number that is uniform in the unit interval, where other columns of codes lie."""
_CONSTANT = 1e-12
_MOST_COMPARED = 1000
"""Words that a misspelt one is compared with."""

Descriptors = str | Mapping[str, Any]
"""`composition`, a row of numbers for each word, or the features that are wanted (`planner.features.read_spec`)."""


@dataclass(frozen=True, slots=True)
class Codes:
    """Columns that stand for words: the words' descriptors, or without any a column for each word."""

    n_words: int
    table: np.ndarray | None = None
    """Standardised descriptors, `n_words x width`."""

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.n_words if self.table is None else self.table.shape[1]

    def encode(self, indices: np.ndarray) -> np.ndarray:
        """Return the codes of words by index (`n`), `n x width`."""
        places = np.round(indices).astype(int)
        if self.table is not None:
            return self.table[places]
        codes = np.zeros((len(places), self.n_words))
        codes[np.arange(len(places)), places] = 1.0
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the indices (`n`) of the words whose codes are nearest to some (`n x width`)."""
        table = self.table
        if table is None:
            return np.argmax(codes, axis=1)
        return np.array([np.argmin(np.sum((table - code) ** 2, axis=1)) for code in codes], dtype=int)


def described(name: str, words: Sequence[str], descriptors: Descriptors) -> np.ndarray:
    """Return the codes of words (`n x k`): each column standardised to the mean and spread of the unit interval.

    Columns that do not vary say nothing and are left out.

    Args:
        name: Of the parameter, for messages.
        words: `n`
        descriptors: See `Descriptors`.

    Raises:
        SpaceError: A word has no row, a row is of another length or holds no finite number, no column varies, or a word
            is no formula.
    """
    table = _table(name, words, descriptors)
    table = table / np.maximum(np.abs(table).max(axis=0), 1e-300)
    spread = table.std(axis=0)
    varies = spread > _CONSTANT
    if not varies.any():
        raise SpaceError(f"parameter {name!r}: its descriptors are the same for every value; leave descriptors out")
    kept = table[:, varies]
    return _CENTRE + _SPREAD * (kept - kept.mean(axis=0)) / spread[varies]


def _table(name: str, words: Sequence[str], descriptors: Descriptors) -> np.ndarray:
    if isinstance(descriptors, str):
        return _of_formulas(name, words)
    if is_spec(descriptors):
        return features_of(name, words, descriptors)
    return np.array(list(descriptors.values()))


def checked(name: str, words: Sequence[str], descriptors: Any) -> Descriptors:
    """Return descriptors as plain data in the order of the words.

    Raises:
        SpaceError: They are no table, or not one of these words; see `described`.
    """
    if isinstance(descriptors, str):
        if descriptors != COMPOSITION:
            raise SpaceError(
                f"parameter {name!r}: descriptors are {COMPOSITION!r}, or a table from values to rows of numbers, not "
                f"{descriptors!r}"
            )
        return descriptors
    if is_spec(descriptors):
        return read_spec(name, descriptors)
    if not isinstance(descriptors, Mapping):
        raise SpaceError(f"parameter {name!r}: descriptors map each value to a row of numbers, not {descriptors!r:.80}")
    missing = [word for word in words if word not in descriptors]
    if missing:
        raise SpaceError(f"parameter {name!r}: descriptors have no row for {missing[0]!r} ({len(missing)} without)")
    known = set(words)
    unknown = next((word for word in descriptors if word not in known), None)
    if unknown is not None:
        hint = did_you_mean(str(unknown), words[:_MOST_COMPARED])
        raise SpaceError(
            f"parameter {name!r}: descriptors have a row for {unknown!r}, which is none of its values{hint}"
        )
    rows = {word: _row(name, word, descriptors[word]) for word in words}
    width = len(rows[words[0]])
    odd = next((word for word in words if len(rows[word]) != width or not width), None)
    if odd is not None:
        raise SpaceError(
            f"parameter {name!r}: {odd!r} has {len(rows[odd])} descriptors, the first value has {width}; give all the "
            "same, and at least one"
        )
    return rows


def _row(name: str, word: str, row: Any) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in row)
    except (TypeError, ValueError):
        raise SpaceError(f"parameter {name!r}: descriptors of {word!r} are no numbers: {row!r:.80}") from None
    if not all(map(math.isfinite, numbers)):
        raise SpaceError(
            f"parameter {name!r}: a descriptor of {word!r} is no finite number: {row!r:.80}; leave that column out, or "
            "fill it"
        )
    return numbers


def _of_formulas(name: str, words: Sequence[str]) -> np.ndarray:
    from surrogate.features.composition import CompositionError, features, fractions

    try:
        return np.hstack([features(words), fractions(words)])
    except CompositionError as error:
        raise SpaceError(f"parameter {name!r}: {error}") from None
