"""The gates that a claim must pass before anybody says that a target was made.

After the criticism of Leeman et al., PRX Energy 3, 011002 (2024), doi:10.1103/PRXEnergy.3.011002: poor fits accepted,
wrong models, order claimed without evidence, known phases taken for new ones. A gate that a diffraction pattern alone
cannot decide says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.xrd.atlas import Atlas
from surrogate.xrd.quantify import Amount
from surrogate.xrd.result import Alternative, Gate, ResidualPeak

LARGEST_GOF = 4.0
LARGEST_RWP = 15.0
RESIDUAL_SIGMA = 5.0
LARGEST_EXCESS = 0.1
"""Of the highest peak, by which a model may lie above a pattern."""
LEAST_BAYES_FACTOR = 10.0
SAME_CELL = 0.015
CONTRAST_ELEMENTS = 2
"""Neighbours in the periodic table up to this far scatter X-rays alike."""

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """Where a model lies farthest above a pattern, in sigma of noise alone."""

    two_theta_deg: float
    sigma: float
    share: float
    """Of the model's highest peak."""


def excess(two_theta_deg: Array, observed: Array, model: Array, background: Array, variance: Array) -> Excess:
    """Return where a model predicts intensity that is not there; all arrays are ``n`` long."""
    seen = np.isfinite(variance) & (variance > 0.0)
    over = np.where(seen, model - observed, 0.0)
    sigma = over / np.sqrt(np.where(seen, variance, 1.0))
    at = int(sigma.argmax())
    highest = max(float((model - background)[seen].max(initial=0.0)), 1e-300)
    return Excess(two_theta_deg=float(two_theta_deg[at]), sigma=float(sigma[at]), share=float(over[at] / highest))


def gates(
    atlas: Atlas,
    found: Sequence[Amount],
    alternatives: Sequence[Alternative],
    peaks: Sequence[ResidualPeak],
    *,
    rwp: float,
    gof: float,
    over: Excess | None = None,
) -> tuple[Gate, ...]:
    """Return G1 to G8 for the best set."""
    return (
        _fit(peaks, rwp, gof, over),
        _hypotheses(alternatives),
        _order(atlas, found, alternatives),
        _novelty(atlas, found),
        Gate(name="G5", passed=None, reason="what was dosed is not known here; compare the elements' totals with it"),
        _bounds(found),
        Gate(name="G7", passed=None, reason="one pattern of one batch; repeat from a fresh batch before publishing"),
        _contrast(atlas, found),
    )


def _fit(peaks: Sequence[ResidualPeak], rwp: float, gof: float, over: Excess | None) -> Gate:
    strong = [peak for peak in peaks if peak.height_sigma > RESIDUAL_SIGMA]
    problems = []
    if gof > LARGEST_GOF:
        problems.append(f"goodness of fit {gof:.1f} exceeds {LARGEST_GOF:g}")
    if rwp > LARGEST_RWP:
        problems.append(f"Rwp {rwp:.1f} % exceeds {LARGEST_RWP:g} %")
    if strong:
        problems.append(f"{len(strong)} residual peaks above {RESIDUAL_SIGMA:g} sigma")
    if over is not None and over.sigma > RESIDUAL_SIGMA and over.share > LARGEST_EXCESS:
        problems.append(_told(over))
    good = f"goodness of fit {gof:.1f}, Rwp {rwp:.1f} %, no residual peak above {RESIDUAL_SIGMA:g} sigma"
    if over is not None and over.sigma > RESIDUAL_SIGMA:
        good += f" of noise and of the peaks' shapes; {_told(over)}"
    return Gate(name="G1", passed=not problems, reason="; ".join(problems) or good)


def _told(over: Excess) -> str:
    return (
        f"the model is above the pattern by up to {100 * over.share:.0f} % of the highest peak at "
        f"{over.two_theta_deg:.2f} deg ({over.sigma:.0f} sigma of noise)"
    )


def _hypotheses(alternatives: Sequence[Alternative]) -> Gate:
    listed = "; ".join(
        f"{' + '.join(one.phases) or 'nothing crystalline'}: {one.probability:.2f}" for one in alternatives[:3]
    )
    decided = len(alternatives) < 2 or alternatives[0].probability > LEAST_BAYES_FACTOR * alternatives[1].probability
    return Gate(name="G2", passed=decided, reason=f"phase sets and their probabilities: {listed}")


def _order(atlas: Atlas, found: Sequence[Amount], alternatives: Sequence[Alternative]) -> Gate:
    """Look for a rival of the same elements in another order: ordered and disordered, or of another symmetry."""
    names = {atlas.phases[one.phase].name: atlas.phases[one.phase] for one in found}
    by_name = {phase.name: phase for phase in atlas.phases}
    for rival in alternatives[1:]:
        for name in set(rival.phases) - set(names):
            twins = [one for one in names.values() if one.elements == by_name[name].elements]
            if twins and alternatives[0].probability < LEAST_BAYES_FACTOR * rival.probability:
                reason = f"{twins[0].name} and {name} are not told apart (Bayes factor below {LEAST_BAYES_FACTOR:g})"
                return Gate(name="G3", passed=False, reason=reason)
    if any(atlas.phases[one.phase].is_disordered for one in found):
        return Gate(name="G3", passed=True, reason="a disordered model was chosen; no order is claimed")
    if len({frozenset(phase.elements) for phase in atlas.phases}) == len(atlas.phases):
        return Gate(name="G3", passed=None, reason="the library holds no disordered or differently ordered rival")
    return Gate(name="G3", passed=True, reason="no rival of the same elements comes near")


def _novelty(atlas: Atlas, found: Sequence[Amount]) -> Gate:
    far = [one for one in found if abs(one.strain) > SAME_CELL]
    if far:
        name = atlas.phases[far[0].phase].name
        return Gate(
            name="G4", passed=False, reason=f"the cell of {name} is {100 * far[0].strain:+.1f} % off the library's"
        )
    sources = ", ".join(
        f"{atlas.phases[one.phase].name} ({atlas.phases[one.phase].source or 'no source'})" for one in found
    )
    return Gate(name="G4", passed=True, reason=f"known phases within {100 * SAME_CELL:g} % of their cells: {sources}")


def _bounds(found: Sequence[Amount]) -> Gate:
    loose = [one for one in found if one.strain_sd > 0.005]
    if loose:
        return Gate(name="G6", passed=False, reason=f"{len(loose)} cells are known to no better than 0.5 %")
    return Gate(
        name="G6", passed=True, reason="cells refined within bounds, with esds; occupancies were held at the library's"
    )


def _contrast(atlas: Atlas, found: Sequence[Amount]) -> Gate:
    import gemmi

    numbers = sorted({gemmi.Element(e).atomic_number for one in found for e in atlas.phases[one.phase].elements})
    close = [
        (low, high)
        for low, high in zip(numbers, numbers[1:], strict=False)
        if high - low <= CONTRAST_ELEMENTS and low > 10
    ]
    if close:
        pair = " and ".join(gemmi.Element(number).name for number in close[0])
        return Gate(name="G8", passed=None, reason=f"{pair} scatter alike: ask for a composition (SEM-EDS, ICP)")
    return Gate(name="G8", passed=True, reason="the elements differ enough in their scattering")
