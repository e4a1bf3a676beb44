"""What a featurizer is: something that turns items into rows of numbers, the same numbers for the same item.

An item is what `takes` says: the text of a formula (`composition`), a `surrogate.xrd.phase.Phase` (`structure`), a
`surrogate.features.molecules.Molecule` (`molecule`) or a SMILES string (`smiles`). A class is made with its options as
keyword arguments; it need not inherit from anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Takes = Literal["composition", "structure", "molecule", "smiles"]
TAKES: tuple[str, ...] = get_args(Takes)


@runtime_checkable
class Featurizer(Protocol):
    """Turns items into numbers."""

    @property
    def name(self) -> str:
        """Return what it is called."""
        ...

    @property
    def version(self) -> str:
        """Return a word that changes whenever the numbers of some item do."""
        ...

    @property
    def takes(self) -> str:
        """Return what an item is, one of `TAKES`."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """Return the names of the k columns; always the same."""
        ...

    def features(self, items: Sequence[Any]) -> NDArray[np.float64]:
        """Return a row for each of n items, `n x k`; what is in a row depends on its own item only.

        Raises:
            BadItem: No features follow from an item; the message names it.
        """
        ...
