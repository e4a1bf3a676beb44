"""Phase sets that a search tries, what is kept of them, and how far a search goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.xrd.task import Fitted

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How far to look."""

    max_phases: int = 5
    n_screened: int = 6
    """Candidates of the first level."""
    n_later: int = 4
    """Candidates of each later level."""
    n_beside: int = 4
    """Candidates of the first level, at least, where others are proposed that take places of the rest."""
    n_widely: int = 24
    """Candidates of the first level of a second search, where the first one leaves much unexplained."""
    n_starts: int = 2
    """Phases that a second search begins with."""
    poor_misfit: float = 1.1
    """Chi squared per step, the model's error counted in, from which there is a second search."""
    n_narrowed: int = 3
    """Candidates whose shapes are refined well beside the frozen phases."""
    n_joint: int = 3
    """Candidates that are refined together with the phases before them."""
    least_gain: float = 2.0
    """Fall of chi squared, by screening, that makes a candidate worth a try."""
    rough_margin: float = 0.5
    """Candidates that gain, after the rough steps, a smaller part of what the best one gains are not refined well."""
    margin: float = 30.0
    """Candidates whose fit beside the frozen phases is worse by more (in nats) are not refined together with them."""
    rough_steps: int = 3
    narrow_steps: int = 4
    joint_steps: int = 8
    n_textured: int = 12
    """Sets, the best, whose textures are tried as March-Dollase distributions too."""
    least_textured: float = 80.0
    """Nats that such a set could gain at least."""
    textured_steps: int = 6
    log_prior_odds: float = -3.0
    """Of each phase, before anything is measured."""
    overconfidence: float = 8.0
    """Evidence of a model that is not quite right is too large by about this factor: priors are taken times it, and
    calibration divides both."""
    tolerance: float = 0.3
    """Fits end when they gain less (in nats)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A set of phases, refined."""

    phases: tuple[int, ...]
    """Indices into the atlas, ascending."""
    log_evidence: float
    """With the prior of the set."""
    chi_squared: float
    bending: float = 0.0
    """Sum of squares of all strains and textures, in sds of their priors."""
    fitted: Fitted | None
    """One row; None for a set whose fit was not kept."""


@dataclass(slots=True)
class Record:
    """All sets that were refined."""

    found: dict[tuple[int, ...], Hypothesis] = field(default_factory=dict)

    def add(self, hypothesis: Hypothesis) -> None:
        """Keep a set, if it is new or fits better than before."""
        known = self.found.get(hypothesis.phases)
        if known is None or known.log_evidence < hypothesis.log_evidence:
            self.found[hypothesis.phases] = hypothesis

    @property
    def best(self) -> Hypothesis:
        """Return the set with the highest evidence."""
        return max(self.found.values(), key=lambda one: one.log_evidence)


def probabilities(hypotheses: list[Hypothesis], *, temperature: float = 1.0) -> Array:
    """Return the probability of each hypothesis among those tried."""
    log = np.array([one.log_evidence for one in hypotheses]) / temperature
    log -= log.max()
    weights = np.exp(log)
    return weights / weights.sum()
