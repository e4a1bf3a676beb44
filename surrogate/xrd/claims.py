"""What is said of the phases of the most probable set: probabilities, amounts, remarks, curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from surrogate.xrd.absorption import contrast_reason
from surrogate.xrd.atlas import Atlas
from surrogate.xrd.families import family_reason
from surrogate.xrd.hypothesis import Hypothesis
from surrogate.xrd.model import positions_deg
from surrogate.xrd.pattern import Pattern
from surrogate.xrd.priors import bends
from surrogate.xrd.quantify import Amount, amounts
from surrogate.xrd.residual import MUCH_STRAIN, UNBENT
from surrogate.xrd.result import Curves, PhaseClaim
from surrogate.xrd.search import Searcher
from surrogate.xrd.task import Fitted
from surrogate.xrd.verdict import SOLID_SOLUTION_SIGMA, SOLID_SOLUTION_STRAIN

Array = NDArray[np.floating[Any]]


def signal_to_noise(pattern: Pattern) -> float:
    """Return the highest peak over its standard deviation of counting."""
    seen = np.isfinite(pattern.variance)
    peak = (pattern.intensity - pattern.baseline) / np.sqrt(np.where(seen, pattern.variance, np.inf))
    return float(peak.max())


def misfit(pattern: Pattern, hypothesis: Hypothesis) -> float:
    """Return chi squared per step of a hypothesis, the model's error counted in."""
    return hypothesis.chi_squared / max(int(np.isfinite(pattern.variance).sum()), 1)


def bent_by(atlas: Atlas, best: Hypothesis) -> tuple[float, ...]:
    """Return how a set's phases had to bend: the last of `surrogate.xrd.residual.FEATURES`."""
    if best.fitted is None or not best.phases:
        return UNBENT
    parameters = best.fitted.parameters
    strain, texture = bends(atlas, parameters)
    largest = float(strain.abs().max())
    return (
        largest,
        max(largest - MUCH_STRAIN, 0.0),
        float(texture.abs().max()),
        float(parameters.log_size_nm.min()),
        float(((strain**2).sum() + (texture**2).sum()).sqrt()),
        float(len(best.phases)),
    )


def unseen(atlas: Atlas, pattern: Pattern) -> tuple[str, ...]:
    """Tell which phases have no reflection within the scan: they may be there all the same."""
    sine = torch.sqrt(atlas.q_squared) * pattern.radiation.wavelength_angstrom[0] / 2.0
    angle = torch.rad2deg(2.0 * torch.asin(sine.clamp(max=1.0)))
    low, high = float(pattern.two_theta_deg[0]), float(pattern.two_theta_deg[-1])
    inside = torch.cat([torch.zeros(1), ((angle >= low) & (angle <= high)).double().cumsum(0)])
    counts = inside[atlas.first[1:]] - inside[atlas.first[:-1]]
    names = [phase.name for phase, count in zip(atlas.phases, counts.tolist(), strict=True) if count == 0]
    if not names:
        return ()
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (f"{', '.join(names[:5])}{more}: no reflection between {low:.1f} and {high:.1f} deg, so it cannot be told",)


def chances_of_phases(hypotheses: Sequence[Hypothesis], chance: Array, n_phases: int) -> Array:
    """Return the probability of each phase: the sum of those of its sets (``h``)."""
    total = np.zeros(n_phases)
    for hypothesis, p in zip(hypotheses, chance, strict=True):
        total[list(hypothesis.phases)] += p
    return np.minimum(total, 1.0)


def remarks(searcher: Searcher, found: Sequence[Amount]) -> Iterator[str]:
    """Yield what is to be said of the phases that were found: other cells in the library, absorption contrast."""
    phases = searcher.atlas.phases
    yield from filter(None, [family_reason(one.phase, phases, searcher.families) for one in found])
    if len(found) > 1:
        weights = [one.weight_fraction for one in found]
        wavelength = searcher.atlas.radiation.wavelength_angstrom[0]
        yield from filter(None, [contrast_reason([phases[one.phase] for one in found], weights, wavelength)])


def claims_of(
    atlas: Atlas, best: Hypothesis, by_phase: Array, pattern: Pattern
) -> tuple[tuple[PhaseClaim, ...], list[Amount]]:
    """Return what is claimed of a set's phases, by falling weight, and the amounts behind it."""
    if best.fitted is None or not best.phases:
        return (), []
    found = amounts(atlas, best.fitted, inflation=max(1.0, misfit(pattern, best)))
    return tuple(_claim(atlas, one, float(by_phase[one.phase])) for one in found), found


def _claim(atlas: Atlas, amount: Amount, probability: float) -> PhaseClaim:
    phase = atlas.phases[amount.phase]
    is_off = abs(amount.strain) > max(SOLID_SOLUTION_STRAIN, SOLID_SOLUTION_SIGMA * amount.strain_sd)
    return PhaseClaim(
        name=phase.name,
        formula=phase.formula,
        space_group=phase.space_group,
        probability=probability,
        weight_fraction=amount.weight_fraction,
        weight_interval=amount.weight_interval,
        cell=amount.cell,
        reference_cell=phase.cell,
        crystallite_nm=amount.crystallite_nm,
        texture=amount.texture,
        is_solid_solution=is_off,
        source=phase.source,
    )


def curves_of(pattern: Pattern, atlas: Atlas, best: Hypothesis, model: Array, background: Array) -> Curves:
    """Return what a page draws of a pattern and the set that explains it."""
    contributions: dict[str, Array] = {}
    ticks: dict[str, Array] = {}
    fitted: Fitted | None = best.fitted
    if fitted is not None:
        for entry, number in enumerate(fitted.parameters.phase.tolist()):
            name = atlas.phases[number].name
            contributions[name] = pattern.scale * float(fitted.scales[entry]) * fitted.profile[entry].numpy()
            ticks[name] = positions_deg(atlas, number, fitted.parameters, entry).numpy()
    seen = np.isfinite(pattern.variance)
    return Curves(
        two_theta_deg=pattern.two_theta_deg,
        observed=np.where(seen, pattern.scale * pattern.intensity, np.nan),
        sigma=np.where(seen, pattern.scale * np.sqrt(np.where(seen, pattern.variance, 1.0)), np.nan),
        calculated=pattern.scale * model,
        background=pattern.scale * background,
        contributions=contributions,
        ticks_deg=ticks,
    )
