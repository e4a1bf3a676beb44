"""How far what is achieved lies from what was asked for: a temperature that was not quite it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class InputNoise:
    """How far what is achieved lies from what is wanted, by column of the codes: a standard deviation at each point."""

    at_zero: np.ndarray
    """Standard deviation at code 0, `d`; 0 for what is exact."""
    decay: np.ndarray
    """By how much its logarithm sinks from code 0 to code 1, `d`: not 0 on a logarithmic scale."""

    def variances(self, points: np.ndarray) -> np.ndarray:
        """Return the variance of each column at points (`n x d`), `n x d`."""
        return (self.at_zero * np.exp(-self.decay * points)) ** 2
