"""Whether two readings of a file say the same, point by point; what only one of them says is not compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from surrogate.formats.record import Array, Scan

AGREEMENT = 1e-6
"""Largest relative difference of two numbers: single precision, in which readers may calculate, is finer."""
NOTHING = 1e-12
"""Of the median, what counts as nothing: a difference of two numbers in double precision may leave so much."""


def difference(ours: Sequence[Scan], theirs: Sequence[Scan]) -> str:
    """Say how two readings of a file differ; empty where they agree."""
    if len(ours) != len(theirs):
        return f"{len(ours)} and {len(theirs)} scans"
    for number, (one, two) in enumerate(zip(ours, theirs, strict=True), start=1):
        if found := next(_differences(one, two), ""):
            return found.replace("SCAN", f"scan {number}")
    return ""


def _differences(one: Scan, two: Scan) -> Iterator[str]:
    if one.axis.values.shape != two.axis.values.shape:
        yield f"{one.axis.values.size} and {two.axis.values.size} points in SCAN"
        return
    # positions are sums of a start and of steps, so that one near zero is no more exact than the others
    yield from _numbers("axis", one.axis.values, two.axis.values, nothing=AGREEMENT)
    yield from _numbers("values", one.values, two.values, nothing=NOTHING)
    for what, left, right in (
        ("counts", one.counts, two.counts),
        ("attenuation", one.attenuation, two.attenuation),
        ("counting times", one.count_time_s, two.count_time_s),
    ):
        if left is not None and right is not None:
            yield from _numbers(what, left, right, nothing=NOTHING)
    yield from _words(one, two)
    if one.radiation is not None and two.radiation is not None:
        lines = zip(one.radiation.wavelength_angstrom, two.radiation.wavelength_angstrom, strict=False)
        yield from (
            f"different wavelengths in SCAN: {left:g} and {right:g} angstrom"
            for left, right in lines
            if not abs(left - right) <= AGREEMENT * left
        )


def _words(one: Scan, two: Scan) -> Iterator[str]:
    """Compare what axis and values are, where both readers know it."""
    axes = [f"{scan.axis.quantity} in {scan.axis.unit}" for scan in (one, two) if scan.axis.quantity != "unknown"]
    units = [f"{scan.quantity} in {scan.unit}" for scan in (one, two) if scan.unit != "arbitrary"]
    for what, said in (("axis", axes), ("values", units)):
        if len(set(said)) > 1:
            yield f"different {what} in SCAN: {' and '.join(said)}"


def _numbers(what: str, left: Array, right: Array, *, nothing: float) -> Iterator[str]:
    if left.shape != right.shape:
        yield f"{left.size} and {right.size} {what} in SCAN"
        return
    with np.errstate(invalid="ignore", over="ignore"):
        same = (left == right) | (np.isnan(left) & np.isnan(right))
        gap = np.where(same, 0.0, np.abs(left - right))
        # each point by itself: beside a spike of a billion, 1 and 100 are not the same
        allowed = np.maximum(AGREEMENT * np.minimum(np.abs(left), np.abs(right)), nothing * _middle(left))
        apart = ~(same | (np.isfinite(gap) & (gap <= allowed)))
    if apart.any():
        worst = int(np.argmax(np.where(apart, np.nan_to_num(gap, nan=np.inf), -1.0)))
        yield f"different {what} in SCAN: {left[worst]:.8g} and {right[worst]:.8g} at point {worst + 1}"


def _middle(values: Array) -> float:
    """Return the median size of the numbers that are finite."""
    finite = np.abs(values[np.isfinite(values)])
    return float(np.median(finite)) if finite.size else 0.0
