"""What a fit is given, and what it returns: patterns, hypotheses about them, and where each unknown stands."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from surrogate.xrd.grid import Grid
from surrogate.xrd.model import Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What ``p`` patterns on one grid show."""

    grid: Grid
    intensity: Tensor
    """``p x n``."""
    weight: Tensor
    """``p x n``."""
    background: Tensor
    """``n x b``: smooth columns first, then humps."""
    baseline: Tensor
    """``p x n``: a first guess of all that is smooth."""
    n_free: int
    """How many of the columns may be negative: the first ones."""
    width_deg: Tensor
    """``p``: prior median of the instrument's width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What ``r`` rows are to explain, and what stands beside their entries."""

    data: Data
    pattern: Tensor
    """``r`` indices of patterns."""
    frozen: Tensor
    """``r x f x n`` profiles that are scaled but not refined; or ``1 x f x n`` for all rows."""

    @property
    def n_rows(self) -> int:
        """Return how many rows there are."""
        return len(self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The optimum of ``r`` rows with ``e`` entries."""

    parameters: Parameters
    scales: Tensor
    """``e``."""
    coefficients: Tensor
    """``r x (f + b)`` of the frozen profiles and the background columns."""
    objective: Tensor
    """``r``: the loss of the data, plus half of the priors' squares."""
    log_evidence: Tensor
    """``r``; without the prior of the phase set."""
    chi_squared: Tensor
    """``r``, with the model's error."""
    profile: Tensor
    """``e x n`` at unit scale."""
    hessian: Tensor
    """``r x m x m`` over slots of entries, shared parameters and columns; unused ones are identity."""
    layout: Layout

    def one(self, row: int) -> Fitted:
        """Return one row by itself."""
        entries = (self.parameters.row == row).nonzero()[:, 0]
        return Fitted(
            parameters=self.parameters.one(row),
            scales=self.scales[entries],
            coefficients=self.coefficients[row : row + 1],
            objective=self.objective[row : row + 1],
            log_evidence=self.log_evidence[row : row + 1],
            chi_squared=self.chi_squared[row : row + 1],
            profile=self.profile[entries],
            hessian=self.hessian[row : row + 1],
            layout=replace(self.layout, slot=self.layout.slot[entries]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where things stand among the ``m`` unknowns of a row: each slot's scale and own parameters, what is shared, the
    scales of frozen profiles, the background."""

    slot: Tensor
    """``e``: the entry's place in its row."""
    n_slots: int
    n_strain: int
    n_texture: int
    n_frozen: int
    n_background: int

    @property
    def per_slot(self) -> int:
        """Return how many unknowns a slot has."""
        return 3 + self.n_strain + self.n_texture

    @property
    def shared(self) -> int:
        """Return where the shared parameters begin."""
        return self.n_slots * self.per_slot

    @property
    def frozen(self) -> int:
        """Return where the scales of frozen profiles begin."""
        return self.shared + 3

    @property
    def background(self) -> int:
        """Return where the background begins."""
        return self.frozen + self.n_frozen

    @property
    def m(self) -> int:
        """Return the number of unknowns."""
        return self.background + self.n_background
