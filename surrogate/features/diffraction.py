"""Featurizer of crystals by what they diffract: the lines of a powder, on channels that are even in log q.

There a cell that expands shifts all lines alike. Lines are those of `surrogate.xrd.reflections` (kinematic, with the
polarisation and Lorentz factors of Cu K-alpha1), drawn broad enough that such a shift is a small distance and not
another pattern. Intensities are parts of the whole, and features their roots, so that the squared distance between two
patterns is twice their squared Hellinger distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr

from surrogate.features.errors import BadItem, FeatureError
from surrogate.xrd.phase import Phase

WAVELENGTH_ANGSTROM = 1.540598
"""Cu K-alpha1, as in `surrogate.xrd.atlas`."""
CHANNELS = 128
Q_LOW, Q_HIGH = 0.6, 6.0
"""Of the channels, in 1/angstrom; spacings of 10.5 to 1.05 angstrom."""
WIDTH = 0.012
"""Standard deviation of a drawn line, as a part of q."""
_HIGHEST_DEG = 100.0


class Diffraction:
    """Roots of the parts of the diffracted intensity that fall into channels even in log q."""

    name = "diffraction"
    version = "1"
    takes = "structure"

    def __init__(self, *, channels: int = CHANNELS) -> None:
        """Divide the range of q into channels.

        Raises:
            FeatureError: Their number is no whole number, or out of range.
        """
        if isinstance(channels, bool) or not isinstance(channels, int) or not 8 <= channels <= 1024:
            raise FeatureError(f"diffraction: channels is a whole number from 8 to 1024, not {channels!r}")
        self._edges = np.linspace(np.log(Q_LOW), np.log(Q_HIGH), channels + 1)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns, after the middles of the channels."""
        middles = np.exp((self._edges[1:] + self._edges[:-1]) / 2.0)
        return tuple(f"diffraction at {q:.4f} 1/angstrom" for q in middles)

    def features(self, items: Sequence[Phase]) -> np.ndarray:
        """Return the patterns of structures, `n x channels`.

        Raises:
            BadItem: The cell of one is too large, an element has no scattering factor, or nothing is diffracted here.
        """
        return np.array([self._pattern(phase) for phase in items]).reshape(len(items), len(self.columns))

    def _pattern(self, phase: Phase) -> np.ndarray:
        from surrogate.xrd.reflections import lorentz_polarisation, reflections

        try:
            table: Any = reflections(phase, wavelength_angstrom=WAVELENGTH_ANGSTROM, highest_deg=_HIGHEST_DEG)
        except ValueError as error:
            raise BadItem(f"{phase.name}: {error}") from None
        reciprocal = np.sqrt(table.q_squared)
        two_theta = 2.0 * np.degrees(np.arcsin(reciprocal * WAVELENGTH_ANGSTROM / 2.0))
        heights = table.strength * lorentz_polarisation(two_theta)
        places = np.log(2.0 * np.pi * reciprocal)
        parts = np.diff(ndtr((self._edges[None, :] - places[:, None]) / WIDTH), axis=1)
        pattern = heights @ parts
        if not pattern.sum() > 0:
            raise BadItem(f"{phase.name}: it has no line from {Q_LOW} to {Q_HIGH} 1/angstrom")
        return np.sqrt(pattern / pattern.sum())
