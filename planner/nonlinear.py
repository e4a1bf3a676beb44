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

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from planner.constraints import TOLERANCE
from planner.errors import did_you_mean
from planner.tokens import MOST_NESTED, Token, TokenReader

Columns = Mapping[str, np.ndarray]
Expression = Callable[[Columns], np.ndarray]

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
    return _Parser(text, names, "a constraint is text").constraint()


def parse_expression(text: str, names: Iterable[str]) -> Expression:
    """Read a number that depends on parameters with these names, a sum of the language above.

    Returns:
        A function from values by name (`n` each, one at least) to its value (`n`), not finite where it has none.

    Raises:
        ConstraintError: The text is no such sum, or names an unknown parameter; says where.
    """
    return parse_formula(text, names)[0]


def parse_formula(text: str, names: Iterable[str]) -> tuple[Expression, tuple[str, ...]]:
    """Read a number as `parse_expression` does, and say which parameters it names.

    Raises:
        ConstraintError: As of `parse_expression`.
    """
    parser = _Parser(text, names, "a formula is text")
    return parser.expression(), parser.used


class _Parser(TokenReader):
    def __init__(self, text: str, names: Iterable[str], expected: str) -> None:
        super().__init__(text, list(names), r"\*\*|[-+*/^(),]", expected)
        self._used: dict[str, None] = {}

    def constraint(self) -> NonlinearConstraint:
        left = self._sum()
        sides: list[tuple[Expression, str, Expression]] = []
        while self._peek().kind == "relation":
            relation = self._take()
            if relation.text == "==":
                raise self._error(
                    "an equality must be linear, since a curved one leaves nothing to draw from; solve it for one "
                    "parameter and leave that out, or write two inequalities",
                    relation.position,
                )
            right = self._sum()
            sides.append((left, relation.text, right))
            left = right
        self._end_of_comparison(len(sides), "<= or >=")
        if not self._used:
            raise self._error("no parameter is named", 0)
        return NonlinearConstraint(text=self._text.strip(), names=tuple(self._used), sides=tuple(sides))

    def expression(self) -> Expression:
        found = self._sum()
        self._end()
        return found

    @property
    def used(self) -> tuple[str, ...]:
        """The parameters that were named so far."""
        return tuple(self._used)

    def _sum(self) -> Expression:
        found = self._term()
        while self._at("+", "-"):
            found = _joined(_TWO[self._take().text], found, self._term())
        return found

    def _term(self) -> Expression:
        found = self._factor()
        while self._at("*", "/"):
            found = _joined(_TWO[self._take().text], found, self._factor())
        return found

    def _factor(self) -> Expression:
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise self._error(f"more than {MOST_NESTED} levels within each other", self._peek().position)
        if self._at("+", "-"):
            sign = -1.0 if self._take().text == "-" else 1.0
            found = _joined(np.multiply, _constant(sign), self._factor())
        else:
            found = self._atom()
            if self._at("^", "**"):
                self._take()
                found = _joined(np.power, found, self._factor())
        self._depth -= 1
        return found

    def _atom(self) -> Expression:
        token = self._take()
        if token.kind == "number":
            return _constant(float(token.text))
        if (token.kind, token.text) == ("mark", "("):
            found = self._sum()
            self._close(token.position)
            return found
        if token.kind in ("name", "quoted"):
            if token.text not in self._names and token.kind == "name" and self._at("("):
                return self._function(token.text, token.position)
            return self._named(token)
        raise self._error("expected a number or a parameter", token.position)

    def _function(self, name: str, position: int) -> Expression:
        known = sorted({*_ONE, *_MANY})
        if name not in known:
            raise self._error(
                f"unknown function {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}", position
            )
        opening = self._take().position
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

    def _named(self, token: Token) -> Expression:
        name = self._known(token)
        self._used[name] = None
        return lambda columns: columns[name]


def _constant(value: float) -> Expression:
    return lambda columns: np.full(len(next(iter(columns.values()))), value)


def _joined(join: Callable[[np.ndarray, np.ndarray], np.ndarray], left: Expression, right: Expression) -> Expression:
    return lambda columns: join(left(columns), right(columns))
