"""Features of the words of a category, by the featurizers of `surrogate.features`.

    {"from": "smiles", "kind": ["smiles", "./my_features.py:Mine"], "options": {"smiles": {"bits": 64}}}

`from` says what an item is, `kind` names one featurizer or several (their columns stand side by side), `options` gives
some of them options by name. Where a word is not itself the item, as with structures, `planner.featured` takes items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from planner.errors import SpaceError, did_you_mean

OF_WORDS = ("composition", "smiles")
"""What a word can be by itself."""
_KEYS = ("from", "kind", "options")


def is_spec(descriptors: object) -> bool:
    """Say whether descriptors name featurizers, and are no table."""
    kind = descriptors.get("kind") if isinstance(descriptors, Mapping) else None
    return isinstance(kind, str) or (
        isinstance(kind, Sequence) and len(kind) > 0 and all(isinstance(one, str) for one in kind)
    )


def read_spec(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what features are wanted as plain data, `kind` as a list.

    Raises:
        SpaceError: A key is unknown or missing, or words cannot be such items.
    """
    where = f"parameter {name!r}: features"
    unknown = [key for key in spec if key not in _KEYS]
    if unknown:
        raise SpaceError(f"{where} have no key {unknown[0]!r}{did_you_mean(str(unknown[0]), _KEYS)}")
    if spec.get("from") not in OF_WORDS:
        raise SpaceError(
            f"{where} of words are from {' or '.join(OF_WORDS)}, not {spec.get('from')!r}; of files make the parameter "
            "by planner.featured"
        )
    kinds, options = _kinds(spec["kind"]), spec.get("options") or {}
    check_options(name, kinds, options)
    return {"from": spec["from"], "kind": kinds, "options": {kind: dict(told) for kind, told in options.items()}}


def check_options(name: str, kinds: Sequence[str], options: Any) -> None:
    """Refuse options that belong to none of the featurizers.

    Raises:
        SpaceError: They do.
    """
    where = f"parameter {name!r}: options of features"
    if not isinstance(options, Mapping) or not all(isinstance(told, Mapping) for told in options.values()):
        raise SpaceError(f"{where} are told by kind, {{sine_matrix: {{size: 300}}}}, not {options!r:.80}")
    strange = [kind for kind in options if kind not in kinds]
    if strange:
        hint = did_you_mean(strange[0], kinds)
        raise SpaceError(f"{where} are told for {strange[0]!r}, which is none of the kinds{hint}")


def _kinds(kind: str | Sequence[str]) -> list[str]:
    return [kind] if isinstance(kind, str) else list(kind)


def features_of(name: str, items: Sequence[Any], spec: Mapping[str, Any], *, base: Path = Path()) -> np.ndarray:
    """Return the features of items (`n x k`), the columns of one featurizer behind those of another.

    Args:
        name: Of the parameter, for messages.
        items: What the words stand for, `n`.
        spec: With `kind` and `options`, as `read_spec` returns it.
        base: The directory from which paths of featurizers count.

    Raises:
        SpaceError: A featurizer is unknown, or an item has no features; the message says why.
    """
    from surrogate.features.errors import FeatureError
    from surrogate.features.named import featurizer

    options = spec.get("options") or {}
    try:
        return np.hstack(
            [featurizer(kind, options.get(kind), base=base).features(items) for kind in _kinds(spec["kind"])]
        )
    except FeatureError as error:
        raise SpaceError(f"parameter {name!r}: {error}") from None
