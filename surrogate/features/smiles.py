"""Featurizer of molecules given as SMILES, by RDKit (the extra `labpilot[smiles]`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np

from surrogate.features.errors import BadItem, FeatureError, MissingPackage

BITS = 256
RADIUS = 2
_PROPERTIES: Mapping[str, tuple[str, str]] = {
    "molar mass": ("Descriptors", "MolWt"),
    "logP (Crippen)": ("Crippen", "MolLogP"),
    "molar refractivity (Crippen)": ("Crippen", "MolMR"),
    "polar surface": ("rdMolDescriptors", "CalcTPSA"),
    "hydrogen bond donors": ("rdMolDescriptors", "CalcNumHBD"),
    "hydrogen bond acceptors": ("rdMolDescriptors", "CalcNumHBA"),
    "rotatable bonds": ("rdMolDescriptors", "CalcNumRotatableBonds"),
    "rings": ("rdMolDescriptors", "CalcNumRings"),
    "aromatic rings": ("rdMolDescriptors", "CalcNumAromaticRings"),
    "part of sp3 carbons": ("rdMolDescriptors", "CalcFractionCSP3"),
    "heavy atoms": ("rdMolDescriptors", "CalcNumHeavyAtoms"),
}


class Smiles:
    """Properties of molecules, and how often each kind of environment occurs in them (Morgan's, folded).

    Rogers and Hahn, J. Chem. Inf. Model. 50, 742 (2010), doi:10.1021/ci100050t, with counts; Wildman and Crippen,
    J. Chem. Inf. Comput. Sci. 39, 868 (1999), doi:10.1021/ci990307l; polar surface: Ertl et al., J. Med. Chem. 43, 3714
    (2000), doi:10.1021/jm000942e.
    """

    name = "smiles"
    takes = "smiles"

    def __init__(self, *, bits: int = BITS) -> None:
        """Fold the environments into so many columns.

        Raises:
            FeatureError: Their number is no whole number, or out of range.
            MissingPackage: RDKit is not installed.
        """
        if isinstance(bits, bool) or not isinstance(bits, int) or not 16 <= bits <= 4096:
            raise FeatureError(f"smiles: bits is a whole number from 16 to 4096, not {bits!r}")
        try:
            rdkit: Any = import_module("rdkit")
        except ImportError:
            raise MissingPackage(
                "features of SMILES need RDKit, which is not installed: pip install 'labpilot[smiles]'"
            ) from None
        self._bits, self._rdkit = bits, str(rdkit.__version__)

    @property
    def version(self) -> str:
        """Return our version and RDKit's, which the numbers depend on."""
        return f"1, RDKit {self._rdkit}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return (*_PROPERTIES, *(f"environments {number}" for number in range(1, self._bits + 1)))

    @cached_property
    def _readers(self) -> list[Callable[[Any], float]]:
        return [getattr(import_module(f"rdkit.Chem.{module}"), name) for module, name in _PROPERTIES.values()]

    def features(self, items: Sequence[str]) -> np.ndarray:
        """Return the features of molecules, `n x columns`.

        Raises:
            BadItem: One is no SMILES.
        """
        chem: Any = import_module("rdkit.Chem")
        log: Any = import_module("rdkit.RDLogger")
        fingerprints: Any = import_module("rdkit.Chem.rdFingerprintGenerator")
        generator = fingerprints.GetMorganGenerator(radius=RADIUS, fpSize=self._bits)
        found = np.zeros((len(items), len(self.columns)))
        log.DisableLog("rdApp.error")  # what is wrong is said below
        try:
            for row, item in enumerate(items):
                molecule = chem.MolFromSmiles(item)
                if molecule is None or molecule.GetNumAtoms() == 0:
                    raise BadItem(f"{item!r} is no SMILES that RDKit can read; write it as 'CCO'")
                counts = generator.GetCountFingerprintAsNumPy(molecule)
                found[row] = [*(read(molecule) for read in self._readers), *counts]
        finally:
            log.EnableLog("rdApp.error")
        return found
