"""All phases of a library as tensors, peak after peak, ready for batches of any selection of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from surrogate.formats.record import Radiation
from surrogate.xrd.lattice import strain_basis
from surrogate.xrd.march_dollase import Kinds, kinds_of
from surrogate.xrd.phase import Phase
from surrogate.xrd.reflections import Reflections, lorentz_polarisation, reflections
from surrogate.xrd.texture import MOST, prior_sd

N_STRAIN = 6
N_TEXTURE = MOST

COPPER = Radiation(wavelength_angstrom=(1.540598, 1.544426), ratio=(1.0, 0.5), anode="Cu")
"""Hoelzer et al., Phys. Rev. A 56, 4554 (1997), doi:10.1103/PhysRevA.56.4554."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """The peaks of ``p`` phases, ``k`` in all, one phase after the other."""

    phases: tuple[Phase, ...]
    radiation: Radiation
    first: Tensor
    """``p + 1``: where each phase's peaks begin."""
    q_squared: Tensor
    """``k`` in 1/angstrom^2."""
    by_strain: Tensor
    """``k x 6``; columns that a crystal system does not have are zero."""
    harmonics: Tensor
    """``k x 8``."""
    hkl: Tensor
    """``k x 3``."""
    strength: Tensor
    """``k``, scaled so that a phase's strongest peak has area 1 with its Lorentz and polarisation factor."""
    strain_sd: Tensor
    """``p x 6`` prior sds; zero where there is no such strain."""
    texture_sd: Tensor
    """``p x 8``."""
    isotropic: Tensor
    """``p x 6``: strains that scale all squared reciprocal spacings by one part in one."""
    weight_per_scale: Tensor
    """``p``: relative weight of a phase for a scale of 1 (Hill and Howard, J. Appl. Cryst. 20, 467 (1987),
    doi:10.1107/S0021889887086199)."""
    _kinds: dict[int, Kinds] = field(default_factory=dict, init=False, repr=False, compare=False)

    def kinds(self, phase: int) -> Kinds:
        """Return the March-Dollase distributions of a phase; made once."""
        if phase not in self._kinds:
            lines = self.hkl[int(self.first[phase]) : int(self.first[phase + 1])]
            wavelength = self.radiation.wavelength_angstrom[0]
            self._kinds[phase] = kinds_of(self.phases[phase], lines.cpu().numpy(), wavelength)
        return self._kinds[phase]

    @property
    def n_phases(self) -> int:
        """How many phases there are."""
        return len(self.phases)

    def to(self, device: torch.device) -> Atlas:
        """Return the same atlas on another device."""
        moved = {name: getattr(self, name).to(device) for name in _TENSORS}
        return Atlas(phases=self.phases, radiation=self.radiation, **moved)


_TENSORS = (
    "first",
    "q_squared",
    "by_strain",
    "harmonics",
    "hkl",
    "strength",
    "strain_sd",
    "texture_sd",
    "isotropic",
    "weight_per_scale",
)


def make_atlas(
    phases: Sequence[Phase], *, radiation: Radiation = COPPER, highest_deg: float = 140.0, folder: Path | None = None
) -> Atlas:
    """Gather the reflection tables of phases.

    Raises:
        TooLarge: A cell has more reflections than can be told apart.
        ValueError: A phase has no reflection in range, or an element without scattering factor.
    """
    wavelength = radiation.wavelength_angstrom[0]
    tables = [
        reflections(one, wavelength_angstrom=wavelength, highest_deg=highest_deg, folder=folder) for one in phases
    ]
    strengths, weights = [], []
    for phase, table in zip(phases, tables, strict=True):
        if not len(table.strength):
            raise ValueError(f"{phase.name} has no reflection below {highest_deg:g} deg")
        two_theta = 2.0 * np.degrees(np.arcsin(np.minimum(np.sqrt(table.q_squared) * wavelength / 2.0, 1.0 - 1e-9)))
        strongest = float((table.strength * lorentz_polarisation(two_theta)).max())
        strengths.append(table.strength / strongest)
        weights.append(phase.mass_per_cell * phase.volume_angstrom3 / strongest)
    counts = [0, *(len(table.strength) for table in tables)]
    return Atlas(
        phases=tuple(phases),
        radiation=radiation,
        first=torch.tensor(np.cumsum(counts)),
        q_squared=_joined([table.q_squared for table in tables]),
        by_strain=_joined([_wide(table.by_strain, N_STRAIN) for table in tables], N_STRAIN),
        harmonics=_joined([_wide(table.harmonics, N_TEXTURE) for table in tables], N_TEXTURE),
        hkl=torch.tensor(np.concatenate([np.zeros((0, 3), np.int64), *(table.hkl for table in tables)])),
        strength=_joined(strengths),
        strain_sd=_joined([_wide(strain_basis(one)[1][None], N_STRAIN) for one in phases], N_STRAIN),
        texture_sd=_joined([_wide(prior_sd(one)[None], N_TEXTURE) for one in phases], N_TEXTURE),
        isotropic=_joined([_wide(_isotropic(table)[None], N_STRAIN) for table in tables], N_STRAIN),
        weight_per_scale=torch.tensor(weights, dtype=torch.float64),
    )


def _isotropic(table: Reflections) -> np.ndarray:
    return np.linalg.lstsq(table.by_strain, table.q_squared, rcond=None)[0]


def _wide(rows: np.ndarray, width: int) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))


def _joined(parts: Sequence[np.ndarray], *width: int) -> Tensor:
    return torch.tensor(np.concatenate([np.zeros((0, *width)), *parts]), dtype=torch.float64)
