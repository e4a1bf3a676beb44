"""Read GSAS powder data: banks of STD, ESD, FXY, FXYE and ALT records, with CONST, RALF and SLOG steps.

Layout after A.C. Larson and R.B. Von Dreele, General Structure Analysis System (GSAS), Los Alamos National Laboratory
Report LAUR 86-748 (2004), "Powder data files": STD is 10(I2,F6.0), the number of counters that were averaged and their
mean; ESD is 10(F8.0), value and standard deviation in turn; ALT is 4(F8.0,F7.4,F5.4), position times 32, value and
standard deviation with implied decimals. Angles are in centidegrees, times of flight in microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surrogate.formats.axes import oddities
from surrogate.formats.columns_radiation import radiation_in
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Scan, counted
from surrogate.formats.text import are_counts, decode, facts_of, is_text, lines_of, number
from surrogate.xrd.formats.gsas_records import Points, alt_points, esd_points, free_points, std_points

_BANK = re.compile(rb"(?:^|[\r\n])BANK[ \t]+\d+[ \t]+\d+[ \t]+\d+[ \t]")
_BANK_LINE = re.compile(r"BANK\s+\d+\s+\d+\s+\d+\s")
_FLIGHT = ("RALF", "SLOG")
MOST_CENTIDEGREES = 18000.0
LARGEST_STEP = 1e12
FIXED_RECORD = 80
MOST_BANKS = 4096


def recognises(data: bytes) -> bool:
    """Say whether bytes are GSAS powder data: a line that begins with BANK and three numbers."""
    return (bool(_BANK.search(data)) or _is_fixed(data)) and is_text(data)


def read(data: bytes) -> Content:
    """Read GSAS powder data, each bank as a scan.

    Raises:
        NotUnderstood: A bank is of a kind that is not read, or shorter than it says.
    """
    text = decode(data)
    lines = (
        [text[at : at + FIXED_RECORD] for at in range(0, len(text), FIXED_RECORD)]
        if _is_fixed(data)
        else lines_of(text)
    )
    starts = [index for index, line in enumerate(lines) if _BANK_LINE.match(line)]
    if not 0 < len(starts) <= MOST_BANKS:
        raise NotUnderstood(f"{len(starts)} BANK records; from 1 to {MOST_BANKS} are read")
    head = [line for line in lines[: starts[0]] if line.strip()]
    warnings: list[str] = []
    ends = [*starts[1:], len(lines)]
    scans = [_scan(lines[start:end], head, warnings) for start, end in zip(starts, ends, strict=True)]
    kinds = " ".join(dict.fromkeys(_Bank.of(lines[start]).kind for start in starts))
    header = "\n".join([*head, *(line for line in lines[starts[0] :] if line.startswith(("BANK", "#")))])
    return Content(format=f"GSAS {kinds}", header=header, scans=tuple(scans), warnings=tuple(dict.fromkeys(warnings)))


def _is_fixed(data: bytes) -> bool:
    """Say whether it is of records of 80 characters without line ends, as GSAS wrote on Unix."""
    starts = (data[at : at + 5] == b"BANK " for at in range(0, min(len(data), 1 << 16), FIXED_RECORD))
    return len(data) >= 2 * FIXED_RECORD and not re.search(rb"[\r\n]", data[: 1 << 16]) and any(starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bank:
    """What a BANK record says."""

    number: str
    points: int
    steps: str
    """Kind of steps: CONST, RALF, SLOG, ..."""
    coefficients: tuple[float, ...]
    kind: str

    @classmethod
    def of(cls, line: str) -> _Bank:
        words = line.split()
        kind = next((word for word in words[4:] if word in ("STD", "ESD", "FXYE", "FXY", "ALT")), "STD")
        steps = words[4].upper() if len(words) > 4 else ""
        steps = "CONST" if steps in ("CONS", "CONST", "CONQ") else steps
        numbers = []
        for word in words[5:9]:
            value = number(word)
            if value is None:
                break
            numbers.append(value)
        if len(words[2]) > 9:
            raise NotUnderstood(f"bank {words[1]} declares {words[2]} points")
        return cls(number=words[1], points=int(words[2]), steps=steps, coefficients=tuple(numbers), kind=kind)


def _scan(lines: Sequence[str], head: Sequence[str], warnings: list[str]) -> Scan:
    bank = _Bank.of(lines[0])
    if bank.steps not in ("CONST", *_FLIGHT):
        raise NotUnderstood(
            f"bank {bank.number} has steps of kind {bank.steps or 'none'}; CONST, RALF and SLOG are read"
        )
    records = [line for line in lines[1:] if line.strip(" \x1a\x00") and not line.startswith("#")]
    points = _points(bank, records, warnings)
    axis = _axis(bank, points, warnings)
    warnings += [f"bank {bank.number}: {odd}" for odd in oddities(axis.values)]
    radiation, assumed = radiation_in(line for line in [*head, *lines] if line.startswith("#") or line is head[0])
    warnings += assumed
    return Scan(
        kind="diffractogram",
        axis=axis,
        **_values(points),
        radiation=radiation if axis.quantity == "two_theta" else None,
        title=head[0].strip() if head else "",
        facts={"bank": int(bank.number), **facts_of(line for line in head[1:])},
    )


def _points(bank: _Bank, records: Sequence[str], warnings: list[str]) -> Points:
    if bank.kind in ("FXYE", "FXY"):
        points = free_points(records, columns=len(bank.kind) - 1)
        if len(points.values) != bank.points:
            warnings.append(f"bank {bank.number} has {len(points.values)} points and declares {bank.points}")
        return points
    # even the tightest record, ten values in 80 characters, needs 8 characters for each point
    if bank.points > 5 + sum(map(len, records)) or bank.points < 2:
        raise NotUnderstood(f"bank {bank.number} declares {bank.points} points in {len(records)} records")
    readers = {"STD": std_points, "ESD": esd_points, "ALT": alt_points}
    return readers[bank.kind](records, bank.points, warnings)


def _axis(bank: _Bank, points: Points, warnings: list[str]) -> Axis:
    x = points.positions if points.positions is not None else _steps(bank, len(points.values))
    if bank.kind == "ALT":
        x = x / 32.0
    _require_agreement(bank, x)
    if bank.steps in _FLIGHT:
        warnings.append(f"positions of {bank.steps} steps were taken as microseconds of flight, as that kind is used")
        return Axis(quantity="time", unit="us", values=x)
    if x.max() > MOST_CENTIDEGREES:
        warnings.append(
            f"bank {bank.number} ends at {x.max():g}, more than 180 degrees; taken as microseconds of flight"
        )
        return Axis(quantity="time", unit="us", values=x)
    warnings.append("positions of CONST steps were taken as centidegrees of 2theta, not as microseconds of flight")
    return Axis(quantity="two_theta", unit="deg", values=x / 100.0)


def _steps(bank: _Bank, n: int) -> Array:
    if bank.steps != "CONST":
        raise NotUnderstood(f"bank {bank.number} has {bank.steps} steps and no positions ({bank.kind}); only FXYE does")
    if len(bank.coefficients) < 2 or not 0 < bank.coefficients[1] < LARGEST_STEP > abs(bank.coefficients[0]):
        raise NotUnderstood(f"bank {bank.number} gives no start and step that can be")
    return bank.coefficients[0] + bank.coefficients[1] * np.arange(n, dtype=np.float64)


def _require_agreement(bank: _Bank, x: Array) -> None:
    """Refuse positions that are not where the BANK record says: degrees in place of centidegrees, say."""
    if bank.steps != "CONST" or len(bank.coefficients) < 2 or not len(x):
        return
    start, step = bank.coefficients[:2]
    if step > 0 and abs(x[0] - start) > max(10 * step, 0.05 * abs(start)) and bank.kind != "ALT":
        raise NotUnderstood(
            f"bank {bank.number} declares a start of {start:g} and begins at {x[0]:g}; units are unclear"
        )


def _values(points: Points) -> dict[str, Any]:
    if points.sigma is not None:
        return {"values": points.values, "unit": "arbitrary", "sigma": points.sigma}
    if points.counters is None:
        return counted(points.values) if are_counts(points.values) else {"values": points.values, "unit": "arbitrary"}
    if (points.counters == 1).all() and are_counts(points.values):
        return counted(points.values)
    sigma = np.sqrt((np.maximum(points.values, 0.0) + 1.0) / points.counters)
    return {"values": points.values, "unit": "counts", "sigma": sigma}
