"""What is believed of a Gaussian process' lengths before any value is known, for columns in the unit cube."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class LengthPrior(Protocol):
    """What is believed of the lengths before any value is known."""

    def log_density(self, logs: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log density of all lengths, up to a constant, and its slopes by their logarithms (`d`)."""
        ...


@dataclass(frozen=True, slots=True)
class GammaLengths:
    """Gamma, with the mode of `LogNormalLengths`, as BayBE has it by default (doi:10.1039/D5DD00050E).

    Ten points in six columns do not tell which of these do nothing, and a length far beyond the cube says that one
    does.
    """

    shape: float = 3.0

    def rate(self, d: int) -> float:
        """Return the rate of a length, of `d` columns."""
        return (self.shape - 1.0) * float(np.exp(3.0 - 2.0**0.5)) / d**0.5

    def log_density(self, logs: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log density of all lengths, up to a constant, and its slopes by their logarithms (`d`)."""
        scaled = self.rate(len(logs)) * np.exp(logs)
        return float((self.shape - 1.0) * logs.sum() - scaled.sum()), self.shape - 1.0 - scaled


@dataclass(frozen=True, slots=True)
class LogNormalLengths:
    """Log-normal, growing with the square root of the dimension (Hvarfner et al., ICML 2024, arXiv 2402.02229)."""

    spread: float = 3.0**0.5
    """Standard deviation of the logarithm."""

    def centre(self, d: int) -> float:
        """Return the mean of the logarithm of a length, of `d` columns."""
        return 2.0**0.5 + 0.5 * float(np.log(d))

    def log_density(self, logs: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log density of all lengths, up to a constant, and its slopes by their logarithms (`d`)."""
        off = (logs - self.centre(len(logs))) / self.spread
        return float(-0.5 * off @ off - logs.sum()), -off / self.spread - 1.0


LIGHT = GammaLengths()
"""Every column may count: for few values, by which the next experiment is chosen."""
HEAVY = LogNormalLengths()
"""Columns may count for nothing: for the many values of a source; BoTorch's default."""
