"""Constraints that are no weighted sums, and the language that they are written in.

    constraint := sum (("<=" | ">=") sum)+              "temperature * time <= 5000", "1 <= a / b <= 3"
    sum        := term (("+" | "-") term)*
    term       := factor (("*" | "/") factor)*
    factor     := ("+" | "-") factor | atom (("^" | "**") factor)?
    atom       := number | name | `any name` | function "(" sum ("," sum)* ")" | "(" sum ")"

Functions are abs, exp, log, log10, max, min and sqrt. Text is parsed here and nothing of it is executed. Where an
expression has no value (the logarithm of a negative number, a division by zero), the constraint does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from planner.constraints import TOLERANCE
from planner.errors import ConstraintError, SpaceError, did_you_mean

Columns = Mapping[str, np.ndarray]
Expression = Callable[[Columns], np.ndarray]

_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)|`(?P<quoted>[^`]+)`"
    r"|(?P<relation><=|>=|==)|(?P<mark>\*\*|[-+*/^(),])"
)
_ONE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
}
_MANY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"max": np.maximum, "min": np.minimum}
_TWO: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
}
_MOST_NESTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class NonlinearConstraint:
    """Expressions in numeric parameters of which each must keep to one side of the next; see `parse_nonlinear`."""

    text: str
    """What the user wrote."""
    names: tuple[str, ...]
    """The parameters that it names."""
    sides: tuple[tuple[Expression, str, Expression], ...] = field(compare=False, repr=False)
    """Left, relation and right of each comparison."""

    def __str__(self) -> str:
        return self.text

    def holds(self, columns: Columns) -> np.ndarray:
        """Say where it holds (`n`, bool), of values by name (`n` each)."""
        good = np.ones(len(next(iter(columns.values()))), dtype=bool)
        for left, right in self._compared(columns):
            size = np.maximum(np.abs(left), np.abs(right))
            good &= np.isfinite(left) & np.isfinite(right) & (left - right <= TOLERANCE * size)
        return good

    def violation(self, values: Mapping[str, float]) -> str | None:
        """Say how the constraint fails, or return None."""
        columns = {name: np.array([float(values[name])]) for name in self.names}
        if self.holds(columns)[0]:
            return None
        for low, high in self._compared(columns):
            if not (np.isfinite(low[0]) and np.isfinite(high[0])):
                return f"constraint {self.text!r} has no value there"
            if low[0] > high[0]:
                return f"constraint {self.text!r}: {low[0]:.6g} exceeds {high[0]:.6g}"
        return f"constraint {self.text!r} does not hold"

    def _compared(self, columns: Columns) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return pairs of which the first must not exceed the second."""
        with np.errstate(all="ignore"):
            both = [(left(columns), relation, right(columns)) for left, relation, right in self.sides]
        return [(left, right) if relation == "<=" else (right, left) for left, relation, right in both]


def parse_nonlinear(text: str, names: Iterable[str]) -> NonlinearConstraint:
    """Read a constraint over parameters with these names.

    Raises:
        ConstraintError: The text is no constraint, is an equality, or names an unknown parameter; says where.
    """
    return _Parser(text, list(names)).constraint()


def parse_expression(text: str, names: Iterable[str]) -> Expression:
    """Read a number that depends on parameters with these names, a sum of the language above.

    Returns:
        A function from values by name (`n` each, one at least) to its value (`n`), not finite where it has none.

    Raises:
        ConstraintError: The text is no such sum, or names an unknown parameter; says where.
    """
    return _Parser(text, list(names), "a formula").expression()


