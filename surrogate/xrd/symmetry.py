"""Settings of space groups: the operations, what a cell must obey, and what was not said about the origin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import gemmi
import numpy as np
from numpy.typing import NDArray

from surrogate.formats.errors import NotUnderstood
from surrogate.xrd.phase import CellParameters, CrystalSystem, UniqueAxis

Array = NDArray[np.float64]

CELL_TOLERANCE = 0.005
"""Part of an edge product by which a cell may miss its symmetry before it is refused; 0.25 % of an edge."""
IDENTITY = "x,y,z"
MOST_OPERATIONS = 400
ORIGIN_SUFFIXES = {"S": ":1", "Z": ":2", "H": ":H", "R": ":R", "HR": ":H", "RS": ":R"}
"""How ICSD and others write the setting behind a Hermann-Mauguin symbol."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A space group with its axes and origin."""

    operations: tuple[gemmi.Op, ...]
    """All of them, centring included."""
    space_group: str
    number: int
    crystal_system: CrystalSystem
    has_rhombohedral_axes: bool
    unique_axis: UniqueAxis

    @cached_property
    def rotations(self) -> Array:
        """``m x 3 x 3``."""
        return np.array([operation.rot for operation in self.operations], dtype=float) / gemmi.Op.DEN

    @cached_property
    def translations(self) -> Array:
        """``m x 3``."""
        return np.array([operation.tran for operation in self.operations], dtype=float) / gemmi.Op.DEN


def setting_of(group: gemmi.SpaceGroup) -> Setting:
    """Return one entry of gemmi's table of settings as a Setting."""
    axis = group.monoclinic_unique_axis()
    return Setting(
        operations=tuple(group.operations()),
        space_group=group.xhm(),
        number=group.number,
        crystal_system=cast(CrystalSystem, group.crystal_system_str()),
        has_rhombohedral_axes=group.ext == "R",
        unique_axis=cast(UniqueAxis, axis) if axis in ("a", "b", "c") else "b",
    )


def completed(triplets: Iterable[str]) -> gemmi.GroupOps:
    """Return the group that operations written like ``1/2+x,-y,z`` generate.

    Raises:
        NotUnderstood: A triplet cannot be read, or the operations do not make a group.
    """
    generators: list[gemmi.Op] = []
    elements = {IDENTITY: gemmi.Op(IDENTITY)}
    for triplet in dict.fromkeys(triplets):
        operation = _parsed(triplet)
        if operation.triplet() not in elements:
            generators.append(operation)
            elements = _generated(generators)
    return gemmi.GroupOps(list(elements.values()))


def _parsed(triplet: str) -> gemmi.Op:
    if not triplet.isascii():
        raise NotUnderstood(f"the symmetry operation {triplet!r} holds letters that are no ASCII")
    try:
        operation = gemmi.Op(triplet.strip().strip("'\"")).wrap()
    except RuntimeError as error:
        raise NotUnderstood(f"the symmetry operation {triplet!r} cannot be read: {error}") from error
    if abs(operation.det_rot()) != gemmi.Op.DEN**3:
        raise NotUnderstood(f"the symmetry operation {triplet!r} does not keep volumes")
    return operation


def _generated(generators: Sequence[gemmi.Op]) -> dict[str, gemmi.Op]:
    """Multiply until nothing new comes."""
    elements = {IDENTITY: gemmi.Op(IDENTITY)}
    fresh = list(elements.values())
    while fresh:
        products = {(one * other).wrap().triplet(): (one * other).wrap() for one in fresh for other in generators}
        fresh = [operation for name, operation in products.items() if name not in elements]
        elements |= products
        if len(elements) > MOST_OPERATIONS:
            raise NotUnderstood("the symmetry operations do not make a space group")
    return elements


def settings_named(symbol: str, cell: CellParameters) -> tuple[Setting, ...]:
    """Return what a Hermann-Mauguin symbol can mean for this cell: several where it leaves the origin open."""
    name = _spelled(symbol)
    found = gemmi.find_spacegroup_by_name(name, cell[3], cell[5])
    if found is None:
        return ()
    if ":" in name:
        return (setting_of(found),)
    alike = [group for group in gemmi.spacegroup_table() if group.hm == found.hm and group.number == found.number]
    return _obeyed(alike, cell)


def settings_numbered(number: int, cell: CellParameters) -> tuple[Setting, ...]:
    """Return all tabulated settings of a space group that this cell obeys."""
    return _obeyed([group for group in gemmi.spacegroup_table() if group.number == number], cell)


def _obeyed(groups: Sequence[gemmi.SpaceGroup], cell: CellParameters) -> tuple[Setting, ...]:
    settings = [setting_of(group) for group in groups]
    return tuple(setting for setting in settings if cell_misfit(cell, setting) <= CELL_TOLERANCE)


def _spelled(symbol: str) -> str:
    """Write the setting behind a symbol as gemmi expects it: ``F d -3 m Z`` becomes ``F d -3 m:2``."""
    text = re.sub(r"\s*:\s*", ":", symbol.strip().strip("'\"").replace("_", ""))
    match = re.fullmatch(r"(.+?)\s+(S|Z|H|R|HR|RS)", text)
    return match[1] + ORIGIN_SUFFIXES[match[2]] if match else text


def metric(cell: CellParameters) -> Array:
    """Return the metric tensor, ``3 x 3``, in angstrom squared."""
    a, b, c = cell[:3]
    cos_alpha, cos_beta, cos_gamma = np.cos(np.radians(cell[3:]))
    off = (a * b * cos_gamma, a * c * cos_beta, b * c * cos_alpha)
    return np.array([[a * a, off[0], off[1]], [off[0], b * b, off[2]], [off[1], off[2], c * c]])


def cell_misfit(cell: CellParameters, setting: Setting) -> float:
    """Return how much the metric changes when it is averaged over the symmetry, as part of its largest element."""
    tensor = metric(cell)
    return float(np.abs(_averaged(tensor, setting) - tensor).max() / np.abs(tensor).max())


def obeying(cell: CellParameters, setting: Setting) -> CellParameters:
    """Return the cell averaged over the symmetry, or the cell itself where it obeys it already.

    Raises:
        NotUnderstood: The cell misses the symmetry by more than rounding can explain.
    """
    misfit = cell_misfit(cell, setting)
    if misfit > CELL_TOLERANCE:
        raise NotUnderstood(
            f"the cell {' '.join(f'{value:g}' for value in cell)} does not obey {setting.space_group} "
            f"({setting.crystal_system}): check the cell and the space group"
        )
    return cell if misfit < 1e-7 else cell_of_metric(_averaged(metric(cell), setting))


def _averaged(tensor: Array, setting: Setting) -> Array:
    rotations = setting.rotations
    return np.einsum("mki,kl,mlj->ij", rotations, tensor, rotations) / len(rotations)


def cell_of_metric(tensor: Array) -> CellParameters:
    """Return a, b, c in angstrom and alpha, beta, gamma in degrees of a metric tensor, rounded to 1e-6."""
    a, b, c = np.sqrt(np.diag(tensor))
    cosines = (tensor[1, 2] / (b * c), tensor[0, 2] / (a * c), tensor[0, 1] / (a * b))
    alpha, beta, gamma = np.degrees(np.arccos(cosines))
    values = (a, b, c, alpha, beta, gamma)
    return cast(CellParameters, tuple(round(float(value), 6) for value in values))
