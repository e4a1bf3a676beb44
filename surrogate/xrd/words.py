"""Identifications in words and numbers as crystallographers write them: 4.5937(3), 72 (69 to 75) wt%."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from surrogate.xrd.result import CELL_NAMES, Cell, Identification, PhaseClaim

LARGEST_ESD_DIGITS = 19
"""An esd has two digits up to 19 and one above, as the IUCr's journals ask."""
SAME = 1e-7
"""Relative difference up to which two cell parameters are one."""
SAME_ESD = 1e-3
LEAST_ESD = 1e-9
"""In angstrom or degrees; less is what rounding makes of none."""

GATES = {
    "G1": "Quality of the fit",
    "G2": "Other hypotheses",
    "G3": "Order against disorder",
    "G4": "Novelty",
    "G5": "Balance of the elements",
    "G6": "Cell and occupancies",
    "G7": "Replicate from a fresh batch",
    "G8": "Composition by another probe",
}
"""What each gate is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellParameter:
    """A parameter of a cell that symmetry leaves free."""

    name: str
    text: str
    """With its esd: ``4.5937(3)``."""
    reference: str
    change_percent: float | None
    """Against the library; None for angles."""


def with_esd(value: float, esd: float, *, decimals: int = 4) -> str:
    """Print a value with its estimated standard deviation in the last digits: 4.5937(3).

    Without an esd (0, or not a number) the value has so many decimals.
    """
    if not math.isfinite(value):
        return "–"
    if not math.isfinite(esd) or esd <= 0.0:
        return f"{value:.{decimals}f}"
    places = 1 - math.floor(math.log10(esd))
    digits = round(esd * 10.0**places)
    if digits > LARGEST_ESD_DIGITS:
        places -= 1
        digits = round(esd * 10.0**places)
    if places <= 0:
        return f"{value:.0f}({esd:.0f})"
    return f"{value:.{places}f}({digits})"


def probability(value: float) -> str:
    """Print a probability; never as certain."""
    if not math.isfinite(value):
        return "–"
    if value > 0.995:
        return "> 0.99"
    return "< 0.01" if value < 0.005 else f"{value:.2f}"


def share(value: float | None) -> str:
    """Print a fraction in percent, small ones with a decimal."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:.{_percent_decimals(value)}f} %"


def weight(claim: PhaseClaim) -> str:
    """Print a weight fraction with its interval: 72 (69 to 75) wt%; a phase alone has no interval."""
    low, high = claim.weight_interval
    numbers = (claim.weight_fraction, low, high)
    if not all(math.isfinite(number) for number in numbers):
        return "– wt%"
    decimals = 1 if high - low < 0.02 else 0
    if high - low < 1e-9:
        return f"{100 * claim.weight_fraction:.0f} wt%"
    middle, low_text, high_text = (f"{100 * number:.{decimals}f}" for number in numbers)
    return f"{middle} ({low_text} to {high_text}) wt%"


def _percent_decimals(value: float) -> int:
    return 1 if 0.0 < abs(value) < 0.0995 else 0


def number(value: float | None, digits: int = 3) -> str:
    """Print a number with so many significant digits, or a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) >= 10**digits and abs(value) < 1e9:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def signed(value: float | None, unit: str = "", *, decimals: int = 3) -> str:
    """Print a number with its sign, minus as such."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:+.{decimals}f}".replace("-", "−")
    return f"{text} {unit}".rstrip()


def size_nm(value: float) -> str:
    """Print a crystallite size; beyond what a powder pattern tells it is a bound."""
    if not math.isfinite(value):
        return "–"
    return "> 200 nm" if value > 200 else f"{number(value, 2)} nm"


def free_parameters(cell: Cell, reference: Sequence[float]) -> Iterator[CellParameter]:
    """Yield the parameters that symmetry leaves free, as far as values and esds show: of a cubic cell, a alone."""
    for index, (name, value, esd) in enumerate(zip(CELL_NAMES, cell.values, cell.esd, strict=True)):
        if _repeats(cell, index) or (index > 2 and _is_fixed(value, esd, reference[index])):
            continue
        yield CellParameter(
            name=name,
            text=with_esd(value, esd, decimals=4 if index < 3 else 2),
            reference=f"{reference[index]:.4f}" if index < 3 else f"{reference[index]:.2f}",
            change_percent=_change_percent(value, reference[index]) if index < 3 else None,
        )


def _change_percent(value: float, reference: float) -> float | None:
    return 100.0 * (value / reference - 1.0) if reference else None


def _repeats(cell: Cell, index: int) -> bool:
    """Say whether the first parameter of its kind (length or angle) is this one too."""
    first = index - index % 3
    is_same = abs(cell.values[index] - cell.values[first]) <= SAME * abs(cell.values[first])
    esd, other = cell.esd[index], cell.esd[first]
    return index != first and is_same and (_is_zero(esd) or math.isclose(esd, other, rel_tol=SAME_ESD))


def _is_fixed(value: float, esd: float, reference: float) -> bool:
    is_special = min(abs(value - special) for special in (90.0, 120.0)) <= SAME * value
    return _is_zero(esd) and abs(value - reference) <= SAME * abs(reference) and is_special


def _is_zero(esd: float) -> bool:
    return abs(esd) < LEAST_ESD


def joined(names: Sequence[str], *, last: str = "and") -> str:
    """Print a list as people say it."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def headline(found: Identification) -> str:
    """Say the verdict in one line that names the phases."""
    names = joined([claim.name for claim in found.phases])
    if found.verdict == "identified":
        return names or "Identified"
    if found.verdict == "cannot tell":
        sets = [" + ".join(alternative.phases) or "no phase" for alternative in found.alternatives[:3]]
        return f"Cannot tell: {joined(sets, last='or')}" if len(sets) > 1 else "Cannot tell"
    if found.verdict == "unknown phase present":
        return f"An unknown phase beside {names}" if names else "An unknown phase"
    if found.verdict == "amorphous":
        return f"Largely amorphous, with {names}" if names else "Amorphous"
    return {"no crystalline phase": "No crystalline phase", "unusable": "Not usable"}[found.verdict]
