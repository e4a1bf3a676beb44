"""Whether stored intensities are whole counts, and whether the beam's attenuation was already multiplied in.

Formats differ, and makers do not always say: PANalytical defines ``intensities`` as multiplied and ``counts`` as
detected; Bruker stores what is multiplied; of Rigaku nothing is published. Where the maker does not define it the
numbers decide, since only what was detected is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, counted, poisson_sigma

SINGLE = 2.0**-23
"""Relative rounding of numbers that passed through single precision."""
UNDECIDED = 0.25
"""Where rounding may move a number by more than this, it says nothing."""
LARGEST_COUNT = 2.0**53
"""Beyond it every number is whole."""
BY_CHANCE = 2e-3
"""Whole numbers that would all be multiples of their factors with a lower probability have been multiplied."""
NOT_WHOLE = "the intensities are not whole counts: they have no counting error here"


def as_counted(counts: Array, attenuation: Array | None, *, values: Array | None = None) -> dict[str, Any]:
    """Return the fields of a `Scan` from what was detected; `values` as the file has them, if it has them."""
    fields = counted(counts, attenuation=attenuation)
    return fields if values is None else fields | {"values": values}


def uncounted(values: Array, attenuation: Array | None, unit: str = "counts") -> dict[str, Any]:
    """Return the fields of a `Scan` whose counts are not known."""
    return {"values": values, "unit": unit, "counts": None, "attenuation": attenuation, "sigma": None}


def multiplied(values: Array, attenuation: Array | None) -> tuple[dict[str, Any], list[str]]:
    """Return fields and warnings for intensities that are counts times attenuation, as their format defines."""
    counts = _whole(values, np.ones_like(values) if attenuation is None else attenuation)
    if counts is None:
        return uncounted(values, attenuation), [NOT_WHOLE]
    return as_counted(counts, attenuation, values=values), []


def detected(counts: Array, attenuation: Array | None) -> tuple[dict[str, Any], list[str]]:
    """Return fields and warnings for counts as detected, as their format defines; attenuation is multiplied in."""
    if _whole(counts, np.ones_like(counts)) is None:
        values = counts if attenuation is None else counts * attenuation
        return uncounted(values, attenuation), [NOT_WHOLE]
    return as_counted(counts, attenuation), []


def by_evidence(stored: Array, attenuation: Array | None) -> tuple[dict[str, Any], list[str]]:
    """Return fields and warnings for intensities of which nobody says whether attenuation was multiplied in.

    Raises:
        NotUnderstood: The numbers do not tell either.
    """
    if attenuation is None or np.all(attenuation == 1.0):
        return multiplied(stored, attenuation)
    weakened = (attenuation != 1.0) & (stored != 0.0)
    if not weakened.any():
        return multiplied(stored, attenuation)
    products, factors = stored[weakened], attenuation[weakened]
    may_be_detected = _whole(stored, np.ones_like(stored)) is not None
    may_be_multiplied = _whole(products, factors) is not None
    is_judged = _whole(products, factors, strictly=True) is not None
    # of whole numbers, one in so many is a multiple of its factor by chance; below 2 rounding hides whether it is one
    by_chance = float(np.exp(-np.sum(np.log(np.where(factors > 2.0, factors, 1.0)))))
    if is_judged and (not may_be_detected or by_chance < BY_CHANCE):
        return multiplied(stored, attenuation)
    if may_be_detected and not may_be_multiplied:
        return detected(stored, attenuation)
    raise NotUnderstood(
        "the beam was attenuated, and the numbers do not tell whether the intensities were multiplied by the factor"
    )


@np.errstate(over="ignore")
def per_second(rates: Array, attenuation: Array | None, time_s: Array | None) -> tuple[dict[str, Any], list[str]]:
    """Return fields and warnings for counts per second; with their time known they may be whole counts."""
    if attenuation is not None and np.any(attenuation != 1.0):
        raise NotUnderstood("rates with attenuated points: it is not known whether they were multiplied by the factor")
    fields = uncounted(rates, attenuation, "counts/s")
    if time_s is None or not rates.max() <= LARGEST_COUNT:
        return fields, [NOT_WHOLE]
    counts = _whole(rates * time_s, np.ones_like(rates), quantum=_quantum(rates) * time_s)
    if counts is None:
        return fields, [NOT_WHOLE]
    return fields | {"counts": counts, "sigma": poisson_sigma(counts) / time_s}, []


def _whole(
    values: Array, attenuation: Array, *, quantum: float | Array | None = None, strictly: bool = False
) -> Array | None:
    """Return the whole counts that, times attenuation and rounded as written, are the values; None if they are none.

    Strictly: at least one number must be so finely written that it could have failed.
    """
    if values.size == 0 or attenuation.min() <= 0.0 or not (values.min() >= 0.0 and values.max() <= LARGEST_COUNT):
        return None
    counts = np.round(values / attenuation)
    plain = attenuation == 1.0
    rounding = np.where(plain, 0.0, 0.5) * _quantum(values) if quantum is None else 0.5 * quantum
    doubt = rounding / attenuation + SINGLE * counts
    judged = doubt < UNDECIDED
    if strictly and not judged.any():
        return None
    gap = np.abs(values / attenuation - counts)
    return counts if np.all(gap[judged] <= doubt[judged] + 1e-9) else None


def _quantum(values: Array) -> float:
    """Return the last decimal place in which the values were written: 1, 0.1, ... or 0 for none."""
    for places in range(5):
        scaled = values * 10.0**places
        if np.all(np.abs(scaled - np.round(scaled)) <= 1e-7 * np.maximum(np.abs(scaled), 1.0)):
            return 10.0**-places
    return 0.0


def gathered(warnings: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the warnings of each scan as those of the file, each once, with the scans that it is about."""
    scans: dict[str, list[int]] = {}
    for number, told in enumerate(warnings, start=1):
        for text in dict.fromkeys(told):
            scans.setdefault(text, []).append(number)
    return tuple(f"{_which(found, len(warnings))}{text}" for text, found in scans.items())


def _which(found: Sequence[int], of: int) -> str:
    if len(found) == of:
        return ""
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f"scan{'s' * (len(found) > 1)} {', '.join(map(str, found[:3]))}{more}: "
