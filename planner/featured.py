"""Pools of structures, molecules, formulas or SMILES as a parameter that surrogates see by features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.features import check_options, features_of
from planner.parameters import Categorical

if TYPE_CHECKING:
    from surrogate.features.pools import Pool

CONSTANT = 1e-9
"""Range of a column, as a part of its largest number, up to which it varies by rounding only."""


def featured(
    name: str,
    pool: Pool,
    kind: str | Sequence[str],
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    base: Path = Path(),
) -> Categorical:
    """Return the candidates of a pool as a parameter whose descriptors are their features.

        from surrogate.features.pools import read_folder
        SearchSpace([featured("crystal", read_folder(Path("cifs")), ["sine_matrix", "diffraction"])])

    Args:
        name: Of the parameter.
        pool: See `surrogate.features.pools`.
        kind: A featurizer's name, or several; see `surrogate.features.named.featurizer`.
        options: Of featurizers, by name.
        base: The directory from which paths of featurizers count.

    Raises:
        SpaceError: A featurizer is unknown, an item has no features, or all have the same.
    """
    return Categorical(name, pool.words, descriptors=table_of(name, pool, kind, options=options, base=base))


def table_of(
    name: str,
    pool: Pool,
    kind: str | Sequence[str],
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    base: Path = Path(),
) -> dict[str, tuple[float, ...]]:
    """Return the features of a pool by word, without columns that are the same for all.

    Arguments and errors are those of `featured`.
    """
    kinds = [kind] if isinstance(kind, str) else list(kind)
    check_options(name, kinds, options or {})
    found = features_of(name, pool.items, {"kind": kinds, "options": options or {}}, base=base)
    varies = np.ptp(found, axis=0) > CONSTANT * np.abs(found).max(axis=0)
    kept = found[:, varies] if varies.any() else found[:, :1]  # that nothing varies is said where codes are made
    return {word: tuple(row) for word, row in zip(pool.words, kept.tolist(), strict=True)}
