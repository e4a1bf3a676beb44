"""Angles of a pattern as the whole-pattern model needs them: equally spaced."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Equally spaced angles."""

    start_deg: float
    step_deg: float
    n: int

    @property
    def two_theta_deg(self) -> Tensor:
        """Return the ``n`` angles."""
        return self.start_deg + self.step_deg * torch.arange(self.n, dtype=torch.float64)
