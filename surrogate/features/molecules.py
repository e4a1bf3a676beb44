"""Molecules: atoms at places, read from XYZ files."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np

from surrogate.features.errors import BadItem

SHORTEST_DISTANCE_ANGSTROM = 0.3
MOST_ATOMS = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Molecule:
    """Atoms without a cell."""

    name: str
    elements: tuple[str, ...]
    """Symbols of the n atoms."""
    positions_angstrom: tuple[tuple[float, float, float], ...]
    """`n x 3`"""

    @property
    def formula(self) -> str:
        """Return how many atoms of each element there are, as `C2H6O`."""
        return "".join(f"{symbol}{n if n > 1 else ''}" for symbol, n in sorted(Counter(self.elements).items()))


def read_xyz(path: Path) -> Molecule:
    """Read the first molecule of an XYZ file: the number of atoms, a line of words, a line for each atom.

    Raises:
        BadItem: It cannot be read; the message names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadItem(f"{path.name} cannot be read: {error}") from None
    first = lines[0].strip() if lines else ""
    n = int(first) if first.isdecimal() and first.isascii() else 0
    if not 0 < n <= MOST_ATOMS:
        raise BadItem(f"{path.name}, line 1: the number of atoms is needed (1 to {MOST_ATOMS}), not {first!r:.40}")
    if len(lines) < n + 2:
        raise BadItem(f"{path.name}: line 1 says {n} atoms, and there are {max(len(lines) - 2, 0)} lines of atoms")
    atoms = [_atom(path.name, number, lines[number - 1]) for number in range(3, n + 3)]
    positions = np.array([position for _, position in atoms])
    closest = _closest(positions)
    if closest is not None:
        one, other = (place + 3 for place in closest)
        raise BadItem(f"{path.name}: the atoms of lines {one} and {other} are in one place; positions are in angstrom")
    return Molecule(
        name=path.stem,
        elements=tuple(symbol for symbol, _ in atoms),
        positions_angstrom=tuple(position for _, position in atoms),
    )


def _atom(name: str, number: int, line: str) -> tuple[str, tuple[float, float, float]]:
    words = line.split()
    symbol = words[0] if words else ""
    element = gemmi.Element(int(symbol)) if symbol.isdecimal() and int(symbol) < 119 else gemmi.Element(symbol)
    if element.atomic_number == 0:
        raise BadItem(f"{name}, line {number}: {symbol!r} is no element; write it as 'C 0.0 0.0 1.2'")
    try:
        x, y, z = (float(word) for word in words[1:4])
    except ValueError:
        raise BadItem(f"{name}, line {number}: three coordinates in angstrom are needed behind {symbol!r}") from None
    if not all(map(math.isfinite, (x, y, z))):
        raise BadItem(f"{name}, line {number}: a coordinate of {symbol!r} is no finite number")
    return element.name, (x, y, z)


def _closest(positions: np.ndarray) -> tuple[int, int] | None:
    """Return the first two atoms that cannot be two; None where all are apart."""
    for place in range(1, len(positions)):
        far = np.linalg.norm(positions[:place] - positions[place], axis=1)
        if far.min() < SHORTEST_DISTANCE_ANGSTROM:
            return int(far.argmin()), place
    return None
