"""Which March-Dollase distributions the textures of a fit look like.

Harmonics (`surrogate.xrd.texture`) meet any smooth texture, strong ones roughly. What a fit knows of a phase's
harmonics, with all other unknowns integrated out, is a normal distribution; each distribution of `Kinds`, seen as
harmonics, with what harmonics add to it under their priors, has a likelihood by it. The best one, if it beats none, is
where a refinement may begin anew; its evidence decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from surrogate.xrd.atlas import Atlas
from surrogate.xrd.march_dollase import Kinds
from surrogate.xrd.model import Parameters
from surrogate.xrd.task import Fitted

Array = NDArray[np.floating[Any]]


LEAST_BENT = 4.0
"""Sum of squares of a phase's harmonics, in sds of their priors, from which other textures are tried."""
SLACK = 6.0
"""Nats that no kind may be likelier than one that is tried all the same: harmonics say little of strong textures."""


def textured(atlas: Atlas, fitted: Fitted) -> list[Parameters]:
    """Return where to refine a row anew: its parameters with the kinds that are likelier than none, and with others.

    The others are about the next best axis, where one was found; and where none was, what may be likelier after all.
    """
    parameters = fitted.parameters
    first, second = parameters.kind.clone(), parameters.kind.clone()
    textures = parameters.texture.clone(), parameters.texture.clone()
    covariance = torch.linalg.inv(fitted.hessian[0]).numpy()
    for entry in range(len(first)):
        sd = atlas.texture_sd[parameters.phase[entry]].numpy()
        n = int((sd > 0).sum())
        if float(((parameters.texture[entry, :n].numpy() / sd[:n]) ** 2).sum()) < LEAST_BENT:
            continue
        begin = int(fitted.layout.slot[entry]) * fitted.layout.per_slot + 1 + fitted.layout.n_strain
        known = np.linalg.inv(covariance[begin : begin + n, begin : begin + n])
        kinds = atlas.kinds(int(parameters.phase[entry]))
        worth, beside = _worth(kinds, known, parameters.texture[entry, :n].numpy(), sd[:n])
        best = int(np.argmax(worth))
        is_other = np.array([axis != kinds.axis[best] for axis in kinds.axis]) if best else worth > -np.inf
        other = int(np.argmax(np.where(is_other, worth + SLACK * (np.arange(len(worth)) > 0), -np.inf))) or best
        for kind, texture, chosen in zip((first, second), textures, (best, other), strict=True):
            kind[entry], texture[entry, :n] = chosen, torch.tensor(beside[chosen])
    begun = [
        parameters.with_(kind=kind, texture=texture) for kind, texture in zip((first, second), textures, strict=True)
    ]
    return [one for one in (begun[:1] if torch.equal(first, second) else begun) if one.kind.any()]


def log_prior_of_kinds(atlas: Atlas, parameters: Parameters) -> float:
    """Return the logarithm of the prior of a row's kinds, against none for all."""
    entries = parameters.kind.nonzero()[:, 0].tolist()
    return sum(float(atlas.kinds(int(parameters.phase[one])).log_prior[int(parameters.kind[one])]) for one in entries)


def _worth(kinds: Kinds, known: Array, centre: Array, sd: Array) -> tuple[Array, Array]:
    """Return how likely ``k`` kinds are, in nats up to a constant, and ``k x t`` coefficients beside them.

    Args:
        kinds: Of the phase.
        known: ``t x t`` inverse covariance of harmonics, their priors counted in.
        centre: ``t`` of harmonics.
        sd: ``t`` of their priors.
    """
    prior = np.diag(sd**-2)
    by_data = known - prior
    slope = known @ centre
    beside = np.linalg.solve(known, (slope - kinds.projected @ by_data).T).T
    together = kinds.projected + beside
    by_counts = together @ slope - 0.5 * np.einsum("ki,ij,kj->k", together, by_data, together)
    return by_counts - 0.5 * np.einsum("ki,ij,kj->k", beside, prior, beside) + kinds.log_prior, beside
