"""Supervises featurizers: what they return is checked, and kept by the content of the items.

A plug-in is foreign code. Whatever it raises becomes an error that names the distribution or the file it came from, and
rows that are not finite, not as wide as declared, or not the same twice are refused before a planner learns from them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from surrogate.features.errors import BadFeatures, FeatureError, NoFeaturizer
from surrogate.features.featurizer import TAKES, Featurizer
from surrogate.features.items import as_taken, key_of, name_of

Array = NDArray[np.float64]
T = TypeVar("T")

MOST_KEPT = 20_000_000
"""Numbers that are kept in memory; the oldest rows go first."""
_AGAIN = 3
"""Items that are asked for again, to see that the same comes back."""
_TOLERANCE = 1e-5
"""How much a row may depend on what it was asked for together with, as a part of the largest number in it."""


class Kept:
    """Rows of features by what they are of."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._rows: OrderedDict[tuple[str, str], Array] = OrderedDict()
        self._most, self._n = most, 0

    def get(self, identity: str, keys: Sequence[str]) -> dict[str, Array]:
        """Return the rows that are there, by key."""
        return {key: self._rows[identity, key] for key in keys if (identity, key) in self._rows}

    def put(self, identity: str, rows: Mapping[str, Array]) -> None:
        """Keep rows, and let the oldest go where they are too many."""
        for key, row in rows.items():
            if (identity, key) not in self._rows:
                self._rows[identity, key] = row
                self._n += len(row)
        while self._n > self._most:
            self._n -= len(self._rows.popitem(last=False)[1])


_kept = Kept()


class Supervised:
    """A featurizer whose answers are checked and kept.

    Args:
        inner: What answers.
        origin: Where it is from, for messages: "distribution acme-net 1.2".
        identity: What its numbers depend on beside the item and its version: where it is from, its options.
        digest: Of the file that it is from, where its version does not say all.

    Raises:
        NoFeaturizer: It lacks what a featurizer needs.
    """

    def __init__(self, inner: Featurizer, *, origin: str, identity: str, digest: str = "") -> None:
        self._inner, self._origin = inner, origin
        self.name, self.version, self.takes = (self._word(key) for key in ("name", "version", "takes"))
        if self.takes not in TAKES:
            raise NoFeaturizer(f"{self._called}: takes is one of {', '.join(TAKES)}, not {self.takes!r}")
        self.columns = self._columns()
        self.stamp = f"{self.version}, file {digest}" if digest else self.version
        """What changes whenever its numbers may."""
        self._identity = f"{identity} {self.stamp}"
        if not callable(getattr(inner, "features", None)):
            raise NoFeaturizer(f"{self._called} has no method features(items)")

    @property
    def _called(self) -> str:
        return f"the featurizer {getattr(self, 'name', type(self._inner).__name__)!r} of {self._origin}"

    def _word(self, key: str) -> str:
        found = self._guarded(lambda: getattr(self._inner, key, None), key)
        if not isinstance(found, str) or not found:
            raise NoFeaturizer(f"{self._called}: {key} is a word, not {found!r:.80}")
        return found

    def _columns(self) -> tuple[str, ...]:
        found = self._guarded(lambda: getattr(self._inner, "columns", None), "columns")
        if (
            not isinstance(found, Sequence)
            or isinstance(found, str)
            or not found
            or not all(isinstance(name, str) for name in found)
        ):
            raise NoFeaturizer(f"{self._called}: columns are names, one at least, not {found!r:.80}")
        return tuple(found)

    def features(self, items: Sequence[Any]) -> Array:
        """Return a row for each of n items, `n x k`; of a structure or molecule its formula is taken where needed.

        Raises:
            BadItem: No features follow from an item.
            BadFeatures: The featurizer failed, or what it returned cannot be used.
        """
        taken = [as_taken(item, self.takes) for item in items]
        keys = [key_of(item) for item in taken]
        rows = _kept.get(self._identity, keys)
        missing: dict[str, Any] = {}
        for key, item in zip(keys, taken, strict=True):
            if key not in rows:
                missing.setdefault(key, item)
        if missing:
            new = dict(zip(missing, self._asked_twice(list(missing.values())), strict=True))
            _kept.put(self._identity, new)
            rows |= new
        return np.array([rows[key] for key in keys]).reshape(len(items), len(self.columns))

    def _asked_twice(self, items: list[Any]) -> Array:
        found, few = self._asked(items), items[:_AGAIN]
        once, again = self._asked(few), self._asked(few)
        for row, item in enumerate(few):
            if not np.array_equal(once[row], again[row]):
                raise BadFeatures(
                    f"{self._called} gives {name_of(item)} other numbers each time; fix its seed, and switch dropout "
                    "off"
                )
            if np.abs(once[row] - found[row]).max() > _TOLERANCE * np.abs(found[row]).max():
                raise BadFeatures(
                    f"{self._called} gives {name_of(item)} other numbers in other company; a row must depend on its "
                    "own item only"
                )
        return found

    def _asked(self, items: Sequence[Any]) -> Array:
        returned = self._guarded(lambda: np.array(self._inner.features(items), dtype=np.float64), "features")
        wanted = (len(items), len(self.columns))
        if returned.shape != wanted:
            raise BadFeatures(
                f"{self._called} returned {_shape(returned.shape)} numbers for {len(items)} items and its "
                f"{len(self.columns)} columns; {_shape(wanted)} are needed"
            )
        bad = np.argwhere(~np.isfinite(returned))
        if len(bad):
            row, column = bad[0]
            raise BadFeatures(
                f"{self._called}: {self.columns[column]!r} of {name_of(items[row])} is {returned[row, column]}, no "
                "finite number; leave the item out, or let the featurizer fill gaps and flag them"
            )
        return returned

    def _guarded(self, ask: Callable[[], T], what: str) -> T:
        """Supervise the featurizer: whatever it raises says where it is from."""
        try:
            return ask()
        except FeatureError:
            raise
        except Exception as error:
            raise BadFeatures(f"{self._called} failed at {what}: {type(error).__name__}: {error}") from error


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "1"
