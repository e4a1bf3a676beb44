"""Tables of JCAMP-DX: free numbers (AFFN), packed (PAC), squeezed (SQZ), differences (DIF) and repeats (DUP).

After McDonald and Wilks, doi:10.1366/0003702884428734, tables II to IV. A line of ``(X++(Y..Y))`` begins with the
abscissa of its first ordinate. In the compressed forms the character of an ordinate's leading digit also says its sign
and whether it is a value (``@A-Ia-i``), a difference to the value before (``%J-Rj-r``) or a number of repeats of what
stands before (``S-Zs``). Where a line ends with a difference, the next line begins with the last value again: the
ordinate check, which is not a point.

``E`` is both a squeezed 5 and an exponent. In a compressed table it is an exponent only in the abscissa and only before
a sign; ``E`` before a sign among ordinates could be both, and is refused.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array
from surrogate.spectra.formats.jcamp_records import resolution

Lines = Sequence[tuple[int, str]]

_DIGITS = r"(?:\d++(?:\.\d*+)?+|\.\d++)"
_FREE = re.compile(rf"(?:[+-]?{_DIGITS}(?:[Ee][+-]?\d++)?+|\?)")
_FREE_LINE = re.compile(rf"[\s,;]*+(?:{_FREE.pattern}(?:[\s,;]++|(?=[+-])|\Z))*+")
_ABSCISSA = re.compile(rf"\s*+([+-]?{_DIGITS}(?:[Ee][+-]\d{{1,3}})?+)")
_ORDINATE = re.compile(r"[\s,;]*+(?:([+-]?)(\d++)|([@A-Ia-i])(\d*+)|([%J-Rj-r])(\d*+)|([S-Zs])(\d*+)|(\?))")
_SQUEEZED = {"@": "0", **dict(zip("ABCDEFGHI", "123456789", strict=True))}
_SQUEEZED |= {letter: f"-{digit}" for letter, digit in zip("abcdefghi", "123456789", strict=True)}
_DIFFERENCE = {"%": "0", **dict(zip("JKLMNOPQR", "123456789", strict=True))}
_DIFFERENCE |= {letter: f"-{digit}" for letter, digit in zip("jklmnopqr", "123456789", strict=True)}
_REPEATS = dict(zip("STUVWXYZs", "123456789", strict=True))


@dataclass(slots=True)
class Ordinates:
    """The ordinates of a table of ``n`` points, and the abscissa that each line says."""

    values: array = field(default_factory=lambda: array("d"))
    lines: list[tuple[int, float, float, int]] = field(default_factory=list)
    """Of each line: its number, its abscissa, one unit of that number's last digit, the point that it belongs to."""

    def array(self) -> Array:
        """Return the ``n`` ordinates."""
        return np.array(self.values, dtype=float)


def compressed(lines: Lines) -> bool:
    """Say whether a table is in a compressed form."""
    return not all(_FREE_LINE.fullmatch(text) for _, text in lines)


def point_commas(lines: Lines) -> Lines:
    """Return lines with decimal points for decimal commas."""
    return [(number, re.sub(r"(?<=\d),(?=\d)", ".", text)) for number, text in lines]


def free_numbers(line: tuple[int, str]) -> list[str]:
    """Return the numbers of a line of AFFN or PAC, as text.

    Raises:
        NotUnderstood: Something else stands in the line.
    """
    number, text = line
    if not _FREE_LINE.fullmatch(text):
        raise NotUnderstood(f"line {number} is not a row of numbers: {text.strip()[:60]!r}")
    return _FREE.findall(text)