class _Parser:
    def __init__(self, text: str, names: list[str], what: str = "a constraint") -> None:
        if not isinstance(text, str):
            raise SpaceError(f"{what} is text, not {text!r}")
        self._text, self._names = text, names
        self._used: dict[str, None] = {}
        self._tokens = list(self._read_tokens())
        self._next = self._depth = 0

    def _read_tokens(self) -> Iterable[tuple[str, str, int]]:
        position = 0
        while position < len(self._text):
            if self._text[position].isspace():
                position += 1
                continue
            match = _TOKEN.match(self._text, position)
            if match is None or match.lastgroup is None:
                raise self._error(self._hint(position), position)
            found = match.group(match.lastgroup)
            yield match.lastgroup, "^" if found == "**" else found, position
            position = match.end()
        yield "end", "", len(self._text)

    def _hint(self, position: int) -> str:
        mark = self._text[position]
        if mark in "<>":
            return f"use {mark}= (bounds are included)"
        return "use == for equality" if mark == "=" else f"cannot read {mark!r}"

    def _error(self, message: str, position: int) -> ConstraintError:
        return ConstraintError(message, text=self._text, position=position)

    def _at(self, *marks: str) -> bool:
        kind, text, _ = self._tokens[self._next]
        return kind == "mark" and text in marks

    def _take(self) -> tuple[str, str, int]:
        token = self._tokens[self._next]
        self._next += token[0] != "end"
        return token

    def constraint(self) -> NonlinearConstraint:
        left = self._sum()
        sides: list[tuple[Expression, str, Expression]] = []
        while self._tokens[self._next][0] == "relation":
            _, relation, position = self._take()
            if relation == "==":
                raise self._error(
                    "an equality must be linear, since a curved one leaves nothing to draw from; solve it for one "
                    "parameter and leave that out, or write two inequalities",
                    position,
                )
            right = self._sum()
            sides.append((left, relation, right))
            left = right
        self._end()
        if not sides:
            raise self._error("expected <= or >=", len(self._text))
        if not self._used:
            raise self._error("no parameter is named", 0)
        return NonlinearConstraint(text=self._text.strip(), names=tuple(self._used), sides=tuple(sides))

    def expression(self) -> Expression:
        found = self._sum()
        self._end()
        return found

    def _end(self) -> None:
        kind, text, position = self._tokens[self._next]
        if kind != "end":
            raise self._error(f"unexpected {text!r}", position)

    def _sum(self) -> Expression:
        found = self._term()
        while self._at("+", "-"):
            found = _joined(_TWO[self._take()[1]], found, self._term())
        return found

    def _term(self) -> Expression:
        found = self._factor()
        while self._at("*", "/"):
            found = _joined(_TWO[self._take()[1]], found, self._factor())
        return found

    def _factor(self) -> Expression:
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise self._error(f"more than {_MOST_NESTED} levels within each other", self._tokens[self._next][2])
        if self._at("+", "-"):
            sign = -1.0 if self._take()[1] == "-" else 1.0
            found = _joined(np.multiply, _constant(sign), self._factor())
        else:
            found = self._atom()
            if self._at("^"):
                self._take()
                found = _joined(np.power, found, self._factor())
        self._depth -= 1
        return found

    def _atom(self) -> Expression:
        kind, text, position = self._take()
        if kind == "number":
            return _constant(float(text))
        if (kind, text) == ("mark", "("):
            found = self._sum()
            self._close(position)
            return found
        if kind in ("name", "quoted"):
            if text not in self._names and kind == "name" and self._at("("):
                return self._function(text, position)
            return self._named(text, position)
        raise self._error("expected a number or a parameter", position)

    def _function(self, name: str, position: int) -> Expression:
        known = sorted({*_ONE, *_MANY})
        if name not in known:
            raise self._error(
                f"unknown function {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}", position
            )
        _, _, opening = self._take()
        arguments = [self._sum()]
        while self._at(","):
            self._take()
            arguments.append(self._sum())
        self._close(opening)
        if name in _MANY:
            join = _MANY[name]
            return reduce(lambda left, right: _joined(join, left, right), arguments)
        if len(arguments) != 1:
            raise self._error(f"{name} takes one value, not {len(arguments)}", position)
        apply, inside = _ONE[name], arguments[0]
        return lambda columns: apply(inside(columns))

    def _close(self, opening: int) -> None:
        if not self._at(")"):
            raise self._error("this parenthesis is never closed", opening)
        self._take()

    def _named(self, name: str, position: int) -> Expression:
        if name not in self._names:
            raise self._error(f"unknown parameter {name!r}{did_you_mean(name, self._names)}", position)
        self._used[name] = None
        return lambda columns: columns[name]


def _constant(value: float) -> Expression:
    return lambda columns: np.full(len(next(iter(columns.values()))), value)


def _joined(join: Callable[[np.ndarray, np.ndarray], np.ndarray], left: Expression, right: Expression) -> Expression:
    return lambda columns: join(left(columns), right(columns))
