"""Whether to look at a point at a cheaper fidelity before it is tried in full.

A look with a squared correlation t to the target at the point moves what is expected there by a normal step of t
standard deviations squared, and leaves 1 - t of the variance. The improvement to expect after it, EI', is as often
greater as smaller than before; where it is smaller, another point that promises as much as this one did is tried
instead. So the look is worth E[max(EI' - EI, 0)], against its cost in trials that gain EI each:

    worth it where E[max(EI'(z) - EI, 0)] / EI > cost of a look / cost of a trial.

It is the rule by which boxes are opened in Pandora's problem (Weitzman, Econometrica 47, 641 (1979), doi
10.2307/1910412), with one look ahead; after a look that tells all it can, t is 0 and nothing speaks for another one.
"""

from __future__ import annotations

import numpy as np

from planner.acquisition import log_h

_NODES = np.linspace(-9.0, 9.0, 361)
_WEIGHTS = np.exp(-0.5 * _NODES**2) / np.exp(-0.5 * _NODES**2).sum()
_LEAST_LEFT = 1e-6
_HEIGHTS = np.linspace(-8.0, 4.0, 481)


def gain_of_look(told: float, height: float) -> float:
    """Return E[max(EI' - EI, 0)] / EI.

    Args:
        told: Share of the variance at the target that the look takes away, 0 to 1.
        height: What is expected there, less the best, in standard deviations.
    """
    left = np.sqrt(max(1.0 - told, _LEAST_LEFT))
    after = np.log(left) + log_h((height + np.sqrt(told) * _NODES) / left)
    ratio = np.exp(np.minimum(after - log_h(np.array([height]))[0], 700.0))
    return float(_WEIGHTS @ np.maximum(ratio - 1.0, 0.0))


def height_of(log_improvement: float, sd: float) -> float:
    """Return what is expected, less the best, in standard deviations, of a point with this improvement to expect."""
    return float(np.interp(log_improvement - np.log(sd), log_h(_HEIGHTS), _HEIGHTS))
