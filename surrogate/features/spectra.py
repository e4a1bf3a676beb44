"""Featurizers of molecules and crystals by the spectra of their matrices of pairs; see `surrogate.features.matrices`.

Of a crystal the matrix is that of the standardised primitive cell: how a structure was written down does not matter,
and a supercell has the spectrum of its primitive cell. What is given a larger cell by the least distortion has more
eigenvalues, and is far from what was not distorted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import gemmi
import numpy as np

from surrogate.features.crystals import Atoms, primitive_atoms
from surrogate.features.errors import BadItem, FeatureError
from surrogate.features.ewald import ewald_matrix
from surrogate.features.matrices import coulomb_matrix, sine_matrix, spectrum
from surrogate.features.molecules import Molecule
from surrogate.xrd.phase import Phase

SIZE = 200
"""Eigenvalues that are kept room for, by default."""
MOST = 2000


class _Spectrum:
    name: str
    version = "1"

    def __init__(self, *, size: int = SIZE) -> None:
        """Make room for the eigenvalues of so many atoms.

        Raises:
            FeatureError: The size is no whole number, or out of range.
        """
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST:
            raise FeatureError(f"{self.name}: size is a whole number of atoms from 1 to {MOST}, not {size!r}")
        self._size = size

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(f"{self.name} {number}" for number in range(1, self._size + 1))

    def _spectra(self, items: Sequence[Any], matrix: Callable[[Any], np.ndarray]) -> np.ndarray:
        found = np.zeros((len(items), self._size))
        for row, item in enumerate(items):
            of_item = matrix(item)
            if len(of_item) > self._size:
                raise BadItem(
                    f"{item.name} has {len(of_item)} atoms, and {self.name} has room for {self._size}; give it the "
                    f"option size: {len(of_item)} or more"
                )
            found[row] = spectrum(of_item, self._size)
        return found


class CoulombMatrix(_Spectrum):
    """Eigenvalues of the Coulomb matrix of molecules."""

    name = "coulomb_matrix"
    takes = "molecule"

    def features(self, items: Sequence[Molecule]) -> np.ndarray:
        """Return the spectra of molecules in hartree, `n x columns`.

        Raises:
            BadItem: One has too many atoms.
        """
        return self._spectra(items, _of_molecule)


def _of_molecule(molecule: Molecule) -> np.ndarray:
    numbers = np.array([gemmi.Element(symbol).atomic_number for symbol in molecule.elements], dtype=float)
    return coulomb_matrix(numbers, np.array(molecule.positions_angstrom))


class _OfCrystals(_Spectrum, ABC):
    takes = "structure"

    @abstractmethod
    def _matrix(self, atoms: Atoms) -> np.ndarray: ...

    def features(self, items: Sequence[Phase]) -> np.ndarray:
        """Return the spectra of structures in hartree, `n x columns`.

        Raises:
            BadItem: One has too many atoms, or places that are shared or partly occupied.
        """
        return self._spectra(items, self._of_primitive_cell)

    def _of_primitive_cell(self, phase: Phase) -> np.ndarray:
        atoms = primitive_atoms(phase)
        if len(atoms.numbers) > self._size:
            return np.empty((len(atoms.numbers), 0))  # too many are refused before they are computed
        return self._matrix(atoms)


class SineMatrix(_OfCrystals):
    """Eigenvalues of the sine matrix of crystals."""

    name = "sine_matrix"

    def _matrix(self, atoms: Atoms) -> np.ndarray:
        return sine_matrix(atoms.numbers, atoms.lattice_angstrom, atoms.fractions)


class EwaldMatrix(_OfCrystals):
    """Eigenvalues of the Ewald sum matrix of crystals."""

    name = "ewald_matrix"

    def _matrix(self, atoms: Atoms) -> np.ndarray:
        return ewald_matrix(atoms.numbers, atoms.lattice_angstrom, atoms.fractions)
