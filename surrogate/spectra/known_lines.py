"""Known lines, against which the axis of a spectrometer is checked.

Positions are those in general use, with the spread of published values as standard deviation: the first-order line of
silicon at room temperature (Parker, Feldman & Ashkin, Phys. Rev. 155, 712 (1967), doi:10.1103/PhysRev.155.712), and the
absorption bands of holmium oxide glass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from surrogate.spectra.errors import CannotTell


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLine:
    """Where a line is known to be, in the unit of its table."""

    position: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTable:
    """Lines of one substance."""

    unit: str
    lines: tuple[KnownLine, ...]


def _table(unit: str, sd: float, *positions: float) -> LineTable:
    return LineTable(unit=unit, lines=tuple(KnownLine(position=position, sd=sd) for position in positions))


KNOWN_LINES: Mapping[str, LineTable] = {
    "silicon": _table("/cm", 0.3, 520.7),
    "holmium oxide": _table("nm", 0.5, 361.0, 418.0, 536.0),
}
"""By substance."""


class _Estimate(Protocol):
    @property
    def value(self) -> float: ...
    @property
    def sd(self) -> float: ...


class Positioned(Protocol):
    """A peak, as far as its position goes."""

    @property
    def position(self) -> _Estimate:
        """Where it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCheck:
    """Found positions against known ones."""

    offset: float
    """Found minus known, in the unit of the table."""
    offset_sd: float
    """Enlarged where the lines disagree about the offset by more than their errors."""
    deviations: tuple[tuple[float, float, float], ...]
    """(known position, found minus known, sd) of each matched line."""
    missing: tuple[float, ...]
    """Known lines within the range of the spectrum next to which no peak was found."""
    is_consistent: bool
    """Whether one offset explains all lines; False asks for a calibration with a slope."""

    @property
    def is_within_error(self) -> bool:
        """Say whether the axis agrees with the known lines, at two standard deviations."""
        return abs(self.offset) <= 2.0 * self.offset_sd


def check_lines(
    peaks: Sequence[Positioned], table: LineTable, *, within: float, span: tuple[float, float] | None = None
) -> LineCheck:
    """Compare peaks with known lines; each line takes the nearest peak, and no peak counts twice.

    Args:
        peaks: found ones.
        table: known ones, in the same unit.
        within: how far off a line may be looked for.
        span: range of the spectrum; a line outside is not missing.

    Raises:
        CannotTell: No line was found, or two lines lie closer together than they may be off.
    """
    known = [line for line in table.lines if span is None or span[0] <= line.position <= span[1]]
    gaps = np.diff(sorted(line.position for line in known))
    if len(gaps) and gaps.min() < 2.0 * within:
        raise CannotTell(
            f"known lines lie {gaps.min():g} {table.unit} apart: a search within {within:g} {table.unit} confuses them"
        )
    matched = {line: near for line in known if (near := _nearest(peaks, line, within)) is not None}
    if not matched:
        raise CannotTell(
            f"no peak lies within {within:g} {table.unit} of a known line "
            f"({', '.join(f'{line.position:g}' for line in known) or 'none in range'})"
        )
    away = np.array([peak.position.value - line.position for line, peak in matched.items()])
    sds = np.array([np.hypot(peak.position.sd, line.sd) for line, peak in matched.items()])
    weights = 1.0 / sds**2
    offset = float(np.average(away, weights=weights))
    freedom = len(away) - 1
    chi2 = float(np.sum(((away - offset) / sds) ** 2)) / freedom if freedom else 0.0
    return LineCheck(
        offset=offset,
        offset_sd=float(np.sqrt(max(chi2, 1.0) / weights.sum())),
        deviations=tuple((line.position, float(d), float(s)) for line, d, s in zip(matched, away, sds, strict=True)),
        missing=tuple(line.position for line in known if line not in matched),
        is_consistent=chi2 < 4.0,
    )


def _nearest(peaks: Sequence[Positioned], line: KnownLine, within: float) -> Positioned | None:
    near = [peak for peak in peaks if abs(peak.position.value - line.position) <= within]
    return min(near, key=lambda peak: abs(peak.position.value - line.position)) if near else None