def pairs(lines: Lines, *, limit: int) -> tuple[Array, Array]:
    """Return ``n`` abscissas and ``n`` ordinates of a table ``(XY..XY)``.

    Raises:
        NotUnderstood: A line has an odd number of numbers or something else, or there are more points than the limit.
    """
    found = array("d")
    for line in lines:
        numbers = free_numbers(line)
        if len(numbers) % 2:
            raise NotUnderstood(f"line {line[0]} holds {len(numbers)} numbers, which are not pairs of x and y")
        found.extend(map(_float, numbers))
        _within(len(found) // 2, limit, line[0])
    table = np.array(found, dtype=float).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def ordinates(lines: Lines, *, limit: int) -> Ordinates:
    """Return the ordinates of a table ``(X++(Y..Y))`` in any of its forms.

    Raises:
        NotUnderstood: A line is not in the form, an ordinate check fails, or there are more points than the limit.
    """
    read = _compressed if compressed(lines) else _free
    return read(lines, limit)


def _free(lines: Lines, limit: int) -> Ordinates:
    table = Ordinates()
    for line in lines:
        first, *values = free_numbers(line)
        if not values:
            raise NotUnderstood(f"line {line[0]} holds an abscissa and no ordinate")
        table.lines.append((line[0], _float(first), resolution(first), len(table.values)))
        table.values.extend(map(_float, values))
        _within(len(table.values), limit, line[0])
    return table


def _compressed(lines: Lines, limit: int) -> Ordinates:
    table = Ordinates()
    decoder = _Decoder(values=table.values, limit=limit)
    for number, text in lines:
        if not (match := _ABSCISSA.match(text)):
            raise NotUnderstood(f"line {number} does not begin with an abscissa: {text.strip()[:60]!r}")
        at = len(table.values) - decoder.by_difference
        table.lines.append((number, float(match[1]), resolution(match[1]), at))
        decoder.line(number, text, match.end())
    return table


@dataclass(slots=True)
class _Decoder:
    """What the ordinates so far leave behind for the next."""

    values: array
    limit: int
    last: int | None = None
    difference: int = 0
    by_difference: bool = False
    """The ordinate before was given by its difference."""

    def line(self, number: int, text: str, start: int) -> None:
        """Add the ordinates of a line from a position on."""
        check = self.last if self.by_difference else None
        first = True
        end = len(text.rstrip(" \t,;"))
        while start < end:
            if not (match := _ORDINATE.match(text, start)):
                raise NotUnderstood(f"line {number}, column {start + 1}: {text[start]!r} is no digit of an ordinate")
            if match[3] in ("E", "e") and not match[4] and text[match.end() : match.end() + 1] in ("+", "-"):
                raise NotUnderstood(f"line {number}: an E before a sign is both a digit and an exponent")
            self.token(match, number, check=check, first=first)
            start, first = match.end(), False
        if first:
            raise NotUnderstood(f"line {number} holds an abscissa and no ordinate")

    def token(self, match: re.Match[str], number: int, *, check: int | None, first: bool) -> None:
        """Add what one ordinate says."""
        sign, digits, squeezed, squeezed_rest, step, step_rest, repeats, repeats_rest, unknown = match.groups()
        if digits or squeezed:
            value = int(sign + digits) if digits else int(_SQUEEZED[squeezed] + squeezed_rest)
            self.absolute(value, number, check=check if first else None)
        elif first and (check is not None or not unknown):
            raise NotUnderstood(f"line {number}: its first ordinate is no value, but {match[0].strip()!r}")
        elif step:
            self.step(int(_DIFFERENCE[step] + step_rest), number)
        elif repeats:
            self.repeat(int(_REPEATS[repeats] + repeats_rest) - 1, number)
        else:
            self.last, self.by_difference = None, False
            self.add(float("nan"), number)

    def absolute(self, value: int, number: int, *, check: int | None) -> None:
        """Add a value, or check it where it repeats the last of the line before."""
        if check is not None and value != check:
            raise NotUnderstood(f"line {number}: its ordinate check is {value}, the line before ended with {check}")
        self.last, self.by_difference = value, False
        if check is None:
            self.add(value, number)

    def step(self, difference: int, number: int) -> None:
        """Add a value by its difference to the last."""
        if self.last is None:
            raise NotUnderstood(f"line {number}: a difference to a value that is not known")
        self.difference, self.by_difference = difference, True
        self.last += difference
        self.add(self.last, number)

    def repeat(self, times: int, number: int) -> None:
        """Repeat the last value, or the last difference."""
        if times < 0:
            raise NotUnderstood(f"line {number}: an ordinate that stands zero times")
        _within(len(self.values) + times, self.limit, number)
        if self.by_difference and self.last is not None:
            self.values.extend(self.last + self.difference * (i + 1) for i in range(times))
            self.last += self.difference * times
        else:
            self.values.extend([float("nan") if self.last is None else self.last] * times)

    def add(self, value: float, number: int) -> None:
        """Add a value."""
        self.values.append(value)
        _within(len(self.values), self.limit, number)


def _float(text: str) -> float:
    return float("nan") if text == "?" else float(text)


def _within(count: int, limit: int, number: int) -> None:
    if count > limit:
        raise NotUnderstood(f"line {number}: more points than the {limit} that the header or this reader allows")
