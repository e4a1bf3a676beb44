"""What an identification comes to, in one phrase and a few sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surrogate.xrd.lattice import reciprocal_metric, volume_angstrom3
from surrogate.xrd.result import Alternative, PhaseClaim, ResidualPeak, Verdict

SURE = 0.5
"""Probability of the best set below which nothing is claimed."""
UNKNOWN = 0.5
AMORPHOUS = 0.5
"""Share of humps in all that is scattered above the smooth background, in a pattern without crystalline phase."""
FARTHEST_CELL = 0.02
"""Relative change of a cell's edges from which a phase is not claimed: a wrong wavelength, or another phase of that
type, is likelier."""
ALUMINIUM_ANGSTROM = (2.338, 2.0248, 1.4317, 1.221)
"""Spacings of 111, 200, 220 and 311 (a = 4.0495 angstrom: Swanson and Tatge, Natl. Bur. Stand. Circ. 539, I, 11)."""
NEAR_SPACING = 0.004
"""Relative; a holder's surface does not lie where the sample's does."""
SOLID_SOLUTION_SIGMA = 3.0
SOLID_SOLUTION_STRAIN = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict and why."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(
    phases: Sequence[PhaseClaim],
    alternatives: Sequence[Alternative],
    *,
    unknown_probability: float,
    unknown_peaks: Sequence[ResidualPeak],
    amorphous_fraction: float | None,
    warnings: Sequence[str],
    radiation_doubt: str = "",
) -> Judged:
    """Return the verdict for a best set and its rivals; none where the wavelength is in doubt, which says how."""
    reasons = [*_solid_solutions(phases, is_unknown=unknown_probability >= UNKNOWN), *warnings]
    if radiation_doubt and (phases or unknown_probability >= UNKNOWN):
        return Judged(verdict="cannot tell", reasons=(_no_wavelength(radiation_doubt), *reasons))
    if unknown_probability >= UNKNOWN:
        return Judged(verdict="unknown phase present", reasons=(_unknown(unknown_probability, unknown_peaks), *reasons))
    if alternatives and alternatives[0].probability < SURE:
        return Judged(verdict="cannot tell", reasons=(_rivals(alternatives), *reasons))
    if far := [phase for phase in phases if abs(_change(phase)) > FARTHEST_CELL]:
        return Judged(verdict="cannot tell", reasons=(_too_far(far[0]), *reasons))
    if phases:
        return Judged(verdict="identified", reasons=tuple(reasons))
    if amorphous_fraction is not None and amorphous_fraction > AMORPHOUS:
        return Judged(
            verdict="amorphous", reasons=("there are humps, and no peaks of a phase in the library", *reasons)
        )
    return Judged(verdict="no crystalline phase", reasons=("no phase of the library is there", *reasons))


def _change(phase: PhaseClaim) -> float:
    """Return the mean relative change of the cell's edges against the library."""
    a, b, c, alpha, beta, gamma = phase.reference_cell
    reference = volume_angstrom3(reciprocal_metric((a, b, c, alpha, beta, gamma)))
    return (phase.cell.volume_angstrom3 / reference) ** (1.0 / 3.0) - 1.0


def _too_far(phase: PhaseClaim) -> str:
    return (
        f"{phase.name} fits only with a cell {100 * _change(phase):+.1f} % off the library's: check the wavelength, or "
        "look for a phase of the same type that the library lacks"
    )


def _no_wavelength(doubt: str) -> str:
    return f"{doubt}: no phase or cell can be claimed before that is settled; give the right one by --wavelength"


def _rivals(alternatives: Sequence[Alternative]) -> str:
    told = [f"{' + '.join(one.phases) or 'none'} ({one.probability:.2f})" for one in alternatives[:4]]
    return f"the pattern does not decide between {', '.join(told)}; count longer, or add what the chemistry excludes"


def _unknown(probability: float, peaks: Sequence[ResidualPeak]) -> str:
    strongest = ", ".join(f"{peak.two_theta_deg:.2f}" for peak in peaks[:5])
    where = f"; unexplained peaks at {strongest} deg" if strongest else ""
    holder = "; two or more of them lie where those of an aluminium sample holder do" if _is_holder(peaks) else ""
    return f"something is there that the library does not hold (probability {probability:.2f}){where}{holder}"


def _is_holder(peaks: Sequence[ResidualPeak]) -> bool:
    """Say whether two of the strongest peaks are aluminium's, one of its first two among them."""
    found = [
        any(abs(peak.d_angstrom / spacing - 1.0) < NEAR_SPACING for peak in peaks[:5]) for spacing in ALUMINIUM_ANGSTROM
    ]
    return sum(found) >= 2 and any(found[:2])


def _solid_solutions(phases: Sequence[PhaseClaim], *, is_unknown: bool) -> list[str]:
    cause = "a solid solution, strain or another temperature"
    if is_unknown:
        cause = f"it may stand in for the phase that is missing, and its weight be wrong; or {cause}"
    return [f"the cell of {phase.name} is not the library's: {cause}" for phase in phases if phase.is_solid_solution]
