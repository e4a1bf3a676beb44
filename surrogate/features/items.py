"""Items of different kinds: what they are called, what tells them apart, and one kind made of another."""

from __future__ import annotations

import hashlib
from typing import Any

from surrogate.features.errors import BadItem
from surrogate.features.molecules import Molecule
from surrogate.xrd.phase import Phase

COMPOSITION = "composition"


def name_of(item: Any) -> str:
    """Return what a message calls an item."""
    return item if isinstance(item, str) else str(getattr(item, "name", item))[:80]


def key_of(item: Any) -> str:
    """Return what equal items have in common: the text, or the SHA-256 of all atoms; names do not count."""
    if isinstance(item, Phase):
        axes = (item.crystal_system, item.has_rhombohedral_axes, item.unique_axis)
        return hashlib.sha256(repr((item.cell, axes, item.sites)).encode()).hexdigest()
    if isinstance(item, Molecule):
        return hashlib.sha256(repr((item.elements, item.positions_angstrom)).encode()).hexdigest()
    return str(item)


def as_taken(item: Any, takes: str) -> Any:
    """Return an item as a featurizer takes it: of a structure or a molecule its formula, where that is wanted.

    Raises:
        BadItem: It cannot be made of this item.
    """
    if takes == COMPOSITION and isinstance(item, Phase | Molecule):
        return item.formula
    wanted = {"structure": Phase, "molecule": Molecule}.get(takes, str)
    if not isinstance(item, wanted):
        raise BadItem(f"{name_of(item)}: it is {_said(item)}, and {_WORDS[takes]} is needed")
    return item


_WORDS = {
    "composition": "a formula",
    "structure": "a structure (of a CIF file)",
    "molecule": "a molecule (of an XYZ file)",
    "smiles": "a SMILES",
}


def _said(item: Any) -> str:
    if isinstance(item, Phase | Molecule):
        return _WORDS["structure" if isinstance(item, Phase) else "molecule"]
    return "text" if isinstance(item, str) else type(item).__name__
